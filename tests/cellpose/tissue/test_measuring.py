"""MEASURE: what is measured of nuclei and cells is what numpy finds on the whole slide, however it is cut."""

import itertools
import json
import subprocess
import sys

import numpy as np
import pytest

import make_zarr
import measured_slides
import odd_objects
import slides
from idrstream.base import files
from idrstream.tissue import arrays, expansion, layers, objects, tiles
from idrstream.tissue.tiles import Box
from repository import BIN
from support import http_server

COMMAND = BIN / "tissue_measure.py"
SHAPE = 1100, 1300
NAMES = "DNA", "CD45", "CD45 (2)"
DISTANCE = 4.615  # pixels, 3 µm


def noise(count=3, shape=SHAPE, dtype=np.uint16, seed=0):
    return np.random.default_rng(seed).gamma(1, 300, (count, *shape)).astype(dtype)


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    """(folder, channels, nuclei): a slide in a.ome.tif; nuclei are in order of their first pixels."""
    folder = tmp_path_factory.mktemp("slide")
    channels, nuclei = noise(), odd_objects.dense(slides.crowded(SHAPE, 900))
    measured_slides.write(folder / "a.ome.tif", channels)
    return folder, channels, nuclei


def measured(slide, folder, side=512, group=1, **more):
    """measured_slides.Measured of the slide, cut into tiles of SIDE, GROUP to a task."""
    home, _, nuclei = slide
    packet = measured_slides.packet_of([home / "a.ome.tif"], NAMES, SHAPE, tile=side, group=group, **more)
    return measured_slides.measure(folder, packet, measured_slides.layer(folder / "nuclei", nuclei, side))


@pytest.fixture(scope="module")
def whole(slide, tmp_path_factory):
    return measured(slide, tmp_path_factory.mktemp("whole"), 4096)


@pytest.mark.parametrize("side, group", [(4096, 7), (1024, 1), (1024, 7), (512, 1), (512, 7), (256, 4)])
def test_no_byte_depends_on_tiles_and_groups(side, group, slide, whole, tmp_path):
    found = measured(slide, tmp_path, side, group)
    for name in "labels", "values", "objects", "cells":
        assert getattr(found, name).tobytes() == getattr(whole, name).tobytes(), name
    assert (found.columns, found.outlines) == (whole.columns, whole.outlines)


@pytest.mark.parametrize("side", [40, 64, 100])
def test_cells_far_around_nuclei_depend_on_no_tile(side, tmp_path):
    """Cells that reach as far as tiles do: whose a pixel is, nuclei at twice the distance decide."""
    shape = 200, 230
    nuclei = odd_objects.dense(slides.crowded(shape, 40, 2, (1, 4)))
    measured_slides.write(tmp_path / "a.ome.tif", noise(1, shape))
    packets = {
        size: measured_slides.packet_of([tmp_path / "a.ome.tif"], ["DNA"], shape, tile=size, expansion=30.0)
        for size in (side, 512)
    }
    found, wanted = (
        measured_slides.measure(tmp_path / str(size), each, measured_slides.layer(tmp_path / f"{size}n", nuclei, size))
        for size, each in packets.items()
    )
    np.testing.assert_array_equal(found.cells, wanted.cells)
    assert found.values.tobytes() == wanted.values.tobytes() and found.outlines == wanted.outlines


def test_every_nucleus_is_measured_as_numpy_measures_it_on_the_whole_slide(slide, whole):
    _, channels, nuclei = slide
    cells = expansion.expand(nuclei, DISTANCE)
    np.testing.assert_array_equal(whole.cells, cells)
    assert whole.labels.tolist() == list(range(1, nuclei.max() + 1))
    for index in range(0, len(whole.labels), 17):
        masks = odd_objects.masks(nuclei, cells, index + 1)
        for channel, (compartment, mask) in ((c, m) for c in range(len(NAMES)) for m in masks.items()):
            levels = channels[channel][mask].astype(float)
            of = lambda measure: whole.column(compartment, measure, channel)[index]  # noqa: B023, E731
            assert [of("median"), of("min"), of("max")] == [np.median(levels), levels.min(), levels.max()]
            spread = levels.var(ddof=1)
            np.testing.assert_allclose(
                [of("mean"), of("sd"), of("variance")], [levels.mean(), spread**0.5, spread], 1e-12
            )
        one = whole.objects[index]
        for suffix, mask in ("_nucleus", masks["nucleus"]), ("", masks["cell"]):
            np.testing.assert_allclose([one[f"y{suffix}"], one[f"x{suffix}"]], np.argwhere(mask).mean(0) + 0.5)
        assert (one["nucleus_pixels"], one["cell_pixels"]) == (masks["nucleus"].sum(), masks["cell"].sum())
        assert one["first"] == np.flatnonzero(masks["nucleus"])[0]
        assert whole.column("cell", "area")[index] == pytest.approx(masks["cell"].sum() * 0.65**2, rel=1e-12)
    ratio = whole.values[:, -1]
    np.testing.assert_array_equal(ratio, np.bincount(nuclei.ravel())[1:] / np.bincount(cells.ravel())[1:])


def test_three_channels_have_the_85_columns_of_qupath(whole):
    titles = [tuple(column.get(key) for key in ("channel", "compartment", "measure")) for column in whole.columns]
    assert len(titles) == len(set(titles)) == whole.values.shape[1] == 3 * 4 * 6 + 2 * 6 + 1
    assert titles[:7] == [
        *((0, "nucleus", measure) for measure in ("mean", "median", "min", "max", "sd", "variance")),
        (0, "cytoplasm", "mean"),
    ]
    assert titles[-1] == (None, None, "nucleus_cell_area_ratio") and titles[-2] == (None, "cell", "min_diameter")


def painted(outlines, name, shape, corner=(0, 0)):
    """(Y, X) label image of outlines: a pixel is in a polygon where an odd number of its edges is to the left."""
    labels = np.zeros(shape, np.uint32)
    for outline in map(json.loads, outlines):
        if geometry := outline.get(name):
            areas = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
            crossed = np.zeros(shape, bool)
            for ring in (np.array(ring) - corner[::-1] for area in areas for ring in area):
                assert (ring[0] == ring[-1]).all()
                for (x, y), (_, end) in itertools.pairwise(ring):
                    crossed[min(y, end) : max(y, end), x:] ^= True
            assert not labels[crossed].any()
            labels[crossed] = outline["label"]
    return labels


def test_outlines_painted_are_the_label_images_again(tmp_path):
    """Of a region: outlines are in pixels of the whole slide."""
    shape, (top, left) = (300, 350), (37, 11)
    nuclei = odd_objects.dense(slides.crowded(shape, 150, 1))
    nuclei[np.random.default_rng(0).random(shape) < 0.03] = 0
    measured_slides.write(tmp_path / "a.ome.tif", noise(1, (400, 400)))
    packet = measured_slides.packet_of([tmp_path / "a.ome.tif"], ["DNA"], shape, region=[top, left, *shape], tile=256)
    packet["whole_size"] = [400, 400]
    found = measured_slides.measure(tmp_path, packet, measured_slides.layer(tmp_path / "nuclei", nuclei, 256))
    np.testing.assert_array_equal(painted(found.outlines, "geometry", shape, (top, left)), found.cells)
    np.testing.assert_array_equal(painted(found.outlines, "nucleusGeometry", shape, (top, left)), nuclei)


def test_a_region_is_measured_in_its_own_pixels(slide, tmp_path):
    home, channels, nuclei = slide
    region = [130, 210, 600, 700]
    part = tiles.Box(130, 730, 210, 910).within(Box(0, SHAPE[0], 0, SHAPE[1]))
    labels = odd_objects.dense(nuclei[part])
    cropped = measured_slides.write(tmp_path / "cropped.ome.tif", channels[(slice(None), *part)])
    layer = measured_slides.layer(tmp_path / "nuclei", labels, 512)
    packet = measured_slides.packet_of([home / "a.ome.tif"], NAMES, SHAPE, region=region) | {"whole_size": list(SHAPE)}
    alone = measured_slides.packet_of([cropped], NAMES, labels.shape)
    found, wanted = (
        measured_slides.measure(tmp_path / name, each, layer) for name, each in (("a", packet), ("b", alone))
    )
    assert found.values.tobytes() == wanted.values.tobytes() and found.objects.tobytes() == wanted.objects.tobytes()


@pytest.mark.parametrize("side, group", [(4096, 1), (128, 3)])
def test_cells_of_their_own_have_the_labels_of_their_nuclei_whatever_these_are(side, group, tmp_path):
    """Labels with gaps and above 65,535; nuclei without a cell, cells without a nucleus, nuclei in others' cells."""
    shape, channels = odd_objects.SHAPE, noise(2, odd_objects.SHAPE)
    nuclei = odd_objects.nuclei()
    cells = odd_objects.cells(nuclei)
    ids = np.cumsum(np.random.default_rng(1).integers(1, 900, nuclei.max() + 1)).astype(np.uint32)
    ids[0] = 0
    nuclei, cells = ids[nuclei], ids[cells]
    nuclei[nuclei == ids[50]] = 0
    measured_slides.write(tmp_path / "a.ome.tif", channels)
    packet = measured_slides.packet_of([tmp_path / "a.ome.tif"], "AB", shape, tile=side, group=group, cells="labels")
    folders = [measured_slides.layer(tmp_path / str(k), image, side) for k, image in enumerate((nuclei, cells))]
    found = measured_slides.measure(tmp_path / "measured", packet, *folders)
    np.testing.assert_array_equal(found.cells, cells)
    np.testing.assert_array_equal(found.labels, np.union1d(nuclei, cells)[1:])
    assert found.labels[-1] > 65_535
    for index in range(0, len(found.labels), 7):
        masks = odd_objects.masks(nuclei, cells, found.labels[index])
        for compartment, mask in masks.items():
            means = [channel[mask].mean() if mask.any() else np.nan for channel in channels]
            seen = [found.column(compartment, "mean", channel)[index] for channel in (0, 1)]
            np.testing.assert_allclose(seen, means, rtol=1e-12)
    only = found.objects["cell_pixels"] == 0
    assert only.any() and (found.objects["nucleus_pixels"] == 0).any()
    assert np.isnan(found.column("cell", "area")[only]).all() and np.isnan(found.values[only, -1]).all()
    np.testing.assert_array_equal(found.objects["y"][only], found.objects["y_nucleus"][only])
    with_cells = np.where(np.isin(nuclei, cells), nuclei, 0)
    np.testing.assert_array_equal(painted(found.outlines, "nucleusGeometry", shape), with_cells)


def test_without_cells_nuclei_are_measured_alone(slide, whole, tmp_path):
    found = measured(slide, tmp_path, cells="none")
    assert found.cells is None and found.values.shape[1] == 3 * 6 + 6
    for measure in "median", "sd":
        np.testing.assert_array_equal(found.column("nucleus", measure, 1), whole.column("nucleus", measure, 1))
    lines = list(map(json.loads, found.outlines))
    assert {tuple(line) for line in lines} == {("label", "geometry")}
    assert lines[0]["geometry"] == json.loads(whole.outlines[0])["nucleusGeometry"]


def test_only_what_is_wanted_is_measured(slide, whole, tmp_path):
    wanted = {"statistics": ["sd", "mean"], "compartments": ["cell", "membrane"], "outputs": ["quant"]}
    found = measured(slide, tmp_path, **wanted)
    chosen = [
        column["kind"] != "intensity"
        or (column["measure"] in ("sd", "mean") and column["compartment"] in ("cell", "membrane"))
        for column in whole.columns
    ]
    assert found.columns == [column for column, is_chosen in zip(whole.columns, chosen, strict=True) if is_chosen]
    np.testing.assert_array_equal(found.values, whole.values[:, chosen])
    assert not found.outlines


def test_without_channels_and_without_nuclei_there_are_shapes_and_nothing(slide, whole, tmp_path):
    found = measured(slide, tmp_path, measured=[])
    np.testing.assert_array_equal(found.values, whole.values[:, -13:])
    home, _, _ = slide
    packet = measured_slides.packet_of([home / "a.ome.tif"], NAMES, SHAPE)
    empty = measured_slides.layer(tmp_path / "empty", np.zeros(SHAPE, np.int32), 512)
    nothing = measured_slides.measure(tmp_path / "nothing", packet, empty)
    assert nothing.values.shape == (0, 85) and nothing.outlines == [] and not nothing.cells.any()


def test_a_background_is_subtracted_in_single_precision_and_never_below_zero(tmp_path):
    """Of two files: the background is a channel of the other one, and serves two markers."""
    shape = 200, 260
    marker, blank = noise(2, shape, seed=1), noise(1, shape, seed=2)
    nuclei = odd_objects.dense(slides.crowded(shape, 60))
    for name, image in ("a", marker), ("b", blank):
        measured_slides.write(tmp_path / f"{name}.ome.tif", image)
    packet = measured_slides.packet_of([tmp_path / "a.ome.tif", tmp_path / "b.ome.tif"], "AB", shape)
    for each, scale in zip(packet["measured"], (0.3, 1.7), strict=True):
        each["background"] = {"file": 1, "channel": 0, "frame": 0, "name": "blank", "scale": scale}
    found = measured_slides.measure(tmp_path, packet, measured_slides.layer(tmp_path / "nuclei", nuclei, 512))
    for channel, scale in (0, 0.3), (1, 1.7):
        rest = np.maximum(0, marker[channel].astype("f4") - blank[0].astype("f4") * np.float32(scale))
        assert (rest == 0).any() and rest.dtype == np.float32
        for index in range(0, len(found.labels), 5):
            levels = rest[nuclei == index + 1].astype(float)
            assert found.column("nucleus", "median", channel)[index] == np.median(levels)
            np.testing.assert_allclose(found.column("nucleus", "mean", channel)[index], levels.mean(), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32", "float64"])
def test_a_slide_of_any_type_is_measured_as_it_is(dtype, tmp_path):
    shape = 200, 260
    channel = noise(1, shape) - 100.7 if np.dtype(dtype).kind == "f" else noise(1, shape) // 8
    channel, nuclei = channel.astype(dtype), odd_objects.dense(slides.crowded(shape, 60))
    measured_slides.write(tmp_path / "a.ome.tif", channel)
    packet = measured_slides.packet_of([tmp_path / "a.ome.tif"], "A", shape, dtype)
    found = measured_slides.measure(tmp_path, packet, measured_slides.layer(tmp_path / "nuclei", nuclei, 512))
    for index in range(0, len(found.labels), 5):
        levels = channel[0][nuclei == index + 1].astype(float)
        assert found.column("nucleus", "median", 0)[index] == np.median(levels)
        np.testing.assert_allclose(found.column("nucleus", "mean", 0)[index], levels.mean(), rtol=1e-12)


def test_cells_of_which_the_file_lacks_pixels_are_not_measured_in_that_channel(tmp_path):
    shape, pixels = (300, 300), noise(2, (300, 300)).reshape(1, 2, 1, 300, 300)
    make_zarr.write(tmp_path / "a.zarr", pixels, 3, "zstd", chunks=(1, 1, 1, 100, 100))
    (tmp_path / "a.zarr/0/c/0/1/0/1/1").unlink()
    nuclei = odd_objects.dense(slides.crowded(shape, 90))
    packet = measured_slides.packet_of([tmp_path / "a.zarr"], "AB", shape, tile=256)
    found = measured_slides.measure(tmp_path, packet, measured_slides.layer(tmp_path / "nuclei", nuclei, 256))
    lacking = np.isin(found.labels, nuclei[100:200, 100:200])
    assert lacking.any() and not lacking.all()
    np.testing.assert_array_equal(np.isnan(found.column("nucleus", "median", 1)), lacking)
    assert np.isfinite(found.column("nucleus", "median", 0)).all()
    for index in np.flatnonzero(~lacking)[::5]:
        assert found.column("nucleus", "median", 1)[index] == np.median(pixels[0, 1, 0][nuclei == index + 1])


def run(folder, packet, nuclei, *options):
    """The finished process of the command in FOLDER; what it made is in `measured_0` there."""
    files.write_json(folder / "packet.json", packet)
    command = [
        sys.executable,
        COMMAND,
        folder / "packet.json",
        "0",
        folder / "measured_0",
        "--nuclei",
        nuclei,
        *options,
    ]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_pixel_of_a_cell_that_is_no_number_gives_up_the_slide(value, tmp_path):
    nuclei, channel = np.zeros((90, 90), np.int32), noise(1, (90, 90), np.float32)
    nuclei[30:50, 30:50], channel[0, 40, 40] = 1, value
    measured_slides.write(tmp_path / "a.ome.tif", channel)
    packet = measured_slides.packet_of([tmp_path / "a.ome.tif"], ["CD45"], (90, 90), "float32")
    done = run(tmp_path, packet, measured_slides.layer(tmp_path / "nuclei", nuclei, 512))
    assert done.returncode == 65 and not (tmp_path / "measured_0").exists()
    assert done.stderr.splitlines()[-1].startswith('Error: NotFinite: a.ome.tif channel "CD45": some pixels of')


def test_all_channels_over_http_cost_the_bytes_of_the_file_once(tmp_path):
    """A group of tiles of the slide shares the tiles of the file between them, and each is read once."""
    shape, count = (768, 768), 12
    channels, nuclei = noise(count, shape), odd_objects.dense(slides.crowded(shape, 400))
    measured_slides.write(tmp_path / "a.ome.tif", channels)
    size = (tmp_path / "a.ome.tif").stat().st_size
    nuclei = measured_slides.layer(tmp_path / "nuclei", nuclei, 256)
    with http_server(tmp_path) as server:
        names = [f"M{number}" for number in range(count)]
        packet = measured_slides.packet_of([f"{server.url}/a.ome.tif"], names, shape, tile=256, group=9)
        done = run(tmp_path, packet, nuclei)
        assert done.returncode == 0, done.stderr
        sent = server.sent
    cost = files.read_json(tmp_path / "measured_0/measure.cost.json")
    assert (cost["step"], cost["pixels"], cost["bytes"]) == ("measure", 768**2, sent)
    assert 0.95 * size < sent < 1.05 * size
    local = measured_slides.packet_of([tmp_path / "a.ome.tif"], names, shape, tile=1024)
    folder = tmp_path / "local"
    wanted = measured_slides.measure(
        folder, local, measured_slides.layer(folder / "nuclei", read_back(nuclei, shape), 1024)
    )
    found = measured_slides.read(tmp_path, packet)
    assert found.values.tobytes() == wanted.values.tobytes()


def read_back(folder, shape):
    """The label image of a layer's folder."""
    layer, whole = layers.read(folder), Box(0, shape[0], 0, shape[1])
    image = np.zeros(shape, np.uint32)
    for tile in tiles.grid(whole, 256):
        image[tile.within(whole)] = layer.tile(tile)
    return image


def test_an_object_that_a_window_does_not_show_whole_is_an_error(tmp_path):
    """Not a value that nobody notices."""
    nuclei = np.zeros((600, 600), np.int32)
    nuclei[500:530, 10:20] = 1
    folder = measured_slides.layer(tmp_path / "nuclei", nuclei, 512)
    found = arrays.read(folder / "numbers/objects.npz", objects.Objects)
    arrays.write(folder / "numbers/objects.npz", found._replace(boxes=np.array([[500, 511, 10, 20]])))
    packet = measured_slides.packet_of(["none"], [], (600, 600), cells="none")
    with pytest.raises(RuntimeError, match="1 objects, 1 among them"):
        measured_slides.measure(tmp_path, packet, folder)
