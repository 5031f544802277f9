"""The commands of `tissue`, from a slide's file to its results: what they leave is that of the plane in one piece."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import click
import cv2
import numpy as np
import pytest
import tifffile
import zarr
from scipy import ndimage

import slides
from idrstream.base import files
from idrstream.cells import contrast, segmentation
from idrstream.tissue import (
    assembly,
    costs,
    diameter,
    layers,
    network,
    overlays,
    polygon,
    scratch,
    slide_record,
    store,
    tiles,
)
from repository import BIN

MODEL = BIN.parent / "assets/models/nuclei/nuclei.pth"
SHAPE = 390, 560
DIAMETER = 21.7


def made(seed=0, shape=SHAPE, count=90, level=3000, noise=20):
    """(Y, X) uint16 of blurred discs of several levels on a noisy ground."""
    random = np.random.default_rng(seed)
    labels = slides.crowded(shape, count, seed, (7, 12))
    levels = random.uniform(0.4, 1, count + 1) * level
    levels[0] = 0
    image = ndimage.gaussian_filter(levels[labels], 1.2) + random.normal(300, noise, shape)
    return image.clip(0, 65535).astype(np.uint16)


@pytest.fixture(scope="module")
def plane():
    return made()


def packet_of(location, size, side=300, group=2, nuclear=(("DNA", 0, 0),), dtype="uint16", **more):
    """The planner's JSON of a slide; NUCLEAR: name, file and channel of each."""
    region = more.get("region")
    size, whole = (region[2:] if region else size), size
    channels = [
        {"file": file, "channel": channel, "frame": 0, "number": channel + 1, "name": name}
        for name, file, channel in nuclear
    ]
    content = {"id": "S1", "slide": "S1", "identity": "0123456789abcdef", "locations": [str(location)]}
    content |= {"folders": [], "size": list(size), "whole_size": list(whole), "region": None, "dtype": dtype}
    content |= {"pixel_size": {"y": 0.65, "x": 0.65, "source": "OME-XML"}, "channels": ["DNA", "B", "C"]}
    content |= {"nuclear": channels, "membrane": [], "tile": side, "groups": tiles.groups(size, side, group)}
    content |= {"layers": ["nuclei"], "cells": "none", "expansion": None, "npz": None, "workspace": None}
    content |= {"scales": {"nuclei": None, "cells": None}, "given": {"nuclei": None, "cells": None}}
    content |= {"measured": [], "statistics": [], "compartments": [], "names": "qupath", "polygon": None}
    content |= {"outputs": ["masks", "spatialdata"], "diameter": DIAMETER, "cell_diameter": DIAMETER}
    return content | {"tissue": "all", "metadata": {"site": "lung"}, "warnings": []} | more


def in_process(name, *arguments):
    """Run a command of bin/ in this process, which has torch already."""
    spec = importlib.util.spec_from_file_location(name, BIN / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main.main([str(argument) for argument in arguments], standalone_mode=False)


def as_process(name, *arguments):
    """Run it as a task does."""
    subprocess.run([BIN / f"{name}.py", *map(str, arguments)], check=True, env=os.environ | {"PATH": PATH})


PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


class Run:
    """A slide through all steps."""

    def __init__(self, folder, packet, run=in_process):
        folder.mkdir(exist_ok=True)
        self.folder, self.packet = folder, packet
        files.write_json(folder / "packet.json", packet)
        first, slide = folder / "packet.json", folder / "slide"
        run("tissue_read", first, slide)
        for layer in packet["layers"]:
            self._look_for(layer, run, first, slide)
        if "cells" in packet["layers"]:
            paired = folder / "cells/paired"
            run("tissue_pair", first, paired, "--nuclei", folder / "nuclei", "--cells", folder / "cells")
        self.results = folder / "assembled/results"
        run("tissue_assemble", first, slide, folder / "assembled", "--nuclei", folder / "nuclei")

    def _look_for(self, layer, run, first, slide):
        here, groups, of = self.folder / layer, range(len(self.packet["groups"])), ("--layer", layer)
        here.mkdir()
        before, nuclei = here / "prepared", here / "nuclei"
        predicted, labelled = ([here / f"{name}_{n}" for n in groups] for name in ("predicted", "labelled"))
        run("tissue_prepare", first, slide, before, "--model", MODEL, *of)
        for group, place in enumerate(predicted):
            run("tissue_predict", first, group, slide, before, place, "--model", MODEL, "--threads", 2, *of)
        run("tissue_seeds", first, nuclei, *predicted, *of)
        for group, place in enumerate(labelled):
            run("tissue_label", first, group, nuclei, place, *predicted, *of)
        run("tissue_number", first, nuclei, here / "numbers", *labelled, *of)

    def layer(self, name):
        """layers.Layer, and its label image."""
        found, image = layers.read(self.folder / name), np.zeros(self.packet["size"], np.uint32)
        for tile in tiles.all_of(self.packet):
            image[tile.y0 : tile.y1, tile.x0 : tile.x1] = found.tile(tile)
        return found, image

    @property
    def labels(self):
        return store.read(self.results / "S1.zarr", "nuclei")[:]

    @property
    def record(self):
        return files.read_json(self.results / "slide.json")


def write_channels(path, *planes, **how):
    tifffile.imwrite(path, np.stack(planes), ome=True, photometric="minisblack", metadata={"axes": "CYX"}, **how)


@pytest.fixture(scope="module")
def whole(plane, tmp_path_factory):
    """The slide in one tile."""
    folder = tmp_path_factory.mktemp("whole")
    tifffile.imwrite(folder / "a.ome.tif", plane, ome=True, tile=(128, 128), metadata={"axes": "YX"})
    return Run(folder, packet_of(folder / "a.ome.tif", SHAPE, 1000))


@pytest.fixture(scope="module")
def tiled(plane, tmp_path_factory):
    """The slide in four tiles and two groups, by processes as tasks are, out of a file of three channels."""
    folder = tmp_path_factory.mktemp("tiled")
    write_channels(folder / "a.ome.tif", made(1), plane, made(2), byteorder=">", rowsperstrip=41)
    return Run(folder, packet_of(folder / "a.ome.tif", SHAPE, nuclear=[("DNA", 0, 1)]), as_process)


def test_no_pixel_depends_on_tiles_groups_or_the_way_that_the_file_is_stored(whole, tiled):
    np.testing.assert_array_equal(tiled.labels, whole.labels)
    for path in (path for path in whole.results.rglob("*") if path.is_file() and path.name != "slide.json"):
        assert path.read_bytes() == (tiled.results / path.relative_to(whole.results)).read_bytes()
    assert len(tiled.packet["groups"]) == 2 and tiled.record["uncertified"] == 0


def test_the_labels_are_those_of_screen_on_the_same_plane(whole, plane):
    wanted = segmentation.Segmenter(MODEL, DIAMETER, device="cpu")(plane)
    assert wanted.max() > 50
    np.testing.assert_array_equal(whole.labels, wanted)


def test_the_files_say_what_they_are(tiled):
    labels, results = tiled.labels, tiled.results
    assert {path.name for path in results.iterdir()} >= {"S1.zarr", "nuclei.ome.tif", "slide.json", "overlay_1.png"}
    with tifffile.TiffFile(results / "nuclei.ome.tif") as file:
        np.testing.assert_array_equal(file.asarray(), labels)
        assert 'PhysicalSizeX="0.65"' in file.ome_metadata and file.pages[0].is_tiled
    group = zarr.open_group(results / "S1.zarr", mode="r")
    assert group["labels/nuclei"].attrs["ome"]["version"] == "0.5-dev-spatialdata"
    assert labels.dtype == np.uint32 and sorted(np.unique(labels)) == list(range(labels.max() + 1))


def test_the_record_of_a_slide_sums_its_tasks(tiled):
    record, row = tiled.record, files.read_json(tiled.folder / "assembled/row.json")
    steps_of = {step["step"]: step for step in record["steps"]}
    assert list(steps_of) == ["read", "prepare", "predict", "seeds", "label", "number", "assemble"]
    assert steps_of["predict"]["tasks"] == steps_of["label"]["tasks"] == 2
    assert all(step["pixels"] == SHAPE[0] * SHAPE[1] for step in steps_of.values())
    costs = [files.read_json(path)["cpu_seconds"] for path in tiled.folder.glob("nuclei/predicted_*/predict.cost.json")]
    assert steps_of["predict"]["cpu_seconds"] == pytest.approx(sum(costs), abs=1e-3)
    assert row["seconds"] == pytest.approx(sum(step["seconds"] for step in record["steps"]), abs=1e-3)
    assert record["nuclei"] == row["cells"] == tiled.labels.max() and record["network_tiles"] > 6
    assert record["nuclear"][0]["name"] == "DNA" and record["nuclear"][0]["high"] > record["nuclear"][0]["low"]
    assert record["diameter"] == DIAMETER and record["diameter_um"] == pytest.approx(DIAMETER * 0.65)
    assert record["model"] == {"name": MODEL.name, "sha256": files.sha256(MODEL)}
    assert record["settings"] == {"cellprob_threshold": 0.0, "flow_threshold": 0.4, "smallest": 15}
    assert record["metadata"] == {"site": "lung"} and record["device"].startswith("CPU")
    assert row["id"] == "0123456789abcdef" and row["status"] == "ok" and row["pixel_size"] == 0.65


@pytest.fixture(scope="module")
def rim():
    """(Y, X) uint16: bright where `plane` has nuclei, and as far as their cells reach around them."""
    reach = ndimage.maximum_filter(slides.crowded(SHAPE, 90, 0, (7, 12)) > 0, 7)
    noise = np.random.default_rng(8).normal(300, 20, SHAPE)
    return (ndimage.gaussian_filter(reach * 2500.0, 1.2) + noise).clip(0, 65535).astype(np.uint16)


@pytest.fixture(scope="module")
def both(plane, rim, tmp_path_factory):
    """A slide on which nuclei and cells are looked for; the nuclei model stands in for one of cells."""
    folder = tmp_path_factory.mktemp("both")
    write_channels(folder / "a.ome.tif", plane, rim)
    membrane = [{"file": 0, "channel": 1, "frame": 0, "number": 2, "name": "rim"}]
    more = {"layers": ["nuclei", "cells"], "cells": "model", "membrane": membrane, "cell_diameter": 30.0}
    return Run(folder, packet_of(folder / "a.ome.tif", SHAPE, **more))


def test_cells_are_what_a_network_finds_where_it_is_shown_membrane_and_nuclei(both, plane, rim):
    net = network.load(MODEL)
    planes = [slides.reading(contrast.normalize(image)) for image in (rim, plane)]
    field = net.field(planes, SHAPE, 30.0)(tiles.Box(0, SHAPE[0], 0, SHAPE[1]))
    wanted, (_, found) = slides.whole(field, net.rounds(30.0)), both.layer("cells")
    assert wanted.max() > 20
    np.testing.assert_array_equal(found > 0, wanted > 0)
    assert len(np.unique(np.stack([found, wanted])[:, wanted > 0], axis=1).T) == wanted.max()  # other labels alone


def test_nuclei_are_the_same_whether_cells_are_looked_for_or_not(both, whole):
    np.testing.assert_array_equal(both.labels, whole.labels)
    names = [step["step"] for step in both.record["steps"]]
    assert names[:5] == ["read", "prepare", "predict", "seeds", "label"] and "predict cells" not in names


def test_a_cell_has_the_label_of_its_nucleus_and_every_object_is_counted(both):
    (nuclei, image), (cells, around) = both.layer("nuclei"), both.layer("cells")
    told = files.read_json(both.folder / "cells/paired/pairs.json")
    known = np.intersect1d(nuclei.objects.labels, cells.objects.labels)
    assert told["paired"] == len(known) > 20
    assert told["nuclei_alone"] + told["paired"] == len(nuclei.objects.labels)
    assert told["cells_alone"] + told["paired"] == len(cells.objects.labels)
    assert all(((image == label) & (around == label)).any() for label in known)
    labels, first, pixels = np.unique(around, return_index=True, return_counts=True)
    np.testing.assert_array_equal(labels[1:], cells.objects.labels)
    np.testing.assert_array_equal(first[1:], cells.objects.first)
    np.testing.assert_array_equal(pixels[1:], cells.objects.pixels)


def test_the_nuclei_of_a_polygon_are_those_that_lie_in_it(whole, tmp_path):
    rings = [[[20.0, 30.0], [350.0, 60.0], [200.0, 500.0]], [[120.0, 120.0], [180.0, 120.0], [180.0, 220.0]]]
    files.write_json(tmp_path / "packet.json", whole.packet | {"polygon": rings})
    folder = whole.folder / "nuclei"
    arguments = folder / "nuclei", tmp_path / "numbers", *folder.glob("labelled_*")
    in_process("tissue_number", tmp_path / "packet.json", *arguments)
    (tmp_path / "labelled_0").symlink_to(folder / "labelled_0")
    found = layers.read(tmp_path).tile(tiles.Box(0, SHAPE[0], 0, SHAPE[1]))
    centres = (
        np.array(ndimage.center_of_mass(whole.labels > 0, whole.labels, np.arange(1, whole.labels.max() + 1))) + 0.5
    )
    inside = np.flatnonzero(polygon.holds(rings, *centres.T)) + 1
    kept = np.unique(whole.labels[found > 0])
    assert 20 < len(kept) == found.max() < whole.labels.max()
    assert len(np.setxor1d(kept, inside)) <= 2  # pixels rest near the centre, but not at it
    np.testing.assert_array_equal(np.isin(whole.labels, kept), found > 0)


def test_a_region_has_the_nuclei_of_a_file_of_the_region(plane, tmp_path):
    y0, x0, height, width = region = [40, 70, 300, 410]
    tifffile.imwrite(tmp_path / "a.tif", plane, metadata=None)
    tifffile.imwrite(tmp_path / "b.tif", plane[y0 : y0 + height, x0 : x0 + width], metadata=None)
    part = Run(tmp_path / "part", packet_of(tmp_path / "a.tif", SHAPE, region=region))
    crop = Run(tmp_path / "crop", packet_of(tmp_path / "b.tif", (height, width), 1000))
    assert crop.labels.max() > 30
    np.testing.assert_array_equal(part.labels, crop.labels)
    assert part.record["region"] == region and part.record["whole_size"] == list(SHAPE)


def test_several_channels_are_the_brightest_of_each_at_its_own_contrast(plane, tmp_path):
    """Against a maximum made by hand, which is seen at the contrast from 0 to 1 that it already has."""
    other = made(5, level=600)
    write_channels(tmp_path / "a.tif", plane, other)
    run = Run(tmp_path / "both", packet_of(tmp_path / "a.tif", SHAPE, nuclear=[("A", 0, 0), ("B", 0, 1)]))
    maximum = np.maximum(contrast.normalize(plane), contrast.normalize(other))
    net = network.load(MODEL)
    field = net.field([slides.reading(maximum)], SHAPE, DIAMETER)(tiles.Box(0, SHAPE[0], 0, SHAPE[1]))
    wanted = slides.whole(field, net.rounds(DIAMETER))
    np.testing.assert_array_equal(run.labels, wanted)
    assert wanted.max() > 40


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_pixels_of_other_types_are_segmented_as_screen_does(dtype, plane, tmp_path):
    image = (plane / 16).astype(dtype)[:260, :300]
    tifffile.imwrite(tmp_path / "a.tif", image, metadata=None)
    run = Run(tmp_path / "run", packet_of(tmp_path / "a.tif", image.shape, dtype=dtype))
    np.testing.assert_array_equal(run.labels, segmentation.Segmenter(MODEL, DIAMETER, device="cpu")(image))


def test_a_channel_of_one_level_has_no_nuclei_and_takes_none_from_others(plane, tmp_path):
    image = plane[:260, :300]
    write_channels(tmp_path / "a.tif", image, np.full_like(image, 9))
    nuclear = [("A", 0, 0), ("B", 0, 1)]
    run = Run(tmp_path / "run", packet_of(tmp_path / "a.tif", image.shape, nuclear=nuclear))
    np.testing.assert_array_equal(run.labels, segmentation.Segmenter(MODEL, DIAMETER, device="cpu")(image))
    assert run.record["warnings"] == ["channel 2 B has one grey level: no nuclei were looked for in it"]


def test_a_slide_of_one_level_has_no_nuclei(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.full((260, 300), 9, np.uint16), metadata=None)
    packet = packet_of(tmp_path / "a.tif", (260, 300), diameter="auto", tissue="auto", pixel_size=None)
    run = Run(tmp_path / "run", packet)
    assert run.labels.max() == 0 == run.record["nuclei"] == run.record["network_tiles"]
    assert run.record["diameter_source"] == "the model's own" and run.record["diameter_um"] is None
    assert len(run.record["overlays"]) == 1 and len(run.record["warnings"]) == 1


def test_pixels_that_no_window_tells_of_are_counted_in_the_warnings_over_all_tasks(whole, tmp_path):
    for task, pixels in enumerate((30, 1200)):
        with costs.measured(tmp_path / f"{task}.cost.json", "flood", 100) as facts:
            facts["undecided"] = {"nuclei": pixels, "cells": 0}
    found = assembly.Found(whole.packet, whole.folder / "nuclei")
    statistics = scratch.statistics(whole.folder / "slide")
    (warning,) = slide_record.record(whole.packet, statistics, found, costs.read([tmp_path]), [])["warnings"]
    assert warning.startswith("nuclei: 1,230 pixels of the resized slide") and warning.endswith("they are background")


def test_nuclei_that_were_not_seen_whole_give_up_the_slide(whole, tmp_path):
    arrays = dict(np.load(next(whole.folder.glob("nuclei/labelled_0/*.part.npz"))))
    arrays["uncertified"] = np.array([3, 7])
    (tmp_path / "labelled").mkdir()
    np.savez(tmp_path / "labelled/0_0.part.npz", **arrays)
    with pytest.raises(
        click.ClickException, match=r"2 nuclei were not seen whole.*report it, with the slide"
    ) as caught:
        arguments = (
            whole.folder / "packet.json",
            whole.folder / "nuclei/nuclei",
            tmp_path / "numbers",
            tmp_path / "labelled",
        )
        in_process("tissue_number", *arguments)
    assert caught.value.exit_code == 1 and not (tmp_path / "numbers").exists()


def test_a_diameter_that_is_not_given_is_that_of_the_nuclei_whatever_the_tiles(plane, tmp_path):
    """Discs of 7 to 12 pixels' radius, some of them on others; half as large where the image is shrunk."""
    net = network.load(MODEL)
    found = diameter.estimate(net, [slides.reading(contrast.normalize(plane))], SHAPE)
    assert 14 < found.diameter < 22 and found.nuclei > 40 and found.windows == [tiles.Box(0, SHAPE[0], 0, SHAPE[1])]
    small = ndimage.zoom(plane, 0.5, order=1)
    half = diameter.estimate(net, [slides.reading(contrast.normalize(small))], small.shape)
    assert half.diameter == pytest.approx(found.diameter / 2, rel=0.15)


def test_windows_for_the_diameter_lie_where_the_slide_is_bright():
    image = np.zeros((9 * 1024, 5 * 1024), np.float32)
    image[1024 : 4 * 1024, 1024 : 4 * 1024] = 1
    image[5000, 5000] = 1
    windows = diameter.bright(slides.reading(image), image.shape)
    assert len(windows) == 9
    assert all(min(y0, x0) >= 1024 and max(y1, x1) <= 4096 for y0, y1, x0, x1 in windows)
    assert diameter.bright(slides.reading(image[4096:5000]), (904, 5120)) == []


def test_squares_of_glass_are_left_out_and_nuclei_are_not(tmp_path):
    """Single cells on glass: every nucleus is found, in a part of the slide."""
    image = np.random.default_rng(0).normal(300, 2, (700, 1600))
    image[380:680, 900:1290] += made(3, (300, 390), 25, noise=0) - 300.0
    tifffile.imwrite(tmp_path / "a.tif", image.astype(np.uint16), metadata=None)
    every = Run(tmp_path / "all", packet_of(tmp_path / "a.tif", image.shape, 2000))
    some = Run(tmp_path / "auto", packet_of(tmp_path / "a.tif", image.shape, 700, tissue="auto"))
    assert every.labels.max() > 10
    np.testing.assert_array_equal(some.labels, every.labels)
    assert 0.05 < some.record["tissue"]["share"] < 0.8 and every.record["tissue"]["share"] == 1


def test_pictures_are_of_the_densest_the_usual_and_a_sparse_place():
    shape = 512 * 4, 512 * 5 + 100
    counts = np.arange(24).reshape(4, 6)
    first = np.concatenate(
        [np.arange(counts[y, x]) + (y * 512 * shape[1] + x * 512) for y in range(4) for x in range(6)]
    )
    boxes = overlays.places(np.random.default_rng(0).permutation(first), shape)
    assert boxes[0] == (1536, 2048, 2148, 2660)  # the last column is narrower: moved into the slide
    assert boxes[1] == (1024, 1536, 0, 512) and boxes[2] == (0, 512, 1536, 2048)
    assert overlays.places(first[:0], (100, 900)) == [tiles.Box(0, 100, 194, 706)]
    assert len(overlays.places(first[:1], shape)) == 1


def test_a_picture_shows_the_pixels_at_their_contrast_and_outlines_on_the_nuclei(tiled, plane):
    [overlay] = [item for item in tiled.record["overlays"] if item["file"] == "overlay_1.png"]
    y0, y1, x0, x1 = overlay["box"]
    found = cv2.imread(str(tiled.results / "overlay_1.png"))
    labels = tiled.labels[y0:y1, x0:x1]
    line = (found == overlays.COLOURS["nuclei"]).all(2)
    assert line.any() and (labels[line] > 0).all()
    wanted = np.rint(255 * contrast.normalize(plane)[y0:y1, x0:x1].clip(0, 1))
    np.testing.assert_array_equal(found[~line][:, 0], wanted[~line])
