"""The labels of a slide on disk: whole, the same bytes whatever the tiles, of a known size, and for every reader."""

import hashlib
import json

import numpy as np
import pytest
import tifffile
import zarr
from zarr.errors import ContainsGroupError

from idrstream.tissue import store, tiff, tiles

SHAPE = 333, 517
PIXEL_SIZE = 0.65, 0.325


@pytest.fixture(scope="module")
def labels():
    """(Y, X) uint32 of blocks of pixels, each of its own label, the last above what 16 bits hold."""
    numbers = np.random.default_rng(0).integers(0, 90_000, (48, 74), np.uint32)
    return np.kron(numbers, np.ones((7, 7), np.uint32))[: SHAPE[0], : SHAPE[1]]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Shards and levels so small that an image of a hundred kilobytes has many."""
    for name, pixels in ("SHARD", 128), ("CHUNK", 32), ("COARSEST", 90):
        monkeypatch.setattr(store, name, pixels)
    monkeypatch.setattr(tiff, "TILE", 64)


def write(path, labels, side, pixel_size=PIXEL_SIZE, **more):
    tile = lambda box: labels[box.y0 : box.y1, box.x0 : box.x1]  # noqa: E731
    store.write(path, {"nuclei": tile}, labels.shape, side, pixel_size, **more)
    return path


def digests(folder):
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_the_bytes_do_not_depend_on_the_tiles(labels, tmp_path):
    first = digests(write(tmp_path / "a", labels, 128))
    assert first == digests(write(tmp_path / "b", labels, 600)) == digests(write(tmp_path / "c", labels, 97))
    assert sum("/s0/c/" in name for name in first) == 3 * 5  # a file a shard


def test_levels_are_each_second_pixel_of_the_one_before(labels, tmp_path):
    write(tmp_path / "a", labels, 100)
    for level in range(4):
        found = store.read(tmp_path / "a", "nuclei", level)
        np.testing.assert_array_equal(found[:], labels[:: 2**level, :: 2**level])
    assert found.shape == (42, 65) and not (tmp_path / "a/labels/nuclei/s4").exists()
    assert [tuple(size) for size in store.pyramid(SHAPE)] == [(333, 517), (167, 259), (84, 130), (42, 65)]


def test_its_metadata_are_those_of_ome_zarr_and_of_spatialdata(labels, tmp_path):
    root = zarr.open_group(write(tmp_path / "a", labels, 100), mode="r")
    assert root.attrs["spatialdata_attrs"]["version"] == "0.2"
    assert root["labels"].attrs["ome"]["labels"] == ["nuclei"]
    told = root["labels/nuclei"].attrs["ome"]
    (scales,) = told["multiscales"]
    assert [axis["name"] for axis in scales["axes"]] == ["y", "x"] and scales["axes"][0]["unit"] == "micrometer"
    assert [data["path"] for data in scales["datasets"]] == ["s0", "s1", "s2", "s3"]
    assert scales["datasets"][3]["coordinateTransformations"][0]["scale"] == [8, 8]
    assert scales["coordinateTransformations"][0]["scale"] == list(PIXEL_SIZE)
    assert told["version"] == "0.5-dev-spatialdata"
    consolidated = json.loads((tmp_path / "a/zarr.json").read_text())["consolidated_metadata"]["metadata"]
    assert {"labels", "labels/nuclei", "labels/nuclei/s0", "labels/nuclei/s3"} <= consolidated.keys()


def test_a_part_of_a_slide_lies_where_it_is_on_the_slide(labels, tmp_path):
    path = write(tmp_path / "a.zarr", labels, 128, (0.5, 0.25), origin=(1000, 2000))
    (scales,) = json.loads((path / "labels/nuclei/zarr.json").read_text())["attributes"]["ome"]["multiscales"]
    scale, shift = scales["coordinateTransformations"][0]["transformations"]
    pixel = np.array([3, 5])
    assert (pixel * scale["scale"] + shift["translation"] == np.add(pixel, (1000, 2000)) * (0.5, 0.25)).all()


def test_without_a_pixel_size_no_unit_is_claimed(labels, tmp_path):
    root = zarr.open_group(write(tmp_path / "a", labels, 100, None), mode="r")
    (scales,) = root["labels/nuclei"].attrs["ome"]["multiscales"]
    assert "unit" not in scales["axes"][0] and scales["coordinateTransformations"][0]["scale"] == [1, 1]
    tiff.write(tmp_path / "a.ome.tif", "nuclei", [labels], None, "A1")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        assert "PhysicalSize" not in file.ome_metadata and file.pages[0].tags["ResolutionUnit"].value == 1  # none


def test_a_tiff_has_the_labels_of_every_level_and_the_size_of_a_pixel(labels, tmp_path):
    write(tmp_path / "a", labels, 100)
    levels = [store.read(tmp_path / "a", "nuclei", level) for level in range(4)]
    tiff.write(tmp_path / "a.ome.tif", "nuclei", levels, PIXEL_SIZE, "A1")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        (series,) = file.series
        assert file.is_bigtiff and file.is_ome and series.axes == "YX" and len(series.levels) == 4
        for level, found in enumerate(series.levels):
            assert found.dtype == np.uint32
            np.testing.assert_array_equal(found.asarray(), labels[:: 2**level, :: 2**level])
        assert 'PhysicalSizeX="0.325"' in file.ome_metadata and 'PhysicalSizeY="0.65"' in file.ome_metadata
        for level in series.levels:
            tags = level.pages[0].tags
            width = tags["XResolution"].value[1] / tags["XResolution"].value[0] * tiff.MICROMETRES * level.shape[1]
            assert width == pytest.approx(0.325 * 517, rel=0.01)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.ome.tif"]


def test_a_tiff_has_the_same_bytes_whenever_it_is_written_and_no_other_has_its_uuid(labels, tmp_path):
    for name, identity in ("a", "A1"), ("b", "A1"), ("c", "A2"):
        tiff.write(tmp_path / name, "nuclei", [labels], PIXEL_SIZE, identity)
    first, second, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == second != other


def test_a_store_is_not_written_over_another(labels, tmp_path):
    write(tmp_path / "a", labels, 100)
    with pytest.raises(ContainsGroupError):
        write(tmp_path / "a", labels, 100)


def test_tiles_are_asked_for_as_they_lie_on_the_slides_grid(labels, tmp_path):
    asked = set()

    def tile(box):
        asked.add(box)
        return labels[box.y0 : box.y1, box.x0 : box.x1]

    store.write(tmp_path / "a", {"nuclei": tile}, SHAPE, 100, None)
    assert asked == set(tiles.grid(tiles.Box(0, *SHAPE[:1], 0, SHAPE[1]), 100))
