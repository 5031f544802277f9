"""Deep features by DeepProfiler 0.5.1 itself, run on a project of its own layout, one a batch:

    inputs/config/config.json, inputs/metadata/index.csv       what pycytominer's DeepProfiler_processing reads, too
    inputs/images/PLATE/PLATE_WELL_FRAME.tif                    illumination corrected; deleted by `close`
    inputs/locations/PLATE/WELL_FRAME-SITE-Nuclei.csv           a line per cell
    outputs/results/features/PLATE/WELL_FRAME/SITE.npz          what DeepProfiler makes of them

Names are IDR_stream's: a well is its number. A config of 0.5.1 has one image size: if a batch has several, each has a
config and an index named by it.
"""

import csv
import ctypes
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import click

from idrstream.base import files, gpu, processes, task
from idrstream.screen.deepprofiler import CHANNEL, CHECKPOINT, layers, settings

VERSION = 1  # raised when features change

EXPERIMENT = "results"
NO_GPU = "-1"


class DeepProfilerFailed(click.ClickException):
    """DeepProfiler failed, or its output is not what was requested."""


class OutOfMemory(DeepProfilerFailed):
    """The GPU's memory did not hold so many crops."""


class Killed(DeepProfilerFailed):
    """DeepProfiler was killed, usually because memory ran out; with the exit code of a shell for that."""

    exit_code = 137


def device(require_gpu):
    """The value of DeepProfiler's `--gpu`: the GPU of this task, NO_GPU if TensorFlow finds none.

    DeepProfiler sets CUDA_VISIBLE_DEVICES to it, so a plain 0 could take the GPU of another task.
    Raises UserError if a GPU is required and there is none.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")  # without a driver TensorFlow, which takes seconds, is not imported
    except OSError:
        driver = None
    if driver:
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):
            return os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    if require_gpu:
        raise task.UserError("--require_gpu: TensorFlow finds no GPU in this task (driver, CUDA libraries?)")
    return NO_GPU


class Project:
    """A batch as a DeepProfiler project: its files are written, it is run, and features are read.

    folder      is made and must not exist, because 0.5.1 does not compute features that it finds there
    config      DeepProfiler's JSON file, without `problems`
    checkpoint  weights
    model       engine, checksum of the weights and of the settings
    features    names of the features, as pycytominer names them
    at_once     batch size of the network, in crops
    box         side of a crop in pixels
    """

    def __init__(self, folder, config, checkpoint):
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True)
        self._inputs, self._outputs = self.folder / "inputs", self.folder / "outputs" / EXPERIMENT
        self._settings, self._rows = settings(config), {}
        (self._outputs / "checkpoint").mkdir(parents=True)
        (self._outputs / "checkpoint" / CHECKPOINT).symlink_to(Path(checkpoint).resolve())
        self.at_once = gpu.BatchSize(self._settings["profile"]["batch_size"], "crops", OutOfMemory)
        digest = hashlib.sha256(json.dumps(self._settings, sort_keys=True).encode()).hexdigest()
        self.model = f"deepprofiler-{files.sha256(checkpoint)[:12]}-{digest[:6]}"
        outputs = layers(self._settings["train"]["model"]["params"]["conv_blocks"])
        count = outputs[self._settings["profile"]["feature_layer"]][0]
        self.box = self._settings["dataset"]["locations"]["box_size"]
        self.features = [f"efficientnet_{i}" for i in range(count)]

    def add(self, row, pixels, cells):
        """Put an image into the project, unless it has no cells.

        row     the image's
        pixels  (Y, X) integer or float32 grey levels, written as they are; DeepProfiler computes in float32
        cells   `center_y`, `center_x` in pixels, by label
        """
        import tifffile

        if not len(cells["label"]):
            return
        plate, well, site = row["plate"], _well(row), row["site"]
        name = f"{plate}/{plate}_{well}{'' if site == 1 else f'_s{site}'}.tif"
        locations = self._inputs / "locations" / plate / f"{well}-{site}-Nuclei.csv"
        columns = ("Nuclei_Location_Center_X", "Nuclei_Location_Center_Y")
        centers = zip(cells["center_x"].tolist(), cells["center_y"].tolist(), strict=True)
        _write_table(locations, [dict(zip(columns, center, strict=True)) for center in centers])
        (self._inputs / "images" / plate).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(self._inputs / "images" / name, pixels, photometric="minisblack")
        metadata = row["metadata"]
        line = {"Metadata_Plate": plate, "Metadata_Well": well, "Metadata_Site": site}
        line |= {"Plate_Map_Name": metadata.get("Plate_Map_Name", plate), CHANNEL: name}
        line |= {"Gene": metadata.get("Gene", ""), "Gene_Replicate": metadata.get("Gene_Replicate", 1)}
        self._rows.setdefault(pixels.shape, []).append(line)

    def run(self, threads=1, device=NO_GPU):
        """Run DeepProfiler on every image of the project; its output goes to stderr.

        Raises DeepProfilerFailed if it fails, Killed if it was killed.
        """
        metadata = self._inputs / "metadata"
        _write_table(metadata / "index.csv", [line for lines in self._rows.values() for line in lines])
        for (height, width), lines in self._rows.items():
            size = f"_{width}x{height}" if len(self._rows) > 1 else ""
            if size:
                _write_table(metadata / f"index{size}.csv", lines)
            self._settings["dataset"]["images"] |= {"width": width, "height": height}
            aliases = self._alias_plates(metadata / f"index{size}.csv", lines)
            self.at_once(lambda count, size=size: self._profile(size, count, threads, device))
            for alias in aliases:
                alias.unlink()

    def read(self, row, cells):
        """The features of an image, (n, features) float32, in the order of CELLS.

        Raises DeepProfilerFailed if the image or a cell is missing or at another position, crops.NotFinite if a feature
        is not finite.
        """
        import numpy as np

        from idrstream.cells import crops

        if not len(cells["label"]):
            return np.empty((0, len(self.features)), np.float32)
        name, well = row["key"], _well(row)
        path = self._outputs / "features" / row["plate"] / well / f"{row['site']}.npz"
        if not path.exists():
            raise DeepProfilerFailed(f"{name}: DeepProfiler skipped this image (see its output)")
        with np.load(path) as output:  # `metadata`, a pickle, is not read
            features, locations = output["features"], output["locations"]
        centers = np.stack([cells["center_x"], cells["center_y"]], axis=1)
        if features.shape != (len(centers), len(self.features)) or locations.shape != centers.shape:
            wanted = f"{len(centers)} cells with {len(self.features)} features"
            raise DeepProfilerFailed(f"{name}: {wanted} were requested, DeepProfiler returned {features.shape}")
        if not np.allclose(locations, centers, rtol=0, atol=1e-6):
            raise DeepProfilerFailed(f"{name}: DeepProfiler's cells are not at the positions of the label image")
        crops.check(name, cells["label"], features)
        return features.astype(np.float32)

    def close(self):
        """Delete the images and other temporary files; the tables and DeepProfiler's output stay."""
        leftovers = (self._outputs / name for name in ("checkpoint", "logs", "summaries"))
        for folder in (self._inputs / "images", self.folder / "keras", *leftovers):
            shutil.rmtree(folder, ignore_errors=True)

    def _alias_plates(self, index, lines):
        """Make links for plates whose names 0.5.1 reads as numbers: 0012 is 12 in its paths. Returns them."""
        import pandas as pd

        read = pd.read_csv(index, keep_default_na=False)["Metadata_Plate"].astype(str)
        aliases, links = dict(zip((line["Metadata_Plate"] for line in lines), read, strict=True)), []
        for plate, alias in aliases.items():
            for folder in (self._inputs / "locations", self._outputs / "features") if plate != alias else ():
                (folder / plate).mkdir(parents=True, exist_ok=True)
                (folder / alias).symlink_to(plate)
                links.append(folder / alias)
        return links

    def _profile(self, size, crops, threads, device):
        self._settings["profile"]["batch_size"] = crops
        files.write_json(self._inputs / "config" / f"config{size}.json", self._settings)
        # As a module, because the console script of 0.5.1 fails. In the folder of images, because 0.5.1 reads a path of
        # the index from the working directory if it exists there; so with -P, or a plate could be imported.
        command = [sys.executable, "-P", "-m", "deepprofiler", f"--root={self.folder}", f"--config=config{size}.json"]
        command += [f"--metadata=index{size}.csv", f"--exp={EXPERIMENT}", f"--gpu={device}", "profile"]
        environment = {
            "TF_NUM_INTRAOP_THREADS": str(threads),
            "TF_NUM_INTEROP_THREADS": str(threads),
            "PYTHONUNBUFFERED": "1",
        }
        environment |= {
            **dict.fromkeys(task.THREADS, str(threads)),
            "KERAS_HOME": str(self.folder / "keras"),
        }  # not the user's
        last, full, images = "", False, self._inputs / "images"
        with subprocess.Popen(
            processes.tied(command),
            cwd=images,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            for line in process.stdout:
                sys.stderr.write(line)
                last = line.strip() or last
                full |= "ResourceExhaustedError" in line  # TensorFlow's
        if process.returncode == -signal.SIGKILL:
            raise Killed("DeepProfiler was killed: did memory run out?")
        if process.returncode and full:
            raise OutOfMemory(last)
        if process.returncode:
            raise DeepProfilerFailed(f"DeepProfiler ended with exit code {process.returncode}: {last}")


def _well(row):
    """DeepProfiler's name of the well: IDR_stream's name of an image, and its variant, if it has one."""
    return "_".join(filter(None, (str(row["well_number"]), str(row["frame"]), row.get("variant"))))


def _write_table(path, lines):
    """Write LINES (dicts with the same keys) as CSV to a new file; no file without lines, on which 0.5.1 fails."""
    if not lines:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "x", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, lines[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
