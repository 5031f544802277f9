#!/usr/bin/env python3
"""What predicting a volume costs: beside torch, beside incasem's blocks, and its memory.

    .venvs/volume/bin/python benchmarks/volume.py [speed] [flops] [memory] [slabs] [seed]

All sections, or those named. Weights are drawn: they cost what trained ones do. Each measurement is a process of its
own with one thread: CPU seconds, of the second tile where there are two, and peak memory are its alone.

speed   a tile of 128 by the product and by torch's layers, 32 maps (2 minutes)
flops   operations a kept voxel beside incasem's
memory  the first tiles of a slab of 512 in a volume of 1 and of 64 such slabs, 32 maps (2 minutes)
slabs   a region of 64 slabs, 16 maps and two poolings: time, memory, the same bits by other slabs, seams (1 minute)
seed    a region of 204 by the product, and by incasem's one block of 204 with torch's layers, 32 maps (4 minutes)
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "tests")]
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # before numpy

import numpy as np  # noqa: E402

from idrstream.base import memory  # noqa: E402
from idrstream.volume import network, prediction  # noqa: E402
from idrstream.volume.box import Box  # noqa: E402
from idrstream.volume.unet import Unet  # noqa: E402
from unets import Raw, grey, weights  # noqa: E402

SEED = Unet()  # incasem's network
SMALL = Unet(maps=16, factors=((2, 2, 2),) * 2)
BLOCK, BLOCK_OUT = 204, 110  # of incasem
TILE, SLAB = 128, 512  # voxels a side
FEW = 2  # tiles of a slab that are computed for its memory
SMALL_SLAB, SLABS = 48, 4  # voxels a side; slabs along each axis of a region
MOVED = 5  # voxels, no multiple of a pooling


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", default="all", choices=["all", *SECTIONS], help="all if none is named")
    parser.add_argument("--measure", help=argparse.SUPPRESS)  # what a process of its own measures
    given = parser.parse_args()
    if given.measure:
        name, *words = given.measure.split()
        print(json.dumps(MEASURES[name](*words) | {"peak": memory.peak()}))
        return
    for section in SECTIONS if "all" in given.sections else given.sections:
        SECTIONS[section]()


# What a process measures


def tile_by_the_product(edge):
    """CPU seconds of the second of two tiles."""
    shape = SEED.given((int(edge),) * 3)
    return {"cpu": second(network.load(SEED, weights(SEED), shape).compute, levels(shape))}


def tile_by_torch(edge):
    import torch

    shape, module = SEED.given((int(edge),) * 3), torchs(SEED)
    with torch.inference_mode():
        return {"cpu": second(module, torch.from_numpy(levels(shape))[None, None])}


def first_tiles(path, slabs):
    """Of the last slab in a volume of SLABS a side, in the file at PATH."""
    raw = OnDisk(path, (SLAB * int(slabs),) * 3)
    slab = Box(tuple(size - SLAB for size in raw.box.shape), (SLAB,) * 3)
    sum(box.voxels for box, *_ in islice(predicted(SEED, raw, slab, TILE), FEW))
    return {}


def region(path, edge, moved):
    """The probabilities of a region by slabs of EDGE, in a volume that is larger by what the network sees."""
    edge, inside = int(edge), SMALL_SLAB * SLABS
    raw = Raw(grey([inside + 2 * context for context in SMALL.context]), (-7, 0, 1000))
    roi = Box(raw.box.begin, (inside,) * 3).moved(SMALL.context).moved((int(moved),) * 3)
    found, started = np.zeros(roi.shape, np.uint8), time.process_time()
    tile = prediction.tile(SMALL_SLAB, raw.box.shape, SMALL)
    net = network.load(SMALL, weights(SMALL), SMALL.given(tile))
    for slab in roi.parts((edge,) * 3):
        for box, probabilities in prediction.predict(raw, slab, tile, net, SMALL):
            found[box.within(roi)] = probabilities[0]
    np.save(path, found)
    return {"cpu": time.process_time() - started, "voxels": roi.voxels}


def roi_by_the_product():
    raw, started = Raw(grey((BLOCK,) * 3)), time.process_time()
    voxels = sum(box.voxels for box, *_ in predicted(SEED, raw, raw.box, TILE))
    return {"cpu": time.process_time() - started, "voxels": voxels}


def roi_by_incasems_block():
    """One block is all of the region that it predicts; of the maps before the last convolutions it crops 4 voxels."""
    import torch

    from idrstream.volume.layers_torch import centred

    module, started = torchs(SEED), time.process_time()
    crop = [size - 4 for size in (120,) * 3]
    module.unet.r_conv[0][0].register_forward_pre_hook(lambda _, given: (centred(given[0], crop),))
    with torch.inference_mode():
        output = module(torch.from_numpy(levels((BLOCK,) * 3))[None, None]).softmax(1)
    assert output.shape[2:] == (BLOCK_OUT,) * 3
    return {"cpu": time.process_time() - started, "voxels": BLOCK_OUT**3}


MEASURES = {
    measure.__name__: measure
    for measure in (
        tile_by_the_product,
        tile_by_torch,
        first_tiles,
        region,
        roi_by_the_product,
        roi_by_incasems_block,
    )
}


class OnDisk:
    """A volume in a file, of which `read` leaves no pages in memory but those of its answer."""

    def __init__(self, path, shape):
        self.path, self.box = path, Box((0, 0, 0), shape)

    def read(self, box):
        return np.array(np.memmap(self.path, np.uint8, "r", shape=self.box.shape)[box.within(self.box)])


def predicted(unet, raw, slab, edge):
    tile = prediction.tile(edge, raw.box.shape, unet)
    net = network.load(unet, weights(unet), unet.given(tile))
    return prediction.predict(raw, slab, tile, net, unet)


def torchs(unet):
    import torch

    from idrstream.volume import unet_torch

    torch.set_num_threads(1)
    module = unet_torch.module(unet).eval()
    module.load_state_dict({name: torch.from_numpy(array) for name, array in weights(unet).items()})
    return module


def levels(shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def second(compute, given):
    """CPU seconds of the second call; in the first, memory is taken."""
    compute(given)
    started = time.process_time()
    compute(given)
    return time.process_time() - started


# Sections


def alone(name, *words):
    """What a measurement in a process of its own says."""
    command = [sys.executable, __file__, "--measure", " ".join(map(str, (name, *words)))]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(answer.stdout.splitlines()[-1])


def speed():
    print(f"A tile of {TILE}, {SEED.maps} maps, input {SEED.given((TILE,) * 3)[0]}, one thread")
    ours, torchs = alone("tile_by_the_product", TILE), alone("tile_by_torch", TILE)
    for name, measured in (("product", ours), ("torch's layers", torchs)):
        print(f"  {name:16}{measured['cpu'] / TILE**3 * 1e6:6.2f} CPU-us a voxel  {gigabytes(measured)}")
    print(f"  {'ratio':16}{ours['cpu'] / torchs['cpu']:6.2f} (at most 0.6)\n", flush=True)


def flops():
    theirs = 1184.9  # 1,000 operations a voxel of incasem's block, 204 to 110, with its last crop
    print(f"1,000 operations a kept voxel, {SEED.maps} maps; incasem: {theirs:.0f}")
    for edge, most in ((TILE, 0.88), (256, 0.67)):
        shape = SEED.given((edge,) * 3)
        lean, plain = (SEED.flops(shape, lean) / edge**3 / 1000 for lean in (True, False))
        print(f"  tile {edge}, input {shape[0]}: {lean:5.0f} = {lean / theirs:.2f} of it (at most {most}); ", end="")
        print(f"with enlarged maps {plain:.0f}")
    print(flush=True)


def memory_of_slabs():
    print(f"Peak memory of a slab of {SLAB}, tile {TILE}, {SEED.maps} maps, after {FEW} tiles")
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for side in (1, 4):
            path = Path(folder, f"{side}.raw")
            with open(path, "wb") as file:
                file.truncate((SLAB * side) ** 3)
            measured = alone("first_tiles", path, side)
            peaks.append(measured["peak"])
            print(f"  in a volume of {side**3:2} slabs {gigabytes(measured)} (at most 8)")
    print(f"  ratio {peaks[1] / peaks[0]:.3f} (0.95 to 1.05)\n", flush=True)


def slabs():
    whole = SMALL_SLAB * SLABS
    print(f"A region of {whole} a side, tile {SMALL_SLAB}, {SMALL.maps} maps, {SMALL.parameters} weights")
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder, "parts.npy"), Path(folder, "whole.npy")
        parts, one = (alone("region", *words) for words in ((paths[0], SMALL_SLAB, 0), (paths[1], whole, MOVED)))
        found, other = map(np.load, paths)
    for name, measured in ((f"{SLABS**3} slabs", parts), ("one slab", one)):
        cost = f"{measured['cpu']:6.1f} CPU s for {measured['voxels'] / 1e6:.1f} Mvoxel"
        print(f"  {name:10}{cost}  {gigabytes(measured)}")
    differ = np.count_nonzero(found[(slice(MOVED, None),) * 3] != other[(slice(-MOVED),) * 3])
    print(f"  differ from those of one slab that begins {MOVED} voxels behind: {differ} voxels (0)")
    print(f"  mean step across the faces of tiles : inside of them {seam(found):.3f} (0.98 to 1.02)\n", flush=True)


def seam(probabilities):
    """Mean step from plane to plane at the faces of tiles, by that at the other planes of the same pooling phase."""
    ratios = []
    for axis, period in enumerate(SMALL.step):
        steps = np.abs(np.diff(probabilities.astype(np.int16), axis=axis)).mean(axis=tuple({0, 1, 2} - {axis}))
        alike = np.arange(period - 1, len(steps), period)
        faces = alike % SMALL_SLAB == SMALL_SLAB - 1
        ratios.append(steps[alike[faces]].mean() / steps[alike[~faces]].mean())
    return np.mean(ratios)


def seed():
    voxels = BLOCK**3
    print(f"A region of {BLOCK} a side, {voxels / 1e6:.2f} Mvoxel, {SEED.maps} maps, one thread")
    for name, measure in (("product", "roi_by_the_product"), ("incasem's block, torch", "roi_by_incasems_block")):
        measured = alone(measure)
        share = f"{measured['voxels'] / 1e6:5.2f} Mvoxel predicted ({measured['voxels'] / voxels:4.0%})"
        cost = f"{measured['cpu']:6.1f} CPU s, {measured['cpu'] / measured['voxels'] * 1e6:5.1f} us a voxel"
        print(f"  {name:24}{share}  {cost}  {gigabytes(measured)}", flush=True)


def gigabytes(measured):
    return f"{measured['peak'] / 1e9:.2f} GB"


SECTIONS = {"speed": speed, "flops": flops, "memory": memory_of_slabs, "slabs": slabs, "seed": seed}

if __name__ == "__main__":
    main()
