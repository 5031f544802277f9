"""The end of a run, of any workflow: what became of its units, in words. Standard library only, for the head."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from idrstream.base import files
from idrstream.runs import commit, housekeeping, manifest, run_warnings
from idrstream.runs.types import GateFigures, LostUnit

SHOWN = 10  # failures named in the closing lines; all are in failures.tsv
BAD_DATA = 65  # exit code of a task whose input cannot be used, whatever is tried (base.task.DataError)
RUN = Path("pipeline_info", "run.json")

Row = Mapping[str, Any]


class Ended(NamedTuple):
    """What a workflow's summary command is given.

    plan        the planner's plan.json
    out         where the closing lines go
    outdir      the output folder
    max_failed  share of the units that may fail
    run         params, versions and `gate`
    begun       when the run began: UTC, ISO 8601
    """

    plan: dict[str, Any]
    out: Path
    outdir: Path
    max_failed: float
    run: dict[str, Any]
    begun: str


def arguments(description: str | None, units: str) -> Ended:
    """The command line of a workflow's summary, and what the files on it hold; UNITS: such as "images"."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("plan", type=Path, help="folder of the planner")
    parser.add_argument("out", type=Path, help="where the closing lines go")
    parser.add_argument("--outdir", type=Path, required=True, help="the output folder")
    parser.add_argument("--max_failed", type=float, required=True, help=f"share of the {units} that may fail")
    parser.add_argument("--provenance", required=True, help="JSON of the run: params, versions, gate")
    options = parser.parse_args()
    plan, run = files.read_json(options.plan / "plan.json"), files.read_json(options.provenance)
    begun = files.read_json(options.outdir / housekeeping.PLAN)["begun"]
    return Ended(plan, options.out, options.outdir, options.max_failed, run, begun)


def prepare(outdir: str | Path, part: str, names: Sequence[str], run: dict[str, Any], model: str) -> GateFigures:
    """Complete the commits of a run that has ended, and write its record and the logs of what was given up.

    part    of the manifest, of NAMES: the files that the end of a run writes
    run     params, versions and `gate`, which is taken out and returned
    model   checksum of its network
    """
    gate: GateFigures = run.pop("gate")
    logs = {f"pipeline_info/lost_{unit}.log": lost["log"] for unit, lost in gate["lost"].items()}
    commit.recover(outdir)  # of this run: no commit goes on any more
    manifest.claim(outdir, part, [*names, str(RUN), *logs])
    if run["versions"] or not Path(outdir, RUN).exists():  # a run that had nothing to do has no versions to record
        stream = {"inflight": gate["inflight"], "slots": gate["slots"], "disk": gate["disk"]}
        files.write_json(Path(outdir, RUN), run | {"model_sha256": model, "stream": stream})
    for name, lines in logs.items():
        files.write_text(Path(outdir, name), "\n".join(lines) + "\n")
    run_warnings.forget(outdir)
    return gate


def unfinished(gate: GateFigures, *ids: str | None) -> dict[str, str]:
    """Status and reason of an image that is in no ledger entry; IDS: of its unit, and of what its unit waited for."""
    lost = next((gate["lost"][id] for id in ids if id in gate["lost"]), None)
    if lost and lost["exit"] == BAD_DATA:
        return {"status": "failed", "reason": _last(lost).removeprefix("Error: ")}
    if lost:
        return {"status": "lost", "reason": f"{lost['process']} ended with exit code {lost['exit']}: {_last(lost)}"}
    why = "the run was stopped before its batch began" if gate["stopped"] else "its batch was not finished"
    return {"status": "missing", "reason": why}


def stream(gate: GateFigures, units: str) -> list[str]:
    """The line about the disk that UNITS, such as "batches", took; none where there were none."""
    if not gate["inflight"]:
        return []
    peak = f"peak disk use of {units} in flight: {gate['disk'] / 1e9:.2f} GB"
    return [f"stream     {peak} (at most {gate['inflight']} at a time; limit {gate['slots']})"]


def error(
    failed: Sequence[Row],
    requested: int,
    unfinished: int,
    earlier: int,
    max_failed: float,
    gate: GateFigures,
    noun: str,
    place: Callable[[Row], str],
) -> str | None:
    """Why a run counts as failed; None if it does not.

    failed      rows of the images that failed, or were not finished
    unfinished  how many of the REQUESTED ones were not finished
    earlier     of those, how many have a result of an earlier run
    max_failed  share of the requested ones that may fail
    noun        what they are, such as "image"
    place       function of a row: where it is, for people
    """
    lost = {id: unit for id, unit in gate["lost"].items() if unit["exit"] != BAD_DATA}
    if not unfinished and not lost and len(failed) <= max_failed * requested:
        return None
    lines = [f"{len(failed)} of {requested} {noun}s failed, more than --max_failed {max_failed:g} allows"]
    if unfinished or lost:
        lines = [f"{unfinished} of {requested} {noun}s were not finished; the next run computes them"]
        lines = lines if unfinished else ["all results are committed, but a later step failed"]
        lines += [f"  {earlier} of them have an earlier run's result; --redo computes them again"] * bool(earlier)
        lines += [f"  {id}: {unit['process']} ended with exit code {unit['exit']}" for id, unit in lost.items()]
    lines += [f"  {place(row)}: {row['reason']}" for row in failed[:SHOWN]]
    if len(failed) > SHOWN:
        lines.append(f"  and {len(failed) - SHOWN} more, in failures.tsv")
    return "\n".join(lines)


def _last(lost: LostUnit) -> str:
    return next((line.strip() for line in reversed(lost["log"]) if line.strip()), "no output")
