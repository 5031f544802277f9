#!/usr/bin/env python3
"""What more images cost: time an image, Nextflow's memory, files in the work folder, reading the ledger, the report.

    .venvs/profiles/bin/python benchmarks/scale.py 24 240
    .venvs/profiles/bin/python benchmarks/scale.py --stub 2400 67000

Each number of IMAGES is a run. A real one is of generated frames of 1344 x 1024 pixels, with default params. In a stub
run the plan is real and all stages are empty: what is left is what Nextflow costs, in batches of 250; ledger and report
are then of an output folder that is written for it. `make setup` comes first.
"""

import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import click
import numpy as np
import tifffile

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / folder) for folder in ("bin", "tests", "assets/demo")]

from idrstream.base import memory  # noqa: E402
from idrstream.runs import ledger  # noqa: E402
from make_output import make_output  # noqa: E402
from make_screen import make_screen  # noqa: E402

WELLS = 384  # of a plate
COLUMNS = 24
BATCH = 250  # images, in a stub run
HEADS = ("images", "batches", "wall s", "s an image", "CPU s an image", "Nextflow MB", "files in work", "ledger s")
HEADS += ("report s", "report MB")


@click.command(help=__doc__)
@click.argument("images", type=int, nargs=-1, required=True)
@click.option("--stub", is_flag=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Where to work; it stays.")
def main(images, stub, folder):
    """Print a line a run."""
    print("| " + " | ".join(HEADS) + " |\n" + "|---" * len(HEADS) + "|", flush=True)
    for count in images:
        with tempfile.TemporaryDirectory() as scratch:
            where = ((folder or Path(scratch)) / f"{'stub' if stub else 'real'}-{count}").resolve()
            where.mkdir(parents=True)
            print(_line(count, *(_stub if stub else _real)(where, count)), flush=True)


def _real(where, count):
    make_screen(where / "screen", plates=("SC0001_01",), wells=range(1, count + 1), frames=1)
    screen = where / "screen"
    costs = _run(
        where, "--input", screen / "data_to_process.tsv", "--screens", screen / "screens.tsv", "--source", screen
    )
    return *costs, where / "results"


def _stub(where, count):
    tifffile.imwrite(where / "frame.tif", np.zeros((8, 8), np.uint8))
    lines = ["plate,well,frame,path"]
    for image in range(count):
        row, column = divmod(image % WELLS, COLUMNS)
        lines.append(f"SC{image // WELLS:04d}_01,{chr(65 + row)}{column + 1:02d},1,frame.tif")
    (where / "sheet.csv").write_text("\n".join(lines) + "\n")
    costs = _run(where, "-stub", "--input", where / "sheet.csv", "--batch_size", BATCH)
    make_output(where / "output", plates=-(-count // WELLS), wells=WELLS, batch=BATCH, cells=False, views=False)
    return *costs, where / "output"


def _run(where, *options):
    """(batches, wall seconds, CPU seconds, Nextflow's peak memory in MB, files in the work folder) of a run."""
    command = [ROOT / "engine/nextflow", "run", ROOT, "-profile", "venv", "-ansi-log", "false", "--study", "example"]
    start, used = time.perf_counter(), _cpu()
    with open(where / "log", "w") as log:
        run = subprocess.Popen([str(word) for word in [*command, *options]], cwd=where, stdout=log, stderr=log)
        peak, ended = [0], threading.Event()

        def watch():  # engine/nextflow becomes Java itself
            while not ended.wait(1):
                peak[0] = max(peak[0], memory.peak_of(run.pid) / 1e6)

        watcher = threading.Thread(target=watch)
        watcher.start()
        code = run.wait()
        ended.set()
        watcher.join()
    if code:
        raise SystemExit(f"the run failed: {where / 'log'}")
    wall, cpu = time.perf_counter() - start, _cpu() - used
    files = sum(len(names) for _, _, names in os.walk(where / "work"))
    batches = (where / "log").read_text().count(":COMMIT (")
    return batches, wall, cpu, peak[0], files


def _line(count, batches, wall, cpu, peak, files, outdir):
    start = time.perf_counter()
    ledger.read(outdir)
    read = time.perf_counter() - start
    start = time.perf_counter()
    report = outdir.parent / "report"
    subprocess.run([sys.executable, ROOT / "bin/report.py", outdir, report], check=True, capture_output=True)
    reported = time.perf_counter() - start
    page = (report / "multiqc_report.html").stat().st_size / 1e6
    figures = (f"{wall:.0f}", f"{wall / count:.2f}", f"{cpu / count:.2f}", f"{peak:.0f}", files, f"{read:.2f}")
    return "| " + " | ".join(map(str, (count, batches, *figures, f"{reported:.0f}", f"{page:.1f}"))) + " |"


def _cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
