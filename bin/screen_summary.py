#!/usr/bin/env python3
"""Tell what became of every image of a run. Standard library only."""

import argparse
from pathlib import Path

from idrstream.base import files, head
from idrstream.runs import commit, housekeeping, manifest, run_warnings
from idrstream.screen import outcome


def main():
    """Write images.tsv, failures.tsv and the run's versions to --outdir, and the closing lines to OUT (JSON)."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("plan", type=Path, help="folder of the planner")
    parser.add_argument("out", help="where the closing lines go")
    parser.add_argument("--outdir", required=True, help="the output folder")
    parser.add_argument("--max_failed", type=float, required=True, help="share of the images that may fail")
    parser.add_argument("--provenance", required=True, help="JSON of the run: params, versions, model")
    options = parser.parse_args()
    plan, run = files.read_json(options.plan / "plan.json"), files.read_json(options.provenance)
    gate = run.pop("gate")
    logs = {f"pipeline_info/lost_{batch}.log": lost["log"] for batch, lost in gate["lost"].items()}
    commit.recover(options.outdir)  # of this run: no commit goes on any more
    streams = [outcome.STREAMS] if "streams" in plan else []
    former = manifest.claim(options.outdir, outcome.PART, [*outcome.FILES, *streams, *logs])
    if streams:
        files.write_json(Path(options.outdir, outcome.STREAMS), plan["streams"])  # what the export makes of the cells
    elif outcome.STREAMS in former:
        Path(options.outdir, outcome.STREAMS).unlink(missing_ok=True)
    record = Path(options.outdir) / "pipeline_info" / "run.json"
    if run["versions"] or not record.exists():  # a run that had nothing to do has no versions to record
        stream = {name: gate[name] for name in ("inflight", "slots", "disk")}
        files.write_json(record, run | {"model_sha256": plan["model"], "stream": stream})
    for name, lines in logs.items():
        files.write_text(Path(options.outdir, name), "\n".join(lines) + "\n")
    run_warnings.forget(options.outdir)
    begun = files.read_json(Path(options.outdir) / housekeeping.PLAN)["begun"]
    allowed = options.max_failed
    closing = outcome.summarise(
        plan["requested"], plan["places"], plan["wells"], options.outdir, allowed, gate, plan["stop"], begun
    )
    files.write_json(options.out, closing)


if __name__ == "__main__":
    head.run(main)
