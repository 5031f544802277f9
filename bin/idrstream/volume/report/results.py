"""The contents of an output folder of volumes, read once for all sections of the report, even while a run is going."""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from idrstream.base import files
from idrstream.report.output import Output
from idrstream.runs import ledger
from idrstream.volume import outcome, recipe
from idrstream.volume.box import Box


@dataclass
class Volume:
    """A volume of which all slabs are there.

    row    of it in the ledger
    slabs  rows of its slabs: kind -> list
    """

    row: dict
    slabs: dict

    @property
    def name(self):
        return self.row["entry"]

    @property
    def region(self):
        return Box.of(self.row["roi"])

    @property
    def shares(self):
        """Class -> share of the volume that its segmentation has."""
        counts = {}
        for slab in self.slabs["labels"]:
            for name, voxels in slab["voxels"].items():
                counts[name] = counts.get(name, 0) + voxels
        return {name: voxels / self.region.voxels for name, voxels in counts.items()}


class Results(Output):
    """An output folder of volumes; beside what `Output` has:

    volumes   list of Volume, by name
    slabs     rows of all slabs
    compared  list of outcome.Compared
    failed    rows of failures.tsv
    """

    book, unit, item = recipe.BOOK, "result", "result"

    def __init__(self, outdir):
        super().__init__(outdir)
        rows = sorted(self.rows.values(), key=lambda row: row["key"])
        self.slabs = [row for row in rows if row["kind"] != "volume"]
        self.volumes = [Volume(row, self._of(row["entry"])) for row in rows if row["kind"] == "volume"]
        done = {row["key"] for row in rows if row["status"] == "ok"}
        self.failed = [row for row in self.failures() if row["result"] not in done]

    @cached_property
    def compared(self):
        groups = {}  # read one by one: a run may just be replacing a file of one
        for path in (self.outdir / ledger.FOLDER).glob("*.json"):
            with suppress(FileNotFoundError):
                entry = files.read_json(path)
                row = entry["images"][0]
                if entry["committed"] and row["kind"] == "counts":
                    groups.setdefault((row["entry"], row["checkpoint"]), []).append(entry)
        found = []
        for _, entries in sorted(groups.items()):
            with suppress(FileNotFoundError):
                found += outcome.compared(entries, self.outdir)
        return found

    def threshold(self, name):
        """That of a volume's segmentation, by its name; the last run's for one that was only compared."""
        own = [volume.row["threshold"] for volume in self.volumes if volume.name == name]
        return own[0] if own else self.run.get("params", {}).get("threshold")

    @cached_property
    def checkpoints(self):
        """Rows of checkpoints.tsv; none where no checkpoint was chosen from several."""
        try:
            return pd.read_table(self.outdir / "checkpoints.tsv", dtype={"checkpoint": str})
        except FileNotFoundError:
            return pd.DataFrame()

    def _of(self, entry):
        kinds = {"maps": [], "labels": []}
        for row in self.slabs:
            if row["entry"] == entry and row["kind"] in kinds:
                kinds[row["kind"]].append(row)
        return kinds
