#!/usr/bin/env python3
"""Make a small slide as a multiplexed microscope leaves it: six channels of an artificial tonsil in one OME-TIFF."""

from pathlib import Path

import click
import numpy as np
import tifffile

CHANNELS = ("DNA1", "CD3", "CD8", "CD20", "PanCK", "DNA2")
PIXEL_SIZE = 0.325  # micrometres
SIZE = (3000, 4096)  # pixels
TILE = 512
COARSEST = 1024  # pixels: the last level of the pyramid is no larger
PITCH = 23  # pixels between nuclei, before each is moved
MOVED = 6  # pixels at most: neighbours touch, and some overlap
RADII = (7.5, 11.5)  # pixels, of a nucleus
REACH = 20  # pixels from the centre of a cell to where its light ends
GLASS, TISSUE = 180, 330  # grey levels without cells: camera and stray light; autofluorescence on top
GAIN = 0.8  # grey levels of noise, squared, per grey level of light
SINGLE = 0.004  # share of places on the glass that have a cell
FOLLICLES = ((0.32, 0.30), (0.30, 0.58), (0.62, 0.24), (0.66, 0.52))  # centres, shares of height and width
UUID = "00000000-0000-4000-8000-000000000000"  # tifffile would take another every time
SHEET = "slide,image,nuclear,specimen\ndemo,slide.ome.tif,DNA1,artificial tonsil\n"


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--truth", is_flag=True, help="Write labels.tif too: which pixel belongs to which nucleus.")
def main(out, truth):
    """Write slide.ome.tif and the table slides.csv to OUT."""
    make_slide(out, truth=truth)


def make_slide(out, size=SIZE, truth=False, seed=0):
    """Make a slide; same arguments, same bytes.

    size  (Y, X) pixels

    out/slides.csv     a row: the slide
    out/slide.ome.tif  (C, Y, X) uint16 of CHANNELS, with a pyramid
    out/labels.tif     (Y, X) uint32, if TRUTH: nuclei 1, 2, ...
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    depth = tissue_depth(size)
    cells = scatter(np.random.default_rng(seed), depth)
    write(out / "slide.ome.tif", size, lambda number: plane(cells, depth, number, seed))
    if truth:
        tifffile.imwrite(out / "labels.tif", labels_of(cells, size), tile=(TILE, TILE), compression="zlib")
    (out / "slides.csv").write_text(SHEET)


def tissue_depth(size):
    """How far inside the tissue a pixel lies, (Y, X) float32: up to 0 on the glass and in a vessel, 1 in the middle."""
    y, x = (np.linspace(0, 1, side, dtype=np.float32) for side in size)
    y, x = y[:, None], x[None, :]
    edge = 0.05 * np.sin(19 * x + 3 * y) + 0.04 * np.sin(23 * y - 5 * x)
    outer = 1 - ((x - 0.42) / 0.40) ** 2 - ((y - 0.5) / 0.45) ** 2 + edge
    vessel = ((x - 0.47) ** 2 + (y - 0.42) ** 2) / 0.04**2 - 1
    return np.minimum(outer, vessel)


def scatter(rng, depth):
    """The cells: a structured array, row by row over a grid of PITCH pixels that each is moved off."""
    rows, columns = (side // PITCH for side in depth.shape)
    places = np.indices((rows, columns)).reshape(2, -1).T * PITCH + PITCH / 2
    places += rng.uniform(-MOVED, MOVED, places.shape)
    count = len(places)
    deep = depth[tuple(np.clip(places, 0, np.array(depth.shape) - 1).astype(int).T)]
    follicle, epithelium = _in_follicle(places / depth.shape), deep < 0.2
    wanted = np.select([deep <= 0, follicle, epithelium], [SINGLE, 0.92, 0.8], 0.62)
    helper, killer = rng.random((2, count)) < [[0.75], [0.4]]
    kinds = {
        "CD20": follicle & ~epithelium,
        "PanCK": epithelium & (deep > 0),
        "CD3": helper & ~follicle & ~epithelium,
        "CD8": helper & killer & ~follicle & ~epithelium,
    }
    cells = np.zeros(
        count, [("centre", "f4", 2), ("radii", "f4", 2), ("angle", "f4"), *((name, "f4") for name in CHANNELS)]
    )
    cells["centre"], cells["radii"] = places, rng.uniform(*RADII, (count, 2))
    cells["angle"] = rng.uniform(0, np.pi, count)
    cells["DNA1"] = rng.uniform(1800, 4200, count)  # grey levels
    cells["DNA2"] = cells["DNA1"] * rng.uniform(0.6, 0.8, count)  # a later cycle: part of the stain is gone
    for name, positive in kinds.items():
        cells[name] = positive * rng.uniform(600, 2400, count)
    return cells[rng.random(count) < wanted]


def plane(cells, depth, number, seed):
    """A channel of the slide, (Y, X) uint16: nuclei in those of DNA, rims of the positive cells in the others."""
    name = CHANNELS[number]
    light = np.where(depth > 0, np.float32(TISSUE), np.float32(GLASS))
    for cell in cells[cells[name] > 0]:
        patch, radius = _radius(cell, depth.shape)
        nucleus = 1 / (1 + np.exp((radius - 1) * 9))
        shape = nucleus if name.startswith("DNA") else np.exp(-(((radius - 1.15) / 0.14) ** 2))
        light[patch] += cell[name] * shape
    noise = np.random.default_rng([seed, number]).standard_normal(depth.shape, np.float32)
    light += np.sqrt(GAIN * light) * noise
    return np.clip(np.rint(light), 0, 65535).astype(np.uint16)


def labels_of(cells, size):
    """(Y, X) uint32: nuclei 1, 2, ...; where two overlap, the first has the pixels."""
    labels = np.zeros(size, np.uint32)
    for label, cell in enumerate(cells, 1):
        patch, radius = _radius(cell, size)
        labels[patch][(radius <= 1) & (labels[patch] == 0)] = label
    return labels


def write(path, size, plane):
    """Write a tiled OME-TIFF with a pyramid in SubIFDs; a channel is in memory at a time, of smaller levels all.

    plane  function of a channel's number, (Y, X) uint16
    """
    smaller = []  # a list of levels a channel

    def tiles():
        for number in range(len(CHANNELS)):
            levels = [plane(number)]
            while max(levels[-1].shape) > COARSEST:
                levels.append(_halved(levels[-1]))
            smaller.append(levels[1:])
            yield from _tiles(levels[0])

    sides, count = list(size), 0
    while max(sides) > COARSEST:
        sides, count = [side // 2 for side in sides], count + 1
    metadata = {"axes": "CYX", "Name": "demo", "UUID": UUID, "Channel": {"Name": list(CHANNELS)}}
    for axis in "XY":
        metadata |= {f"PhysicalSize{axis}": PIXEL_SIZE, f"PhysicalSize{axis}Unit": "µm"}
    common = {"dtype": "uint16", "tile": (TILE, TILE), "compression": "zlib", "photometric": "minisblack"}
    common |= {"compressionargs": {"level": 1}, "maxworkers": 1}
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(tiles(), shape=(len(CHANNELS), *size), subifds=count, metadata=metadata, **common)
        for level in range(count):
            planes = [levels[level] for levels in smaller]
            pieces = (piece for plane in planes for piece in _tiles(plane))
            shape = (len(CHANNELS), *planes[0].shape)
            writer.write(pieces, shape=shape, subfiletype=1, metadata=None, **common)


def _in_follicle(places):
    """(n,) bool of (n, 2) places, shares of height and width."""
    centres = np.array(FOLLICLES)
    return (np.hypot(*(places[:, None] - centres).transpose(2, 0, 1)) < 0.1).any(axis=1)


def _radius(cell, size):
    """Index of the patch around a cell, and each pixel's distance from its centre, in radii of its nucleus."""
    top, left = np.maximum(cell["centre"].astype(int) - REACH, 0)
    bottom, right = np.minimum(cell["centre"].astype(int) + REACH, size)
    dy = np.arange(top, bottom, dtype=np.float32)[:, None] - cell["centre"][0]
    dx = np.arange(left, right, dtype=np.float32)[None, :] - cell["centre"][1]
    sine, cosine = np.sin(cell["angle"]), np.cos(cell["angle"])
    across, along = cell["radii"]
    return np.s_[top:bottom, left:right], np.hypot(
        (cosine * dy - sine * dx) / across, (sine * dy + cosine * dx) / along
    )


def _halved(image):
    """Means of 2 x 2 pixels, (Y // 2, X // 2) uint16."""
    height, width = (side // 2 * 2 for side in image.shape)
    blocks = image[:height, :width].reshape(height // 2, 2, width // 2, 2)
    return (blocks.mean(axis=(1, 3), dtype=np.float32) + 0.5).astype(np.uint16)


def _tiles(image):
    """Tiles of a plane, row by row; tifffile fills up those at the end."""
    height, width = image.shape
    for y in range(0, height, TILE):
        for x in range(0, width, TILE):
            yield image[y : y + TILE, x : x + TILE]


if __name__ == "__main__":
    main()
