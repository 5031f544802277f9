"""The contents of an output folder, read once for all sections of the report, even while a run is going.

Images are taken from the ledger; the tables that are written when a run ends are used if they exist.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from idrstream.base import files
from idrstream.runs import housekeeping, ledger, manifest, run_warnings
from idrstream.screen import outcome, plate_format, recipe, study

PLACE = ["plate", "well", "site", "frame", "variant"]
FLAG = re.compile(r"cqc\.(.+)\.is_outlier")
MEASURES = ("cells", "focus", "saturation", "background", "bytes", "field_bytes", "seconds")
TEXTS = ("id", "key", "plate", "well", "variant", "status", "reason", "flatfield", "batch")
UNFINISHED = ("lost", "missing")


@dataclass
class Batch:
    """What the report needs of a ledger entry beside the images' rows."""

    id: str
    committed: str
    provenance: dict
    recipe: dict
    images: int
    names: list  # of its files
    bytes: int


class Results:
    """An output folder.

    book     runs.recipe.Book of its workflow
    batches  list of Batch, oldest first
    images     DataFrame with a row per image: those of the ledger, and those that were lost or missing when the run
               ended; the columns of images.tsv, key, batch, control_type and failed (bool)
    rules      rule of quality control -> its reason
    marks      DataFrame of bool, a row per image, a column per rule
    wells      (rows, columns) of the plates, by which all wells are numbered
    remaining  number of images that the last run was asked for and that are not in the ledger
    begun      when the last run began; None before the first
    warnings   of the last run, a sentence each
    """

    book = recipe.BOOK

    def __init__(self, outdir):
        self.outdir = Path(outdir)
        entries = list(_entries(self.outdir))
        rows = ledger.rows([entry for entry, _ in entries])
        self.batches = [batch for _, batch in entries]
        self._names = [name for _, batch in entries for name in batch.names]
        self._names += manifest.read(outdir, "profiles-wells")
        request = self.json(housekeeping.PLAN) or {"begun": None, "images": []}
        self.begun = pd.Timestamp(request["begun"]) if request["begun"] else None
        self.remaining = len({image["id"] for image in request["images"]} - rows.keys())
        self.warnings = run_warnings.read(self.outdir)
        self.wells = plate_format.read(outdir)
        self.images = self._typed(pd.DataFrame([*rows.values(), *self._unfinished()]))
        self.rules, self.marks = self._flag()

    def json(self, path):
        """Content of a JSON file of the folder; None if it does not exist."""
        path = self.outdir / path
        return files.read_json(path) if path.exists() else None

    def tables(self, folder):
        """The Parquet files below a folder of it that belong to batches or to well profiles, sorted."""
        below = [name for name in self._names if name.startswith(f"{folder}/") and name.endswith(".parquet")]
        return [self.outdir / name for name in sorted(below) if (self.outdir / name).exists()]

    @property
    def plates(self):
        return sorted(self.images["plate"].unique())

    @property
    def done(self):
        """The images that have a result, even if only their nuclei."""
        return self.images[~self.images["failed"]]

    @property
    def failed(self):
        return self.images[self.images["failed"]]

    @property
    def flagged(self):
        """bool, a row per image: some rule flags it."""
        return self.marks.any(axis=1)

    @cached_property
    def fields(self):
        """Plate or image -> types.FieldFacts of its flat-field; a later batch counts before an earlier one."""
        return {name: facts for batch in self.batches for name, facts in batch.provenance.get("fields", {}).items()}

    @property
    def stopped(self):
        """The last run stopped before features."""
        return bool(self.run.get("params", {}).get("stop_after"))

    @cached_property
    def run(self):
        """`pipeline_info/run.json`; empty before the first run has ended."""
        return self.json("pipeline_info/run.json") or {}

    def _typed(self, images):
        """IMAGES with all columns that sections use, each of one type."""
        images = images.reindex(columns=[*dict.fromkeys([*images.columns, *outcome.COLUMNS, *TEXTS, *MEASURES])])
        for name in MEASURES:
            images[name] = pd.to_numeric(images[name])
        for name in ("site", "frame"):
            images[name] = pd.to_numeric(images[name]).astype("int64")
        for name in TEXTS:
            images[name] = images[name].fillna("").astype(str)
        images["well_number"] = pd.array([study.numbered(well, self.wells) for well in images["well"]], "Int64")
        place = (images["plate"], images["well"], "s" + images["site"].astype(str), "f" + images["frame"].astype(str))
        images["failed"] = ~images["status"].isin(["ok", ledger.SEGMENTED])
        images["key"] = images["key"].mask(images["key"] == "", place[0].str.cat(place[1:], sep="_"))
        return images

    def _unfinished(self):
        """The images that were lost or missing when the last run ended."""
        path = self.outdir / "failures.tsv"
        if not path.exists() or (self.begun and path.stat().st_mtime < self.begun.timestamp()):
            return []
        table = pd.read_table(path, dtype=str, keep_default_na=False)
        return table[table["status"].isin(UNFINISHED)].to_dict("records")

    def _flag(self):
        """Join control types of `qc/images.parquet`.

        returns  rules and their reasons; marks, see the class
        """
        self.images["control_type"] = ""
        path = self.outdir / "qc" / "images.parquet"
        if not path.exists() or self.images.empty:
            return {}, pd.DataFrame(index=self.images.index)
        table = pq.read_table(path, partitioning=None)  # no columns out of the path
        marks = flags(table.schema)
        rows = table.to_pandas()
        if "variant" not in rows:
            rows["variant"] = ""
        rows["variant"] = rows["variant"].fillna("")
        wanted = rows[[*PLACE, "control_type", *marks]].drop_duplicates(PLACE)
        joined = self.images.drop(columns="control_type").merge(wanted, on=PLACE, how="left")
        joined["control_type"] = joined["control_type"].fillna("")
        self.images = joined.drop(columns=list(marks))
        marked = {rule: joined[name].eq(True).fillna(False).astype(bool) for name, (rule, _) in marks.items()}
        return dict(marks.values()), pd.DataFrame(marked, index=joined.index)


def flags(schema):
    """Column of marks -> (rule, its reason), of a Parquet file of quality control."""
    matches = ((name, FLAG.fullmatch(name)) for name in schema.names)
    reason = {name: (schema.field(name).metadata or {}).get(b"reason", b"").decode() for name in schema.names}
    return {name: (match[1], reason[name]) for name, match in matches if match}


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
