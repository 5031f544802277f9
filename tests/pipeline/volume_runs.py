"""Runs on volumes, and what they leave."""

import hashlib
import json
import subprocess

import numpy as np
import pandas as pd
import zarr
from runs import Run

from repository import ROOT

TILE, MODEL = 32, ROOT / "assets/models/volume/mito.pt"
# Checkpoints of one small network, untrained: NUMBER is the seed and the iteration.
MAKE = """
import sys, torch
from idrstream.volume import unet, unet_torch
net = unet.Unet(maps=4, factors=((2, 2, 2),) * 2)
for number in (1, 2):
    torch.manual_seed(number)
    weights = unet_torch.module(net).state_dict()
    content = {"model_state_dict": weights, "iteration": number, "network": net.to_keys()}
    torch.save(content, f"{sys.argv[1]}/model_checkpoint_{number}")
"""


class Volumes(Run):
    """A run on a data JSON of a folder."""

    def __init__(self, folder, data, *options, **more):
        folder.mkdir(exist_ok=True)
        (folder / "data.json").write_text(json.dumps(data))
        words = ("--workflow", "volume", "--data", folder / "data.json", "--tile", TILE, *options)
        super().__init__(folder, *words, **more)

    def array(self, entry, path="probability/class_1"):
        """(z, y, x) voxels of an array of a volume."""
        return zarr.open_array(self.out / f"volumes/{entry}.ome.zarr/{path}/s0", mode="r")[:]

    def table(self, name):
        return pd.read_table(self.out / f"{name}.tsv")

    @property
    def files(self):
        """Path -> sha256 of the arrays' files."""
        return digests(self.out / "volumes")

    @property
    def ledger(self):
        return {path.stem: json.loads(path.read_text()) for path in (self.out / "ledger").glob("*.json")}


def digests(folder):
    """Path -> sha256 of the files below a folder."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def checkpoints(folder):
    """Write two checkpoints into FOLDER, which is returned."""
    folder.mkdir(exist_ok=True)
    command = [ROOT / ".venvs/volume/bin/python", "-c", MAKE, folder]
    subprocess.run([str(word) for word in command], check=True, env={"PYTHONPATH": str(ROOT / "bin")})
    return folder


def entry(container, begin, shape, **more):
    """An entry of a data JSON."""
    raw = "volumes/raw_equalized_0.02"
    return {"file": str(container), "offset": begin, "shape": shape, "voxel_size": [5, 5, 5], "raw": raw, **more}


def blobs(shape, seed=0):
    """(raw uint8, labels uint8): round things, darker than what is around them."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    inside = np.zeros(shape, bool)
    for centre in rng.uniform(0, shape, (14, 3)):
        inside |= ((grid - centre) ** 2).sum(axis=-1) < rng.uniform(8, 14) ** 2
    raw = np.where(inside, 90, 160) + rng.normal(0, 18, shape)
    return np.clip(np.rint(raw), 0, 255).astype(np.uint8), inside.astype(np.uint8)
