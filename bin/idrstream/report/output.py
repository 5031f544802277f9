"""What every report reads of an output folder: its ledger, its last run; even while that goes on."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from idrstream.base import files
from idrstream.runs import housekeeping, ledger, run_warnings

UNFINISHED = ("lost", "missing")  # statuses of what the last run was asked for and is in no ledger entry


@dataclass
class Batch:
    """What the report needs of a ledger entry beside its rows."""

    id: str
    committed: str
    provenance: dict
    recipe: dict
    images: int
    names: list  # of its files
    bytes: int


class Output:
    """An output folder. A workflow's class names what it counts, and what its recipes are made of.

    book       that says what a recipe leaves to its defaults
    unit       what is committed at once, in words
    item       what has a row in the ledger, in words
    batches    list of Batch, oldest first
    rows       id -> the row that counts, as of ledger.rows
    remaining  number of rows that the last run was asked for and that are not in the ledger
    begun      when the last run began; None before the first
    warnings   of the last run, a sentence each
    """

    def __init__(self, outdir):
        self.outdir = Path(outdir)
        entries = list(_entries(self.outdir))
        self.batches = [batch for _, batch in entries]
        self.rows = ledger.rows([entry for entry, _ in entries])
        request = self.json(housekeeping.PLAN) or {"begun": None, "images": []}
        self.begun = pd.Timestamp(request["begun"]) if request["begun"] else None
        self.remaining = len({image["id"] for image in request["images"]} - self.rows.keys())
        self.warnings = run_warnings.read(self.outdir)

    def json(self, path):
        """Content of a JSON file of the folder; None if it does not exist."""
        path = self.outdir / path
        return files.read_json(path) if path.exists() else None

    @cached_property
    def run(self):
        """`pipeline_info/run.json`; empty before the first run has ended."""
        return self.json("pipeline_info/run.json") or {}

    def failures(self):
        """Rows of failures.tsv, all of them texts, if the last run has written it."""
        path = self.outdir / "failures.tsv"
        if not path.exists() or (self.begun and path.stat().st_mtime < self.begun.timestamp()):
            return []
        return pd.read_table(path, dtype=str, keep_default_na=False).to_dict("records")


def _entries(outdir):
    """(what ledger.rows reads, Batch) of every committed entry, oldest first; one may be replaced meanwhile."""
    pairs = []
    for path in (outdir / ledger.FOLDER).glob("*.json"):
        try:
            entry = files.read_json(path)
        except FileNotFoundError:
            continue
        if not entry["committed"]:
            continue
        size = sum(file.get("bytes", 0) for file in entry["files"])
        names = [file["path"] for file in entry["files"]]
        about = (entry["batch"], entry["committed"], entry["provenance"], entry["recipe"])
        needed = {name: entry[name] for name in ("batch", "images", "recipe")}
        pairs.append((needed, Batch(*about, len(entry["images"]), names, size)))
    return sorted(pairs, key=lambda pair: (pair[1].committed, pair[1].id))
