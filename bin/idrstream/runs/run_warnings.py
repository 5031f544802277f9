"""The warnings of the last run into an output folder, `pipeline_info/warnings.json`. Standard library only.

They are stamped with the time at which their run began, so those of an earlier run are never taken for the last one's.
"""

from pathlib import Path

from idrstream.base import files
from idrstream.runs import housekeeping, manifest

PART = "warnings"  # of the manifest
RECORD = Path("pipeline_info", "warnings.json")


def write(outdir, sentences):
    """Record the warnings of the run that began last, a sentence each."""
    manifest.claim(outdir, PART, [str(RECORD)])
    files.write_json(Path(outdir) / RECORD, {"begun": _begun(outdir), "warnings": list(sentences)})


def forget(outdir):
    """Take away the record of an earlier run."""
    if manifest.read(outdir, PART):
        Path(outdir, RECORD).unlink(missing_ok=True)


def read(outdir):
    """Warnings of the run that began last, a sentence each; empty while it goes on."""
    path = Path(outdir) / RECORD
    record = files.read_json(path) if path.exists() else {}
    return record["warnings"] if record and record["begun"] == _begun(outdir) else []


def _begun(outdir):
    path = Path(outdir) / housekeeping.PLAN
    return files.read_json(path)["begun"] if path.exists() else None
