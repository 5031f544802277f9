#!/usr/bin/env python3
"""Deep features of a screen the way IDR_stream makes them, for benchmarks/screen.py; in the environment of cellpose.

In batches of three movies, one step after the other: download whole files; of each movie read three frames and fit
BaSiC to them; build Cellpose anew for each frame, and segment; start DeepProfiler for the batch. Generous to it in one
thing: of a movie three frames are read, and not all. https://github.com/WayScience/IDR_stream
"""

import csv
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import click
import h5py
import numpy as np
import torch

from idrstream.base import stage_folder
from idrstream.cells import nuclei
from idrstream.images.frames import image_key, read_frame, write_frame
from idrstream.images.labels import write_cells
from idrstream.screen import illumination
from segment import Stock

ROOT = Path(__file__).resolve().parents[1]
BATCH = 3  # movies, as in IDR_stream's example of one that fits a laptop


class Stopwatch(dict):
    """Seconds by step: `lap` gives to a step those since the last one."""

    def __init__(self):
        self._last = time.perf_counter()

    def lap(self, step):
        now = time.perf_counter()
        self[step] = self.get(step, 0) + now - self._last
        self._last = now


@click.command()
@click.argument("table", type=click.Path(exists=True))
@click.argument("address")
@click.argument("network", type=click.Path(exists=True, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--diameter", type=float, required=True)
@click.option("--threads", default=2, show_default=True)
def main(table, address, network, out, diameter, threads):
    """Make features of the frames that TABLE (plate, well, well_number, frame, path) names, below ADDRESS, into OUT.

    NETWORK is the folder of DeepProfiler's config and checkpoint. Prints seconds by step as JSON.
    """
    torch.set_num_threads(threads)
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    watch, cells = Stopwatch(), 0
    for number in range(0, len(rows), BATCH):
        folder = out / f"batch_{number // BATCH}"
        movies, frames, labels = (folder / name for name in ("movies", "frames", "labels"))
        for made in (movies, frames, labels):
            made.mkdir(parents=True)
        batch = rows[number : number + BATCH]
        for row in batch:
            with (
                urlopen(f"{address}/{row['path']}") as answer,
                open(movies / f"{row['well_number']}.ch5", "wb") as file,
            ):
                shutil.copyfileobj(answer, file)
        watch.lap("download")
        done = []
        for row in batch:
            frame = _corrected(movies / f"{row['well_number']}.ch5", int(row["frame"]))
            key = image_key(row["plate"], row["well"], 1, row["frame"])
            where = {"id": key, "key": key, "plate": row["plate"], "well": row["well"], "site": 1, "status": "ok"}
            where |= {"well_number": int(row["well_number"]), "frame": int(row["frame"]), "metadata": {}}
            done.append(where | {"shape": list(frame.shape)})
            write_frame(frames, key, frame)
        stage_folder.write_rows(frames, done)
        watch.lap("read and correct")
        for row in done:
            segmenter = Stock(ROOT / "assets/models/nuclei/nuclei.pth", diameter)
            found = segmenter(read_frame(frames, row["key"]))
            centers = nuclei.centroids(found)
            cells += len(centers)
            columns = {"center_y": centers[:, 0], "center_x": centers[:, 1]}
            write_cells(labels, row["key"], {"label": np.arange(1, len(centers) + 1)} | columns)
        watch.lap("segment")
        command = [ROOT / ".venvs/deepprofiler/bin/python", ROOT / "bin/screen_embed_deepprofiler.py", frames, labels]
        command += [folder / "features", "--config", network / "config.json", "--threads", threads]
        command += ["--checkpoint", network / "checkpoint.hdf5"]
        subprocess.run([str(word) for word in command], check=True, capture_output=True)
        watch.lap("DeepProfiler")
        shutil.rmtree(movies)
        shutil.rmtree(frames)
    json.dump({"cells": cells, "steps": watch}, sys.stdout)


def _corrected(path, frame):
    """A frame less its illumination, fitted to it and its neighbours in time, as 8 bits."""
    with h5py.File(path) as file:
        (plate,) = file["sample/0/plate"].values()
        (well,) = plate["experiment"].values()
        stack = well["position/01/image/channel"][0, frame - 2 : frame + 1, 0]
    return np.clip(np.rint(stack[1] / illumination.fit(stack)), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
