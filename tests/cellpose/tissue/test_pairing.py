"""Nuclei and cells have one label where they belong together; what belongs to nothing stays."""

import numpy as np
import pytest

import slides
from idrstream.base import failures
from idrstream.tissue import objects, pairing, tiles

SHAPE = 40, 60


def drawn(*boxes):
    """(Y, X) uint32 of rectangles: (label, y0, y1, x0, x1) each, later ones on top."""
    image = np.zeros(SHAPE, np.uint32)
    for label, y0, y1, x0, x1 in boxes:
        image[y0:y1, x0:x1] = label
    return image


def objects_of(image):
    """Objects of a label image; each box is all of it."""
    labels, first, pixels = np.unique(image, return_index=True, return_counts=True)
    kept = labels > 0
    boxes = np.tile([0, image.shape[0], 0, image.shape[1]], (len(labels), 1))
    return objects.Objects(*(column[kept] for column in (labels, boxes, first, pixels)))


def paired(nuclei, cells, side=100):
    """{cell's label: its new one} of two label images that are read in tiles of SIDE."""
    boxes = tiles.grid(tiles.Box(0, nuclei.shape[0], 0, nuclei.shape[1]), side)
    found = pairing.overlaps((slides.reading(nuclei)(box), slides.reading(cells)(box)) for box in boxes)
    of_nuclei, of_cells = objects_of(nuclei), objects_of(cells)
    final = of_nuclei.labels, of_cells.labels
    labels = pairing.labels(found, pairing.pair(found, of_nuclei), of_nuclei, of_cells, *final)
    return dict(zip(of_cells.labels.tolist(), labels.tolist(), strict=True))


def test_a_cell_has_the_label_of_the_nucleus_that_it_covers():
    nuclei = drawn((1, 5, 10, 5, 10), (2, 5, 10, 30, 35))
    cells = drawn((1, 3, 12, 28, 40), (2, 3, 12, 3, 12))
    assert paired(nuclei, cells) == {1: 2, 2: 1}


def test_of_several_nuclei_in_a_cell_the_largest_is_its_own_and_of_equal_ones_the_first():
    nuclei = drawn((1, 5, 10, 5, 9), (2, 5, 10, 12, 17), (3, 5, 10, 20, 25))
    assert paired(nuclei, drawn((7, 2, 15, 2, 30))) == {7: 2}


def test_a_covered_nucleus_comes_before_a_larger_overlap():
    """Nucleus 1 shares more pixels with the cell than nucleus 2, which lies in it."""
    nuclei = drawn((1, 0, 20, 0, 20), (2, 2, 6, 22, 26))
    cells = drawn((1, 0, 20, 2, 30))
    assert paired(nuclei, cells) == {1: 2}


def test_what_overlaps_most_of_a_nucleus_goes_first():
    """Nucleus 1 has 60 % in cell 1 and 40 % in cell 2; nucleus 2 has 70 % in cell 1: so nucleus 1 is left cell 2."""
    nuclei = drawn((1, 0, 10, 10, 20), (2, 20, 30, 10, 20))
    cells = drawn((1, 0, 10, 10, 16), (2, 0, 10, 16, 30), (1, 20, 30, 10, 17))
    assert paired(nuclei, cells) == {1: 2, 2: 1}


def test_where_shares_are_equal_more_pixels_win_then_the_smaller_labels():
    larger = drawn((1, 0, 4, 0, 4), (2, 10, 20, 0, 10))
    assert paired(larger, drawn((5, 0, 4, 2, 4), (5, 10, 20, 5, 10))) == {5: 2}
    equal = drawn((1, 0, 4, 0, 4), (2, 10, 14, 0, 4))
    assert paired(equal, drawn((5, 0, 4, 2, 4), (5, 10, 14, 2, 4))) == {5: 1}
    halves = drawn((1, 0, 4, 0, 4))
    assert paired(halves, drawn((5, 0, 4, 2, 4), (3, 0, 4, 0, 2))) == {5: 2, 3: 1}


def test_cells_without_a_nucleus_have_the_next_labels_in_the_order_of_their_first_pixels():
    nuclei = drawn((9, 20, 25, 20, 25), (4, 30, 35, 50, 55))
    cells = drawn((1, 19, 26, 19, 26), (2, 10, 13, 0, 5), (3, 0, 3, 40, 45))
    assert paired(nuclei, cells) == {1: 9, 2: 11, 3: 10}


def test_without_nuclei_the_cells_are_numbered_and_without_cells_there_are_none():
    cells = drawn((8, 10, 13, 0, 5), (3, 20, 23, 40, 45))
    assert paired(drawn(), cells) == {8: 1, 3: 2}
    assert paired(cells, drawn()) == {}
    assert paired(drawn(), drawn()) == {}


def test_labels_with_gaps_and_large_ones_are_kept():
    nuclei = drawn((4209, 5, 10, 5, 10), (70_000, 5, 10, 30, 35), (3_000_000_000, 20, 25, 5, 10))
    cells = drawn((2_900_000_000, 3, 12, 28, 40), (65_536, 3, 12, 3, 12), (5, 30, 35, 5, 10))
    assert paired(nuclei, cells) == {5: 3_000_000_001, 65_536: 4209, 2_900_000_000: 70_000}
    with pytest.raises(failures.NotReadable, match="largest label of the nuclei is 4,294,967,295"):
        paired(drawn((2**32 - 1, 0, 1, 0, 1)), drawn((1, 5, 9, 5, 9)))


def by_hand(nuclei, cells):
    """The rule, pair by pair: {cell: label}."""
    size = {label: (nuclei == label).sum() for label in np.unique(nuclei[nuclei > 0]).tolist()}
    shared = {
        (nucleus, cell): ((nuclei == nucleus) & (cells == cell)).sum()
        for nucleus in size
        for cell in np.unique(cells[(nuclei == nucleus) & (cells > 0)]).tolist()
    }
    whole = lambda pair: shared[pair] == size[pair[0]]  # noqa: E731
    order = sorted(filter(whole, shared), key=lambda pair: (-size[pair[0]], pair))
    order += sorted(shared, key=lambda pair: (-shared[pair] / size[pair[0]], -shared[pair], pair))
    found = {}
    for nucleus, cell in order:
        if cell not in found and nucleus not in found.values():
            found[cell] = nucleus
    return found


@pytest.mark.parametrize("side", [200, 64, 17])
def test_pairs_of_crowded_layers_are_those_of_the_rule_whatever_the_tiles(side):
    nuclei, cells = slides.crowded((190, 170), 150, 0, (3, 8)), slides.crowded((190, 170), 90, 1, (3, 14))
    nuclei, cells = nuclei.astype(np.uint32), cells.astype(np.uint32)
    wanted, found = by_hand(nuclei, cells), paired(nuclei, cells, side)
    assert len(wanted) > 40
    assert {cell: label for cell, label in found.items() if label <= nuclei.max()} == wanted
    assert len(set(found.values())) == len(found) > len(wanted)
