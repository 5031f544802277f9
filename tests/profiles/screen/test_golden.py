"""Classical features by their group, and the table of cells, are what they were."""

import numpy as np
import pytest

from golden import CENTRES, assert_golden, nuclei
from idrstream.base import files, stage_folder
from idrstream.cells import measurement
from idrstream.images.labels import write_cells
from idrstream.screen import profiles, recipe


def test_every_feature_is_of_a_group_that_has_a_version():
    assert {name.split("_")[0] for name in measurement.NAMES} == set(recipe.GROUPS) == measurement.VERSIONS.keys()


@pytest.fixture(scope="module")
def features():
    pixels, labels = nuclei()
    labels[20:35, 35:55] = 2  # it touches the first
    return measurement.measure(labels, pixels / 255)[1]


@pytest.mark.parametrize("group", recipe.GROUPS)
def test_features(group, features):
    columns = [i for i, name in enumerate(measurement.NAMES) if name.startswith(f"{group}_")]
    assert_golden(f"measure.{group}", features[:, columns].mean(axis=0), rtol=1e-3, atol=1e-5)


def test_table_of_cells(tmp_path):
    frame, labels = nuclei()
    row = {"id": "x", "key": "P_A01_s1_f1", "plate": "P", "well": "A01", "well_number": 1, "site": 1, "frame": 1}
    row |= {"status": "ok", "metadata": {"Gene": "G"}, "shape": list(frame.shape)}
    (tmp_path / "frames").mkdir()
    stage_folder.write_rows(tmp_path / "frames", [row])
    centres = np.array(CENTRES, float)
    cells = {"label": np.arange(1, 13), "center_y": centres[:, 0], "center_x": centres[:, 1]}
    cells |= {"area": np.bincount(labels.ravel())[1:], "solidity": np.full(12, 0.9), "touches_border": np.zeros(12)}
    for folder in "labels", "features":
        (tmp_path / folder).mkdir()
    write_cells(tmp_path / "labels", row["key"], cells)
    embedded = {"label": cells["label"], "features": np.arange(24.0).reshape(12, 2), "padded": np.full(12, 0.25)}
    write_cells(tmp_path / "features", row["key"], embedded)
    files.write_json(tmp_path / "features" / stage_folder.PROVENANCE, {"model": "net", "features": ["net_0", "net_1"]})
    table, _ = profiles.single_cells(tmp_path / "frames", tmp_path / "labels", [tmp_path / "features"])
    assert " ".join(name.removeprefix("Metadata_") for name in table.columns) == (
        "Plate Well WellNumber Site Frame Gene Label Center_X Center_Y Area Solidity TouchesBorder CropPaddedFraction "
        "Model Cell_ID net_0 net_1"
    )
    assert table.iloc[4]["Metadata_Cell_ID"] == "P_A01_s1_f1_c5" and set(table["Metadata_Model"]) == {"net"}
    assert_golden("merge", table.select_dtypes("number").iloc[4])
