"""Profiles of wells and normalised cells, checked against arithmetic done by hand; what cannot be made is said."""

import json

import anndata
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from sklearn.preprocessing import StandardScaler

import screen_normalize_cells
import screen_plate_profiles
import screen_to_anndata
from idrstream.screen import normalized_cells, single_cells
from support import enter

NEGATIVE = single_cells.NEGATIVE
FEATURES = ["net_0", "net_1", "Nuclei_AreaShape_Area"]


def cells(plate, well, control, values, frame=1):
    """One well's cells with these values of the first feature; the second is its square, the third its double."""
    columns = {"Plate": plate, "Well": f"A{well:02d}", "WellNumber": well, "Site": 1, "Frame": frame}
    columns |= {"Control_Type": control, "Gene": f"G{well}", "Label": range(len(values))}
    columns |= {"Cell_ID": [f"{plate}_{well}_{frame}_{label}" for label in range(len(values))]}
    columns |= {"Area": 5, "Solidity": np.float32(0.9), "TouchesBorder": False}
    table = pd.DataFrame({f"Metadata_{name}": value for name, value in columns.items()}, index=range(len(values)))
    first = np.array(values, np.float32)
    return table.assign(**dict(zip(FEATURES, (first, first**2, 2 * first), strict=True)))


def screen(folder, *batches):
    """An output folder with these batches, each a list of cells of one plate."""
    for number, wells in enumerate(batches):
        table = pd.concat(wells)
        plate = table["Metadata_Plate"].iloc[0]
        path = folder / single_cells.FOLDER / f"plate={plate}" / f"b{number:04d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pandas(table, preserve_index=False), path)
    return enter(folder)


@pytest.fixture
def outdir(tmp_path):
    """Plate P with three controls of medians 1, 2 and 6, one well in two batches; plate Q with a single control."""
    first = [cells("P", 1, NEGATIVE, [0, 1, 50]), cells("P", 2, NEGATIVE, [2]), cells("P", 3, NEGATIVE, [6, 6])]
    second = [cells("P", 4, "", [7, 8]), cells("P", 5, "positive control", [3])]
    third = [cells("P", 4, "", [9, 100, 9], frame=2)]
    return screen(tmp_path / "out", first, second, third, [cells("Q", 1, NEGATIVE, [4]), cells("Q", 2, "", [5])])


def made(command, outdir, folder, *options):
    done = CliRunner().invoke(command.main, [str(outdir), str(folder), *options])
    assert done.exit_code == 0, done.output
    return done.output


def refused(command, outdir, folder):
    """What a command says that has nothing to make, and so makes no folder that could take another's place."""
    done = CliRunner().invoke(command.main, [str(outdir), str(folder)])
    assert done.exit_code == 64
    assert not folder.exists()
    return done.output


def read(folder):
    return pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("**/*.parquet"))], ignore_index=True)


def test_wells_are_told_by_name_and_numbered_by_one_format_though_batches_had_others(tmp_path):
    first = [cells("P", 1, NEGATIVE, [1]), cells("P", 2, "", [2, 4]).assign(Metadata_Well="B01")]
    second = [cells("P", 2, "", [10]), cells("P", 25, "", [6, 6]).assign(Metadata_Well="B01")]
    outdir = screen(tmp_path / "out", first, second)
    numbers = {"A01": 1, "A02": 2, "B01": 25}
    (outdir / "pipeline_info").mkdir()
    (outdir / "pipeline_info/plan.json").write_text('{"wells": [16, 24]}')  # and no image is of the last run's table
    made(screen_plate_profiles, outdir, tmp_path / "wells")
    wells = read(tmp_path / "wells/aggregated").set_index("Metadata_Well")
    assert wells["Metadata_WellNumber"].to_dict() == numbers
    assert wells["net_0"].to_dict() == {"A01": 1, "A02": 10, "B01": 5}


def test_a_well_is_the_median_of_its_cells_in_all_batches_and_frames(outdir, tmp_path):
    made(screen_plate_profiles, outdir, tmp_path / "wells", "--profile_by", "well")
    wells = read(tmp_path / "wells/aggregated").set_index(["Metadata_Plate", "Metadata_WellNumber"])
    assert wells["net_0"].to_dict() == {
        ("P", 1): 1, ("P", 2): 2, ("P", 3): 6, ("P", 4): 9, ("P", 5): 3, ("Q", 1): 4, ("Q", 2): 5
    }  # fmt: skip
    assert wells["net_1"].loc[("P", 4)] == 81
    assert wells["Metadata_Cell_Count"].tolist() == [3, 1, 2, 5, 1, 1, 1]
    assert wells["Metadata_Image_Count"].tolist() == [1, 1, 1, 2, 1, 1, 1]
    assert wells["Metadata_Gene"].tolist() == ["G1", "G2", "G3", "G4", "G5", "G1", "G2"]
    assert not {"Metadata_Label", "Metadata_Frame", "Metadata_Cell_ID"} & set(wells.columns)
    assert not {"Metadata_Area", "Metadata_Solidity", "Metadata_TouchesBorder"} & set(wells.columns)


def test_a_plate_is_in_units_of_its_controls_and_one_with_too_few_is_left_raw_and_said(outdir, tmp_path):
    notes = tmp_path / "notes.json"
    said = made(screen_plate_profiles, outdir, tmp_path / "wells", "--profile_by", "well", "--notes", notes)
    wells = read(tmp_path / "wells/normalized")
    mean, deviation = 3, np.sqrt(((1 - 3) ** 2 + (2 - 3) ** 2 + (6 - 3) ** 2) / 3)
    np.testing.assert_allclose(wells["net_0"], (np.array([1, 2, 6, 9, 3]) - mean) / deviation, rtol=1e-6)
    assert set(wells["Metadata_Plate"]) == {"P"}
    why = 'Plate Q: wells not normalised. 1 of its wells with cells have control_type "negative control" (there is no '
    why += "other type); at least 3 are needed. Cell tables are unaffected."
    assert why in said and json.loads(notes.read_text())["notes"] == [why]


@pytest.mark.parametrize("scope, whose", [("plate", "Plate P: wells"), ("screen", "Wells")])
def test_what_was_written_in_place_of_negative_control_is_said(scope, whose, tmp_path):
    words = ["DMSO", "Negative control", "", "DMSO"]
    outdir = screen(tmp_path / "out", [cells("P", well, word, range(9)) for well, word in enumerate(words, 1)])
    said = made(screen_plate_profiles, outdir, tmp_path / "wells", "--well_profiles", scope)
    assert f"{whose} not normalised. 0 of" in said
    seen = 'have control_type "negative control" (other types: "DMSO", "Negative control"); at least'
    remedy = "are needed; if one of the other types is the negative control, name it by --negative_control"
    assert f"{seen} 3 {remedy}" in said
    assert f"{seen} 30 {remedy}" in refused(screen_normalize_cells, outdir, tmp_path / "cells")


def test_the_users_word_for_negative_controls_counts_beside_ours(tmp_path):
    words = ["DMSO", NEGATIVE, "", "DMSO", "a 'b' (c)"]
    wells = [cells("P", well, word, range(9 * well)) for well, word in enumerate(words, 1)]
    outdir = screen(tmp_path / "out", wells)
    made(screen_plate_profiles, outdir, tmp_path / "wells", "--negative_control", "DMSO")
    normal = read(tmp_path / "wells/normalized")["net_0"]
    medians = np.array([np.median(range(9 * well)) for well in (1, 2, 4)])
    assert normal.iloc[2] == pytest.approx((np.median(range(27)) - medians.mean()) / medians.std())
    made(screen_normalize_cells, outdir, tmp_path / "cells", "--negative_control", "a 'b' (c)")
    chosen = np.concatenate([range(18), range(45)])
    told = pd.read_table(tmp_path / "cells/scaler.tsv", index_col="feature").loc["net_0"]
    assert (told["cells"], told["mean"]) == (63, pytest.approx(chosen.mean()))


def hours(*wells):
    """Cells of wells 1, 2, ... of plate P, controls but for the last; WELLS: their values at 0 and at 48 hours."""
    found = []
    for well, values in enumerate(wells, 1):
        for frame, (hour, value) in enumerate(zip(("0", "48"), values, strict=True), 1):
            control = NEGATIVE if well < len(wells) else ""
            found.append(cells("P", well, control, [value], frame).assign(Metadata_Hours=hour, Metadata_Dose="0.10"))
    return found


def test_frames_of_different_times_are_profiles_of_their_own_each_in_units_of_the_controls_of_its_time(tmp_path):
    outdir = screen(tmp_path / "out", hours((1, 11), (2, 12), (6, 31), (7, 30)))
    said = made(screen_plate_profiles, outdir, tmp_path / "wells")
    assert "their profiles are by well and frame, which --profile_by well pools" in said and "differs" not in said
    wells = read(tmp_path / "wells/aggregated")
    assert wells["Metadata_Well"].tolist() == ["A01", "A01", "A02", "A02", "A03", "A03", "A04", "A04"]
    assert wells["Metadata_Frame"].tolist() == [1, 2] * 4 and wells["Metadata_Hours"].tolist() == ["0", "48"] * 4
    assert wells["net_0"].tolist() == [1, 11, 2, 12, 6, 31, 7, 30] and set(wells["Metadata_Cell_Count"]) == {1}
    normal = read(tmp_path / "wells/normalized").set_index(["Metadata_Well", "Metadata_Frame"])["net_0"]
    assert normal.index.tolist() == list(zip(wells["Metadata_Well"], wells["Metadata_Frame"], strict=True))
    for frame, controls, value in (1, [1, 2, 6], 7), (2, [11, 12, 31], 30):
        assert normal["A04", frame] == pytest.approx((value - np.mean(controls)) / np.std(controls), rel=1e-6)


def test_where_times_are_pooled_what_is_not_the_same_in_a_well_is_left_blank_and_named(tmp_path):
    outdir = screen(tmp_path / "out", hours((1, 11), (2, 12), (6, 31), (7, 30)))
    notes = tmp_path / "notes.json"
    made(screen_plate_profiles, outdir, tmp_path / "wells", "--profile_by", "well", "--notes", notes)
    for level in "aggregated", "normalized":
        wells = read(tmp_path / "wells" / level)
        assert wells["Metadata_Hours"].tolist() == [""] * 4 and wells["Metadata_Dose"].tolist() == ["0.10"] * 4
        assert wells["Metadata_Gene"].tolist() == ["G1", "G2", "G3", "G4"] and "Metadata_Frame" not in wells
    why = "Metadata_Hours differs within 4 wells (P A01, P A02, P A03, P A04): blank in their profiles"
    assert why in json.loads(notes.read_text())["notes"]


def test_a_well_of_one_frame_is_one_profile_whichever_frame_that_is(tmp_path):
    wells = [cells("P", well, NEGATIVE, [well], frame=well) for well in (1, 2, 3)]
    made(screen_plate_profiles, screen(tmp_path / "out", wells), tmp_path / "wells")
    assert len(read(tmp_path / "wells/normalized")) == 3 and "Metadata_Frame" not in read(tmp_path / "wells/normalized")


def test_a_frame_with_too_few_controls_is_said(tmp_path):
    outdir = screen(tmp_path / "out", hours((1, 11), (2, 12), (6, 31), (7, 30))[1:])
    said = made(screen_plate_profiles, outdir, tmp_path / "wells")
    assert "Plate P, frame 1: wells not normalised. 2 of its wells with cells have control_type" in said
    assert set(read(tmp_path / "wells/normalized")["Metadata_Frame"]) == {2} and "other frames" not in said
    said = made(screen_plate_profiles, outdir, tmp_path / "screen", "--well_profiles", "screen")
    assert "Frame 1: wells not normalised. 2 of the screen's wells with cells have control_type" in said


def test_frames_with_too_few_controls_are_said_once_a_plate(tmp_path):
    said = made(screen_plate_profiles, screen(tmp_path / "out", hours((1, 11), (2, 12), (7, 30))), tmp_path / "wells")
    assert said.count("not normalised") == 1 and "unaffected. The same is true of 1 other frame.\n" in said


def near(value, digits):
    """VALUE, and the float32 so many last digits above it."""
    return [value, float(np.float32(value) + digits * np.spacing(np.float32(value)))]


@pytest.mark.parametrize("values", [near(0.1, 1), near(7000, 3), [0.0, 1e-9], [0.0, 0.0]])
def test_a_feature_whose_controls_differ_by_rounding_is_moved_and_not_scaled_and_is_named(values, tmp_path):
    first = [values[0]] * 3 + values[1:]
    wells = [cells("P", well, NEGATIVE, [well]).assign(odd=np.float32(v)) for well, v in enumerate(first, 1)]
    wells += [cells("P", 5, "", [9]).assign(odd=np.float32(values[0] + 0.5))]
    outdir = screen(tmp_path / "out", wells)
    said = made(screen_plate_profiles, outdir, tmp_path / "wells")
    normal = read(tmp_path / "wells/normalized")
    assert normal["odd"].iloc[-1] == pytest.approx(0.5, abs=1e-3) and normal["odd"].abs().max() < 1
    assert "1 features hardly vary among the negative controls" in said and "deviation (odd)" in said
    by_hand = (9 - np.mean([1, 2, 3, 4])) / np.std([1, 2, 3, 4])
    assert normal["net_0"].iloc[-1] == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("relative", [1e-5, 1e-3])
def test_a_feature_whose_controls_differ_by_more_is_scaled_however_little_that_is(relative, tmp_path):
    first = 100 + 100 * relative * np.array([0, 0, 0, 1])
    wells = [cells("P", well, NEGATIVE, [well]).assign(odd=np.float32(v)) for well, v in enumerate(first, 1)]
    wells += [cells("P", 5, "", [9]).assign(odd=np.float32(100.5))]
    said = made(screen_plate_profiles, screen(tmp_path / "out", wells), tmp_path / "wells")
    controls = first.astype(np.float32).astype(float)
    by_hand = (100.5 - controls.mean()) / controls.std()
    assert read(tmp_path / "wells/normalized")["odd"].iloc[-1] == pytest.approx(by_hand, rel=1e-3)
    assert "hardly vary" not in said


def test_plates_of_different_ranges_are_not_taken_together_without_a_word(outdir, tmp_path):
    assert "not comparable" not in made(screen_plate_profiles, outdir, tmp_path / "alike", "--well_profiles", "screen")
    for plate, bits in ("P", 12), ("Q", 14):
        folder = outdir / "flatfields" / plate
        folder.mkdir(parents=True)
        content = {"plate": plate, "offset": 0, "lost": None, "fields": {}, "frames": {"bits": bits}}
        (folder / "fields.json").write_text(json.dumps(content))
    said = made(screen_plate_profiles, outdir, tmp_path / "wells", "--well_profiles", "screen")
    assert "plates have grey levels of 12 and 14 bits: their intensities and textures are not comparable" in said
    assert "not comparable" not in made(screen_plate_profiles, outdir, tmp_path / "own")


def test_a_feature_that_too_few_controls_have_is_empty_in_all_wells(tmp_path):
    wells = [
        cells("P", well, NEGATIVE, [well]).assign(odd=np.float32(well if well < 3 else np.nan)) for well in range(1, 5)
    ]
    wells += [cells("P", 5, "", [9]).assign(odd=np.float32(123.4))]
    made(screen_plate_profiles, screen(tmp_path / "out", wells), tmp_path / "wells")
    normal = read(tmp_path / "wells/normalized")
    assert normal["odd"].isna().all() and normal["net_0"].notna().all()


def test_cells_have_no_value_of_a_feature_that_too_few_controls_have():
    values = np.random.default_rng(0).normal(5, 1, (40, 3))
    values[:, 1], values[2:, 2] = np.nan, np.nan
    scaler = normalized_cells.Scaler(3)
    scaler.add(values)
    scaled = scaler(np.full((2, 3), 123.4))
    assert np.isfinite(scaled[:, 0]).all() and np.isnan(scaled[:, 1:]).all()


def test_the_screen_is_in_units_of_all_controls(outdir, tmp_path):
    made(screen_plate_profiles, outdir, tmp_path / "wells", "--well_profiles", "screen", "--profile_by", "well")
    wells = read(tmp_path / "wells/normalized")
    controls = np.array([1, 2, 6, 4])
    np.testing.assert_allclose(wells["net_0"].iloc[-1], (5 - controls.mean()) / controls.std(), rtol=1e-6)
    assert len(wells) == 7


def test_of_features_that_say_the_same_one_is_selected(outdir, tmp_path):
    made(screen_plate_profiles, outdir, tmp_path / "wells", "--well_profiles", "screen")
    chosen = [name for name in read(tmp_path / "wells/selected") if not name.startswith("Metadata_")]
    assert len(chosen) == 1  # all rise together


def test_plates_without_a_cell_have_no_wells(tmp_path):
    outdir = screen(tmp_path / "out", [cells("P", 1, NEGATIVE, [1])])
    (path,) = outdir.rglob("*.parquet")
    pq.write_table(pq.read_table(path)[:0], path)
    assert "no well has cells" in refused(screen_plate_profiles, outdir, tmp_path / "wells")


def test_too_few_wells_are_not_selected_from_and_that_is_said(tmp_path):
    wells = [cells("P", number, NEGATIVE, [number]) for number in (1, 2, 3)]
    said = made(screen_plate_profiles, screen(tmp_path / "out", wells), tmp_path / "wells")
    assert "no features selected: 3 wells are normalised, at least 5 are needed" in said
    assert not list((tmp_path / "wells/selected").iterdir())


def test_nothing_but_aggregates_where_no_normalisation_is_wanted(outdir, tmp_path):
    made(screen_plate_profiles, outdir, tmp_path / "wells", "--well_profiles", "raw")
    assert [path.name for path in (tmp_path / "wells").iterdir()] == ["aggregated"]


def test_cells_are_scaled_as_scikit_learn_does_it_whatever_the_pieces(outdir, tmp_path, monkeypatch):
    monkeypatch.setattr(single_cells, "PIECE", 2)
    monkeypatch.setattr(normalized_cells, "PIECE", 2)
    monkeypatch.setattr(normalized_cells, "CONTROLS", 7)
    made(screen_normalize_cells, outdir, tmp_path / "cells")
    raw = read(outdir / single_cells.FOLDER)
    scaler = StandardScaler().fit(raw.loc[raw["Metadata_Control_Type"] == NEGATIVE, FEATURES].astype(float))
    scaled = pd.read_parquet(tmp_path / "cells/cells").drop(columns="plate")
    np.testing.assert_allclose(scaled[FEATURES], scaler.transform(raw[FEATURES].astype(float)), rtol=1e-6)
    pd.testing.assert_frame_equal(scaled.drop(columns=FEATURES), raw.drop(columns=FEATURES))
    told = pd.read_table(tmp_path / "cells/scaler.tsv", index_col="feature")
    np.testing.assert_allclose(told["mean"], scaler.mean_, rtol=1e-12)
    np.testing.assert_allclose(told["deviation"], scaler.scale_, rtol=1e-12)
    assert told["cells"].tolist() == [7] * 3


def test_a_value_that_is_missing_counts_for_nothing_and_a_constant_is_only_moved(tmp_path):
    wells = [cells("P", 1, NEGATIVE, range(40)), cells("P", 2, "", [5, np.nan])]
    wells[0].loc[0, "net_0"] = np.nan
    wells[0]["net_1"] = np.float32(0.1)
    wells[0].loc[1, "net_1"] = np.nextafter(np.float32(0.1), np.float32(1))
    made(screen_normalize_cells, screen(tmp_path / "out", wells), tmp_path / "cells")
    scaled = read(tmp_path / "cells").iloc[-2:]
    known = np.arange(1, 40)
    np.testing.assert_allclose(scaled["net_0"], [(5 - known.mean()) / known.std(), np.nan], rtol=1e-6)
    np.testing.assert_allclose(scaled["net_1"], [25 - np.float32(0.1), np.nan], rtol=1e-6)
    told = pd.read_table(tmp_path / "cells/scaler.tsv", index_col="feature")["scaled"]
    assert told.to_dict() == {"net_0": True, "net_1": False, "Nuclei_AreaShape_Area": True}


def test_too_few_control_cells_normalise_nothing(tmp_path):
    outdir = screen(tmp_path / "out", [cells("P", 1, NEGATIVE, [1, 2]), cells("P", 2, "", [5])])
    said = refused(screen_normalize_cells, outdir, tmp_path / "cells")
    assert "Cells not normalised. 2 of the screen's cells have control_type" in said


def test_a_plate_of_two_batches_is_one_anndata_with_the_same_numbers(outdir, tmp_path):
    made(screen_to_anndata, outdir, tmp_path / "h5ad")
    assert sorted(path.name for path in (tmp_path / "h5ad").iterdir()) == ["P.h5ad", "Q.h5ad"]
    data = anndata.read_h5ad(tmp_path / "h5ad/P.h5ad")
    raw = read(outdir / single_cells.FOLDER / "plate=P")
    assert data.X.dtype == np.float32
    assert np.array_equal(data.X, raw[FEATURES])
    assert data.var_names.tolist() == FEATURES
    assert data.obs["Metadata_WellNumber"].tolist() == raw["Metadata_WellNumber"].tolist()
    assert data.obs["Metadata_Control_Type"].astype(str).tolist() == raw["Metadata_Control_Type"].tolist()


def test_tables_of_different_features_are_not_thrown_together_and_replace_nothing(outdir, tmp_path):
    screen(outdir, [cells("R", 1, NEGATIVE, [1]).rename(columns={"net_1": "other"})])
    why = "tables have different features (first: plate=R/b0000.parquet), so nothing was made"
    for command in (screen_plate_profiles, screen_normalize_cells, screen_to_anndata):
        assert why in refused(command, outdir, tmp_path / "made")


def test_a_run_without_a_table_has_no_profiles(tmp_path):
    (tmp_path / "out").mkdir()
    assert "no well has cells" in refused(screen_plate_profiles, tmp_path / "out", tmp_path / "wells")
    said = refused(screen_normalize_cells, tmp_path / "out", tmp_path / "cells")
    assert "Cells not normalised. 0 of the screen's cells" in said
    assert "there is no table of cells" in refused(screen_to_anndata, tmp_path / "out", tmp_path / "h5ad")
