"""Runs on slides whose cells are not nuclei that have grown: label images that exist, and a second network."""

import json

import numpy as np
import pandas as pd
import pytest
import tifffile
from slide_runs import TILED, Slides, by_label

from make_slide import make_slide
from repository import MODEL

CHANNELS, SIDE, PITCH = 47, 1024, 32
STEPS = ("prepare", "predict", "seeds", "label", "number")


def grid_of(ids, radius):
    """(Y, X) uint32: squares of a radius, PITCH apart, of the ids (rows, columns); none where that is 0."""
    y, x = (np.abs(np.arange(SIDE) % PITCH - PITCH // 2) <= radius for _ in "yx")
    return np.kron(ids, np.ones((PITCH, PITCH), np.uint32)).astype(np.uint32) * (y[:, None] & x)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A folder with a slide of 47 channels and its label images; ids have gaps, and some are above 65,535."""
    folder, random = tmp_path_factory.mktemp("given"), np.random.default_rng(0)
    pixels = random.integers(0, 256, (CHANNELS, SIDE, SIDE), np.uint8)
    names = [f"M{number}" for number in range(1, CHANNELS + 1)]
    metadata = {"axes": "CYX", "Channel": {"Name": names}}
    tifffile.imwrite(folder / "slide.ome.tif", pixels, photometric="minisblack", metadata=metadata)
    side = SIDE // PITCH
    ids = np.append(random.choice(4209, side * side - 9, replace=False) + 1, 65_536 + 7 * np.arange(9))
    nuclei, cells = random.permutation(ids).reshape(side, side), random.permutation(side * side).reshape(side, side) + 1
    nuclei[3, 4:6] = 0
    cells[7, 8:11] = 0
    tifffile.imwrite(folder / "nuclei.tif", grid_of(nuclei, 5), compression="zlib")
    tifffile.imwrite(folder / "cells.tif", grid_of(cells, 9).astype(np.uint16), compression="zlib")
    return folder, pixels, nuclei, cells


@pytest.fixture(scope="module")
def ended(given, tmp_path_factory):
    """A run on that slide, and on one whose cells are looked for.

    The nuclei model stands in for one of cells: it finds what is bright in its first plane, nuclei of a later cycle.
    """
    folder, (data, *_) = tmp_path_factory.mktemp("run"), given
    make_slide(data / "made", size=(300, 512))
    rows = (
        "slide,image,nuclear,membrane,nuclei,cells",
        f"given,{data}/slide.ome.tif,,,{data}/nuclei.tif,{data}/cells.tif",
        f"model,{data}/made/slide.ome.tif,DNA1,CD3+DNA2,,",
    )
    (folder / "slides.csv").write_text("\n".join(rows) + "\n")
    options = ("--cells", "model", "--cell_model", MODEL, "--diameter", 20, "--cell_diameter", 26, "--tile", 512)
    run = Slides(folder, *options, "--statistics", "mean,median", "--outputs", "masks,parquet,spatialdata,geojson")
    assert run.code == 0, run.said
    return run


def test_label_images_keep_their_ids_and_cells_get_those_of_their_nuclei(ended, given):
    _, _, nuclei, cells = given
    assert np.array_equal(ended.labels("given"), grid_of(nuclei, 5))
    alone = (nuclei == 0) & (cells > 0)
    wanted = np.where(cells > 0, nuclei, 0)
    wanted[alone] = nuclei.max() + 1 + np.arange(alone.sum())  # in the order of their first pixels
    assert np.array_equal(ended.labels("given", "cells"), grid_of(wanted, 9))
    counts = ended.record("given")["counts"]
    assert (counts["nuclei_alone"], counts["cells_alone"]) == (3, 2)
    assert counts["objects"] == len(np.union1d(nuclei[nuclei > 0], wanted[wanted > 0]))


def test_areas_and_means_of_all_cells_are_those_of_numpy(ended, given):
    _, pixels, _, _ = given
    table = ended.cells("given").set_index("Metadata_Label")
    for name, layer in ("Nucleus", "nuclei"), ("Cell", "cells"):
        labels = ended.labels("given", layer)
        known, areas = np.unique(labels[labels > 0], return_counts=True)
        rows = table.loc[known]
        assert np.array_equal(rows[f"{name}: Area px^2"], areas)
        assert table.drop(known)[f"{name}: Area px^2"].isna().all()
        for number, plane in enumerate(pixels, 1):
            parts = by_label(labels, plane)
            np.testing.assert_allclose(rows[f"M{number}: {name}: Mean"], [p.mean() for p in parts], rtol=1e-12)
            assert np.array_equal(rows[f"M{number}: {name}: Median"], [np.median(p) for p in parts])


def test_nothing_is_looked_for_where_everything_is_given(ended):
    record = ended.record("given")
    names = [step["step"] for step in record["steps"]]
    assert names == ["read", "take", "take cells", "pair", "measure", "tables", "assemble"]
    assert record["diameter"] is record["model"] is record["cell_model"] is None
    assert record["given"]["nuclei"].endswith("nuclei.tif") and record["cells_from"] == "labels"


def test_cells_that_a_network_found_have_the_labels_of_their_nuclei(ended):
    nuclei, cells, record = ended.labels("model"), ended.labels("model", "cells"), ended.record("model")
    both = np.intersect1d(nuclei[nuclei > 0], cells[cells > 0])
    counts = record["counts"]
    assert len(both) > 20 and all(((nuclei == label) & (cells == label)).any() for label in both)
    assert counts["nuclei"] == counts["nuclei_alone"] + len(both) == len(np.unique(nuclei)) - 1
    assert counts["cells"] == counts["cells_alone"] + len(both) == len(np.unique(cells)) - 1
    assert sorted(ended.cells("model")["Metadata_Label"]) == np.union1d(nuclei, cells)[1:].tolist()
    assert record["cell_diameter"] == 26 and record["cell_model"]["name"] == MODEL.name
    assert {f"{step} cells" for step in STEPS} | {"pair"} <= {step["step"] for step in record["steps"]}
    assert [channel["name"] for channel in record["membrane"]] == ["CD3", "DNA2"]


def test_pictures_show_nuclei_and_cells_in_their_colours(ended):
    from PIL import Image

    picture = np.asarray(Image.open(ended.out / "slides/given/overlay_1.png"))
    for colour in (230, 159, 0), (86, 180, 233):
        assert (picture == colour).all(2).sum() > 1000


@pytest.mark.full
def test_cores_are_as_files_of_their_own_and_a_polygon_has_what_lies_in_it(tmp_path):
    make_slide(tmp_path, size=(420, 700))
    y0, x0, height, width = 100, 200, 256, 300
    pixels = tifffile.imread(tmp_path / "slide.ome.tif")[:, y0 : y0 + height, x0 : x0 + width]
    names = ["DNA1", "CD3", "CD8", "CD20", "PanCK", "DNA2"]
    metadata = {"axes": "CYX", "Channel": {"Name": names}, "PhysicalSizeX": 0.325, "PhysicalSizeY": 0.325}
    tifffile.imwrite(tmp_path / "crop.ome.tif", pixels, photometric="minisblack", metadata=metadata)
    ring = [[x0, y0], [x0 + width, y0], [x0 + width, y0 + height], [x0, y0]]
    (tmp_path / "part.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    image, region = f"{tmp_path}/slide.ome.tif", f"{y0},{x0},{height},{width}"
    rows = f'core,{image},"{region}"', f"crop,{tmp_path}/crop.ome.tif,", f"part,{image},{tmp_path}/part.geojson"
    around = 59  # twice the diameter, and twice 3 µm
    box = f"{y0 - around},{x0 - around},{height + 2 * around},{width + 2 * around}"
    rows += (f'box,{image},"{box}"',)
    (tmp_path / "slides.csv").write_text("\n".join(("slide,image,region", *rows)) + "\n")
    run = Slides(tmp_path, "--nuclear", "DNA1", "--diameter", 20, *TILED)
    assert run.code == 0, run.said
    for layer in "nuclei", "cells":
        assert np.array_equal(run.labels("core", layer), run.labels("crop", layer))
    core, crop, part = map(run.cells, ("core", "crop", "part"))
    measured = [name for name in core if not name.startswith("Metadata_")]
    pd.testing.assert_frame_equal(core[measured], crop[measured], check_exact=True)
    for axis, first in ("Y", y0), ("X", x0):
        np.testing.assert_allclose(core[f"Metadata_Center_{axis}"], crop[f"Metadata_Center_{axis}"] + first)
    nuclei, inside = run.labels("box"), run.labels("part")
    assert 10 < len(part) < 0.7 * len(core)
    assert np.array_equal(inside > 0, np.isin(nuclei, np.unique(nuclei[inside > 0])))
