"""The plate format of an output folder, by which its wells are numbered: one, even if batches were made with another.

The planner decides it and `housekeeping.begin` records it; all tables of the whole folder number wells by it.
"""

from pathlib import Path

from idrstream.base import files
from idrstream.base.tables import Problems
from idrstream.runs import ledger
from idrstream.runs.housekeeping import PLAN
from idrstream.screen import study
from idrstream.screen.study import Well


def holding(described, inferred, entries, outdir):
    """The study of a run, with plates large enough for the finished wells of the output folder too.

    described  study.Study, whose plates hold all wells of the table
    inferred   the user did not name the format
    entries    of the ledger, without stale ones
    outdir     output folder, as the user names it

    Raises tables.Problems where a finished well lies outside the named format, or any standard one.
    """
    finished = [row for row in ledger.rows(entries).values() if row["status"] in ledger.finished(True)]
    wells = {Well.parse(row["well"]): row for row in finished}
    if inferred:
        rows, columns = described.wells
        described = study.fitted(described, [Well(rows - 1, columns - 1), *wells])
    if outside := [row for well, row in wells.items() if not described.holds(well)]:
        well = f"{outside[0]['well']} of {outside[0]['plate']}"
        plates = f"plates of {described.wells[0]} x {described.wells[1]} wells do not have"
        remedy = "name a larger --plate_format, a --study of larger plates, or another --outdir"
        raise Problems([f"--outdir {outdir}: it has results of {well}, a well that {plates}; {remedy}"])
    return described


def read(outdir):
    """(rows, columns) of the plates of OUTDIR, for study.numbered; the largest standard format before its first run."""
    path = Path(outdir, PLAN)
    recorded = files.read_json(path).get("wells") if path.exists() else None
    return tuple(recorded or study.SAMPLESHEET.wells)
