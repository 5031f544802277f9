"""What napari is given of a slide: windows of its files and its store, each object with its row; or one clear line."""

import json
import subprocess
import sys
from contextlib import ExitStack
from importlib.util import find_spec

import numpy as np
import pytest
import tifffile
import zarr

import measured_folders
from idrstream.base.tables import Problems
from idrstream.tissue import tables, viewing
from idrstream.tissue.tables.slide import standing
from repository import BIN

SHAPE = 115, 138
REGION = [10, 20, *SHAPE]  # of a file of 140 x 180 pixels


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    """An output folder with the slide A12, a region of a file of three channels and two resolutions."""
    folder = tmp_path_factory.mktemp("slides")
    made = measured_folders.make(folder, region=REGION, locations=[str(folder / "A12.ome.tif")])
    whole = np.zeros((3, 140, 180), np.uint16)
    whole[:, 10 : 10 + SHAPE[0], 20 : 20 + SHAPE[1]] = made.planes
    with tifffile.TiffWriter(folder / "A12.ome.tif", ome=True) as file:
        file.write(
            whole, subifds=1, tile=(32, 32), metadata={"axes": "CYX", "Channel": {"Name": ["DNA1", "CD45", "CD3"]}}
        )
        file.write(whole[:, ::2, ::2], subfiletype=1, tile=(32, 32))
    place = folder / "out/slides/A12"
    tables.write(made.packet, made.folders, folder / "tables")
    (folder / "tables/results").rename(place.parent.mkdir(parents=True) or place)
    root = zarr.create_group(place / "A12.zarr", zarr_format=3)
    for name, image in (("nuclei", made.nuclei), ("cells", made.cells)):
        for level, pixels in enumerate((image, image[::2, ::2])):
            root.create_array(f"labels/{name}/s{level}", data=pixels)
    record = {"image": made.packet["locations"], "nuclear": made.packet["measured"][:1], "membrane": []}
    record |= {name: made.packet[name] for name in ("measured", "pixel_size", "region", "names")}
    (place / "slide.json").write_text(
        json.dumps(record | {"cells_from": "expand", "compartments": ["nucleus", "cytoplasm", "membrane", "cell"]})
    )
    return folder / "out", made, whole


@pytest.fixture
def layers(slide):
    """Function of the names of channels and of the files that returns the layers by name, and the notes."""
    with ExitStack() as opened:

        def of(channels=(), images=()):
            found = viewing.Slide(slide[0], "A12")
            made, notes = found.layers(found.chosen(channels), images, opened)
            return {options["name"]: (data, options, kind) for data, options, kind in made}, notes

        yield of


def test_channels_are_pyramids_of_which_windows_are_read(slide, layers):
    found, notes = layers(["CD3", "DNA1"])
    assert not notes and list(found) == ["CD3", "DNA1", "nuclei", "cells"]
    levels, options, kind = found["CD3"]
    assert kind == "image" and [level.shape for level in levels] == [(140, 180), (70, 90)]
    assert np.array_equal(levels[0][30:60, 40:90], slide[2][2, 30:60, 40:90])
    assert np.array_equal(levels[1][5:20:2, 3:], slide[2][2, ::2, ::2][5:20:2, 3:])
    assert options["scale"] == (0.5, 0.25) and options["contrast_limits"][0] < options["contrast_limits"][1]


def test_a_resolution_that_is_the_only_one_is_no_pyramid(slide, layers, tmp_path):
    tifffile.imwrite(tmp_path / "small.ome.tif", slide[2], metadata={"axes": "CYX"})
    data, options, _ = layers(images=[str(tmp_path / "small.ome.tif")])[0]["DNA1"]
    assert data.shape == (140, 180) and not options["multiscale"]
    assert np.array_equal(np.asarray(data), slide[2][0])


def test_without_a_name_the_channel_of_the_nuclei_is_shown(layers):
    assert list(layers()[0]) == ["DNA1", "nuclei", "cells"]


def test_labels_lie_where_the_region_is_on_the_slide(slide, layers):
    for name, image in (("nuclei", slide[1].nuclei), ("cells", slide[1].cells)):
        levels, options, kind = layers()[0][name]
        assert kind == "labels" and np.array_equal(levels[0][:], image) and levels[1].shape == (58, 69)
        assert options["translate"] == [10 * 0.5, 20 * 0.25]


def test_each_object_has_its_shapes_and_the_means_of_the_channels_that_are_shown(slide, layers):
    rows = layers(["CD45"])[0]["cells"][1]["features"].set_index("index")
    assert sorted(rows.index) == sorted(slide[1].values)
    for label, values in slide[1].values.items():
        row = rows.loc[label]
        found = [
            row["CD45: Cell: Mean"],
            row["CD45: Nucleus: Mean"],
            row["Cell: Area µm^2"],
            row["Nucleus/Cell area ratio"],
        ]
        assert np.array_equal(found, [values[42], values[24], values[-7], values[-1]], equal_nan=True)
    assert not [name for name in rows if "CD3" in name or "Median" in name]


def test_a_file_that_was_moved_is_named(slide, layers, tmp_path):
    moved = (slide[0].parent / "A12.ome.tif").rename(tmp_path / "moved.ome.tif")
    try:
        found, (note,) = layers()
        assert list(found) == ["nuclei", "cells"] and "--image names its file" in note
        assert list(layers(images=[str(moved)])[0]) == ["DNA1", "nuclei", "cells"]
    finally:
        moved.rename(slide[0].parent / "A12.ome.tif")


def test_what_networks_saw_of_an_npz_file_is_shown_out_of_it(slide, tmp_path):
    place = tmp_path / "slides/A12"
    place.mkdir(parents=True)
    record = json.loads((slide[0] / "slides/A12/slide.json").read_text())
    planes = np.random.default_rng(0).uniform(1, 9, (140, 180, 2)).astype(np.float32)
    np.savez_compressed(tmp_path / "A12.npz", input_channels=planes)
    nuclear = [{"name": "nuclear", "file": 1, "channel": 0, "frame": 0, "number": 4}]
    record |= {"nuclear": nuclear, "npz": {"location": str(tmp_path / "A12.npz"), "dtype": "float32"}}
    (place / "slide.json").write_text(json.dumps(record))
    with ExitStack() as opened:
        found = viewing.Slide(tmp_path, "A12")
        (layer,), _ = found.layers(found.chosen([]), [], opened)
        assert layer[1]["name"] == "nuclear" and np.array_equal(np.asarray(layer[0]), planes[..., 0])


def test_channels_of_one_name_have_those_of_the_tables(slide, tmp_path):
    record = json.loads((slide[0] / "slides/A12/slide.json").read_text())
    record["nuclear"] = [channel | {"name": "DNA1"} for channel in record["measured"][:2]]  # as the file has them
    record["measured"][1]["name"] = "DNA1 (2)"
    (tmp_path / "slides/A12").mkdir(parents=True)
    (tmp_path / "slides/A12/slide.json").write_text(json.dumps(record))
    found = viewing.Slide(tmp_path, "A12")
    assert found.chosen(["DNA1", "DNA1 (2)"]) == [1, 2] and found.chosen([]) == [1, 2]


@pytest.mark.parametrize(
    "measured, with_cells, expected",
    [
        (["nucleus", "cell"], True, "cell"),
        (["nucleus", "cell"], False, "nucleus"),
        (["nucleus"], True, "nucleus"),
        (["cytoplasm", "membrane"], True, "cytoplasm"),
        ([], True, "cell"),
    ],
)
def test_a_compartment_stands_for_an_object_in_tables_and_in_the_window_alike(measured, with_cells, expected):
    assert standing(measured, with_cells) == expected


def test_an_unknown_slide_or_channel_is_answered_with_those_there_are(slide):
    with pytest.raises(Problems, match=r"no slide B2; it has A12"):
        viewing.Slide(slide[0], "B2")
    with pytest.raises(Problems, match=r"no channel CD8; the slide has DNA1, CD45, CD3"):
        viewing.Slide(slide[0], "A12").chosen(["CD8"])


@pytest.mark.skipif(find_spec("napari") is not None, reason="napari is installed here")
def test_where_napari_is_missing_the_command_says_how_to_install_it(slide):
    command = [sys.executable, BIN / "tissue_view.py", slide[0], "--slide", "A12"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "napari is not installed here: pip install" in done.stderr
    assert "Traceback" not in done.stderr
