"""Cells of IDR_stream's two streams are paired one to one, or told apart."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import screen_merge_legacy
from idrstream.screen import legacy


def table(centers, image="P/P_1_5.tif", **more):
    columns = {"Location_Center_X": [x for x, _ in centers], "Location_Center_Y": [y for _, y in centers]}
    columns |= {"Metadata_Plate": "P", "Metadata_DNA": image}
    return pd.DataFrame(columns | more, index=range(len(centers)))


def test_two_cells_that_are_nearest_to_the_same_one_are_not_both_given_it():
    cp = table([(10.0, 10.0), (16.0, 10.0)], AreaShape_Area=[1, 2])
    dp = table([(12.4, 10.0), (10.2, 10.0)], efficientnet_0=[0.1, 0.2])  # of IDR_stream both took (10, 10)
    cells, alone = legacy.merge(cp, dp, 10)
    assert cells[["CP__AreaShape_Area", "DP__efficientnet_0"]].to_numpy().tolist() == [[1, 0.2], [2, 0.1]]
    assert cells["Location_Center_X"].tolist() == [10, 16]
    assert alone.to_dict("records") == [
        {"image": "P/P_1_5.tif", "pairs": 2, "only_CP": 0, "only_DP": 0, "farthest": 3.6}
    ]


def test_far_cells_and_other_images_stay_alone_and_are_counted():
    cp = pd.concat([table([(10, 10), (500, 500)]), table([(10, 10)], "P/P_2_5.tif")])
    dp = pd.concat([table([(11, 10)]), table([(10, 10), (30, 30)], "P/P_3_5.tif")])
    cells, alone = legacy.merge(cp, dp, 10)
    assert cells["Metadata_DNA"].tolist() == ["P/P_1_5.tif"]
    counts = alone.set_index("image")[["pairs", "only_CP", "only_DP"]]
    assert counts.loc["P/P_1_5.tif"].tolist() == [1, 1, 0]
    assert counts.loc["P/P_2_5.tif"].tolist() == [0, 1, 0]
    assert counts.loc["P/P_3_5.tif"].tolist() == [0, 0, 2]


def test_the_most_pairs_are_made_and_then_the_shortest():
    ours, theirs = np.array([[0, 0], [8, 0]]), np.array([[7.0, 0], [15, 0]])
    i, j, apart = legacy.pair(ours, theirs, 10)  # the nearest two alone would leave the others without
    assert sorted(zip(i, j, apart, strict=True)) == [(0, 0, 7), (1, 1, 7)]
    assert [len(part) for part in legacy.pair(ours, np.empty((0, 2)), 10)] == [0, 0, 0]


@pytest.fixture
def folders(tmp_path):
    for number in (0, 10, 2):
        for folder, more in (("CP", {"AreaShape_Area": 5}), ("DP", {"Metadata_Model": "net", "efficientnet_0": 1.5})):
            (tmp_path / folder).mkdir(exist_ok=True)
            table([(number, 1), (40, 50)], **more).to_csv(tmp_path / folder / f"batch_{number}.csv.gz")
    return tmp_path


def run(folders, *options):
    places = [str(folders / name) for name in ("CP", "DP", "merged")]
    return CliRunner().invoke(screen_merge_legacy.main, [*places, *options])


def test_every_batch_is_joined_with_idr_streams_columns_and_the_same_bytes_each_time(folders):
    done = run(folders)
    assert done.exit_code == 0, done.output
    assert "6 cells joined; 0 of CellProfiler's and 0 of DeepProfiler's stayed alone" in done.output
    first = {path.name: path.read_bytes() for path in (folders / "merged").iterdir()}
    cells = pd.read_csv(folders / "merged/batch_10.csv.gz", index_col=0)
    assert list(cells) == ["Cell_UUID", "Location_Center_X", "Location_Center_Y", "Metadata_Plate", "Metadata_DNA",
                           "CP__AreaShape_Area", "DP__Metadata_Model", "DP__efficientnet_0"]  # fmt: skip
    assert cells["Cell_UUID"].is_unique
    assert run(folders).exit_code == 0
    assert {path.name: path.read_bytes() for path in (folders / "merged").iterdir()} == first


def test_names_that_look_like_numbers_or_gaps_stay_as_they_are(tmp_path):
    names = {"Metadata_Plate": ["007", "1e5", "true"], "Metadata_Gene": ["NA", "", "1-Mar"]}
    table([(1, 1), (2, 2), (3, 3)], **names).to_csv(tmp_path / "batch_0.csv.gz")
    read = legacy.read(tmp_path / "batch_0.csv.gz")
    assert read[list(names)].to_dict("list") == names


def test_what_is_missing_or_no_table_is_told(folders):
    (folders / "DP/batch_2.csv.gz").unlink()
    done = run(folders)
    assert done.exit_code == 64 and f"{folders / 'DP/batch_2.csv.gz'}: is missing" in done.output
    pd.DataFrame({"x": [1]}).to_csv(folders / "DP/batch_2.csv.gz")
    done = run(folders)
    assert done.exit_code == 64 and "missing: Location_Center_X, Location_Center_Y, Metadata_DNA" in done.output
