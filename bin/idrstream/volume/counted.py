"""The counts of a region, summed over its slabs out of the files that are committed. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from idrstream.runs.types import LedgerEntry
from idrstream.volume import grid, results, scores
from idrstream.volume.box import Box
from idrstream.volume.packets import Description


def of_region(
    region: Description, checkpoint: str, outdir: str | Path, entries: Sequence[LedgerEntry]
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """What `of_files` gives for a region by a checkpoint; None if some of its slabs have no counts."""
    rows = results.committed(entries, region["entry"])
    units = results.matching(rows, "counts", region["wanted"][checkpoint]["counts"]["identity"])
    if not grid.whole(Box.of(region["roi"]), units.values()):
        return None
    return of_files([entry for entry in entries if entry["batch"] in units], outdir)


def of_files(entries: Sequence[LedgerEntry], outdir: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Counts, {class: {kind: ...}} (`scores.add`), and names of the labels of each class, of ENTRIES of slabs."""
    contents = [scores.read(Path(outdir, file["path"])) for entry in entries for file in entry["files"]]
    return scores.add(counts for counts, _ in contents), contents[0][1]
