"""Volumes of N5: blocks that are turned from x, y, z to z, y, x, and decompressed to no more than they may hold."""

import gzip
import json
import struct

import numpy as np
import pytest

import make_volumes
from idrstream.base.failures import NoSuchArray, NotReadable, Truncated
from idrstream.volume.box import Box
from idrstream.volume.opening import container
from make_volumes import PACKED, noise

SHAPE = (40, 37, 50)
WHOLE = Box((0, 0, 0), SHAPE)
BLOCK = (16, 15, 20)  # edge blocks are shorter along each axis
TYPES = "uint8", "int32", "uint64", "float32", "float64"
# The example of N5's specification: a block of 1 x 2 x 3 voxels (x, y, z) of 16 bits, 1 to 6, not compressed.
EXAMPLE = bytes.fromhex("0000 0003 00000001 00000002 00000003 0001 0002 0003 0004 0005 0006")


def volume(folder, path="volumes/raw"):
    return container(str(folder), {}).volume(path)


def edit(folder, **changes):
    path = folder / "volumes/raw/attributes.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("compression, dtype", [*((name, "uint16") for name in PACKED), *(("raw", t) for t in TYPES)])
def test_boxes_are_cut_out_of_what_was_written(compression, dtype, tmp_path):
    raw = noise(SHAPE, dtype)
    found = volume(make_volumes.n5(tmp_path / "c.n5", "volumes/raw", raw, {}, compression, BLOCK))
    assert (found.shape, found.dtype, found.chunks) == (SHAPE, np.dtype(dtype), BLOCK)
    for box in WHOLE, Box((39, 36, 49), (1, 1, 1)), Box((15, 14, 19), (2, 2, 2)), Box((0, 20, 3), (40, 1, 30)):
        assert np.array_equal(found.read(box), raw[box.within(WHOLE)])
    assert found.unwritten == 0


def test_the_example_of_the_specification_is_read(tmp_path):
    folder = make_volumes.n5(tmp_path / "c.n5", "volumes/raw", np.zeros((3, 2, 1), np.uint16), {}, "raw", (3, 2, 1))
    (folder / "volumes/raw/0/0").mkdir(parents=True)
    (folder / "volumes/raw/0/0/0").write_bytes(EXAMPLE)
    assert volume(folder).read(Box((0, 0, 0), (3, 2, 1))).tolist() == [[[1], [2]], [[3], [4]], [[5], [6]]]


def test_blocks_that_do_not_exist_are_zeros_and_counted(tmp_path):
    raw = noise(SHAPE)
    raw[:16, :15], raw[32:, 30:, 40:] = 0, 0
    found = volume(make_volumes.n5(tmp_path / "c.n5", "volumes/raw", raw, {}, "gzip", BLOCK))
    assert np.array_equal(found.read(WHOLE), raw) and found.unwritten == 4


def test_blocks_may_state_the_number_of_their_voxels(tmp_path):
    raw = noise((4, 5, 6))
    folder = make_volumes.n5(tmp_path / "c.n5", "volumes/raw", raw, {}, "raw", (4, 5, 6))
    block = folder / "volumes/raw/0/0/0"
    block.write_bytes(struct.pack(">HH4I", 1, 3, 6, 5, 4, 120) + raw.tobytes())
    assert np.array_equal(volume(folder).read(Box((0, 0, 0), raw.shape)), raw)


NM = ["nm"] * 3
PLACES = {
    "n5-viewer": ({"pixelResolution": {"unit": "um", "dimensions": [0.004, 0.005, 0.01]}}, (10, 5, 4), None),
    "a level": (
        {"pixelResolution": {"unit": "nm", "dimensions": [2, 2, 5]}, "downsamplingFactors": [2, 2, 1]}, (5, 4, 4), None,
    ),
    "units": ({"resolution": [4, 5, 10], "units": NM, "offset": [8, 10, 30]}, (10, 5, 4), (30, 10, 8)),
    "one unit": ({"resolution": [4, 5, 10], "units": "angstrom"}, (1, 0.5, 0.4), None),
    "no unit": ({"resolution": [4, 5, 10], "offset": [8, 10, 30]}, (10, 5, 4), (30, 10, 8)),
    "COSEM": (
        {"transform": {"axes": ["z", "y", "x"], "scale": [10, 5, 4], "translate": [30, 10, 8], "units": NM}},
        (10, 5, 4), (30, 10, 8),
    ),
    "COSEM, turned": (
        {"transform": {"axes": ["x", "y", "z"], "scale": [4, 5, 10], "translate": [8, 10, 30], "units": NM}},
        (10, 5, 4), (30, 10, 8),
    ),
    "pixels": ({"pixelResolution": {"unit": "pixel", "dimensions": [1, 1, 1]}}, None, None),
    "numbers alone": ({"pixelResolution": [4, 5, 10]}, None, None),
    "nothing": ({}, None, None),
}  # fmt: skip


@pytest.mark.parametrize("attributes, resolution, offset", PLACES.values(), ids=PLACES)
def test_a_dataset_says_where_it_lies(attributes, resolution, offset, tmp_path):
    found = volume(make_volumes.n5(tmp_path / "c.n5", "volumes/raw", noise(SHAPE), attributes))
    assert found.resolution == (resolution and pytest.approx(resolution))
    assert found.offset == (offset and pytest.approx(offset))


@pytest.mark.parametrize("attributes", [
    {"pixelResolution": {"unit": "nm", "dimensions": [0, 4, 4]}}, {"resolution": "4"}, {"resolution": [4, 4]},
    {"resolution": [4, 4, 4], "units": ["nm"]}, {"transform": {"axes": ["t", "y", "x"]}}, {"transform": 5},
    {"resolution": [4, 4, 4], "offset": [1, 2, "x"]},
])  # fmt: skip
def test_attributes_that_place_a_dataset_nowhere_are_refused(attributes, tmp_path):
    with pytest.raises(NotReadable, match="its attribute"):
        volume(make_volumes.n5(tmp_path / "c.n5", "volumes/raw", noise(SHAPE), attributes))


@pytest.mark.parametrize("changes, pattern", [
    ({"compression": {"type": "lz4", "blockSize": 65536}}, "its blocks are compressed by 'lz4'; raw, gzip, bzip2, "),
    ({"compression": {}}, "its blocks are compressed by 'None'"),
    ({"dataType": "object"}, "its voxels are of type 'object'"),
    ({"dimensions": [40, -1, 3]}, "its attribute dimensions is"),
    ({"dimensions": [40.5, 1, 3]}, "its attribute dimensions is"),
    ({"blockSize": [16, 16]}, "its dimensions are"),
    ({"blockSize": [2**40, 2**40, 2**40]}, "chunks .* are larger than"),
    ({"dimensions": [40, 3], "blockSize": [40, 3]}, "this is no volume"),
])  # fmt: skip
def test_what_cannot_be_read_is_refused_by_name(changes, pattern, tmp_path):
    folder = make_volumes.n5(tmp_path / "c.n5", "volumes/raw", noise(SHAPE))
    edit(folder, **changes)
    with pytest.raises(NotReadable, match=pattern):
        volume(folder)


def test_the_compression_may_be_stated_as_n5_1_did(tmp_path):
    folder = make_volumes.n5(tmp_path / "c.n5", "volumes/raw", noise(SHAPE))
    path = folder / "volumes/raw/attributes.json"
    attributes = json.loads(path.read_text())
    del attributes["compression"]
    path.write_text(json.dumps(attributes | {"compressionType": "gzip"}))
    assert np.array_equal(volume(folder).read(WHOLE), noise(SHAPE))


@pytest.mark.parametrize("compression", PACKED)
def test_a_block_that_was_cut_off_is_named(compression, tmp_path):
    folder = make_volumes.n5(tmp_path / "c.n5", "volumes/raw", noise(SHAPE), {}, compression)
    block = folder / "volumes/raw/2/0/1"
    block.write_bytes(block.read_bytes()[:-100])
    with pytest.raises((Truncated, NotReadable), match=r"c\.n5/volumes/raw: block 2/0/1 ") as caught:
        volume(folder).read(WHOLE)
    assert caught.type is Truncated or compression == "zstd"  # whose decoder does not tell


HEAD = struct.pack(">HH3I", 0, 3, 16, 16, 16)
DAMAGED = {
    "nothing": (b"", Truncated),
    "half a head": (HEAD[:9], Truncated),
    "a head alone": (HEAD, Truncated),
    "no N5": (b"<!doctype html>" + bytes(4096), NotReadable),
    "an object": (struct.pack(">HHI", 2, 0, 5) + bytes(20), NotReadable),
    "larger than blocks": (struct.pack(">HH3I", 0, 3, 16, 16, 17) + gzip.compress(bytes(16 * 16 * 17)), NotReadable),
    "of no voxel": (struct.pack(">HH3I", 0, 3, 16, 0, 16) + gzip.compress(b""), NotReadable),
    "too few voxels": (HEAD + gzip.compress(bytes(4095)), Truncated),
    "too many voxels": (HEAD + gzip.compress(bytes(4097)), NotReadable),
    "not packed": (HEAD + bytes(4096), NotReadable),
}


@pytest.mark.parametrize("content, kind", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_block_is_named(content, kind, tmp_path):
    folder = make_volumes.n5(tmp_path / "c.n5", "volumes/raw", noise(SHAPE))
    (folder / "volumes/raw/1/1/1").write_bytes(content)
    found = volume(folder)
    assert np.array_equal(found.read(Box((0, 0, 0), (16, 37, 50))), noise(SHAPE)[:16])
    with pytest.raises(kind, match=r"c\.n5/volumes/raw: block 1/1/1 "):
        found.read(WHOLE)


def test_no_block_decompresses_to_more_than_it_may_hold(tmp_path):
    folder = make_volumes.n5(tmp_path / "c.n5", "volumes/raw", noise(SHAPE))
    (folder / "volumes/raw/1/1/1").write_bytes(HEAD + gzip.compress(bytes(10**8)))
    with pytest.raises(NotReadable, match=r"block 1/1/1 does not decode .it decompresses to more than 5,120 bytes"):
        volume(folder).read(WHOLE)


def test_groups_have_attributes_too_and_are_no_volumes(tmp_path):
    folder = make_volumes.n5(tmp_path / "c.n5", "volumes/raw", noise(SHAPE))
    (folder / "volumes/attributes.json").write_text('{"pixelResolution": [4, 4, 4]}')
    with pytest.raises(NoSuchArray, match="no array volumes; there are volumes/raw"):
        volume(folder, "volumes")
