"""The tables of a slide: what MEASURE computed, to the bit, in every file, under one name an object."""

import csv
import json
import subprocess
import sys
import uuid

import anndata
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely

import measured_folders
from idrstream.tissue import tables
from repository import BIN

COMMAND = BIN / "tissue_tables.py"
FIXED = ["Image", "Object ID", "Object type", "Name", "Classification", "Parent", "ROI"]
CENTRES = ["Centroid X µm", "Centroid Y µm"]
SHAPES = ["Area µm^2", "Length µm", "Circularity", "Solidity", "Max diameter µm", "Min diameter µm"]
STATISTICS = ["Mean", "Median", "Min", "Max", "Std.Dev.", "Variance"]
COMPARTMENTS = ["Nucleus", "Cytoplasm", "Membrane", "Cell"]
BOTH_STORES = "A12.h5ad", "element"


def written(folder, made):
    tables.write(made.packet, made.folders, folder / "tables")
    return folder / "tables"


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    return measured_folders.make(tmp_path_factory.mktemp("measured"))


@pytest.fixture(scope="module")
def done(tmp_path_factory, slide):
    return written(tmp_path_factory.mktemp("done"), slide)


def quant(folder):
    with open(folder / "results/QUANT.tsv", newline="", encoding="utf-8") as file:
        return list(csv.reader(file, delimiter="\t"))


def features(folder):
    return json.loads((folder / "results/cells.geojson").read_text())["features"]


def annotated(folder, name):
    return anndata.read_h5ad(folder / "results" / name) if name.endswith("h5ad") else anndata.read_zarr(folder / name)


def the_same(one, other):
    return np.array_equal(np.asarray(one, float), np.asarray(other, float), equal_nan=True)


def test_parquet_has_every_value_to_the_bit_in_order_of_label(slide, done):
    table = pd.read_parquet(done / "results/cells.parquet")
    assert table["Metadata_Label"].tolist() == sorted(slide.values)
    measurements = table[[name for name in table if not name.startswith("Metadata_")]]
    assert measurements.shape[1] == 85
    assert the_same(measurements, [slide.values[label] for label in table["Metadata_Label"]])


def test_rows_of_parquet_say_what_the_object_is_and_where_its_middle_lies_in_the_label_image(slide, done):
    table = pd.read_parquet(done / "results/cells.parquet").set_index("Metadata_Label")
    assert set(table["Metadata_Slide"]) == {"A12"} and set(table["Metadata_patient"]) == {"P 7"}
    for label, row in table.iterrows():
        nucleus, cell = slide.nuclei == label, slide.cells == label
        assert (row["Metadata_Nucleus_Pixels"], row["Metadata_Cell_Pixels"]) == (nucleus.sum(), cell.sum())
        assert (row["Metadata_Has_Nucleus"], row["Metadata_Has_Cell"]) == (nucleus.any(), cell.any())
        y, x = np.nonzero(cell if cell.any() else nucleus)
        assert (row["Metadata_Center_Y"], row["Metadata_Center_X"]) == pytest.approx((y.mean(), x.mean()), abs=1e-9)


@pytest.mark.parametrize("groups", [1, 7])
def test_no_byte_of_the_tables_depends_on_the_groups(slide, done, tmp_path, groups):
    other = written(tmp_path / "out", measured_folders.make(tmp_path, groups=groups))
    for name in ("cells.parquet", "QUANT.tsv", "cells.geojson"):
        assert (other / "results" / name).read_bytes() == (done / "results" / name).read_bytes()
    assert (other / "counts.json").read_bytes() == (done / "counts.json").read_bytes()


@pytest.mark.parametrize("name", BOTH_STORES)
def test_a_table_written_in_chunks_is_the_same(slide, done, tmp_path, monkeypatch, name):
    monkeypatch.setattr(tables.measured, "STEP", 10)
    monkeypatch.setattr(tables.measured, "MOST", 1)
    other = written(tmp_path, slide)
    for table in ("QUANT.tsv", "cells.geojson"):
        assert (other / "results" / table).read_bytes() == (done / "results" / table).read_bytes()
    assert pq.ParquetFile(other / "results/cells.parquet").num_row_groups == 3
    assert pd.read_parquet(other / "results/cells.parquet").equals(pd.read_parquet(done / "results/cells.parquet"))
    one, whole = annotated(other, name), annotated(done, name)
    assert (
        one.obs.equals(whole.obs) and the_same(one.X, whole.X) and the_same(one.obsm["spatial"], whole.obsm["spatial"])
    )
    assert all(the_same(one.layers[layer], whole.layers[layer]) for layer in whole.layers)


def test_quant_has_the_94_columns_of_qupath_in_its_order(done):
    intensities = [f"{c}: {p}: {s}" for c in ("DNA1", "CD45", "CD3") for p in COMPARTMENTS for s in STATISTICS]
    shapes = [f"{part}: {shape}" for part in ("Nucleus", "Cell") for shape in SHAPES]
    assert quant(done)[0] == [*FIXED, *CENTRES, *intensities, *shapes, "Nucleus/Cell area ratio"]


def test_numbers_of_quant_read_back_to_the_bit(slide, done):
    for row in quant(done)[1:]:
        assert the_same([float(text) if text else np.nan for text in row[9:]], slide.values[int(row[3])])


def test_fixed_columns_of_quant_are_those_of_qupath(slide, done):
    for row in quant(done)[1:]:
        label = int(row[3])
        cell = (slide.cells == label).any()
        assert row[0] == "A12.ome.tif" and row[2] == ("Cell" if cell else "Detection")
        assert row[4:7] == ["", "Root object (Image)", "Polygon"]
        y, x = np.nonzero((slide.cells if cell else slide.nuclei) == label)
        assert list(map(float, row[7:9])) == pytest.approx([(x.mean() + 0.5) * 0.25, (y.mean() + 0.5) * 0.5])


def test_compartments_come_first_in_the_style_of_qupath_0_6(tmp_path):
    folder = written(tmp_path / "out", measured_folders.make(tmp_path, names="qupath06"))
    header = quant(folder)[0]
    assert header[9] == "Nucleus: DNA1: Mean" and header[-13:-11] == ["Nucleus: Area µm^2", "Nucleus: Length µm"]


def test_the_style_of_mcmicro_has_what_mcquant_has_under_its_names(tmp_path):
    made = measured_folders.make(tmp_path, names="mcmicro")
    path = written(tmp_path / "out", made) / "results/QUANT.tsv"
    table = pd.read_table(path, float_precision="round_trip").set_index("CellID")
    assert table.columns[table.columns.get_loc("X_centroid") :][:3].tolist() == ["X_centroid", "Y_centroid", "Area"]
    before = table.columns[: table.columns.get_loc("X_centroid")]  # all that tools take for markers
    assert len(before) == 72 and {"DNA1", "DNA1_intensity_median", "DNA1_nucleus_intensity_mean"} <= set(before)
    for label, row in table[table["Area"] > 0].iterrows():
        y, x = np.nonzero(made.cells == label)
        assert row["CD45"] == made.planes[1][y, x].mean() and row["Area"] == len(y)
        assert (row["X_centroid"], row["Y_centroid"]) == pytest.approx((x.mean(), y.mean()), abs=1e-9)


def test_a_channel_that_is_called_as_another_column_is_told_from_it(tmp_path):
    made = measured_folders.make(tmp_path, names="mcmicro", channels=("Area", "Area_intensity_median", "area"))
    folder = written(tmp_path / "out", made)
    header = quant(folder)[0]
    assert len(set(header)) == len(header) and {"Area", "Area_2", "Area_intensity_median_2", "area"} <= set(header)
    assert the_same(pd.read_parquet(folder / "results/cells.parquet")["area"], [v[66] for v in made.values.values()])


def test_lengths_are_in_pixels_where_nobody_knows_the_size_of_one(tmp_path):
    folder = written(tmp_path / "out", measured_folders.make(tmp_path, pixel_size=None))
    header = quant(folder)[0]
    assert header[7:9] == ["Centroid X px", "Centroid Y px"] and "Cell: Area px^2" in header
    assert "cell_area_px2" in annotated(folder, "A12.h5ad").obs


def test_an_object_has_one_id_in_every_file_which_anybody_can_make_again(slide, done):
    ids = [str(uuid.uuid5(uuid.NAMESPACE_URL, f"A12/{label}")) for label in sorted(slide.values)]
    assert [row[1] for row in quant(done)[1:]] == ids
    assert [feature["id"] for feature in features(done)] == ids
    assert pd.read_parquet(done / "results/cells.parquet")["Metadata_Object_ID"].tolist() == ids
    assert all(annotated(done, name).obs_names.tolist() == ids for name in BOTH_STORES)


def raster(shape, size):
    """The pixels whose middle lies in a shape."""
    middles = np.indices(size).reshape(2, -1)[::-1].T + 0.5
    return shapely.contains_xy(shape, *middles.T).reshape(size)


def test_outlines_are_valid_and_drawn_again_they_are_the_label_images(slide, done):
    cells, nuclei = np.zeros_like(slide.cells), np.zeros_like(slide.nuclei)
    for feature in features(done):
        label, is_cell = int(feature["properties"]["name"]), feature["properties"]["objectType"] == "cell"
        outer = shapely.geometry.shape(feature["geometry"])
        inner = shapely.geometry.shape(feature["nucleusGeometry"]) if "nucleusGeometry" in feature else None
        for shape, image, truth in (
            (outer, cells if is_cell else nuclei, slide.cells if is_cell else slide.nuclei),
            (inner, nuclei, slide.nuclei),
        ):
            if shape is not None:
                assert shape.is_valid and shape.area == np.count_nonzero(truth == label)
                image[raster(shape, image.shape)] = label
    assert np.array_equal(cells, slide.cells) and np.array_equal(nuclei, slide.nuclei)


def test_a_feature_is_a_line_and_holds_shapes_and_means_as_quant_has_them(done):
    lines = (done / "results/cells.geojson").read_text().splitlines()
    assert len(lines) == len(features(done)) + 2
    rows = [dict(zip(quant(done)[0], row, strict=True)) for row in quant(done)[1:]]
    for line, row in zip(lines[1:-1], rows, strict=True):
        measurements = json.loads(line.rstrip(","))["properties"]["measurements"]
        assert measurements.pop("Label") == int(row["Name"])
        wanted = {
            name: text for name, text in list(row.items())[9:] if text and (name.count(": ") < 2 or "Mean" in name)
        }
        assert measurements == {name: float(text) for name, text in wanted.items()}


@pytest.mark.parametrize("name", BOTH_STORES)
def test_x_has_the_mean_of_each_channel_in_the_cell_and_layers_all_else(slide, done, name):
    objects = annotated(done, name)
    values = np.array([slide.values[label] for label in objects.obs["label"]])
    columns = measured_folders.columns_of(slide.packet)
    assert objects.var_names.tolist() == ["DNA1", "CD45", "CD3"] and objects.X.dtype == np.float32
    for part in measured_folders.COMPARTMENTS:
        for statistic in measured_folders.STATISTICS:
            chosen = [
                c["kind"] == "intensity" and (c["compartment"], c["measure"]) == (part, statistic) for c in columns
            ]
            layer = objects.X if (part, statistic) == ("cell", "mean") else objects.layers[f"{part}_{statistic}"]
            assert the_same(layer, values[:, chosen].astype(np.float32))
    assert len(objects.layers) == 23
    assert the_same(objects.obs["nucleus_area_um2"], values[:, -13]) and the_same(
        objects.obs["cell_solidity"], values[:, -4]
    )


@pytest.mark.parametrize("name", BOTH_STORES)
def test_coordinates_are_x_and_y_in_micrometres_of_the_whole_slide(slide, tmp_path, name):
    part = measured_folders.make(tmp_path, region=[1000, 40, *slide.nuclei.shape])
    objects = annotated(written(tmp_path / "out", part), name)
    assert objects.uns["idrstream"]["spatial_unit"] == "µm"
    for label, (x, y) in zip(objects.obs["label"], objects.obsm["spatial"], strict=True):
        cell = part.cells == label
        rows, columns = np.nonzero(cell if cell.any() else part.nuclei == label)
        assert (x, y) == pytest.approx(((columns.mean() + 40.5) * 0.25, (rows.mean() + 1000.5) * 0.5))


def test_outlines_lie_where_the_region_is_on_the_whole_slide(slide, done, tmp_path):
    part = measured_folders.make(tmp_path, region=[1000, 40, *slide.nuclei.shape])
    for one, other in zip(features(written(tmp_path / "out", part)), features(done), strict=True):
        there, here = (shapely.geometry.shape(feature["geometry"]) for feature in (one, other))
        assert there.bounds == tuple(np.add(here.bounds, (40, 1000, 40, 1000)))


def test_the_table_of_the_store_names_the_label_image_of_each_row(slide, done):
    about = json.loads((done / "element/zarr.json").read_text())["attributes"]
    assert about["spatialdata-encoding-type"] == "ngff:regions_table" and about["region"] == ["nuclei", "cells"]
    objects = annotated(done, "element")
    images = {"nuclei": slide.nuclei, "cells": slide.cells}
    for region, label in zip(objects.obs[about["region_key"]], objects.obs[about["instance_key"]], strict=True):
        assert (images[region] == label).any()
        assert region == "cells" or not (slide.cells == label).any()


def test_without_cells_nuclei_stand_for_them(tmp_path):
    made = measured_folders.make(tmp_path, with_cells=False)
    folder = written(tmp_path / "out", made)
    objects = annotated(folder, "A12.h5ad")
    assert the_same(objects.X[:, 0], np.float32([made.values[label][0] for label in objects.obs["label"]]))
    assert set(objects.obs["region"]) == {"nuclei"} and objects.uns["idrstream"]["X"].startswith("mean in the nucleus")
    assert {feature["properties"]["objectType"] for feature in features(folder)} == {"detection"}
    counts = json.loads((folder / "counts.json").read_text())
    assert (counts["cells"], counts["nuclei_alone"]) == (0, 0)  # nobody looked for cells: no nucleus lacks one


def test_labels_with_gaps_and_above_65535_are_kept(tmp_path):
    made = measured_folders.make(tmp_path, gaps=4209)
    folder = written(tmp_path / "out", made)
    labels = sorted(made.values)
    assert labels[-1] > 65_535
    assert pd.read_parquet(folder / "results/cells.parquet")["Metadata_Label"].tolist() == labels
    assert annotated(folder, "element").obs["label"].tolist() == labels


def test_a_slide_without_objects_has_tables_without_rows(tmp_path):
    made = measured_folders.make(tmp_path, shape=(10, 10))
    for folder in made.folders:
        for path in folder.glob("*.npy"):
            np.save(path, np.load(path)[:0])
        (folder / "outlines.jsonl").write_text("")
    folder = written(tmp_path / "out", made)
    assert len(quant(folder)) == 1 and features(folder) == []
    assert len(pd.read_parquet(folder / "results/cells.parquet")) == 0
    assert all(annotated(folder, name).shape == (0, 3) for name in BOTH_STORES)


def test_without_channels_there_are_shapes(tmp_path):
    folder = written(tmp_path / "out", measured_folders.make(tmp_path, channels=()))
    assert quant(folder)[0][9] == "Nucleus: Area µm^2"
    for name in BOTH_STORES:
        objects = annotated(folder, name)
        assert objects.shape[1] == 0 and objects.obs["cell_area_um2"].max() > 0


def test_shapes_are_measured_without_statistics(tmp_path, monkeypatch):
    monkeypatch.setattr(measured_folders, "STATISTICS", ())
    folder = written(tmp_path / "out", measured_folders.make(tmp_path))
    assert annotated(folder, "A12.h5ad").shape[1] == 0 and quant(folder)[0][9] == "Nucleus: Area µm^2"


def test_only_the_files_that_are_asked_for_are_written(tmp_path):
    made = measured_folders.make(tmp_path, outputs=["masks", "parquet"])
    folder = written(tmp_path / "out", made)
    assert [path.name for path in (folder / "results").iterdir()] == ["cells.parquet"]
    assert not (folder / "element").exists()


def test_no_name_of_a_channel_is_a_formula_in_a_spreadsheet(tmp_path):
    names = ("=SUM(A1)", "+CD3", '@CD8 "x"\t', "-CD4")
    folder = written(tmp_path / "out", measured_folders.make(tmp_path, channels=names, locations=["/data/=x.tif"]))
    header, row, *_ = quant(folder)
    assert header[9] == "'=SUM(A1): Nucleus: Mean" and "'+CD3: Cell: Max" in header
    assert '\'@CD8 "x" : Cell: Max' in header and row[0] == "'=x.tif"
    assert not any(cell.startswith(("=", "+", "@")) for cell in header + row)
    assert "=SUM(A1): Nucleus: Mean" in features(folder)[0]["properties"]["measurements"]


def test_columns_of_the_users_table_are_kept_whatever_their_names(tmp_path):
    metadata = {"Patient ID": "7", "Slide": "left", "label": "none", "µ": "=1+1"}
    folder = written(tmp_path / "out", measured_folders.make(tmp_path, metadata=metadata))
    table = pd.read_parquet(folder / "results/cells.parquet")
    assert set(table["Metadata_Patient ID"]) == {"7"} and set(table["Metadata_Slide"]) == {"A12"}
    assert set(table["Metadata_Slide_2"]) == {"left"}
    obs = annotated(folder, "element").obs  # SpatialData takes letters, digits, _, - and . alone
    assert set(obs["Patient_ID"]) == {"7"} and set(obs["label_2"]) == {"none"} and set(obs["_"]) == {"=1+1"}


def test_counts_are_those_of_the_label_images(slide, done):
    counts = json.loads((done / "counts.json").read_text())
    nuclei, cells = (set(np.unique(image)[1:].tolist()) for image in (slide.nuclei, slide.cells))
    assert counts["objects"] == counts["sampled"] == len(nuclei | cells)
    assert (counts["nuclei"], counts["cells"]) == (len(nuclei), len(cells))
    assert (counts["nuclei_alone"], counts["cells_alone"]) == (len(nuclei - cells), len(cells - nuclei))
    nucleus, cell = counts["areas"]
    sizes = np.bincount(slide.cells.ravel())[1:]
    assert cell["median"] == np.median(sizes[sizes > 0]) * 0.125 and cell["unit"] == "µm²"
    assert nucleus["compartment"] == "nucleus" and len(nucleus["edges"]) == len(nucleus["counts"]) + 1
    means = [values[42] for values in slide.values.values()]  # CD45, in cells
    assert counts["intensities"][1]["percentiles"]["50"] == np.nanmedian(means)


def test_an_object_that_was_measured_twice_is_refused(slide, tmp_path):
    with pytest.raises(RuntimeError, match="measured by two groups"):
        tables.write(slide.packet, [*slide.folders, slide.folders[0]], tmp_path / "out")


def test_objects_that_were_paired_and_not_measured_are_told(slide, tmp_path):
    pairs = {"paired": len(slide.values), "nuclei_alone": 1, "cells_alone": 0}
    with pytest.raises(RuntimeError, match=f"{len(slide.values)} objects were measured of {len(slide.values) + 1}"):
        tables.write(slide.packet, slide.folders, tmp_path / "out", pairs)


def test_the_command_writes_the_folder_and_its_cost(slide, tmp_path):
    packet = tmp_path / "packet.json"
    packet.write_text(json.dumps(slide.packet))
    command = [sys.executable, COMMAND, packet, tmp_path / "tables", *slide.folders]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    counts = json.loads((tmp_path / "tables/counts.json").read_text())
    assert done.stdout == f"A12: {counts['objects']} objects, {counts['cells']} cells\n"
    assert json.loads((tmp_path / "tables/tables.cost.json").read_text())["step"] == "tables"


def test_shapes_of_a_workspace_are_a_geometry_a_line_with_its_label(tmp_path, slide):
    tables.write(slide.packet | {"workspace": {"segmasks": "/data/SEGMASK"}}, slide.folders, tmp_path / "tables")
    for name, image in ("nuclei", slide.nuclei), ("cells", slide.cells):
        lines = (tmp_path / f"tables/shapes/{name}.jsonl").read_text().splitlines()
        shapes = {shape["label"]: shapely.from_geojson(json.dumps(shape)) for shape in map(json.loads, lines)}
        labels, pixels = np.unique(image[image > 0], return_counts=True)
        assert list(shapes) == labels.tolist()
        assert [shape.area for shape in shapes.values()] == pixels.tolist()


def test_only_a_workspace_gets_shapes(done):
    assert not (done / "shapes").exists()
