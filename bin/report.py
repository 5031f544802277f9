#!/usr/bin/env python3
"""Make the report on an output folder: one page for a browser, and its pictures."""

from importlib import import_module
from pathlib import Path

import click

from idrstream.base import task
from idrstream.runs import manifest

LOOK = Path(__file__).resolve().parents[1] / "assets"


@click.command()
@task.versions
@click.argument("outdir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--look",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=LOOK,
    help="Folder of multiqc.yml and multiqc.css; the pipeline's own if absent.",
)
@click.option("--threads", "count", default=1, show_default=True, help="Threads to use.")
@task.whole("target")
def main(outdir, target, look, count):
    """Write multiqc_report.html on OUTDIR, and qc/pictures, into the folder TARGET; also of a run that goes on."""
    task.limit_threads(count)
    workflow = manifest.workflow(outdir)
    if workflow is None:
        raise task.UserError(f"{outdir}: no run has begun there, so there is nothing to report on")
    from idrstream.report import build

    of_workflow = import_module(f"idrstream.{workflow}.report")
    build.make(of_workflow.SECTIONS, of_workflow.Results(outdir), target, look)


if __name__ == "__main__":
    main()
