"""What each guideline of docs/tissue/guidelines.md saves: the usual way and ours, on one slide, a process each.

    .venvs/cellpose/bin/python benchmarks/tissue.py FOLDER --size 2048x2048 --tile 512
    .venvs/cellpose/bin/python benchmarks/guidelines.py FOLDER

FOLDER has what tissue.py left: the slide, and the flows of its tiles of 512 pixels. Seconds are the processor's, of the
second run where something is compiled in the first. Memory is what the work takes above what the process had.
"""

import ctypes
import json
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "assets/demo")]

from idrstream.base import memory  # noqa: E402
from idrstream.tissue import tiles  # noqa: E402

MODEL = ROOT / "assets/models/nuclei/nuclei.pth"
SIDE, DIAMETER = 512, 21.7  # pixels
JUDGED = 1024  # pixels a side of what nuclei are judged in: torch takes minutes for more
CUT = 1024, 64  # pixels: the usual tile, and what it overlaps the next by


class Counted:
    """A file that counts the bytes that are read of it."""

    def __init__(self, path):
        self._file, self.bytes = open(path, "rb"), 0  # noqa: SIM115

    def read(self, size=-1):
        content = self._file.read(size)
        self.bytes += len(content)
        return content

    def readinto(self, buffer):
        count = self._file.readinto(buffer)
        self.bytes += count
        return count

    def __getattr__(self, name):
        return getattr(self._file, name)


def cost(work):
    """(result, CPU seconds, megabytes above what was there before) of a function."""
    ctypes.CDLL(None).malloc_trim(0)  # what is free goes back, so that it is counted when it is taken again
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
    before, start = memory.peak(), time.process_time()
    result = work()
    return result, time.process_time() - start, (memory.peak() - before) / 1e6


def warm(work):
    """The same of its second run, when what it compiles is compiled."""
    work()
    return cost(work)


def many_channels(folder):
    """A slide of six channels, made once."""
    from make_slide import make_slide

    path = Path(folder, "many", "slide.ome.tif")
    if not path.exists():
        make_slide(path.parent)
    return path


def slide(folder):
    return np.load(Path(folder, "slide.npy"), mmap_mode="r")


def flows(folder):
    """(2, Y, X) float32 flows, (Y, X) bool foreground of the whole slide, and steps of its pixels."""
    from idrstream.cells import segmentation
    from idrstream.tissue import foreground

    shape = slide(folder).shape
    store = foreground.Foreground(Path(folder, f"tile_{SIDE}").glob("predicted_*"), shape, SIDE)
    y, x, known, _ = store.window(tiles.Box(0, shape[0], 0, shape[1]))
    found, inside = np.zeros((2, *shape), np.float32), np.zeros(shape, bool)
    found[:, y, x], inside[y, x] = known, True
    scale = segmentation.load_network(MODEL).diam_mean.item() / DIAMETER
    return found, inside, int(segmentation.ROUNDS / scale)


def reading(folder):
    """A window of a file of six channels, and one channel of it."""
    import tifffile

    from idrstream import readers

    path = many_channels(folder)

    def usual():
        file = Counted(path)
        return tifffile.imread(file), file.bytes

    def ours(*box):
        file = Counted(path)
        with readers.open_image(file, path.name) as image:
            height, width = image.levels[0].shape
            return image.window(0, 0, 0, 0, *(box or (0, height, 0, width))), file.bytes

    (image, read), _, peak = cost(usual)
    (window, less), _, lower = cost(lambda: ours(1000, 2024, 1000, 2024))
    (plane, channel), _, _ = cost(ours)
    assert np.array_equal(window, image[0, 1000:2024, 1000:2024]) and np.array_equal(plane, image[0])
    return {
        "1 a window of 1024²: MB read": (read / 1e6, less / 1e6),
        "1 a window of 1024²: MB of memory": (peak, lower),
        "2 one channel of six: MB read": (read / 1e6, channel / 1e6),
    }


def loading(folder, count=8):
    """A network that is loaded for every tile, and once."""
    from idrstream.cells import segmentation

    parts = [np.asarray(slide(folder)[box.y0 : box.y1, box.x0 : box.x1]) for box in _whole(folder, SIDE)[:count]]

    def usual():
        for part in parts:
            segmentation.Segmenter(MODEL, DIAMETER, device="cpu").predict(part)

    def ours():
        segmenter = segmentation.Segmenter(MODEL, DIAMETER, device="cpu")
        for part in parts:
            segmenter.predict(part)

    return {f"3 {count} tiles of 512²: CPU-s": (warm(usual)[1], cost(ours)[1])}


def cutting(folder):
    """Tiles that overlap, each with a grid of its own, and each with a contrast of its own too."""
    import torch

    from idrstream.base import networks
    from idrstream.cells import contrast, segmentation
    from idrstream.tissue import levels

    image, whole = slide(folder), np.load(Path(folder, f"tile_{SIDE}", "labels.npy"))
    net = segmentation.load_network(MODEL)
    network = networks.ready(lambda given: net(given)[0], torch.device("cpu"))
    read = lambda box: np.asarray(image[box.y0 : box.y1, box.x0 : box.x1])  # noqa: E731
    known = contrast.window(levels.levels(read, image.shape, image.dtype))
    same, alike, ends = {}, {}, []
    for own in False, True:
        labels, shown = _cut(folder, net, network, None if own else known)
        same[own], alike[own] = (100 * share for share in agreement(whole, labels))
        ends += shown if own else []
    bright = [high for _, high in ends]
    exact = np.percentile(image, 99.5), levels.levels(read, image.shape, image.dtype).quantile(0.995)
    assert np.isclose(*exact, rtol=1e-9)
    return {
        "4 nuclei that are those of the whole slide, %: a grid a tile": (same[False], 100.0),
        "4 nuclei that overlap theirs with an IoU of 0.9 or more, %": (alike[False], 100.0),
        "5 nuclei that are those of the whole slide, %: a contrast a tile as well": (same[True], 100.0),
        "5 nuclei that overlap theirs with an IoU of 0.9 or more, %": (alike[True], 100.0),
        "5 bright end of the contrast: largest tile over smallest": (max(bright) / min(bright), 1.0),
    }


def _cut(folder, net, network, limits):
    """(Y, X) labels of overlapping tiles, a nucleus kept where its centre lies; and the limits of each."""
    from scipy import ndimage

    from idrstream.cells import contrast, masks, segmentation
    from idrstream.tissue import levels, prediction, view

    image = slide(folder)
    labels, used, count, scale = np.zeros(image.shape, np.int32), [], 0, net.diam_mean.item() / DIAMETER
    for core in _whole(folder, CUT[0]):
        box = core.grown(CUT[1], image.shape)
        pixels = np.asarray(image[box.y0 : box.y1, box.x0 : box.x1])
        read = lambda part, pixels=pixels: pixels[part.y0 : part.y1, part.x0 : part.x1]  # noqa: E731
        used.append(limits or contrast.window(levels.levels(read, pixels.shape, pixels.dtype)))
        seen = view.shown([(read, *used[-1])])
        field = prediction.Field(network, net.nchan, [seen], pixels.shape, scale)
        found = field(tiles.Box(0, pixels.shape[0], 0, pixels.shape[1]))
        own, _ = masks.from_flows(found[:2], found[2], segmentation.ROUNDS / scale)
        numbers = np.unique(own[own > 0])
        for number, (y, x) in zip(numbers, ndimage.center_of_mass(own > 0, own, numbers), strict=True):
            if core.y0 <= y + box.y0 < core.y1 and core.x0 <= x + box.x0 < core.x1:
                count += 1
                labels[box.y0 : box.y1, box.x0 : box.x1][own == number] = count
    return labels, used


def agreement(wanted, labels):
    """Shares of the nuclei of WANTED that LABELS has with the same pixels, and with an IoU of 0.9 or more."""
    pairs, counts = np.unique(np.stack([wanted.ravel(), labels.ravel()]), axis=1, return_counts=True)
    sizes, others = np.bincount(wanted.ravel()), np.bincount(labels.ravel())
    both = (pairs > 0).all(axis=0)
    a, b, shared = *pairs[:, both], counts[both]
    overlap = shared / (sizes[a] + others[b] - shared)
    return float((overlap == 1).sum() / wanted.max()), float((overlap >= 0.9).sum() / wanted.max())


def following(folder):
    """Pixels that are followed to where they rest: all steps, and until they rest."""
    from cellpose import dynamics
    from idrstream.cells import masks

    found, inside, rounds = flows(folder)
    y, x = np.nonzero(inside)
    steps = found * inside / masks.STEP
    usual = warm(lambda: dynamics.follow_flows(steps, (y, x), rounds, interp=False))
    ours = warm(lambda: masks.follow(found, inside, y, x, rounds, inside.shape))
    area = inside.size / 1e6
    return {f"8 following, all {rounds} steps or until at rest: CPU-s/Mpx": (usual[1] / area, ours[1] / area)}


def judging(folder):
    """Nuclei whose flows are checked and whose holes are filled: on arrays of the image's size, and each in its box."""
    import torch

    from cellpose import dynamics, utils
    from idrstream.cells import masks

    torch.set_num_threads(1)
    found, inside, rounds = flows(folder)
    found, inside = found[:, :JUDGED, :JUDGED], inside[:JUDGED, :JUDGED]
    y, x = np.nonzero(inside)
    rest = masks.follow(found, inside, y, x, rounds, inside.shape)
    nuclei = masks.seeds(masks.sinks(rest, y, x), inside.shape)
    numbers = np.zeros(inside.shape, np.int32)
    numbers[y, x] = nuclei.of(rest)

    def usual():
        kept = dynamics.remove_bad_flow_masks(numbers.copy(), found, 0.4)
        return utils.fill_holes_and_remove_small_masks(kept, 15)

    def ours():
        canvas = masks.Canvas(0, inside.shape[0], 0, inside.shape[1])
        masks.finish(canvas, range(1, len(nuclei.sizes)), nuclei, numbers, found, masks.Limits())
        return canvas.labels

    _, by_torch, tensors = cost(lambda: dynamics.masks_to_flows_gpu(numbers, torch.device("cpu")))
    (usual_labels, seconds, peak), (labels, fewer, lower) = warm(usual), warm(ours)
    assert abs(int(usual_labels.max()) - len(np.unique(labels)) + 1) <= 0.01 * usual_labels.max()
    area = inside.size / 1e6
    return {
        "7 flows of nuclei by torch on a processor, or all that 9 does: CPU-s/Mpx": (by_torch / area, fewer / area),
        "7 flows of nuclei by torch on a processor, or all that 9 does: bytes a pixel": (tensors / area, lower / area),
        "9 checking and filling: CPU-s/Mpx": (seconds / area, fewer / area),
        "9 checking and filling: bytes a pixel": (peak / area, lower / area),
    }


def travelling(folder):
    """What goes from tile to tile, and what is left on the way."""
    from idrstream.tissue import arrays, steps

    here, area = Path(folder, f"tile_{SIDE}"), slide(folder).size
    stored = sum(path.stat().st_size for path in here.glob("predicted_*/*.npy"))
    places = sum(path.stat().st_size for path in here.glob("predicted_*/*.sinks.npz"))
    numbers = arrays.read(here / "numbers.npz", steps.Numbers)
    labels = np.load(here / "labels.npy", mmap_mode="r")
    borders = [np.unique(labels[row - 1 : row + 1]) for row in range(SIDE, labels.shape[0], SIDE)]
    borders += [np.unique(labels[:, column - 1 : column + 1]) for column in range(SIDE, labels.shape[1], SIDE)]
    return {
        "6 flows between steps, all pixels float64 or nuclei's float32: bytes a pixel": (3 * 8.0, stored / area),
        "10 to name nuclei the same in all tiles: bytes a pixel that travel": (4.0, places / area),
        f"10 nuclei at borders of tiles ({len(np.unique(np.concatenate(borders))) - 1}): uncertified": (
            None,
            float(numbers.uncertified),
        ),
    }


def writing(folder):
    """A shard that four processes write at once, each its quarter, and one that one process writes."""
    import zarr

    lost, side = {}, 1024
    for writers in 4, 1:
        path = Path(folder, f"shard_{writers}.zarr")
        zarr.create_array(
            path, shape=(side, side), dtype="uint32", chunks=(256, 256), shards=(side, side), overwrite=True
        )
        processes = [
            multiprocessing.get_context("fork").Process(
                target=_write, args=(path, place * side // writers, side // writers)
            )
            for place in range(writers)
        ]
        for each in processes:
            each.start()
        for each in processes:
            each.join()
        lost[writers] = float((zarr.open_array(path, mode="r")[:] == 0).mean() * 100)
    return {"11 pixels lost, of a shard with four writers or one: %": (lost[4], lost[1])}


def _write(path, row, height):
    import zarr

    array = zarr.open_array(path, mode="r+")
    array[row : row + height] = 1


def pictures(folder):
    """What cellpose's command line computes and keeps beside the labels."""
    from cellpose import io, plot
    from idrstream.tissue import store, tiff

    found, inside, _ = flows(folder)
    labels = np.load(Path(folder, f"tile_{SIDE}", "labels.npy"))
    circle, seconds, peak = cost(lambda: plot.dx_to_circ(found))
    name = Path(folder, "usual.tif")
    probability = np.where(inside, 1, -1).astype(np.float32)
    io.masks_flows_to_seg(np.asarray(slide(folder)), labels, [circle, found, probability], str(name))
    usual = name.with_name("usual_seg.npy").stat().st_size
    ours = Path(folder, "ours.zarr")
    if not ours.exists():
        tile = lambda box: labels[box.y0 : box.y1, box.x0 : box.x1]  # noqa: E731
        store.write(ours, "nuclei", tile, labels.shape, SIDE, None)
        tiff.write(Path(folder, "ours.tif"), "nuclei", [store.read(ours, "nuclei")], None)
    kept = Path(folder, "ours.tif").stat().st_size + sum(
        os.path.getsize(path) for path in ours.rglob("*") if path.is_file()
    )
    area = labels.size / 1e6
    return {
        "12 a picture of the flows: CPU-s/Mpx": (seconds / area, 0.0),
        "12 a picture of the flows: bytes a pixel of memory": (peak / area, 0.0),
        "12 files: _seg.npy, or Zarr and TIFF: bytes a pixel": (usual / labels.size, kept / labels.size),
    }


def _whole(folder, side):
    height, width = slide(folder).shape
    return tiles.grid(tiles.Box(0, height, 0, width), side)


PARTS = {part.__name__: part for part in (reading, loading, cutting, travelling, following, judging, writing, pictures)}


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), default=list(PARTS))
@click.option("--here", is_flag=True, hidden=True)
def main(folder, parts, here):
    """Measure every part in a process of its own, and print a row a figure, by the number of its guideline."""
    if here:
        click.echo(json.dumps(PARTS[parts[0]](folder)))
        return
    click.echo("| guideline: what | usual | here |\n|---|---|---|")
    for part in parts:
        command = [sys.executable, __file__, folder, "--part", part, "--here"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        for name, (usual, ours) in json.loads(done.stdout.splitlines()[-1]).items():
            click.echo(f"| {name} | {'-' if usual is None else f'{usual:.3g}'} | {ours:.3g} |")


if __name__ == "__main__":
    main()
