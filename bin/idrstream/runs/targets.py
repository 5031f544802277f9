"""Files that a run will write into its output folder, so that conflicts are reported before it starts."""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from idrstream.runs import manifest, run_warnings
from idrstream.runs.housekeeping import PART, PLAN
from idrstream.runs.types import LedgerEntry

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


def unentered(outdir: str | Path, shown: str, names: Iterable[str], entries: Iterable[LedgerEntry]) -> list[str]:
    """Likewise about files and folders that results are to have, and of which no entry of the ledger has a file."""
    paths = [file["path"] for entry in entries for file in entry["files"]]
    owned = {*paths, *(above.as_posix() for path in paths for above in PurePath(path).parents)}
    return few(shown, [name for name in names if os.path.lexists(Path(outdir, name)) and name not in owned])


def few(shown: str, names: Sequence[str]) -> list[str]:
    """A sentence for each of the NAMES that would be overwritten, but not for too many."""
    more = len(names) - SHOWN
    rest = [f"--outdir {shown}: {more} more files that would be overwritten"] if more > 0 else []
    return [manifest.foreign(shown, name) for name in names[:SHOWN]] + rest
