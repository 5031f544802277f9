"""The CSV files are IDR_stream's: whoever read those reads these, and every number is the one in the Parquet files."""

import itertools
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import screen_export as command
from idrstream.base import files, stage_folder, tables
from idrstream.images.frames import image_key
from idrstream.images.labels import write_cells
from idrstream.images.outlines import write_outlines
from idrstream.screen import profiles
from idrstream.screen.export import Export
from support import enter

NAMES = [f"efficientnet_{number}" for number in range(6)]

# Row of the input table (None: of an earlier run's), plate, number of the well in row A, frame, cells (None: failed).
IMAGES = [
    (0, "PB", 4, 51, 2),
    (0, "PB", 4, 9, 3),
    (1, "PA", 3, 7, 0),
    (2, "PA", 15, 50, 4),
    (3, "PA", 16, 50, None),
    (4, "PB", 1, 2, 0),
    (5, "PB", 2, 2, None),
    (6, "PA", 1, 1, 1),
    (None, "PA", 2, 9, 2),
]
ORDER = ["PB/PB_4_9.tif"] * 3 + ["PB/PB_4_51.tif"] * 2 + ["PA/PA_15_50.tif"] * 4 + ["PA/PA_1_1.tif"]
MODEL = "efficientnet-lite0 0123456789ab 224"


def finished(folder, images=IMAGES, outlines=True, replicate="", site=1, batches=2, variants=("",)):
    """An output folder with these images in as many Parquet batches, dealt out in turn; batches of two rows."""
    rows, random = [], np.random.default_rng(0)
    for (ordinal, plate, number, frame, count), variant in itertools.product(images, variants):
        name = image_key(plate, f"A{number:02}", site, frame, variant)
        row = {"id": name, "key": name, "plate": plate, "well": f"A{number:02}", "well_number": number, "site": site}
        row |= {"frame": frame, "row": ordinal, "cells": count, "status": "failed" if count is None else "ok"}
        row |= {"reason": "TruncatedFile: it ends early" if count is None else ""}
        row |= {"metadata": {"Gene": "INCENP", "Gene_Replicate": replicate}}
        if variant:
            row |= {"variant": variant, "metadata": row["metadata"] | {"Illumination": variant}}
        rows.append(row)
    for batch in range(batches):
        stages = [folder / f"work-{batch}" / stage for stage in ("frames", "labels", "features", "measures")]
        for stage in stages:
            stage.mkdir(parents=True)
        stage_folder.write_rows(stages[0], rows[batch::batches])
        files.write_json(stages[2] / "provenance.json", {"model": MODEL, "features": NAMES})
        files.write_json(stages[3] / "provenance.json", {"model": "cp_measure", "features": ["Nuclei_AreaShape_Area"]})
        for row in rows[batch::batches]:
            count = row["cells"] or 0
            cells = {"label": np.arange(1, count + 1)} | {f"center_{axis}": random.random(count) * 999 for axis in "yx"}
            cells |= dict.fromkeys(("area", "solidity", "touches_border"), np.ones(count))
            values = random.integers(0, 2**32, (count, len(NAMES)), np.uint32).view(np.float32)
            features = np.where(np.isfinite(values), values, np.float32(0.1))
            write_cells(stages[1], row["key"], cells)
            write_cells(stages[2], row["key"], {"label": cells["label"], "features": features})
            write_cells(stages[3], row["key"], {"label": cells["label"], "features": features[:, :1]})
            if outlines and row["status"] == "ok":
                where = folder / "out" / "outlines" / f"plate={row['plate']}"
                where.mkdir(parents=True, exist_ok=True)
                drawn = [ring(label) for label in cells["label"]]
                write_outlines(where, row["key"], [[[outline]] for outline in drawn], drawn)
        results = folder / f"work-{batch}" / "results"
        results.mkdir()
        profiles.write(*profiles.single_cells(*stages[:2], stages[2:]), f"b{batch:04}", results)
        shutil.copytree(results, folder / "out", dirs_exist_ok=True)
    columns = ["row", "plate", "well", "well_number", "site", "frame", "status", "reason", "cells"]
    columns += ["variant"] * (variants != ("",))
    tables.write(folder / "out" / "images.tsv", columns, sorted(rows, key=lambda row: row["key"]))
    files.write_json(folder / "out" / "pipeline_info" / "run.json", {"params": {"batch_size": 2}})
    return enter(folder / "out")


def ring(label):
    """Corners of the outline of a cell, (y, x): of the first one pixel, of the third 1,200 of them."""
    length = {1: 1, 3: 1200}.get(label, 8)
    return np.stack([np.arange(length) + 5, np.arange(length) * label % 97], axis=1)


def exported(outdir, folder, *options):
    """Run the command; returns what it says."""
    done = CliRunner().invoke(command.main, [str(outdir), str(folder), *options])
    assert done.exit_code == 0, done.output
    return done.output


def refused(outdir, folder, *options):
    done = CliRunner().invoke(command.main, [str(outdir), str(folder), *options])
    assert done.exit_code == 64
    return done.output


def read(path):
    return pd.read_csv(path, index_col=0)


def loaded(folder):
    """A folder of merged batches, read as mitocheck_data reads it (utils/load_utils.py)."""
    header = pd.read_csv(folder / "batch_0.csv.gz", compression="gzip", index_col=0, low_memory=False, nrows=1)
    columns = header.columns.to_list()
    columns.remove("DP__Metadata_Model")
    batches = []
    for path in folder.iterdir():
        batch = pd.read_csv(path, compression="gzip", usecols=columns)
        batch[["Metadata_Well", "Metadata_Frame"]] = batch["Metadata_Well"].str.split("_", expand=True)
        batches.append(batch)
    return pd.concat(batches, ignore_index=True)


def corners(text):
    """An outline, parsed as mitocheck_data parses it (utils/training_data_utils.py) before shapely gets it."""
    pairs = [line[1:-1].split() for line in text[1:-1].split("\n ")]
    return [[int(pair[0]), int(pair[1])] for pair in pairs]


@pytest.fixture
def outdir(tmp_path):
    return finished(tmp_path)


@pytest.fixture
def csv(outdir, tmp_path):
    exported(outdir, tmp_path / "csv", "--shape", "DP,CP,merged")
    return tmp_path / "csv"


def test_the_columns_are_idr_streams_in_its_order(csv):
    dp, cp, merged = (list(read(csv / f"{shape}_features" / "batch_0.csv.gz")) for shape in ("DP", "CP", "merged"))
    shared = "Location_Center_X Location_Center_Y Metadata_Plate Metadata_Well Metadata_Site Metadata_Plate_Map_Name "
    shared = (shared + "Metadata_DNA Metadata_Gene Metadata_Gene_Replicate").split()
    assert dp == ["Object_Outline", *shared, "Metadata_Model", *NAMES]
    assert cp == [*shared, "AreaShape_Area"]
    assert merged == [
        "Cell_UUID",
        *shared,
        "CP__AreaShape_Area",
        "DP__Object_Outline",
        "DP__Metadata_Model",
        *(f"DP__{name}" for name in NAMES),
    ]


def test_a_cell_is_named_as_idr_stream_names_it(csv):
    cell = read(csv / "DP_features" / "batch_0.csv.gz").iloc[3]
    named = ["Plate", "Well", "Site", "Plate_Map_Name", "DNA", "Gene", "Gene_Replicate", "Model"]
    values = ["PB", "4_51", 1, "PB_4", "PB/PB_4_51.tif", "INCENP", 1, MODEL]
    assert cell[[f"Metadata_{name}" for name in named]].tolist() == values


def test_the_consumer_of_the_merged_files_reads_every_cell(csv):
    cells = loaded(csv / "merged_features")
    assert len(cells) == len(ORDER)
    assert set(cells["Metadata_Well"] + " " + cells["Metadata_Frame"]) == {"4 9", "4 51", "15 50", "1 1"}
    assert [name for name in cells if "DP__" in name] == ["DP__Object_Outline", *(f"DP__{name}" for name in NAMES)]
    assert cells["Cell_UUID"].is_unique
    assert cells[["Location_Center_X", "Location_Center_Y", "Metadata_Gene_Replicate"]].dtypes.eq("int64").all()


def test_all_shapes_hold_the_same_cells_in_the_same_rows(csv):
    for number in 0, 1, 3:
        dp, cp, merged = (read(csv / f"{s}_features" / f"batch_{number}.csv.gz") for s in ("DP", "CP", "merged"))
        assert (dp["Metadata_DNA"] == cp["Metadata_DNA"]).all()
        assert (cp["AreaShape_Area"] == merged["CP__AreaShape_Area"]).all()
        assert (dp["Metadata_DNA"] == merged["Metadata_DNA"]).all()
        assert (dp["Location_Center_X"] // 1 == merged["Location_Center_X"]).all()
        assert (dp[NAMES].to_numpy() == merged[[f"DP__{name}" for name in NAMES]].to_numpy()).all()


@pytest.mark.parametrize("batches", [1, 2, 5])
def test_cells_stand_in_the_order_of_the_table_however_they_were_computed(batches, tmp_path):
    out = finished(tmp_path, batches=batches)
    exported(out, tmp_path / "csv")
    tables_read = [read(tmp_path / f"csv/DP_features/batch_{number}.csv.gz") for number in (0, 1, 3)]
    assert pd.concat(tables_read)["Metadata_DNA"].tolist() == ORDER
    assert [len(table) for table in tables_read] == [5, 4, 1]
    cells = pd.read_parquet(out / "profiles").set_index(["Metadata_Plate", "Metadata_Frame", "Metadata_Label"])
    third = tables_read[0].iloc[2]
    assert third["Location_Center_Y"] == cells.loc[("PB", 9, 3), "Metadata_Center_Y"]


def test_images_are_named_by_the_numbers_of_images_tsv_whatever_format_of_plates_their_batch_had(outdir, tmp_path):
    table = pd.read_table(outdir / "images.tsv", dtype=str, keep_default_na=False)
    table["well_number"] = table["well_number"].replace("15", "39")
    table.to_csv(outdir / "images.tsv", sep="\t", index=False)
    exported(outdir, tmp_path / "csv", "--batch_size", "100")
    names = read(tmp_path / "csv/DP_features/batch_0.csv.gz")["Metadata_DNA"]
    assert names.tolist() == [name.replace("PA_15", "PA_39") for name in ORDER]


def test_every_feature_read_back_is_the_one_in_the_parquet_bit_by_bit(outdir, tmp_path):
    exported(outdir, tmp_path / "csv", "--batch_size", "100")
    back = read(tmp_path / "csv/DP_features/batch_0.csv.gz")
    order = ["Metadata_DNA", "Location_Center_X"]
    back = back.sort_values(order)
    cells = pd.read_parquet(outdir / "profiles").query("Metadata_WellNumber != 2")
    name = cells["Metadata_Plate"] + "_" + cells["Metadata_WellNumber"].astype(str)
    cells = cells.assign(
        Metadata_DNA=cells["Metadata_Plate"] + "/" + name + "_" + cells["Metadata_Frame"].astype(str) + ".tif",
        Location_Center_X=cells["Metadata_Center_X"],
    ).sort_values(order)
    assert len(back) == len(ORDER)
    for column in NAMES:
        text = back[column].to_numpy().astype(np.float32)
        assert (text.view(np.uint32) == cells[column].to_numpy().view(np.uint32)).all()


def test_the_same_folder_gives_the_same_bytes(outdir, csv, tmp_path):
    shutil.copytree(outdir, tmp_path / "moved")
    exported(tmp_path / "moved", tmp_path / "again", "--shape", "merged", "--shape", "DP,CP")
    files_made = sorted(path.relative_to(csv) for path in csv.rglob("*.gz"))
    assert len(files_made) == 9
    assert all((csv / path).read_bytes()[4:8] == bytes(4) for path in files_made)  # where gzip keeps the time
    assert all((csv / path).read_bytes() == (tmp_path / "again" / path).read_bytes() for path in files_made)


def test_outlines_are_parsed_to_their_corners_x_before_y_and_never_abbreviated(csv):
    outlines = read(csv / "DP_features" / "batch_0.csv.gz")["Object_Outline"]
    for label, text in zip([1, 2, 3, 1, 2], outlines, strict=True):
        asked = ring(label)[:, ::-1].tolist()
        assert corners(text)[: len(asked)] == asked
        assert len(corners(text)) == max(len(asked), 4)
    assert outlines[1] == str(ring(2)[:, ::-1])
    assert "..." not in outlines[2] and "..." in str(ring(3))


def test_without_outlines_there_is_no_column_of_them(tmp_path):
    exported(finished(tmp_path, outlines=False), tmp_path / "csv")
    assert "Object_Outline" not in read(tmp_path / "csv/DP_features/batch_0.csv.gz")


def test_images_without_outlines_beside_others_are_said_and_have_empty_ones(outdir, tmp_path):
    (outdir / "outlines/plate=PB/PB_A04_s1_f9.geojson").unlink()
    assert "Object_Outline is empty for 1 image without outlines" in exported(outdir, tmp_path / "csv")
    outlines = read(tmp_path / "csv/DP_features/batch_0.csv.gz")["Object_Outline"]
    assert outlines.isna().tolist() == [True, True, True, False, False]


def test_batch_0_is_there_without_a_cell_and_other_batches_without_one_are_not(tmp_path):
    out = finished(tmp_path, IMAGES[2:])
    said = exported(out, tmp_path / "csv", "--shape", "merged")
    assert sorted(path.name[:-7] for path in (tmp_path / "csv/merged_features").iterdir()) == [
        "batch_0",
        "batch_1",
        "batch_3",
    ]
    first, other = (read(tmp_path / f"csv/merged_features/batch_{number}.csv.gz") for number in (0, 1))
    assert len(first) == 0
    assert list(first.columns) == list(other.columns)
    assert "no file for batches without cells: 0, 2 (batch 0 has a file with the header only)" in said


def test_images_of_an_earlier_table_are_left_out_and_said(outdir, tmp_path):
    said = exported(outdir, tmp_path / "csv", "--batch_size", "100")
    assert "10 cells in 1 batch\n1 image not exported: not in the last run's input table" in said
    assert "PA_2" not in set(read(tmp_path / "csv/DP_features/batch_0.csv.gz")["Metadata_Plate_Map_Name"])


@pytest.mark.parametrize(("given", "written"), [("", 1), ("2", 2)])
def test_the_replicate_is_the_tables_and_1_where_it_has_none(given, written, tmp_path):
    exported(finished(tmp_path, replicate=given), tmp_path / "csv")
    assert set(read(tmp_path / "csv/DP_features/batch_0.csv.gz")["Metadata_Gene_Replicate"]) == {written}


def test_two_sites_of_a_well_never_share_a_name_of_an_image(tmp_path):
    exported(finished(tmp_path, site=2), tmp_path / "csv")
    cells = read(tmp_path / "csv/DP_features/batch_0.csv.gz")
    assert cells["Metadata_DNA"][0] == "PB/PB_4_9_s2.tif"
    assert cells["Metadata_Well"][0] == "4_9"


def test_a_uuid_depends_on_the_cell_alone(csv, outdir, tmp_path):
    exported(outdir, tmp_path / "other", "--shape", "merged", "--batch_size", "7")
    one, other = (loaded(folder / "merged_features") for folder in (csv, tmp_path / "other"))
    keys = ["Metadata_DNA", "Location_Center_X", "Cell_UUID"]
    assert set(one[keys].itertuples(index=False)) == set(other[keys].itertuples(index=False))


def test_another_exports_batches_are_not_mixed_with_these(outdir, csv):
    said = refused(outdir, csv, "--batch_size", "3")
    assert "DP_features: batch_1.csv.gz and 1 more of another export; delete them, or name another folder" in said
    assert len(read(csv / "DP_features/batch_0.csv.gz")) == 5


def test_a_killed_export_leaves_nothing_that_is_taken_for_a_batch(outdir, csv, monkeypatch):
    whole = (csv / "DP_features/batch_0.csv.gz").read_bytes()

    def kill(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("pyarrow.csv.write_csv", kill)
    with pytest.raises(KeyboardInterrupt):
        Export(outdir, ["DP"]).write(0, csv)
    assert (csv / "DP_features/batch_0.csv.gz").read_bytes() == whole
    monkeypatch.undo()
    (csv / "DP_features/.batch_9.csv.gz.part").write_bytes(whole[:50])
    exported(outdir, csv)
    assert all(path.suffix == ".gz" for path in (csv / "DP_features").iterdir())


def test_a_cell_whose_outline_is_lost_is_said(outdir, tmp_path):
    two = [ring(1), ring(2)]
    write_outlines(outdir / "outlines/plate=PB", "PB_A04_s1_f9", [[[outline]] for outline in two], two)
    assert "PB_A04_s1_f9.geojson has no outline of cell 3" in refused(outdir, tmp_path / "csv")
    assert not list((tmp_path / "csv").rglob("*.gz"))


def test_files_of_features_that_the_cells_have_not_are_refused(outdir, tmp_path):
    for path in outdir.glob("profiles/single_cells/plate=*/*.parquet"):
        table = pd.read_parquet(path, partitioning=None)
        table.drop(columns=NAMES).to_parquet(path, index=False)
    enter(outdir)
    assert "DP files hold deep features, which its cells do not have" in refused(outdir, tmp_path / "csv")
    assert not (tmp_path / "csv").exists()
    exported(outdir, tmp_path / "csv", "--shape", "CP,merged")
    assert not any(name.startswith("DP__efficientnet") for name in loaded(tmp_path / "csv/merged_features"))


def _without_images(out):
    (out / "images.tsv").unlink()


def _without_row(out):
    pd.read_table(out / "images.tsv").drop(columns="row").to_csv(out / "images.tsv", sep="\t", index=False)


def _without_size(out):
    (out / "pipeline_info/run.json").unlink()


def _without_cells(out):
    shutil.rmtree(out / "profiles")


def _lost(out):
    next(Path(out).glob("profiles/single_cells/plate=PB/*.parquet")).unlink()
    enter(out)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_without_images, "there is no images.tsv; name the --outdir of a run that has ended"),
        (_without_row, 'images.tsv has no column "row"; run the pipeline again'),
        (_without_size, "run.json does not have the batch size; give --batch_size"),
        (_without_cells, "PA_A01_s1_f1 has 1 cells in images.tsv, 0 in profiles/single_cells"),
        (_lost, "PB_A04_s1_f51 has 2 cells in images.tsv, 0 in profiles/single_cells"),
    ],
)
def test_a_folder_that_cannot_be_exported_is_refused_in_a_sentence_and_nothing_written(
    spoil, sentence, outdir, tmp_path
):
    spoil(outdir)
    said = refused(outdir, tmp_path / "csv")
    assert sentence in said
    assert not (tmp_path / "csv").exists()


def test_a_table_that_the_ledger_does_not_name_is_not_exported(outdir, tmp_path):
    exported(outdir, tmp_path / "before")
    path = next(outdir.glob("profiles/single_cells/plate=PB/*.parquet"))
    shutil.copy(path, path.with_name("again.parquet"))
    exported(outdir, tmp_path / "after")
    names = sorted(path.name for path in (tmp_path / "before/DP_features").iterdir())
    assert len(names) > 1
    for name in names:
        assert (tmp_path / "after/DP_features" / name).read_bytes() == (
            tmp_path / "before/DP_features" / name
        ).read_bytes()


def test_a_run_of_which_no_image_could_be_had_exports_nothing_and_says_so(tmp_path):
    out = finished(tmp_path, IMAGES[4:5])
    shutil.rmtree(out / "profiles", ignore_errors=True)
    said = refused(out, tmp_path / "csv", "--shape", "DP,CP,merged")
    assert "nothing exported: no image has a table of cells" in said
    assert not (tmp_path / "csv").exists()
    assert not list((tmp_path / "csv").rglob("*.gz"))


def test_an_unknown_shape_is_said(outdir, tmp_path):
    done = CliRunner().invoke(command.main, [str(outdir), str(tmp_path / "csv"), "--shape", "XP"])
    assert "'XP' is none of DP, CP, merged" in done.output
