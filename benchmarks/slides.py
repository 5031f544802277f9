#!/usr/bin/env python3
"""Whole runs on made slides: nuclei, time, memory of the tasks, disk, bytes sent, agreement with the truth.

    .venvs/cellpose/bin/python benchmarks/slides.py FOLDER --size 256x256 --size 4096x4096 --size 8192x8192
    .venvs/cellpose/bin/python benchmarks/slides.py FOLDER --size 2048x2048 --channels 40 --remote
    .venvs/cellpose/bin/python benchmarks/slides.py FOLDER --size 4096x4096 --split val --tile 512

FOLDER takes the slides, which $IDRSTREAM_DATA/tissue/make_slide.py makes of real nuclei, and the runs, a slide each.
What a step costs on the first slide is taken for the start of its tasks on the others. With --split val the slides are
of fields that no model was trained on, and their nuclei are compared with the truth. `make setup` comes first.
"""

import csv
import importlib.util
import resource
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import click
import numpy as np
import tifffile

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "tests")]

from idrstream.base import files  # noqa: E402
from support import DATA, http_server, size  # noqa: E402

HEADS = ("slide", "nuclei", "uncertified", "wall s", "CPU s", "of steps", "start and Nextflow", "largest task, MB")
HEADS += ("in work, MB", "of the plan's", "sent, bytes", "of channel + index + 1 MB")
UNITS = {"B": 1e-6, "KB": 2**10 / 1e6, "MB": 2**20 / 1e6, "GB": 2**30 / 1e6}  # of Nextflow, in MB


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--size", "sizes", multiple=True, default=["4096x4096"], show_default=True, help="Height x width.")
@click.option("--channels", default=1, show_default=True)
@click.option("--split", default="all", show_default=True, help="Fields that slides are made of: all, train, val.")
@click.option("--tile", default=4096, show_default=True, help="Side of the tiles, pixels.")
@click.option("--remote", is_flag=True, help="Serve the slides by HTTP.")
def main(folder, sizes, channels, split, tile, remote):
    """Print a line a run, then what its steps cost."""
    spec = importlib.util.spec_from_file_location("make_slide", DATA / "tissue/make_slide.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    row(HEADS, rule=True)
    costs, starts = [], {}
    for name in sizes:
        slide = maker.Slide(DATA / "nuclei", tuple(map(int, name.split("x"))), channels, split=split)
        where = folder.resolve() / f"{name}x{channels}_{split}"
        if not (where / "slide.ome.tif").exists():
            where.mkdir(parents=True, exist_ok=True)
            maker.write_ome_tiff(slide, where / "slide.ome.tif")
        record, line = _run(where, tile, remote, starts)
        row([f"{name} x {channels}", *line])
        costs += [[name, *step.values()] for step in record["steps"]]
        starts = starts or {step["step"]: step["cpu_seconds"] / step["tasks"] for step in record["steps"]}
        if split != "all":
            found = tifffile.imread(where / "results/slides/made/nuclei.ome.tif")
            compare(found, slide.truth(0, found.shape[0], 0, found.shape[1]), tile)
    for number, cost in enumerate([["slide", *record["steps"][0]], *costs]):
        row(cost, rule=not number)


def row(cells, rule=False):
    """Print a row of a table; the first of one with the rule below it."""
    below = "\n|" + "---|" * len(cells) if rule else ""
    print("\n" * rule + "| " + " | ".join(map(str, cells)) + " |" + below, flush=True)


def _run(where, tile, remote, starts):
    """(slide.json, cells of the line) of a run on a folder's slide; STARTS: CPU seconds of a task's start, by step."""
    with http_server(where) if remote else nullcontext() as server:
        place = f"{server.url}/slide.ome.tif" if remote else where / "slide.ome.tif"
        (where / "slides.csv").write_text(f"slide,image,nuclear\nmade,{place},1\n")
        command = [ROOT / "engine/nextflow", "run", ROOT, "-profile", "venv", "-ansi-log", "false"]
        command += ["--workflow", "tissue", "--input", "slides.csv", "--tile", tile]
        command += ["--tiles_per_task", 4 * max(4096 // tile, 1) ** 2]  # as many pixels as by default
        start, used, most = time.perf_counter(), _cpu(), 0
        with open(where / "log", "w") as log:
            run = subprocess.Popen(list(map(str, command)), cwd=where, stdout=log, stderr=log)
        while run.poll() is None:
            most = max(most, size(where / "work"))
            time.sleep(0.5)
    if run.returncode:
        raise SystemExit(f"the run failed: {where / 'log'}")
    wall, cpu = time.perf_counter() - start, _cpu() - used
    record = files.read_json(where / "results/slides/made/slide.json")
    steps = sum(step["cpu_seconds"] for step in record["steps"])
    beside = cpu - steps + sum(step["tasks"] * starts.get(step["step"], 0) for step in record["steps"])
    line = [record["nuclei"], record["uncertified"], f"{wall:.0f}", f"{cpu:.0f}", f"{steps:.0f}"]
    line += [f"{beside / cpu:.0%}" if starts else "", _largest(max((where / "results/pipeline_info").glob("trace_*")))]
    planned = next(files.read_json(path)["slides"][0]["work"] for path in (where / "work").glob("*/*/plan/plan.json"))
    line += [f"{most / 1e6:.0f}", f"{most / planned:.2f}"]
    return record, line + ([server.sent, f"{server.sent / _needed(where):.3f}"] if remote else ["", ""])


def _cpu():
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def _largest(trace):
    """Memory of the largest of the tasks that Nextflow saw, and which that was."""
    with open(trace, newline="") as table:
        tasks = [(task["peak_rss"].split(), task["name"]) for task in csv.DictReader(table, delimiter="\t")]
    memory, name = max((float(peak[0]) * UNITS[peak[1]], name) for peak, name in tasks if len(peak) == 2)
    return f"{memory:.0f} {name.split(':')[-1].split()[0]}"


def _needed(where):
    """Bytes of a slide's first channel as it is stored, of the file's index, and 1 MB."""
    with tifffile.TiffFile(where / "slide.ome.tif") as file:
        pages = [level for page in file.pages for level in (page, *(page.pages or []))]
        index = file.filehandle.size - sum(sum(page.databytecounts) for page in pages)
        return sum(pages[0].databytecounts) + index + 1_000_000


def compare(found, truth, tile):
    """Print F1 of the nuclei FOUND with those of TRUTH, label images, by where they lie."""
    images = np.unique(truth, return_inverse=True)[1].reshape(found.shape), found
    pairs, common = np.unique(images[0].astype(np.int64) << 32 | found, return_counts=True)
    pairs = np.stack([pairs >> 32, pairs & 0xFFFFFFFF])
    areas = [np.bincount(image.ravel()) for image in images]
    overlap = common / (areas[0][pairs[0]] + areas[1][pairs[1]] - common) * (pairs.min(0) > 0)
    at, between = ([_met(image, tile, shift) for image in images] for shift in (0, tile // 2))
    among = {"all": [np.ones_like(few) for few in at], "within 1 px of borders of tiles": at}
    among |= {"elsewhere": [~few for few in at], "within 1 px of lines between these": between}
    row(["nuclei", "of the truth", "F1 at IoU > 0.5", "F1 at IoU > 0.75"], rule=True)
    for name, chosen in among.items():
        chosen = [few & (area > 0) & (np.arange(len(few)) > 0) for few, area in zip(chosen, areas, strict=True)]
        hits = [pairs[:, overlap > least] for least in (0.5, 0.75)]
        right = [sum(few[side].sum() for few, side in zip(chosen, hit, strict=True)) for hit in hits]
        row([name, chosen[0].sum(), *(f"{count / sum(map(np.sum, chosen)):.4f}" for count in right)])


def _met(image, tile, shift):
    """(n + 1,) bool: labels that have a pixel on either side of lines at SHIFT and every TILE pixels on."""
    met = np.zeros(int(image.max()) + 1, bool)
    for axis, length in enumerate(image.shape):
        lines = np.arange(shift or tile, length, tile)
        met[np.unique(np.take(image, np.concatenate([lines - 1, lines]), axis))] = True
    return met


if __name__ == "__main__":
    main()
