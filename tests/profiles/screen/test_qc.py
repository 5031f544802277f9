"""Quality control: every image and cell once, marked by what is known of the whole screen, however it is read."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import screen_qc as command
from idrstream.base import files, stage_folder
from idrstream.images.frames import image_key
from idrstream.images.labels import write_cells
from idrstream.runs import ledger
from idrstream.screen import profiles, qc, results, rules
from idrstream.screen.rules import Rule

RECIPE = {"features": "deep"}
CONTROL = "negative control"
SHIPPED = Path(command.__file__).parents[1] / "assets/qc.yml"


def cells_of(areas):
    """A table of cells as SEGMENT writes it; the last touches the border, the first is not solid."""
    count = len(areas)
    cells = {"label": np.arange(1, count + 1), "center_y": np.ones(count), "center_x": np.ones(count)}
    cells |= {"area": np.array(areas), "solidity": np.linspace(0.5, 1, count)}
    return cells | {"touches_border": np.arange(count) == count - 1}


def commit(out, batch, images, features=True, failed=(), plate="PA"):
    """Commit a batch of IMAGES (well -> areas of its cells) as the stages would, with features or stopped before."""
    work = out.parent / f"work-{batch}"
    rows = []
    for number, (well, areas) in enumerate(images.items(), 1):
        name = image_key(plate, well, 1, 1)
        row = {"id": name, "key": name, "plate": plate, "well": well, "well_number": number, "site": 1, "frame": 1}
        row |= {"status": "failed" if well in failed else "ok", "reason": "Truncated: cut" if well in failed else ""}
        row |= {"retryable": False, "shape": [9, 9], "bytes": 10, "seconds": 0.5}
        row |= {"metadata": {"Control_Type": CONTROL, "Gene": "INCENP"}}
        looked_at = {"focus": -2.0 - number / 100, "saturation": 0.0, "background": 10.0 + number}
        looked_at |= {"unwritten": 0.25 * (well == "A02")}
        rows.append(row | dict.fromkeys(looked_at) if well in failed else row | looked_at)
        for folder in "labels", "features":
            (work / folder).mkdir(parents=True, exist_ok=True)
        cells = cells_of(areas)
        write_cells(work / "labels", name, cells)
        made = {"features": np.zeros((len(areas), 1)), "padded": np.full(len(areas), 0.3, np.float32)}
        write_cells(work / "features", name, {"label": cells["label"]} | made)
    stage_folder.write_rows(work / "frames", rows)
    files.write_json(work / "features/provenance.json", {"model": "net", "features": ["net_0"]})
    table, rows = profiles.single_cells(work / "frames", work / "labels", [work / "features"] * features)
    place = profiles.FOLDER if features else profiles.UNMEASURED
    profiles.write(table, rows, batch, work / "tables/results", place)
    stage_folder.write_rows(work / "tables", rows)
    files.write_json(work / "tables" / stage_folder.PROVENANCE, {})
    recipe = RECIPE if features else {"features": "none"}
    packet = {
        "id": batch,
        "number": 0,
        "session": "s",
        "recipe": recipe,
        "references": {},
        "supersedes": [],
        "kept": [],
    }
    results.commit(packet, work / "tables", work / "labels", out)


@pytest.fixture
def out(tmp_path):
    """Five images: two with features, one only segmented, one without a cell, one that failed."""
    commit(tmp_path / "out", "q0000", {"A01": [100, 110, 20], "A03": [90, 100, 110, 120]}, features=False)
    commit(tmp_path / "out", "b0000", {"A01": [100, 110, 20], "A02": [95, 105, 400]})
    commit(tmp_path / "out", "b0001", {"A04": [], "A05": []}, failed=["A05"])
    (tmp_path / "out/images.tsv").write_text("row\tplate\twell\tsite\tframe\n7\tPA\tA02\t1\t1\n\tPA\tA01\t1\t1\n")
    return tmp_path / "out"


SMALL = Rule("small", "Metadata_Area", "debris", z=-3.5)
LARGE = Rule("large", "Metadata_Area", "clump", z=3.5)
BORDER = Rule("on_border", "Metadata_TouchesBorder", "cut", above=0)
PADDED = Rule("padded", "Metadata_CropPaddedFraction", "outside", above=0.25)
EMPTY = Rule("no_nuclei", "cells", "nothing there", below=1)


def test_every_image_is_a_row_with_its_wells_role_though_it_has_no_cell_or_failed(out, tmp_path):
    total, marks = qc.write_images(out, ledger.read(out)[0], [EMPTY], tmp_path / "images.parquet")
    table = pd.read_parquet(tmp_path / "images.parquet").set_index("well")
    assert (total, marks) == (5, {"no_nuclei": 1})
    assert table["status"].to_dict() == {"A01": "ok", "A02": "ok", "A03": "ok", "A04": "ok", "A05": "failed"}
    assert set(table["control_type"]) == {CONTROL} and set(table["gene"]) == {"INCENP"}
    assert table["cqc.no_nuclei.is_outlier"].to_dict() == {w: w == "A04" for w in table.index}
    assert table["cqc.no_nuclei.is_outlier"].dtype == bool
    assert table.loc["A02", "row"] == 7 and table["row"].notna().sum() == 1
    assert table.loc["A05", "reason"] == "Truncated: cut" and "variant" not in table
    assert table.loc["A02", "background"] == 12


def test_wells_are_numbered_by_the_format_of_the_run_whatever_their_batch_had(out, tmp_path):
    commit(out, "b0002", {"B01": [], "C01": [], "A13": []}, failed=["A13"])
    (out / "pipeline_info").mkdir()
    (out / "pipeline_info/plan.json").write_text('{"wells": [8, 12]}')
    qc.write_images(out, ledger.read(out)[0], [EMPTY], tmp_path / "images.parquet")
    table = pd.read_parquet(tmp_path / "images.parquet").set_index("well")
    assert table.loc[["A02", "B01", "C01"], "well_number"].tolist() == [2, 13, 25]
    assert table["well_number"].isna().sum() == 1 and np.isnan(table.loc["A13", "well_number"]), (
        "no well of such plates"
    )


def test_an_image_of_which_a_part_was_never_written_is_marked_by_the_shipped_rule(out, tmp_path):
    (shipped,) = (rule for rule in rules.read(SHIPPED)["images"] if rule.name == "incomplete")
    _, marks = qc.write_images(out, ledger.read(out)[0], [shipped], tmp_path / "images.parquet")
    table = pd.read_parquet(tmp_path / "images.parquet").set_index("well")
    assert marks == {"incomplete": 1} and table["cqc.incomplete.is_outlier"].to_dict() == {
        w: w == "A02" for w in table.index
    }
    assert table.loc["A02", "unwritten"] == 0.25 and np.isnan(table.loc["A05", "unwritten"])


def test_every_cell_is_a_row_once_with_features_or_without(out, tmp_path):
    total, marks = qc.write_cells(out, ledger.read(out)[0], [SMALL, LARGE, BORDER, PADDED], tmp_path / "cells.parquet")
    table = pd.read_parquet(tmp_path / "cells.parquet").set_index("Metadata_Cell_ID")
    assert total == len(table) == 10 and table.index.is_unique
    assert marks == {"small": 1, "large": 1, "on_border": 3, "padded": 6}
    assert table.index[table["cqc.small.is_outlier"]].tolist() == ["PA_A01_s1_f1_c3"]
    assert table.index[table["cqc.large.is_outlier"]].tolist() == ["PA_A02_s1_f1_c3"]
    assert table["Metadata_CropPaddedFraction"].isna().sum() == 4
    assert not table.loc[table["Metadata_CropPaddedFraction"].isna(), "cqc.padded.is_outlier"].any()
    assert table.dtypes[[c for c in table if c.startswith("cqc.")]].eq(bool).all()
    assert set(table["Metadata_Control_Type"]) == {CONTROL}


def test_reading_piece_by_piece_changes_nothing(out, tmp_path, monkeypatch):
    asked = rules.read(SHIPPED)["cells"]
    whole = qc.write_cells(out, ledger.read(out)[0], asked, tmp_path / "whole.parquet")
    monkeypatch.setattr(qc, "PIECE", 2)
    monkeypatch.setattr(qc, "GROUP", 4)
    assert qc.write_cells(out, ledger.read(out)[0], asked, tmp_path / "pieces.parquet") == whole
    pieces = pq.ParquetFile(tmp_path / "pieces.parquet")
    assert pieces.metadata.num_row_groups > 2
    assert pieces.read().equals(pq.read_table(tmp_path / "whole.parquet"))


@pytest.mark.parametrize("name", ["blurred", "background_high", "background_low"])
def test_an_image_is_compared_with_those_of_its_plate(name, tmp_path):
    rule = next(rule for rule in rules.read(SHIPPED)["images"] if rule.name == name)
    random = np.random.default_rng(0)
    plates = {"PA": random.normal(-2.2, 0.03, 40), "PB": random.normal(-3.2, 0.03, 12)}
    odd = {"PA": -2.2 + np.sign(rule.z) * 0.5, "PB": -3.2 + np.sign(rule.z) * 0.5}
    rows = [(plate, value) for plate, values in plates.items() for value in (*values, odd[plate])]
    marked = _marks(rule, [*rows, ("PC", np.nan)], tmp_path)
    assert marked == [value in odd.values() for _, value in rows] + [False]


def test_a_plate_of_few_images_is_compared_with_the_screen(tmp_path):
    rule, values = Rule("blurred", "focus", "dull", z=-3.5), [-2.0, -2.1, -1.9, -2.2, -1.8, -2.05, -2.0, -1.95, -2.1]
    rows = [("PA", value) for value in values] + [("PB", -2.0), ("PB", -2.0), ("PB", -2.01), ("PB", -2.1), ("PB", -5)]
    assert _marks(rule, rows, tmp_path) == [False] * 13 + [True]


@pytest.mark.parametrize("piece", [7, 4096])
def test_a_cell_is_compared_with_those_of_its_plate_however_its_table_is_read(piece, tmp_path, monkeypatch):
    monkeypatch.setattr(qc, "PIECE", piece)
    random = np.random.default_rng(0)
    areas = {"PA": [*random.normal(900, 20, 50), 400], "PB": [*random.normal(400, 20, 20), 900]}
    for number, (plate, own) in enumerate(areas.items()):
        commit(tmp_path / "out", f"b{number:04d}", {"A01": np.rint(own).astype(int)}, plate=plate)
    qc.write_cells(tmp_path / "out", ledger.read(tmp_path / "out")[0], [SMALL, LARGE], tmp_path / "cells.parquet")
    cells = pd.read_parquet(tmp_path / "cells.parquet").set_index(["Metadata_Plate", "Metadata_Label"])
    assert cells.index[cells["cqc.small.is_outlier"]].tolist() == [("PA", 51)]
    assert cells.index[cells["cqc.large.is_outlier"]].tolist() == [("PB", 21)]


def _marks(rule, rows, folder):
    """The marks of images, by RULE; ROWS: (plate, value of the rule's column)."""
    images = []
    for number, (plate, value) in enumerate(rows, 1):
        place = {"plate": plate, "well": "A01", "well_number": 1, "site": number, "frame": 1}
        name = image_key(plate, "A01", number, 1)
        images.append({"id": name, "key": name, "status": "ok", rule.column: value} | place)
    entry = {"batch": "b0000", "recipe": RECIPE, "images": images}
    qc.write_images(folder, [entry], [rule], folder / "images.parquet")
    return pd.read_parquet(folder / "images.parquet")[rule.mark].tolist()


@pytest.mark.parametrize("kind", ["whole numbers", "shares", "skewed", "one", "none", "missing"])
def test_median_and_deviation_of_pieces_are_those_of_the_whole(kind):
    random = np.random.default_rng(0)
    values = {
        "whole numbers": random.integers(10, 9000, 10_001),
        "shares": random.random(10_000).astype(np.float32),
        "skewed": -np.exp(random.normal(3, 2, 10_000)),
        "one": np.array([5]),
        "none": np.array([], np.int32),
        "missing": np.where(random.random(999) < 0.5, np.nan, random.integers(0, 99, 999)),
    }[kind].astype(np.float64)
    spread = qc.Spread()
    for piece in np.array_split(values, 7):
        spread.add(piece)
    there = values[np.isfinite(values)]
    median = np.median(there) if len(there) else 0
    deviation = 1.4826 * np.median(np.abs(there - median)) if len(there) else 0
    exact = kind in ("whole numbers", "one", "none", "missing")
    assert spread.median == pytest.approx(median, rel=0 if exact else 7e-5, abs=0)
    assert spread.deviation == pytest.approx(deviation, rel=1e-12 if exact else 3e-4)


def test_memory_of_the_spread_does_not_grow_with_the_cells():
    spread, random = qc.Spread(), np.random.default_rng(0)
    for _ in range(40):
        spread.add(random.random(100_000))
    assert len(spread._values) < 1 << 17  # of four million different values


def test_where_all_are_alike_none_is_far_from_the_median():
    spread = qc.Spread()
    spread.add(np.array([5.0, 5, 5, 5, 9]))
    assert not qc.broken(LARGE, np.array([5.0, 9, np.nan]), spread).any()


def test_a_folder_without_a_cell_or_an_image_has_its_tables(tmp_path):
    (tmp_path / "out").mkdir()
    done = CliRunner().invoke(command.main, [str(tmp_path / "out"), str(tmp_path / "qc"), "--rules", str(SHIPPED)])
    assert done.exit_code == 0, done.output
    asked = rules.read(SHIPPED)
    for name in "images", "cells":
        table = pq.read_table(tmp_path / f"qc/{name}.parquet")
        reasons = [field.metadata[b"reason"].decode() for field in table.schema if field.name.startswith("cqc.")]
        assert len(table) == 0 and len(reasons) > 1
        assert reasons == [rule.reason for rule in asked[name]]


def test_the_command_tells_what_is_marked(out, tmp_path):
    done = CliRunner().invoke(command.main, [str(out), str(tmp_path / "qc"), "--rules", str(SHIPPED)])
    assert done.exit_code == 0, done.output
    assert "5 images: " in done.output and "1 no_nuclei" in done.output and "10 cells: " in done.output
