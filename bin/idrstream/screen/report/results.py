"""The contents of an output folder, read once for all sections of the report, even while a run is going.

Images are taken from the ledger; the tables that are written when a run ends are used if they exist.
"""

import re
from functools import cached_property

import pandas as pd
import pyarrow.parquet as pq

from idrstream.report.output import UNFINISHED, Output
from idrstream.runs import ledger, manifest
from idrstream.screen import outcome, plate_format, recipe, study

PLACE = ["plate", "well", "site", "frame", "variant"]
FLAG = re.compile(r"cqc\.(.+)\.is_outlier")
MEASURES = ("cells", "focus", "saturation", "background", "bytes", "field_bytes", "seconds")
TEXTS = ("id", "key", "plate", "well", "variant", "status", "reason", "flatfield", "batch")


class Results(Output):
    """An output folder of screens; beside what `Output` has:

    images     DataFrame with a row per image: those of the ledger, and those that were lost or missing when the run
               ended; the columns of images.tsv, key, batch, control_type and failed (bool)
    rules      rule of quality control -> its reason
    marks      DataFrame of bool, a row per image, a column per rule
    wells      (rows, columns) of the plates, by which all wells are numbered
    """

    book, unit, item = recipe.BOOK, "batch", "image"

    def __init__(self, outdir):
        super().__init__(outdir)
        self._names = [name for batch in self.batches for name in batch.names]
        self._names += manifest.read(outdir, "profiles-wells")
        self.wells = plate_format.read(outdir)
        unfinished = [row for row in self.failures() if row["status"] in UNFINISHED]
        self.images = self._typed(pd.DataFrame([*self.rows.values(), *unfinished]))
        self.rules, self.marks = self._flag()

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
