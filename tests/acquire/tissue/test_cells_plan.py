"""What the planner makes of cells, measurements, label images that exist, and regions."""

import itertools
import json
import os

import numpy as np
import pytest
import tifffile

import make_zarr
from idrstream.base import files
from idrstream.tissue import plan
from support import http_server

HEADER = "slide,image,nuclear,membrane,nuclei,cells,region"
SQUARE = [[30, 20], [130, 20], [130, 120], [30, 120]]  # x, y


@pytest.fixture
def told(planned, tmp_path):
    """A function that gives what the tasks on the slide of a line are told, and what the user is."""
    folders = (tmp_path / f"plan{number}" for number in itertools.count())

    def told(line, **changed):
        made = planned(line, **{"header": HEADER} | changed)
        folder = next(folders)
        plan.write(made, folder)
        return files.read_json(folder / f"slides/{made.slides[0].name}.json"), made.text()

    return told


@pytest.fixture
def labels(here):
    """Label images beside the slide, good and bad ones; the network of the cells."""
    (here / "cells.pth").write_bytes(b"weights of another network")
    image = np.zeros((300, 400), np.uint32)
    image[10:20, 10:20] = 70_000
    tifffile.imwrite(here / "nuclei.tif", image)
    tifffile.imwrite(here / "cells.tif", image.astype(np.uint16), tile=(128, 128))
    tifffile.imwrite(here / "small.tif", image[:, :399])
    tifffile.imwrite(here / "float.tif", image.astype(np.float32))
    tifffile.imwrite(here / "rgb.tif", np.zeros((300, 400, 3), np.uint8), photometric="rgb")
    tifffile.imwrite(here / "two.tif", np.zeros((2, 300, 400), np.uint8), photometric="minisblack")
    return here


def geojson(path, *shapes, kind="Polygon"):
    """Write a GeoJSON of a feature for each of SHAPES, coordinates."""
    features = [{"type": "Feature", "geometry": {"type": kind, "coordinates": shape}} for shape in shapes]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def closed(ring):
    return [*ring, ring[0]]


def test_nuclei_are_grown_and_all_channels_measured_unless_something_else_is_said(told):
    packet, text = told("A1,a.ome.tif,DNA1,,,,")
    assert (packet["layers"], packet["given"]) == (["nuclei"], {"nuclei": None, "cells": None})
    assert (packet["cells"], packet["expansion"], packet["membrane"]) == ("expand", 6, [])
    assert (packet["diameter"], packet["cell_diameter"], packet["polygon"]) == ("auto", None, None)
    assert [(each["number"], each["name"], each["background"]) for each in packet["measured"]] == [
        *((1, "DNA1", None), (2, "CD3", None), (3, "CD8", None))
    ]
    assert packet["statistics"] == ["mean", "median", "min", "max", "sd", "variance"]
    assert packet["compartments"] == ["nucleus", "cytoplasm", "membrane", "cell"]
    assert packet["names"] == "qupath"
    assert packet["outputs"] == ["masks", "quant", "geojson", "parquet", "h5ad", "spatialdata"]
    said = "cells: the nuclei grown by 3 µm, 6 pixels; 3 channels measured: mean, median, min, max, sd, variance of "
    assert said + "nucleus, cytoplasm, membrane, cell" in text


def test_what_is_measured_is_told_in_the_order_of_the_tables(told):
    packet, _ = told("A1,a.ome.tif,1,,,,", statistics="sd,mean", outputs="h5ad,quant", compartments="cell,nucleus")
    assert packet["statistics"] == ["mean", "sd"] and packet["outputs"] == ["quant", "h5ad"]
    assert packet["compartments"] == ["nucleus", "cell"]


def test_without_cells_the_nucleus_is_what_is_measured(told):
    packet, text = told("A1,grey.tif,1,,,,", cells="none")
    assert (packet["cells"], packet["expansion"], packet["compartments"]) == ("none", None, ["nucleus"])
    assert [each["name"] for each in packet["measured"]] == ["Channel 1"]
    assert "no cells around them; 1 channel measured" in text


@pytest.mark.parametrize("changed", ({"statistics": "none"}, {"outputs": "masks"}))
def test_channels_that_no_table_has_are_not_read(told, changed):
    packet, text = told("A1,a.ome.tif,1,,,,", **changed)
    assert packet["measured"] == packet["statistics"] == [] and "no channel is measured" in text


def test_cells_of_a_network_have_their_own_channels_and_diameter(told, labels):
    packet, text = told(
        "A1,a.ome.tif,DNA1,CD3+cd8,,,", cells="model", cell_model="cells.pth", cell_diameter="20um", expansion="1um"
    )
    assert packet["layers"] == ["nuclei", "cells"] and packet["cells"] == "model"
    assert [channel["number"] for channel in packet["membrane"]] == [2, 3]
    assert (packet["cell_diameter"], packet["expansion"]) == (40, None)
    assert packet["recipe"]["cell_model"] == files.sha256(labels / "cells.pth")
    assert 'cells from "CD3" and "CD8"' in text


def test_label_images_that_exist_take_the_place_of_networks(told, labels):
    packet, text = told("A1,a.ome.tif,,,nuclei.tif,cells.tif,", diameter="8um")
    assert packet["layers"] == [] and packet["cells"] == "labels" and packet["diameter"] is None
    assert packet["given"] == {"nuclei": str(labels / "nuclei.tif"), "cells": str(labels / "cells.tif")}
    assert [channel["number"] for channel in packet["nuclear"]] == [1]  # of pictures
    assert "nuclei from nuclei.tif" in text and "cells from cells.tif" in text
    assert {"model", "diameter"}.isdisjoint(packet["recipe"])


def test_one_layer_may_exist_and_the_other_be_found(told, labels):
    packet, _ = told("A1,a.ome.tif,,,nuclei.tif,,")
    assert (packet["layers"], packet["cells"], packet["expansion"]) == ([], "expand", 6)
    packet, _ = told("A1,a.ome.tif,1,,,cells.tif,")
    assert (packet["layers"], packet["cells"]) == (["nuclei"], "labels")
    packet, _ = told("A1,a.ome.tif,1,2,nuclei.tif,,", cells="model", cell_model="cells.pth")
    assert (packet["layers"], packet["cells"]) == (["cells"], "model")
    packet, _ = told("A1,a.ome.tif,1,,,cells.tif,", cells="model")
    assert (packet["layers"], packet["cells"]) == (["nuclei"], "labels")


def test_of_a_geojson_the_box_around_it_is_read_and_its_polygons_are_told(told, here):
    hole = [[50.5, 40], [60, 40], [60, 50]]
    geojson(here / "core.geojson", [closed(SQUARE), closed(hole)], [closed([[200, 100], [250, 100], [250, 199.5]])])
    packet, text = told("A1,a.ome.tif,1,,,,core.geojson", diameter=4, expansion=1)
    assert (packet["region"], packet["size"]) == ([10, 20, 200, 240], [200, 240])
    assert packet["polygon"] == [
        [[10, 10], [10, 110], [110, 110], [110, 10]],
        [[30, 30.5], [30, 40], [40, 40]],
        [[90, 180], [90, 230], [189.5, 230]],
    ]
    assert "of it 200 x 240 pixels, from row 10 and column 20, of which what is in polygons" in text


@pytest.mark.parametrize(
    "row, changed, around",
    [
        ("A1,a.ome.tif,1,,,,", {"diameter": 10, "cells": "none"}, 20),
        ("A1,a.ome.tif,1,,,,", {"diameter": "5.2um", "expansion": "3um"}, 33),
        ("A1,a.ome.tif,1,,,,", {"cells": "none"}, 128),
        ("A1,a.ome.tif,1,2,,,", {"cells": "model", "cell_model": "cells.pth", "diameter": 10, "cell_diameter": 20}, 40),
        ("A1,a.ome.tif,1,,nuclei.tif,,", {"cells": "none"}, 128),
    ],
)
def test_around_polygons_so_much_is_read_that_nuclei_at_their_edge_and_their_cells_are_whole(
    told, labels, row, changed, around
):
    """A nucleus that belongs to a polygon may lie half outside of it; twice its diameter, and twice the expansion."""
    geojson(labels / "core.geojson", [closed([[150, 140], [160, 140], [160, 160]])])
    packet, _ = told(f"{row}core.geojson", **changed)
    assert packet["region"] == [140 - around, 150 - around, 20 + 2 * around, 10 + 2 * around]
    assert packet["polygon"] == [[[around, around], [around, around + 10], [around + 20, around + 10]]]


def test_polygons_may_reach_beyond_the_slide(told, here):
    """An annotation that QuPath grew, or that was drawn over the edge."""
    geojson(here / "core.geojson", [closed([[-10, 250], [50, 250], [50, 320], [-10, 320]])])
    packet, text = told("A1,a.ome.tif,1,,,,core.geojson", diameter=4, cells="none")
    assert (packet["region"], packet["polygon"]) == ([242, 0, 58, 58], [[[8, -10], [8, 50], [78, 50], [78, -10]]])
    assert packet["warnings"] == ["its polygons reach beyond the slide, which has nothing there"]
    assert f"slide A1: {packet['warnings'][0]}" in text


@pytest.mark.parametrize("wrap", ("geometry", "feature", "list", "multi"))
def test_a_polygon_is_read_however_it_is_wrapped(told, here, wrap):
    shape = {"type": "Polygon", "coordinates": [closed(SQUARE)]}
    feature = {"type": "Feature", "geometry": shape, "properties": {"classification": None}}
    multi = {"type": "MultiPolygon", "coordinates": [[closed(SQUARE)]]}
    content = {"geometry": shape, "feature": feature, "list": [feature], "multi": multi}[wrap]
    (here / "core.json").write_text(json.dumps(content))
    packet, _ = told("A1,a.ome.tif,1,,,,core.json")
    y, x = 20 - packet["region"][0], 30 - packet["region"][1]
    assert packet["polygon"] == [[[y, x], [y, x + 100], [y + 100, x + 100], [y + 100, x]]]


def test_cores_are_rows_of_one_image(planned, here):
    geojson(here / "core.geojson", [closed(SQUARE)])
    made = planned("A1,a.ome.tif,1,,,,core.geojson", 'A2,a.ome.tif,1,,,,"100,100,50,60"', header=HEADER)
    assert [slide.shape for slide in made.slides] == [(260, 270), (50, 60)]
    assert made.slides[0].id != made.slides[1].id


def test_an_image_that_many_rows_name_is_read_once(planned, here):
    with http_server(here) as server:
        rows = [f'A{row},{server.url}/a.ome.tif,1,,,,"{row},0,9,9"' for row in range(40)]
        planned(rows[0], header=HEADER)
        one = len(server.log)
        planned(*rows, header=HEADER)
        assert len(server.log) == 2 * one > 0


def test_a_server_that_sends_files_whole_only_is_refused_before_it_does(refused, labels):
    """Each task would download the whole file."""
    with http_server(labels, no_ranges=True) as server:
        said = refused(f"A1,{server.url}/a.ome.tif,1,,,,", f"A2,a.ome.tif,1,,{server.url}/nuclei.tif,,", header=HEADER)
        whole = "the server sends this file whole only, not parts of it; copy it to a disk."
        assert said == [
            f'slides.csv, line 2, column "image": {server.url}/a.ome.tif: {whole}',
            f'slides.csv, line 3, column "nuclei": {server.url}/nuclei.tif: {whole}',
        ]
        assert {request.status for request in server.log} == {200} and len(server.log) <= 4


def test_everything_that_is_wrong_with_cells_and_regions_is_said_at_once(refused, labels):
    geojson(labels / "line.geojson", SQUARE, kind="LineString")
    geojson(labels / "bow.geojson", [closed([[10, 10], [50, 50], [50, 10], [10, 50]])])
    geojson(labels / "far.geojson", [closed([[400, 10], [500, 10], [500, 50]])])
    geojson(labels / "twice.geojson", [closed(SQUARE)], [closed([[40, 30], [50, 30], [50, 40]])])
    geojson(labels / "hole.geojson", [closed(SQUARE), closed([[200, 30], [210, 30], [210, 40]])])
    geojson(labels / "none.geojson")
    (labels / "text.geojson").write_text("POLYGON ((30 10, 40 40))")
    text = "\n".join(
        refused(
            "B1,grey.tif,1,,,,",
            "B2,a.ome.tif,1,,small.tif,,",
            "B3,a.ome.tif,1,,,float.tif,",
            "B4,a.ome.tif,1,,rgb.tif,,",
            "B5,a.ome.tif,1,,two.tif,,",
            "B6,a.ome.tif,1,,nuclei.tif;cells.tif,,",
            "B7,a.ome.tif,1,,nothing.tif,,",
            "B8,a.ome.tif,1,,,,line.geojson",
            "B9,a.ome.tif,1,,,,bow.geojson",
            "C1,a.ome.tif,1,,,,far.geojson",
            "C2,a.ome.tif,1,,,,twice.geojson",
            "C3,a.ome.tif,1,,,,hole.geojson",
            "C4,a.ome.tif,1,,,,none.geojson",
            "C5,a.ome.tif,1,,,,text.geojson",
            "C6,a.ome.tif,1,,,,nothing.geojson",
            "C7,a.ome.tif,1,,,,the middle",
            header=HEADER,
        )
    )
    wanted = [
        'line 2, column "pixel_size": --expansion 3um: the slide states no pixel size; name it in a',
        'line 3, column "nuclei": small.tif: the label image has 300 x 399 pixels, and the slide has 300 x 400',
        'line 4, column "cells": float.tif: its pixels are of type float32; those of a label image are whole numbers',
        'line 5, column "nuclei": rgb.tif: its pixels are in red, green and blue; those of a label image',
        'line 6, column "nuclei": two.tif: it has 2 planes; a label image has one.',
        'line 7, column "nuclei": name one label image',
        f'line 8, column "nuclei": {labels}/nothing.tif: there is no such file',
        'line 9, column "region": line.geojson: it has a LineString; a region is a Polygon or MultiPolygon',
        'line 10, column "region": bow.geojson: edges of its polygons cross, near x 30, y 30; draw it',
        'line 11, column "region": the polygons, of rows 10 to 50 and columns 400 to 500, are not in the slide',
        'line 12, column "region": twice.geojson: two of its polygons overlap; join them, or keep one',
        'line 13, column "region": hole.geojson: a polygon has a hole that lies outside of it',
        'line 14, column "region": none.geojson: it has no polygon',
        'line 15, column "region": text.geojson: this is no JSON',
        f'line 16, column "region": {labels}/nothing.geojson: it cannot be read (No such file or directory)',
        'line 17, column "region": "the middle" is neither a rectangle such as 0,0,2048,2048',
    ]
    assert [part for part in wanted if part not in text] == [], text


@pytest.mark.parametrize(
    "content",
    (
        {"type": "FeatureCollection", "features": 5},
        {"type": "Polygon"},
        {"type": "Polygon", "coordinates": [[["1e400", 1], [2, 2], [3, 4]]]},
        {"type": "Polygon", "coordinates": [[[10**400, 1], [2, 2], [3, 4]]]},
        {"type": "Polygon", "coordinates": [[[1], [2], [3]]]},
        {"type": "Polygon", "coordinates": [[[1, 1], [2, 2], [1, 1]]]},
        {"type": "Polygon", "coordinates": [[[float("nan"), 1], [2, 2], [3, 4]]]},
        {"type": "MultiPolygon", "coordinates": [7]},
        {"type": "Polygon", "coordinates": {"x": [1, 2]}},
        {"type": "MultiPolygon", "coordinates": [[]]},
        {"type": {"a": 1}},
        [1, 2, 3],
        "Polygon",
        None,
    ),
)
def test_a_file_that_only_looks_like_geojson_is_a_sentence(refused, here, content):
    (here / "odd.geojson").write_text(json.dumps(content))
    (said,) = refused("A1,a.ome.tif,1,,,,odd.geojson", header=HEADER)
    assert said.startswith('slides.csv, line 2, column "region": odd.geojson: ')


def test_a_network_of_cells_needs_a_file_and_a_membrane(refused, labels):
    text = "\n".join(refused("A1,a.ome.tif,1,,,,", "A2,a.ome.tif,1,CD9,,,", header=HEADER, cells="model"))
    assert "--cells model: name the network that finds cells by --cell_model" in text
    assert "line 2: --cells model: name the channel that shows where cells end by --membrane, or in a column" in text
    assert 'line 3: a.ome.tif: it has no channel "CD9" (column "membrane"); its channels: 1 DNA1, 2 CD3, 3 CD8' in text


def test_what_only_a_network_of_cells_uses_is_refused_without_one_and_a_column_is_told(refused, told, labels):
    changed = {"cell_model": "cells.pth", "membrane": "CD3", "cell_diameter": 30}
    assert refused("A1,a.ome.tif,1,,,,", header=HEADER, **changed) == [
        f"--{name} {value}: --cells expand uses none; add --cells model" for name, value in changed.items()
    ]
    _, text = told("A1,a.ome.tif,1,CD3,,,")
    assert 'slide A1: column "membrane" has no effect; that needs --cells model' in text
    _, text = told("A1,a.ome.tif,1,CD3,,cells.tif,", cells="model")
    assert 'slide A1: column "membrane" has no effect; no network looks for its cells' in text


def test_where_pixels_are_not_square_the_distances_of_the_cells_are_told(told, here):
    sizes = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.4}
    tifffile.imwrite(here / "wide.ome.tif", np.zeros((300, 400), np.uint16), metadata=sizes)
    packet, text = told("A1,wide.ome.tif,1,,,,", expansion=6)
    said = "its pixels are 0.4 µm high and 0.5 µm wide; nuclei are grown by 6 pixels either way, "
    said += "2.4 µm down and 3 µm across"
    assert packet["warnings"] == [said] and f"slide A1: {said}" in text
    assert told("A1,wide.ome.tif,1,,,,", cells="none")[0]["warnings"] == []
    assert told("A1,a.ome.tif,1,,,,")[0]["warnings"] == []


def test_params_that_contradict_each_other_or_mean_nothing_are_said(refused):
    row = "A1,a.ome.tif,1,,"
    assert "--statistics mode: is no list of mean, median, min" in "\n".join(refused(row, statistics="mode"))
    assert "--outputs csv: is no list of masks, quant, geojson" in "\n".join(refused(row, outputs="csv"))
    (said,) = refused(row, cells="none", compartments="cell,nucleus,cytoplasm")
    assert "--compartments cell,nucleus,cytoplasm: without cells there is no cell and no cytoplasm" in said
    (said,) = refused(row, expansion="300um")
    assert "--expansion 300um: nuclei grown by 600 pixels at 0.5 µm a pixel; 1 to 400 can be made" in said
    (said,) = refused(row, expansion=0.2)
    assert "--expansion 0.2: nuclei grown by 0.2 pixels; 1 to 400 can be made" in said
    (said,) = refused(row, cells="model", cell_model="cyto4")
    assert said == "--cell_model cyto4: neither a file nor a model of idrstream's or Cellpose 3's. Did you mean cyto?"


def test_what_changes_cells_or_tables_makes_another_id(planned, labels):
    geojson(labels / "core.geojson", [closed(SQUARE)])
    row, model = "A1,a.ome.tif,1,2,,,", {"cells": "model", "cell_model": "cells.pth"}
    changes = [{}, {"cells": "none"}, {"expansion": 5}, {"statistics": "mean"}, {"compartments": "cell"}]
    changes += [{"names": "mcmicro"}, {"outputs": "quant"}, model, model | {"cell_diameter": 30}]
    made = [planned(row, header=HEADER, **changed) for changed in changes]
    rows = "A1,a.ome.tif,1,,nuclei.tif,,", "A1,a.ome.tif,1,,,cells.tif,", "A1,a.ome.tif,1,,,,core.geojson"
    made += [planned(row, header=HEADER) for row in rows]
    made += [planned('A1,a.ome.tif,1,,,,"20,30,100,100"', header=HEADER)]
    assert len({each.slides[0].id for each in made}) == len(made)
    same = [{"tile": 512}, {"statistics": "median,mean,sd,min,max,variance"}]
    same += [{"compartments": "cell,membrane,nucleus,cytoplasm"}]
    assert {planned(row, header=HEADER, **changed).slides[0].id for changed in same} == {made[0].slides[0].id}
    tifffile.imwrite(labels / "nuclei.tif", np.ones((300, 400), np.uint8))
    assert planned(rows[0], header=HEADER).slides[0].id != made[len(changes)].slides[0].id


def test_what_shapes_tables_alone_makes_no_other_slide_where_there_are_none(planned):
    row, nothing = "A1,a.ome.tif,1,,,,", {"cells": "none", "outputs": "masks"}
    changes = [nothing, nothing | {"names": "mcmicro"}, nothing | {"outputs": "masks,masks"}]
    changes += [nothing | {"statistics": "mean"}]
    made = [planned(row, header=HEADER, **changed).slides[0] for changed in changes]
    assert len({slide.id for slide in made}) == 1
    assert made[2].measured == [] and not made[2].measures


def test_a_label_image_or_a_store_that_is_written_anew_at_the_same_place_makes_another_id(planned, labels):
    written = [labels / "nuclei.tif", labels / "labels.zarr/0/0", labels / "labels.zarr/.zattrs"]
    make_zarr.write(labels / "labels.zarr", np.ones((300, 400), np.uint16), axes="yx")
    with http_server(labels) as server:
        names = "nuclei.tif", "labels.zarr", f"{server.url}/nuclei.tif", f"{server.url}/labels.zarr"
        rows = [f"A1,a.ome.tif,1,,{name},," for name in names] + ["A1,labels.zarr,1,,,,"]

        def ids():
            return [planned(row, header=HEADER, expansion=6).slides[0].id for row in rows]

        before = ids()
        assert ids() == before
        for path in written:
            os.utime(path, (10**9, 2 * 10**9))
        assert not {*ids()} & {*before}


def test_what_other_columns_say_counts_where_tables_repeat_it(planned):
    """A slide's patient is a column of its tables: a correction reaches them."""
    changes = {}, {"cells": "none"}, {"cells": "none", "outputs": "masks"}
    ids = [
        [planned(f"A1,a.ome.tif,1,{patient}", header="slide,image,nuclear,patient", **changed).slides[0].id]
        for changed in changes
        for patient in (7, 8)
    ]
    assert ids[0] != ids[1] and ids[2] != ids[3] and ids[4] == ids[5]
