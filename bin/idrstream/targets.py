"""Files that a run will write into its output folder: what lies in their place is said before it starts."""

from pathlib import Path

from idrstream import hcs, ledger, manifest, plates, run_warnings
from idrstream.housekeeping import PART, PLAN

SHOWN = 5  # sentences about one kind of file
REPORT = {"multiqc_report.html": ["multiqc_report.html"]}
QC = {f"qc-{name}": [f"qc/{name}"] for name in ("images.parquet", "cells.parquet")}


def problems(outdir, shown, workflow, images, features, save_images):
    """A sentence for each file of somebody else that a run would overwrite in OUTDIR, or that it is another workflow's.

    shown        what messages call the output folder
    images       those that are left to do
    features     whether the run makes features; else it stops at quality control
    save_images  whether it keeps images
    """
    owner = manifest.workflow(outdir)
    if owner not in (None, workflow):
        return [f"--outdir {shown}: it holds results of --workflow {owner}; name another folder"]
    names = sorted({image["plate"] for image in images})
    parts = {PART: [str(PLAN)], ledger.SUMMARY: ledger.SUMMARY_FILES} | REPORT | QC
    parts[run_warnings.PART] = [str(run_warnings.RECORD)]
    parts |= {plates.part(plate): plates.file_names(plate) for plate in names}
    if features:
        levels = [f"profiles/wells/{level}" for level in ("aggregated", "normalized", "selected")]
        parts["profiles-wells"] = [f"{level}/{plate}.parquet" for level in levels for plate in names]
        parts["profiles-h5ad"] = [f"profiles/h5ad/{plate}.h5ad" for plate in names]
    if save_images:
        parts[hcs.FOLDER] = [f"{hcs.plate(plate)}/{name}" for plate in names for name in (hcs.ATTRIBUTES, hcs.GROUP)]
    found = [_few(shown, manifest.strangers(outdir, part, paths)) for part, paths in parts.items()]
    entered = {file["path"] for some in ledger.read(outdir) for entry in some for file in entry["files"]}
    for folder, path in {"labels": _labels, "outlines": _outlines}.items():
        paths = [path(image) for image in images] if Path(outdir, folder).exists() else []
        found.append(_few(shown, [path for path in paths if path not in entered and Path(outdir, path).exists()]))
    return [sentence for some in found for sentence in some]


def _labels(image):
    return f"labels/plate={image['plate']}/{image['key']}.tif"


def _outlines(image):
    return f"outlines/plate={image['plate']}/{image['key']}.geojson"


def _few(shown, names):
    more = [f"--outdir {shown}: and {len(names) - SHOWN} files more beside it"] if len(names) > SHOWN else []
    return [manifest.taken(shown, name) for name in names[:SHOWN]] + more
