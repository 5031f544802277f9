#!/usr/bin/env python3
"""A screen of full-length movies by this pipeline and the way IDR_stream does it: wall time, bytes, CPU, disk.

    .venvs/acquire/bin/python benchmarks/screen.py --movies 48

The same frames, networks and machine, deep features only. Movies of 93 frames and of IDR0013's mean size are generated,
of which one frame is wanted, and served by a web server on this machine, without a limit and at 11 MB/s, which
IDR_stream's log shows. `make setup` comes first.
"""

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import click
import h5py
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / folder) for folder in ("bin", "tests", "assets/demo")]

from make_screen import LONG_NAME, STUDY, make_screen, write_cellh5  # noqa: E402
from support import http_server, size  # noqa: E402

PLATE, FIRST, LENGTH, WANTED = "SP0001_01", 3, 93, 2
DIAMETER = 22  # pixels, given to both
GRAIN = 2.7  # grey levels of noise on the frames nobody wants: a movie has 72.6 MB, as those of IDR0013 on average
RATES = {"unlimited": None, "11 MB/s": 11e6}


@click.command(help=__doc__)
@click.option("--movies", default=48, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Where to work, and to find movies of an earlier run.")
@click.option("--rate", "rates", multiple=True, type=click.Choice(list(RATES)), default=list(RATES))
def main(movies, folder, rates):
    """Print a table a rate, and where the time of each went."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = (folder or Path(scratch)).resolve()
        screen, network = folder / f"screen-{movies}", folder / "network"
        if not screen.exists():
            _make(screen, movies)
        if not network.exists():
            network.mkdir(parents=True)
            maker = ROOT / "tests/deepprofiler/make_checkpoint.py"
            subprocess.run([ROOT / ".venvs/deepprofiler/bin/python", maker, network], check=True, capture_output=True)
        for rate in rates:
            where = folder / rate.split()[0] / f"{time.time():.0f}"
            with http_server(screen, rate=RATES[rate]) as server:
                before = _measured(_seed_way, server, where / "seed", screen, network)
            with http_server(screen, rate=RATES[rate]) as server:
                now = _measured(_pipeline, server, where / "pipeline", screen, network)
            _tell(rate, movies, before, now)


def _make(screen, movies):
    """The screen: each movie its own nuclei, which creep about for three frames and then wander over the field."""
    rng = np.random.default_rng(0)
    make_screen(screen, plates=(PLATE,), wells=range(FIRST, FIRST + movies), frames=3)
    for path in sorted(screen.glob("pub/**/*.ch5")):
        with h5py.File(path) as file:
            (plate,) = file["sample/0/plate"].values()
            (well,) = plate["experiment"].values()
            stack = well["position/01/image/channel"][0, :, 0]
        later = np.stack([np.roll(stack[frame % 3], 7 * frame, axis=1) for frame in range(3, LENGTH)])
        later = np.rint(later + rng.normal(0, GRAIN, later.shape)).clip(0, 255).astype(np.uint8)
        write_cellh5(path, PLATE, int(path.name[:5]), np.concatenate([stack, later]))
    with open(screen / "data_to_process.tsv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    lines = {"all": ["\t".join(rows[0])], "seed": ["plate\twell\twell_number\tframe\tpath"]}
    for row in rows:
        lines["all"].append("\t".join((row | {"Frames": str(WANTED)}).values()))
        path = f"{STUDY}/{LONG_NAME.format(PLATE)}/hdf5/{int(row['Well Number']):05}_01.ch5"
        lines["seed"].append("\t".join((PLATE, row["Well"], row["Well Number"], str(WANTED), path)))
    for name, written in lines.items():
        (screen / f"{name}.tsv").write_text("\n".join(written) + "\n")


def _seed_way(address, where, screen, network):
    command = [ROOT / ".venvs/cellpose/bin/python", ROOT / "benchmarks/seed_way.py", screen / "seed.tsv", address]
    command += [network, where / "out", "--diameter", DIAMETER, "--threads", os.cpu_count()]
    env = os.environ | {"PYTHONPATH": str(ROOT / "bin")}
    done = subprocess.run([str(word) for word in command], env=env, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def _pipeline(address, where, screen, network):
    command = [ROOT / "engine/nextflow", "run", ROOT, "-profile", "venv", "-ansi-log", "false", "--study", "example"]
    command += ["--input", screen / "all.tsv", "--screens", screen / "screens.tsv", "--source", address]
    command += ["--features", "deep", "--well_profiles", "none", "--diameter", DIAMETER]
    command += ["--embedder", "efficientnet-b0", "--embed_model", network / "checkpoint.hdf5"]
    subprocess.run([str(word) for word in command], cwd=where, check=True, stdout=subprocess.DEVNULL)
    with open(where / "results/images.tsv", newline="") as file:
        cells = sum(int(row["cells"] or 0) for row in csv.DictReader(file, delimiter="\t"))
    told = subprocess.run([sys.executable, ROOT / "benchmarks/stages.py", where / "results"], stdout=subprocess.PIPE)
    return {"cells": cells, "steps": told.stdout.decode()}


def _measured(way, server, where, *more):
    """What a way gives, with its wall and CPU seconds, bytes from the server, and peak disk in bytes."""
    where.mkdir(parents=True)
    peak, ended = [0], threading.Event()

    def watch():
        while not ended.wait(0.5):
            peak[0] = max(peak[0], size(where))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start, used = time.perf_counter(), _cpu()
    try:
        given = way(server.url, where, *more)
    finally:
        ended.set()
        watcher.join()
    costs = {"wall s": time.perf_counter() - start, "CPU s": _cpu() - used}
    return given | {"costs": costs | {"MB fetched": server.sent / 1e6, "peak MB on disk": peak[0] / 1e6}}


def _cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _tell(rate, movies, before, now):
    print(f"\n{movies} movies of {LENGTH} frames, one of each wanted; {rate}; {os.cpu_count()} cores")
    print("| | IDR_stream's way | idrstream | ratio |\n|---|---|---|---|")
    for cost, spent in before["costs"].items():
        print(f"| {cost} | {spent:.0f} | {now['costs'][cost]:.0f} | {spent / now['costs'][cost]:.1f} |")
    print(f"| cells | {before['cells']} | {now['cells']} | |\n")
    steps = ", ".join(f"{step} {seconds:.0f} s" for step, seconds in before["steps"].items())
    print(f"IDR_stream's way: {steps}\n\nidrstream:\n{now['steps']}", flush=True)


if __name__ == "__main__":
    main()
