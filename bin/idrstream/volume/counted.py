"""The counts of a region, summed over its slabs out of the files that are committed. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from idrstream.runs.types import LedgerEntry
from idrstream.volume import grid, results, scores
from idrstream.volume.packets import Description, box


def of_region(
    region: Description, checkpoint: str, outdir: str | Path, entries: Sequence[LedgerEntry]
) -> dict[str, Any] | None:
    """{class: {kind: ...}} of a region by a checkpoint (`scores.add`); None if some of its slabs have no counts."""
    rows = results.committed(entries, region["entry"])
    units = results.matching(rows, "counts", region["wanted"][checkpoint]["counts"]["identity"])
    if not grid.whole(box(region["roi"]), units.values()):
        return None
    paths = [file["path"] for entry in entries if entry["batch"] in units for file in entry["files"]]
    return scores.add(scores.read(Path(outdir, path))[0] for path in paths)
