"""Volumes of Zarr, in the containers of incasem and as OME-Zarr: the voxels that were written, and where they lie."""

import json

import numpy as np
import pytest
import zarr

import make_volumes
from idrstream.base.failures import ImageFailure, MissingWell, NoSuchArray, NotReadable, Truncated, UnwrittenFrame
from idrstream.readers import volumes
from idrstream.volume.box import Box
from idrstream.volume.opening import container
from make_volumes import CODECS, LABELS, RAW, noise

SHAPE = (40, 37, 50)
WHOLE = Box((0, 0, 0), SHAPE)
BOXES = [WHOLE, Box((0, 0, 0), (1, 1, 1)), Box((39, 36, 49), (1, 1, 1)), Box((15, 3, 16), (2, 30, 17))]


def volume(folder, path=RAW):
    return container(str(folder), {}).volume(path)


@pytest.mark.parametrize("separator", ["/", "."])
@pytest.mark.parametrize("codec", CODECS)
def test_boxes_are_cut_out_of_what_was_written(codec, separator, tmp_path):
    raw = noise(SHAPE)
    found = volume(make_volumes.incasem(tmp_path / "c.zarr", raw, codec=codec, separator=separator))
    assert (found.shape, found.dtype, found.chunks) == (SHAPE, np.uint8, (16, 16, 16))
    for box in BOXES:
        assert np.array_equal(found.read(box), raw[box.within(WHOLE)])
    assert found.unwritten == 0


@pytest.mark.parametrize("dtype", [">u2", "<u2", "u4", ">i4", "u8", ">f4", "f8"])
def test_numbers_of_any_type_come_in_this_machines_order_of_bytes(dtype, tmp_path):
    raw = noise(SHAPE, dtype)
    found = volume(make_volumes.incasem(tmp_path / "c.zarr", raw))
    assert found.dtype == found.read(WHOLE).dtype == raw.dtype.newbyteorder("=")
    assert np.array_equal(found.read(WHOLE), raw)


def test_an_array_says_where_it_lies_in_nanometres(tmp_path):
    labels = {"mito": (noise((8, 9, 10), np.uint32), (70, 96, 104))}
    folder = make_volumes.incasem(tmp_path / "c.zarr", noise(SHAPE), (10, 4, 5.24), (50, 80, 52.4), labels)
    assert (volume(folder).resolution, volume(folder).offset) == ((10, 4, 5.24), (50, 80, 52.4))
    assert volume(folder, f"{LABELS}/mito").offset == (70, 96, 104)


def test_arrays_of_zarr_3_lie_where_the_same_attributes_say(tmp_path):
    how = {"chunks": (16, 16, 16), "attributes": {"resolution": [8, 4, 4], "offset": [16, 0, 4]}}
    names = "abc", "zyx", "xyz"
    for axes in names:
        stored = zarr.create_array(tmp_path / "c" / axes, shape=SHAPE, dtype="u1", dimension_names=list(axes), **how)
        stored[:] = noise(SHAPE)
    for axes in names[:2]:
        found = volume(tmp_path / "c", axes)
        assert (found.resolution, found.offset) == ((8, 4, 4), (16, 0, 4))
        assert np.array_equal(found.read(WHOLE), noise(SHAPE))
    with pytest.raises(NotReadable, match="volumes whose last three are z, y, x are read"):
        volume(tmp_path / "c", names[2])


def test_an_array_without_attributes_lies_nowhere(tmp_path):
    folder = make_volumes.array(tmp_path / "c.zarr", RAW, noise(SHAPE), None)
    assert (volume(folder).resolution, volume(folder).offset) == (None, None)


@pytest.mark.parametrize("resolution", [[5, 5], "5 nm", [5, 5, 0], [5, 5, "5"], [5, 5, True], [5, 5, 1e999]])
def test_a_resolution_that_is_none_is_refused(resolution, tmp_path):
    folder = make_volumes.array(tmp_path / "c.zarr", RAW, noise(SHAPE), {"resolution": resolution})
    with pytest.raises(NotReadable, match=r"its attribute resolution is .*; 3 numbers above 0 are expected"):
        volume(folder)


def test_a_container_needs_no_metadata_but_that_of_the_array(tmp_path):
    folder = make_volumes.incasem(tmp_path / "c.zarr", noise(SHAPE))
    for path in ".zgroup", ".zattrs", "volumes/.zgroup", "volumes/.zattrs":
        (folder / path).unlink(missing_ok=True)
    assert np.array_equal(volume(folder.rename(tmp_path / "c")).read(WHOLE), noise(SHAPE))


def test_the_arrays_that_exist_are_named_where_one_does_not(tmp_path):
    folder = make_volumes.incasem(tmp_path / "c.zarr", noise(SHAPE), labels={"er": noise(SHAPE), "mito": noise(SHAPE)})
    make_volumes.ome_zarr(folder / "em", noise(SHAPE), (1, 1, 1))
    make_volumes.n5(folder, "n5/raw", noise(SHAPE))
    with pytest.raises(NoSuchArray) as caught:
        volume(folder, "volumes/raw")
    there = f"em/s0, n5/raw, {LABELS}/er, {LABELS}/mito, {RAW}"
    assert str(caught.value) == f"c.zarr: there is no array volumes/raw; there are {there}."


def test_folders_of_chunks_are_not_looked_into_for_arrays(tmp_path, monkeypatch):
    folder = make_volumes.incasem(tmp_path / "c.zarr", noise(SHAPE), separator="/", labels={"er": noise(SHAPE)})
    monkeypatch.setattr(volumes, "MOST_FOLDERS", 8)
    assert sum(path.is_dir() for path in folder.rglob("*")) > 20
    with pytest.raises(NoSuchArray, match=f"there are {LABELS}/er, {RAW}"):
        volume(folder, "x")


def test_a_container_that_does_not_exist_is_said_to(tmp_path):
    with pytest.raises(MissingWell, match=r"d\.zarr: there is no such folder"):
        volume(tmp_path / "d.zarr")


@pytest.mark.parametrize("path", ["../d.zarr/a", "/volumes/../..", "volumes/.."])
def test_no_array_lies_outside_of_its_container(path, tmp_path):
    make_volumes.incasem(tmp_path / "c.zarr", noise(SHAPE))
    with pytest.raises(NotReadable, match="outside of it"):
        volume(tmp_path / "c.zarr", path)


@pytest.mark.parametrize("box", [Box((0, 0, 0), (41, 1, 1)), Box((-1, 0, 0), (2, 1, 1)), Box((0, 0, 50), (1, 1, 1))])
def test_a_box_must_lie_inside(box, tmp_path):
    with pytest.raises(IndexError, match="this box is not inside"):
        volume(make_volumes.incasem(tmp_path / "c.zarr", noise(SHAPE))).read(box)


# Chunks that are damaged or were never written


@pytest.mark.parametrize("codec", CODECS)
def test_a_chunk_that_was_cut_off_is_named(codec, tmp_path):
    folder = make_volumes.incasem(tmp_path / "c.zarr", noise(SHAPE), codec=codec)
    chunk = folder / RAW / "1.0.2"
    chunk.write_bytes(chunk.read_bytes()[:-100])
    found = volume(folder)
    assert np.array_equal(found.read(Box((0, 0, 0), (16, 37, 50))), noise(SHAPE)[:16])
    with pytest.raises(ImageFailure, match=rf"^c\.zarr/{RAW}: chunk 1\.0\.2 does not decode") as caught:
        found.read(WHOLE)
    assert caught.type is Truncated or codec in ("raw", "zstd", "lz4")  # whose decoders do not tell


@pytest.mark.parametrize("fill", [0, 7])
def test_chunks_that_were_never_written_hold_the_fill_value_and_are_counted_once(fill, tmp_path):
    folder = make_volumes.incasem(tmp_path / "c.zarr", noise(SHAPE), fill_value=fill)
    truth = noise(SHAPE)
    for z, y, x in (0, 0, 0), (2, 1, 3):
        (folder / RAW / f"{z}.{y}.{x}").unlink()
        truth[16 * z : 16 * z + 16, 16 * y : 16 * y + 16, 16 * x : 16 * x + 16] = fill
    found = volume(folder)
    for box in WHOLE, Box((5, 6, 7), (35, 31, 43)), WHOLE:
        assert np.array_equal(found.read(box), truth[box.within(WHOLE)])
        assert found.unwritten == 2


def test_chunks_that_were_never_written_are_no_voxels_where_no_fill_value_is_stated(tmp_path):
    folder = make_volumes.incasem(tmp_path / "c.zarr", noise(SHAPE), fill_value=None)
    description = json.loads((folder / RAW / ".zarray").read_text())
    (folder / RAW / ".zarray").write_text(json.dumps(description | {"fill_value": None}))
    (folder / RAW / "0.0.1").unlink()
    with pytest.raises(UnwrittenFrame, match=r"1 of its chunks were never written, the first 0\.0\.1"):
        volume(folder).read(WHOLE)


@pytest.mark.parametrize("value", [0, 170, 255])
def test_voxels_of_one_value_are_not_taken_for_unwritten(value, tmp_path):
    raw = np.full(SHAPE, value, np.uint8)
    found = volume(make_volumes.incasem(tmp_path / "c.zarr", raw, fill_value=3))
    assert np.array_equal(found.read(WHOLE), raw) and found.unwritten == 0


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("fill", [False, True])
def test_voxels_may_be_bool_of_which_chunks_that_were_never_written_are_told_apart(zarr_format, fill, tmp_path):
    mask = noise(SHAPE) > 90
    mask[:16], mask[16:32] = True, False  # neither value is taken for unwritten
    root = zarr.open_group(tmp_path / "c", mode="w", zarr_format=zarr_format)
    how = {"shape": SHAPE, "dtype": bool, "chunks": (16, 16, 16), "fill_value": fill}
    root.create_array("mask", config={"write_empty_chunks": True}, **how)[...] = mask
    stored = volume(tmp_path / "c", "mask")
    assert stored.dtype == bool and np.array_equal(stored.read(WHOLE), mask) and stored.unwritten == 0
    root.create_array("absent", **how)
    absent = volume(tmp_path / "c", "absent")
    assert (absent.read(WHOLE) == fill).all() and absent.unwritten == 36


def test_pickles_are_not_decoded(tmp_path):
    folder = make_volumes.incasem(tmp_path / "c.zarr", noise(SHAPE))
    description = json.loads((folder / RAW / ".zarray").read_text())
    (folder / RAW / ".zarray").write_text(json.dumps(description | {"filters": [{"id": "pickle", "protocol": 5}]}))
    with pytest.raises(NotReadable, match="stored by pickle"):
        volume(folder)


def test_a_picture_is_no_volume(tmp_path):
    make_volumes.array(tmp_path / "c.zarr", "image", noise((40, 37)))
    with pytest.raises(NotReadable, match=r"this is no volume; its shape is \[40, 37\]"):
        volume(tmp_path / "c.zarr", "image")


def test_the_version_changes_when_a_chunk_is_written(tmp_path):
    folder = make_volumes.incasem(tmp_path / "c.zarr", noise(SHAPE))
    before = volume(folder).version
    make_volumes.array(folder, "other", noise(SHAPE))
    assert volume(folder).version == before
    (folder / RAW / "0.0.0").rename(folder / RAW / "9.9.9")
    assert volume(folder).version != before


# OME-Zarr


@pytest.mark.parametrize("axes", ["zyx", "czyx", "tczyx"])
@pytest.mark.parametrize("version, how", [("0.4", {}), ("0.5", {}), ("0.5", {"shards": 32})])
def test_of_an_ome_zarr_the_highest_resolution_is_read(version, how, axes, tmp_path):
    raw, lead = noise(SHAPE, np.uint16), len(axes) - 3
    how = {"shards": (1,) * lead + (32,) * 3} if how else {}
    scale, translation = (1,) * lead + (0.01, 0.005, 0.004), (0,) * lead + (0.5, 0, -0.008)
    stored = raw[(None,) * lead]
    make_volumes.ome_zarr(tmp_path / "c/em", stored, scale, translation, "micrometer", version, axes, **how)
    found = volume(tmp_path / "c", "em")
    assert np.allclose(found.resolution, (10, 5, 4)) and np.allclose(found.offset, (500, 0, -8))
    assert (found.shape, found.chunks) == (SHAPE, (16, 16, 16))
    for box in BOXES:
        assert np.array_equal(found.read(box), raw[box.within(WHOLE)])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_resolution_of_an_ome_zarr_may_be_named_itself(version, tmp_path):
    make_volumes.ome_zarr(tmp_path / "c/em", noise(SHAPE), (5, 4, 4), (10, 0, -8), version=version)
    found = volume(tmp_path / "c", "em/s0")
    assert (found.resolution, found.offset) == ((5, 4, 4), (10, 0, -8))
    assert np.array_equal(volume(tmp_path / "c/em", "s0").read(WHOLE), noise(SHAPE))
    assert volume(tmp_path / "c/em", "").offset == (10, 0, -8)


def test_the_transformations_of_the_whole_image_follow_those_of_its_resolution(tmp_path):
    make_volumes.ome_zarr(tmp_path / "c/em", noise(SHAPE), (2, 2, 2), (1, 2, 3), version="0.4")
    attributes = json.loads((tmp_path / "c/em/.zattrs").read_text())
    steps = [{"type": "scale", "scale": [10, 5, 5]}, {"type": "translation", "translation": [0, 0, 7]}]
    attributes["multiscales"][0]["coordinateTransformations"] = steps
    (tmp_path / "c/em/.zattrs").write_text(json.dumps(attributes))
    found = volume(tmp_path / "c", "em")
    assert (found.resolution, found.offset) == ((20, 10, 10), (10, 10, 22))


@pytest.mark.parametrize("step", [{"type": "affine"}, {"type": "scale", "scale": [1, 1]}, {"type": "scale"}, 1])
def test_transformations_of_other_kinds_are_refused(step, tmp_path):
    make_volumes.ome_zarr(tmp_path / "c/em", noise(SHAPE), (1, 1, 1), version="0.4")
    attributes = json.loads((tmp_path / "c/em/.zattrs").read_text())
    attributes["multiscales"][0]["coordinateTransformations"] = [step]
    (tmp_path / "c/em/.zattrs").write_text(json.dumps(attributes))
    with pytest.raises(NotReadable, match=r"coordinate transformation of type|its attribute scale is"):
        volume(tmp_path / "c", "em")


@pytest.mark.parametrize("unit, length", [("nanometer", 5), ("angstrom", 0.5), ("millimeter", 5e6), (None, None)])
def test_units_become_nanometres(unit, length, tmp_path):
    make_volumes.ome_zarr(tmp_path / "c/em", noise(SHAPE), (5, 5, 5), unit=unit)
    expected = None if length is None else pytest.approx((length,) * 3)
    assert volume(tmp_path / "c", "em").resolution == expected


@pytest.mark.parametrize("axes, shape", [("tczyx", (2, 1, 4, 5, 6)), ("czyx", (3, 4, 5, 6))])
def test_an_ome_zarr_of_several_channels_or_times_is_no_volume(axes, shape, tmp_path):
    make_volumes.ome_zarr(tmp_path / "c/em", noise(shape), (1,) * len(shape), axes=axes)
    with pytest.raises(NotReadable, match="no volume of one channel and time"):
        volume(tmp_path / "c", "em")


@pytest.mark.parametrize("path", ["em", "em/s0"])
def test_axes_in_another_order_are_refused(path, tmp_path):
    make_volumes.ome_zarr(tmp_path / "c/em", noise(SHAPE), (1, 1, 1), axes="xyz")
    with pytest.raises(NotReadable, match=r"its axes are .*'x', 'y', 'z'"):
        volume(tmp_path / "c", path)


def test_a_group_is_no_volume(tmp_path):
    make_volumes.array(tmp_path / "c.zarr", "group/a", noise(SHAPE))
    (tmp_path / "c.zarr/group/.zattrs").write_text("{}")
    with pytest.raises(NotReadable, match="group, neither an array nor an OME-Zarr image"):
        volume(tmp_path / "c.zarr", "group")


@pytest.mark.parametrize("content", ["", "[1]", "<html>", "{" * 100_000], ids=["none", "list", "page", "deep"])
@pytest.mark.parametrize("key", [".zarray", ".zattrs"])
def test_metadata_that_is_no_json_is_named(key, content, tmp_path):
    folder = make_volumes.incasem(tmp_path / "c.zarr", noise(SHAPE))
    (folder / RAW / key).write_text(content)
    with pytest.raises(NotReadable, match=f"{key} is not a JSON object"):
        volume(folder)
