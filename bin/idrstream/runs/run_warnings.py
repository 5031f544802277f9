"""The warnings of the last run into an output folder, `pipeline_info/warnings.json`. Standard library only.

They carry the time at which their run began, so that warnings of an earlier run are never shown for the last one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from idrstream.base import files
from idrstream.runs import housekeeping, manifest

PART = "warnings"  # of the manifest
RECORD = Path("pipeline_info", "warnings.json")


def write(outdir: str | Path, sentences: Iterable[str]) -> None:
    """Record the warnings of the last run, a sentence each."""
    manifest.claim(outdir, PART, [str(RECORD)])
    files.write_json(Path(outdir) / RECORD, {"begun": _begun(outdir), "warnings": list(sentences)})


def forget(outdir: str | Path) -> None:
    """Delete the record of an earlier run."""
    if manifest.read(outdir, PART):
        Path(outdir, RECORD).unlink(missing_ok=True)


def read(outdir: str | Path) -> list[str]:
    """Warnings of the last run, a sentence each; empty while it goes on."""
    path = Path(outdir) / RECORD
    record = files.read_json(path) if path.exists() else {}
    return record["warnings"] if record and record["begun"] == _begun(outdir) else []


def _begun(outdir: str | Path) -> str | None:
    path = Path(outdir) / housekeeping.PLAN
    return files.read_json(path)["begun"] if path.exists() else None
