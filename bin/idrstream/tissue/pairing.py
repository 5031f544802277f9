"""PAIR: which nucleus is whose cell, so that both have one label.

A cell that covers a nucleus has it, of several the largest; then whatever overlaps most of a nucleus, best first. Each
nucleus and each cell is in one pair at most; those in none stay, by labels that no other has.
"""

from typing import NamedTuple

import numpy as np

from idrstream.base.failures import NotReadable

VERSION = 1  # raised when other nuclei and cells are paired

LARGEST = np.iinfo(np.uint32).max  # label


class Overlaps(NamedTuple):
    """Nuclei and cells that share pixels, a pair of labels each, in ascending order.

    nuclei  (k,) int64 labels
    cells   (k,) int64 labels
    pixels  (k,) int64 that they share
    """

    nuclei: np.ndarray
    cells: np.ndarray
    pixels: np.ndarray


def overlaps(pairs):
    """Overlaps of a slide.

    pairs  iterable of (nuclei, cells), label images (Y, X) uint32 of one tile, of all its tiles in any order
    """
    parts = [_runs(*pair) for pair in pairs]
    keys, lengths = (np.concatenate(column) for column in zip(*parts, strict=True))
    keys, pixels = _summed(keys, lengths)
    return Overlaps((keys >> 32).astype(np.int64), (keys & LARGEST).astype(np.int64), pixels)


def pair(found, nuclei):
    """(k,) bool: which of the Overlaps of a slide are pairs; NUCLEI are its objects.Objects."""
    sizes = nuclei.pixels[np.searchsorted(nuclei.labels, found.nuclei)]
    chosen, covered = np.zeros(len(sizes), bool), np.flatnonzero(found.pixels == sizes)
    by_cell = covered[np.lexsort((found.nuclei[covered], -sizes[covered], found.cells[covered]))]
    _, first = np.unique(found.cells[by_cell], return_index=True)
    chosen[by_cell[first]] = True
    share = found.pixels / sizes
    order = np.lexsort((found.cells, found.nuclei, -found.pixels, -share))
    taken_nuclei, taken_cells = set(found.nuclei[chosen].tolist()), set(found.cells[chosen].tolist())
    for index in order[~chosen[order]].tolist():
        nucleus, cell = int(found.nuclei[index]), int(found.cells[index])
        if nucleus not in taken_nuclei and cell not in taken_cells:
            chosen[index] = True
            taken_nuclei.add(nucleus)
            taken_cells.add(cell)
    return chosen


def labels(found, chosen, nuclei, cells, of_nuclei, of_cells):
    """The new label of every cell: (n,) uint32, in the order of CELLS; 0 for those that are not wanted.

    found, chosen  Overlaps, and which of them are pairs
    nuclei, cells  objects.Objects of the slide
    of_nuclei      (m,) uint32 label that each nucleus has in the end, 0 if it is not wanted: nor is its cell
    of_cells       (n,) above 0: the cell is wanted if it has no nucleus

    A cell with a nucleus has the nucleus's label; the others have the next after the nuclei's largest, in the order of
    their first pixels. Raises NotReadable where there are none left.
    """
    new, free = np.zeros(len(cells.labels), np.int64), of_cells > 0
    places = np.searchsorted(cells.labels, found.cells[chosen])
    new[places] = of_nuclei[np.searchsorted(nuclei.labels, found.nuclei[chosen])]
    free[places] = False
    alone = np.flatnonzero(free)
    largest = int(of_nuclei.max(initial=0))
    if largest + len(alone) > LARGEST:
        raise NotReadable(
            f"the largest label of the nuclei is {largest:,}: {len(alone):,} cells without a nucleus would have larger "
            f"ones than {LARGEST:,}; number the nuclei anew"
        )
    new[alone[np.argsort(cells.first[alone])]] = largest + 1 + np.arange(len(alone))
    return new.astype(np.uint32)


def _runs(nuclei, cells):
    """(keys, lengths): the overlaps of a tile. A key has the nucleus in its upper 32 bits, the cell in its lower."""
    keys = nuclei.ravel().astype(np.uint64) << np.uint64(32) | cells.ravel()
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    lengths, keys = np.diff(starts, append=len(keys)), keys[starts]
    both = (keys > LARGEST) & (keys & np.uint64(LARGEST) > 0)
    return _summed(keys[both], lengths[both])


def _summed(keys, numbers):
    """Keys, each once, ascending; and the sums of their numbers, int64."""
    order = np.argsort(keys, kind="stable")
    keys, numbers = keys[order], numbers[order].astype(np.int64)
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.empty(0, int)
    return keys[first], np.add.reduceat(numbers, first) if len(first) else numbers
