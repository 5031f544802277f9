"""TAKE: label images that exist become a layer like one that a network found, with the ids of their file."""

import subprocess
import sys

import numpy as np
import pytest
import tifffile
from scipy import ndimage

import make_zarr
from idrstream.base import files
from idrstream.base.failures import NotReadable
from idrstream.tissue import arrays, given, layers, objects, steps, tiles
from repository import BIN
from slides import crowded
from support import http_server

COMMAND = BIN / "tissue_take.py"
SHAPE = 700, 1100
WHOLE = tiles.Box(0, SHAPE[0], 0, SHAPE[1])


@pytest.fixture(scope="module")
def image():
    """(Y, X) uint32 labels, with gaps up to 4,209 and three above 65,535; one is in four parts, far from each other."""
    found = crowded(SHAPE, 900)
    names = np.r_[0, 70_000, 65_536, 4_000_000_000, np.random.default_rng(1).permutation(np.arange(1, 4209))[:900]]
    labels = names[found].astype(np.uint32)
    labels[:5, :5] = labels[-5:, :5] = labels[:5, -5:] = labels[-5:, -5:] = 4_209
    return labels


def packet_of(location, size=SHAPE, side=256, layer="nuclei", region=None, polygon=None):
    shape = region[2:] if region else size
    content = {"id": "A1", "slide": "A1", "folders": [], "given": {layer: str(location)}}
    content |= {"size": list(shape), "whole_size": list(size), "region": region, "polygon": polygon, "tile": side}
    return content | {"groups": tiles.groups(shape, side, 3)}


def run(folder, packet, layer="nuclei", *options):
    """The finished process of the command; what it made is in `taken`."""
    files.write_json(folder / "packet.json", packet)
    command = [sys.executable, COMMAND, folder / "packet.json", layer, folder / "taken", *options]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


def taken(folder, packet, layer="nuclei"):
    """((Y, X) labels, Objects) that TAKE leaves in `taken`; the test may have run the command."""
    if not (folder / "taken").exists():
        (folder / "taken").mkdir()
        given.take(packet, layer, folder / "taken", {}, list)
    numbers = arrays.read(folder / "taken/numbers/numbers.npz", steps.Numbers)
    labels, found = steps.Labels([folder / "taken/labelled"], numbers), np.zeros(packet["size"], np.uint32)
    for tile in (tiles.Box(*tile) for group in packet["groups"] for tile in group):
        found[tile.y0 : tile.y1, tile.x0 : tile.x1] = labels(tile)
    return found, arrays.read(folder / "taken/numbers/objects.npz", objects.Objects)


def assert_objects(found, image):
    """FOUND says of the labels of an image what it shows."""
    ids = np.unique(image[image > 0])
    compact = np.searchsorted(ids, image) + 1
    compact[image == 0] = 0
    boxes = [(y.start, y.stop, x.start, x.stop) for y, x in ndimage.find_objects(compact)]
    places = {label: np.flatnonzero(image == label) for label in ids}
    np.testing.assert_array_equal(found.labels, ids)
    np.testing.assert_array_equal(found.boxes, boxes)
    np.testing.assert_array_equal(found.first, [each[0] for each in places.values()])
    np.testing.assert_array_equal(found.pixels, [len(each) for each in places.values()])


@pytest.mark.parametrize("side", (128, 4096))
@pytest.mark.parametrize("form", ("tiles", "strips", "zarr", "big-endian"))
def test_labels_keep_the_ids_of_their_file_whatever_its_form_and_the_tiles(image, tmp_path, form, side):
    path = tmp_path / ("labels.zarr" if form == "zarr" else "labels.ome.tif")
    if form == "zarr":
        make_zarr.write(path, image, 3, "zstd", axes="yx", chunks=(100, 300))
    elif form == "tiles":
        tifffile.imwrite(path, image, tile=(128, 256), compression="zlib")
    else:
        tifffile.imwrite(path, image, rowsperstrip=32, byteorder=">" if form == "big-endian" else "<")
    found, known = taken(tmp_path, packet_of(path, side=side))
    np.testing.assert_array_equal(found, image)
    assert_objects(known, image)


def test_labels_on_a_server_are_read_by_ranges(image, tmp_path):
    tifffile.imwrite(tmp_path / "labels.tif", image, tile=(128, 128))
    region = [300, 500, 100, 200]
    with http_server(tmp_path) as server:
        packet = packet_of(f"{server.url}/labels.tif", region=region)
        done = run(tmp_path, packet)
        assert done.returncode == 0, done.stderr
        assert server.sent < image.nbytes / 4
    found, _ = taken(tmp_path, packet)
    assert f"A1: {len(np.unique(found)) - 1} objects taken for nuclei, labels up to {found.max():,}" in done.stdout
    np.testing.assert_array_equal(found, image[300:400, 500:700])


def test_a_region_of_labels_is_what_a_cropped_file_gives(image, tmp_path):
    tifffile.imwrite(tmp_path / "labels.tif", image)
    found, known = taken(tmp_path, packet_of(tmp_path / "labels.tif", region=[123, 45, 400, 333]))
    np.testing.assert_array_equal(found, image[123:523, 45:378])
    assert_objects(known, image[123:523, 45:378])


def test_of_a_polygon_those_are_taken_whose_centroid_it_holds(image, tmp_path):
    tifffile.imwrite(tmp_path / "labels.tif", image.astype(np.int64))
    triangle = [[10.0, 20.0], [650.0, 300.0], [90.0, 1000.0]]
    found, known = taken(tmp_path, packet_of(tmp_path / "labels.tif", layer="cells", polygon=[triangle]), "cells")
    ids = np.unique(image[image > 0])
    centres = np.array(ndimage.center_of_mass(image > 0, image, ids)) + 0.5
    (ay, ax), (by, bx), (cy, cx) = triangle
    turns = [
        np.sign((x1 - x0) * (centres[:, 0] - y0) - (y1 - y0) * (centres[:, 1] - x0))
        for (y0, x0), (y1, x1) in (((ay, ax), (by, bx)), ((by, bx), (cy, cx)), ((cy, cx), (ay, ax)))
    ]
    inside = ids[(np.abs(np.sum(turns, 0)) == 3)]
    assert 100 < len(inside) < len(ids) - 100
    np.testing.assert_array_equal(known.labels, inside)
    np.testing.assert_array_equal(found, np.where(np.isin(image, inside), image, 0))


def test_an_image_without_labels_is_a_layer_without_objects(tmp_path):
    tifffile.imwrite(tmp_path / "labels.tif", np.zeros((300, 400), np.uint8))
    found, known = taken(tmp_path, packet_of(tmp_path / "labels.tif", (300, 400)))
    assert not found.any() and [len(column) for column in known] == [0, 0, 0, 0]


@pytest.mark.parametrize("label, said", ((-3, "it has the label -3"), (2**33, "it has the label 8589934592")))
def test_labels_that_are_none_fail_the_slide_with_a_reason(tmp_path, label, said):
    labels = np.zeros((300, 400), np.int64)
    labels[290, 390] = label
    tifffile.imwrite(tmp_path / "labels.tif", labels)
    with pytest.raises(NotReadable, match=said):
        taken(tmp_path, packet_of(tmp_path / "labels.tif", (300, 400), side=4096))


def test_a_file_that_is_another_than_was_planned_fails_the_slide(tmp_path):
    tifffile.imwrite(tmp_path / "labels.tif", np.zeros((300, 399), np.uint16))
    done = run(tmp_path, packet_of(tmp_path / "labels.tif", (300, 400)))
    assert done.returncode == 65 and "300 x 399 pixels of uint16, where PLAN read 300 x 400" in done.stderr
    assert not (tmp_path / "taken").exists()


def test_ids_that_repeat_far_from_each_other_are_refused_with_their_place(tmp_path):
    """Masks of tiles that were put together without numbering them anew: each has a label 1."""
    labels = np.zeros((300, 4400), np.uint16)
    labels[10:20, 100:110] = labels[30:40, 4290:4300] = 1
    labels[10:20, 200:210] = labels[30:40, 4390:] = 2
    labels[100:110, :4096] = 3  # no wider than an object may be
    tifffile.imwrite(tmp_path / "labels.tif", labels)
    done = run(tmp_path, packet_of(tmp_path / "labels.tif", labels.shape, region=[5, 50, 290, 4350]))
    said = "labels.tif: label 1 lies in rows 10 to 40 and columns 100 to 4,300, and 1 more likewise: ids repeat"
    assert done.returncode == 65 and said in done.stderr


def test_of_a_polygon_a_pair_belongs_to_it_if_its_nucleus_does(tmp_path):
    """Nuclei 1 and 2 lie inside, the cell of 1 outside; nucleus 3 lies outside, its cell inside; so do 5, not 6."""
    images = {layer: np.zeros((300, 400), np.uint16) for layer in ("nuclei", "cells")}
    for layer, label, y, x0, x1 in (
        *(("nuclei", 1, 10, 190, 198), ("nuclei", 2, 50, 100, 110), ("nuclei", 3, 90, 202, 210)),
        *(("cells", 9, 8, 186, 230), ("cells", 8, 48, 95, 115), ("cells", 7, 88, 160, 212)),
        *(("cells", 5, 130, 10, 30), ("cells", 6, 170, 195, 215)),
    ):
        images[layer][y : y + 8, x0:x1] = label
    square = [[0.0, 0.0], [0.0, 200.0], [300.0, 200.0], [300.0, 0.0]]
    for layer, image in images.items():
        tifffile.imwrite(tmp_path / f"{layer}.tif", image)
        packet = packet_of(tmp_path / f"{layer}.tif", image.shape, layer=layer, polygon=[square])
        (tmp_path / layer).mkdir()
        given.take(packet, layer, tmp_path / layer, {}, list)
    files.write_json(tmp_path / "packet.json", packet)
    command = [sys.executable, BIN / "tissue_pair.py", tmp_path / "packet.json"]
    command += [tmp_path / "cells/paired", "--nuclei", tmp_path / "nuclei", "--cells", tmp_path / "cells"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    nuclei, cells = layers.read(tmp_path / "nuclei"), layers.read(tmp_path / "cells")
    assert nuclei.objects.labels.tolist() == [1, 2] and cells.objects.labels.tolist() == [1, 2, 3]
    tile = tiles.Box(0, 256, 0, 256)
    labels = dict(zip(images["cells"][tile.within(tile)].ravel(), cells.tile(tile).ravel(), strict=True))
    assert labels == {0: 0, 9: 1, 8: 2, 7: 0, 5: 3, 6: 0}
    counts = files.read_json(tmp_path / "cells/paired/pairs.json")
    assert counts == {"paired": 2, "nuclei_alone": 0, "cells_alone": 1}
