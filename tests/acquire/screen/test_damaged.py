"""Files damaged at random: each is a row of its batch, as a failure or as the image that it still is."""

import json
import random
import shutil
from collections import Counter

import numpy as np
import pytest
import tifffile

from idrstream.base.failures import ImageFailure
from idrstream.images.frames import image_key
from idrstream.screen import fetch
from java_reading import write_ics
from make_screen import write_cellh5
from make_zarr import noise, write
from support import needs_java

# What a value in a description may be that its author did not think of.
VALUES = [
    None,
    "",
    0,
    -1,
    1.5,
    1e400,
    True,
    [],
    {},
    "x",
    [None],
    {"a": 1},
    ".",
    "./0",
    "0/",
    "/0",
    "0//0",
    " 0",
    "..",
    "0\0",
]
VALUES += ["é", "\ud800", 10**12, -(10**20), "<u2", "|O", "NaN", [[]], [{}], "tczyx", "x" * 5000, [1] * 50]
HEAD = 600  # bytes at the start of a file, where what it says of itself is


def write_tiffs(folder):
    pages = noise((2, 48, 64))
    how = {"plain": {}, "tiles": {"tile": (16, 32)}, "lzw": {"compression": "lzw", "predictor": True}}
    how |= {"zlib": {"compression": "zlib", "rowsperstrip": 5}, "imagej": {"imagej": True}, "big": {"bigtiff": True}}
    for name, options in how.items():
        tifffile.imwrite(folder / f"{name}.tif", pages, **{"photometric": "minisblack"} | options)
    tifffile.imwrite(folder / "jpeg.tif", pages.astype("u1"), photometric="minisblack", compression="jpeg")
    tifffile.imwrite(folder / "float.tif", pages.astype("f4"), photometric="minisblack")


def write_movies(folder):
    write_cellh5(folder / "a.ch5", "P", 1, noise((2, 48, 64), np.uint8))


def write_stores(folder, version, **options):
    for codec in ("blosc", "gzip", "zstd", "raw"):
        write(folder / f"{codec}.zarr", noise((2, 1, 1, 48, 64)), version, codec, chunks=(1, 1, 1, 24, 32), **options)


def write_javas(folder):
    write_ics(folder / "a.ics", noise((2, 48, 64)))
    tifffile.imwrite(folder / "a.tif", noise((2, 48, 64)), photometric="minisblack")


SOUND = {
    "tiff": write_tiffs,
    "cellh5": write_movies,
    "zarr 2": lambda folder: write_stores(folder, 2),
    "zarr 3": lambda folder: write_stores(folder, 3),
    "shards": lambda folder: write_stores(folder, 3, shards=(2, 1, 1, 48, 64)),
    "bioformats": write_javas,
}


def damage(path, rng):
    """Damage a file, or one of the files of a store: overwrite bytes, cut, replace, delete, or change what is said."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        described = [file for file in files if file.suffix == ".json" or file.name.startswith(".z")]
        path = rng.choice(described if rng.random() < 0.7 else files)
        if path in described and rng.random() < 0.8:
            content = json.loads(path.read_text())
            path.write_text(json.dumps(changed(content, rng.choice(list(places(content))), rng.choice(VALUES))))
            return
        if rng.random() < 0.1:
            path.unlink()
            return
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(min(len(content), HEAD) if rng.random() < 0.8 else len(content))
        content[at] = rng.choice((0, 255, rng.randrange(256), content[at] ^ (1 << rng.randrange(8))))
    if rng.random() < 0.1:
        del content[rng.randrange(len(content)) :]
    path.write_bytes(content)


def places(content, place=()):
    """Where in nested lists and dicts values stand."""
    yield place
    for key, value in (
        content.items() if isinstance(content, dict) else enumerate(content if isinstance(content, list) else ())
    ):
        yield from places(value, (*place, key))


def changed(content, place, value):
    if not place:
        return value
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return content


def fetched(kind, count, folder, seed=0):
    """Rows of a batch of so many damaged files."""
    rng = random.Random(f"{kind} {seed}")
    for name in "sound", "damaged":
        (folder / name).mkdir()
    SOUND[kind](folder / "sound")
    sound = sorted((folder / "sound").iterdir())
    images = []
    for number in range(count):
        source = sound[number % len(sound)]
        path = folder / "damaged" / f"{number}{source.suffix}"
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, path)
        damage(path, rng)
        row = {"plate": "P", "well": "A01", "well_number": 1, "site": number, "frame": 1 + number % 2}
        images.append(row | {"key": image_key("P", "A01", number, row["frame"]), "locations": [path.name]})
    batch = {"images": images, "source": None, "window": True}
    batch["reader"] = "bioformats" if kind == "bioformats" else None
    return fetch.fetch(batch, folder / "frames", root=folder / "damaged")


KINDS = [pytest.param(kind, marks=needs_java) if kind == "bioformats" else kind for kind in SOUND]


@pytest.mark.filterwarnings("ignore")  # of NumPy and zarr, about numbers that are none
@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.full)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_a_row_and_never_takes_its_batch(kind, count, tmp_path):
    rows = fetched(kind, count // 5 if kind == "bioformats" else count, tmp_path)
    found = Counter(row["reason"].split(":")[0] for row in rows)
    names = {failure.__name__ for failure in ImageFailure.__subclasses__()}
    assert found.keys() <= names | {""}
    assert found[""] and len(found) > 1  # some damage does no harm, some does
    assert not any(row["retryable"] for row in rows)  # no disk is to blame
    assert all("\n" not in row["reason"] and len(row["reason"]) < 1000 for row in rows)
