"""What a run leaves of a region: results of four kinds, and where they lie. Standard library only.

maps    probabilities of a slab, by the network of one checkpoint
labels  their segmentation
counts  how they compare with the labels that the user gave, by grey level; of any checkpoint
volume  what makes one image of the slabs of a region, once all are there: metadata, pictures, a record
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from idrstream.base import files
from idrstream.runs.commit import Results
from idrstream.runs.types import LedgerEntry, Recipe, UnitRow
from idrstream.volume.box import Box

OF_SLABS = ("maps", "labels", "counts")
SHOWN = ("maps", "labels", "volume")  # those of which a region has one set, by the checkpoint that was chosen
VOLUMES, COUNTS, SLICES = "volumes", "counts", "slices"  # folders in the output folder
METADATA = "zarr.json"  # of an array or group
FACTS = "facts.json"  # in a task's folder: stage -> what there is to tell
# Kind -> stage that tells of it.
STAGES = {"maps": "predict", "labels": "label", "counts": "label", "volume": "assemble"}
COST = ("seconds", "cpu_seconds", "peak_rss_mb")


@dataclass
class Result:
    """A result that is wanted of a region.

    kind      of it
    identity  hash of what makes it, 16 hexadecimal digits
    recipe    the part of that which is not the region's own
    done      units of the ledger -> their Box
    former    likewise, those that --redo makes anew
    """

    kind: str
    identity: str
    recipe: Recipe
    done: dict[str, Box] = field(default_factory=dict)
    former: dict[str, Box] = field(default_factory=dict)


def unit(kind: str, entry: str, slab: str, checkpoint: str) -> str:
    """Name of what is committed at once: of a KIND, of a region of an ENTRY."""
    names = {"maps": f"{entry}.{slab}", "labels": f"{entry}.{slab}.labels", "volume": entry}
    return names.get(kind, f"{entry}@{checkpoint}.{slab}")


def store(entry: str) -> str:
    """Folder of a region's arrays in the output folder."""
    return f"{VOLUMES}/{entry}.ome.zarr"


def counts(entry: str, checkpoint: str, slab: str) -> str:
    """File of a slab's counts in the output folder."""
    return f"{COUNTS}/{entry}/{checkpoint}/{slab}.json"


def identity(content: Any) -> str:
    """Hash of anything that JSON holds, as 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def row_id(result: str, box: Box) -> str:
    """Id of a slab's row in the ledger, by the identity of the result."""
    return identity([result, box])


def committed(entries: Iterable[LedgerEntry], entry: str) -> dict[str, dict[str, Any]]:
    """Unit -> its row, of the ledger's entries that belong to a region."""
    rows = {found["batch"]: found["images"][0] for found in entries}
    return {name: row for name, row in rows.items() if row["entry"] == entry}


def matching(rows: Mapping[str, Mapping[str, Any]], kind: str, result: str) -> dict[str, Box]:
    """Unit -> Box, of those ROWS (`committed`) that are results of a kind and identity, failed ones left out."""
    wanted = kind, result, "ok"
    found = {name: row for name, row in rows.items() if (row["kind"], row["identity"], row["status"]) == wanted}
    return {name: Box.of(row["box"]) for name, row in found.items()}


def of_folders(kind: str, row: UnitRow, folders: Iterable[Path]) -> Results:
    """What is committed of a kind of result: its files in the FOLDERS that tasks left, laid out as the output folder.

    row  of the ledger, without what the tasks tell
    """
    found = {
        path.relative_to(folder).as_posix(): path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and _kind_of(path.relative_to(folder)) == kind
    }
    told = {name: fact for folder in folders for name, fact in files.read_json(folder / FACTS).items()}
    facts = dict(told.get(STAGES[kind], {}))
    if reason := facts.pop("failed", {}).get(kind):
        row = {**row, "status": "failed", "reason": reason}
    cost = {name: facts[name] for name in COST if name in facts}
    more = {name: fact for name, fact in facts.items() if name not in COST}
    return Results(found, set(), [{**row, "cost": cost, **more}], {STAGES[kind]: facts})


def _kind_of(path: Path) -> str | None:
    """The kind of result that a file of a task's folder is part of, by its path in the output folder."""
    if path.parts[0] == COUNTS:
        return "counts"
    if len(path.parts) < 3 or path.name == METADATA:
        return "volume" if len(path.parts) > 1 else None
    return "labels" if path.parts[2] == "labels" else "maps"
