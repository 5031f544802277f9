"""Files that a run will write into its output folder, so that conflicts are reported before it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from idrstream.runs import manifest, run_warnings
from idrstream.runs.housekeeping import PART, PLAN

SHOWN = 5  # sentences about one kind of file
REPORT = "multiqc_report.html"  # the file, and its part of the manifest
COMMON = {PART: [str(PLAN)], run_warnings.PART: [str(run_warnings.RECORD)], REPORT: [REPORT]}  # of every workflow


def of_another_workflow(outdir: str | Path, values: Mapping[str, Any]) -> list[str]:
    """A list of one sentence if OUTDIR holds results of another workflow than that of the params VALUES; else empty."""
    owner = manifest.workflow(outdir)
    if owner in (None, values["workflow"]):
        return []
    return [f"--outdir {values['outdir']}: it holds results of --workflow {owner}; name another folder"]


def strangers(outdir: str | Path, shown: str, parts: Mapping[str, Sequence[str]]) -> list[str]:
    """Sentences about files in OUTDIR, which the user calls SHOWN, that a run would overwrite and that are not its own.

    parts  part of the manifest -> files that it will have, as far as they can be foreseen
    """
    found = [few(shown, manifest.strangers(outdir, part, paths)) for part, paths in parts.items()]
    return [sentence for sentences in found for sentence in sentences]


def few(shown: str, names: Sequence[str]) -> list[str]:
    """A sentence for each of the NAMES that would be overwritten, but not for too many."""
    more = len(names) - SHOWN
    rest = [f"--outdir {shown}: {more} more files that would be overwritten"] if more > 0 else []
    return [manifest.foreign(shown, name) for name in names[:SHOWN]] + rest
