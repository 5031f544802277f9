"""What the stages found about a batch becomes one table, and no cell is dropped silently."""

from typing import get_type_hints

import numpy as np
import pyarrow.parquet as pq
import pytest

from idrstream.base import files, stage_folder
from idrstream.images.calibration import FIELDS
from idrstream.images.frames import image_key, write_frame
from idrstream.images.labels import read_cells, write_cells
from idrstream.screen import (
    export,
    metadata_names,
    outcome,
    phenotypes,
    profiles,
    qc,
    results,
    rules,
    streams,
    types,
    well_profiles,
)


@pytest.fixture
def stages(tmp_path):
    """Folders as FETCH, SEGMENT and EMBED leave them: an image with three cells, one with none, one that failed."""
    rows = []
    for plate, count, status in (("PB", 3, "ok"), ("PA", 0, "ok"), ("PA", None, "failed")):
        name = image_key(plate, "A01", 1, len(rows))
        row = {"id": name, "key": name, "plate": plate, "well": "A01", "well_number": 1, "site": 1, "frame": len(rows)}
        rows.append(row | {"status": status, "metadata": {"Gene": "G"}})
        for folder in "labels", "features":
            (tmp_path / folder).mkdir(exist_ok=True)
        if status == "ok":
            cells = {"label": np.arange(1, count + 1), "center_y": np.ones(count), "center_x": np.zeros(count)}
            cells |= {"area": np.arange(count) + 20, "solidity": np.full(count, 0.5), "touches_border": np.ones(count)}
            write_cells(tmp_path / "labels", name, cells)
            features = np.ones((count, 2), np.float32)
            embedded = {"label": cells["label"], "features": features, "padded": np.full(count, 0.25, np.float32)}
            write_cells(tmp_path / "features", name, embedded)
    files.write_json(tmp_path / "features/provenance.json", {"model": "net", "features": ["net_0", "net_1"]})
    stage_folder.write_rows(tmp_path / "frames", rows)
    return [tmp_path / "frames", tmp_path / "labels", [tmp_path / "features"]]


def test_a_plate_without_a_cell_has_a_table_with_the_same_columns(stages, tmp_path):
    table, rows = profiles.single_cells(*stages)
    profiles.write(table, rows, "b0000", tmp_path)
    read = {path.parent.name: pq.read_table(path) for path in tmp_path.rglob("*.parquet")}
    assert {name: len(table) for name, table in read.items()} == {"plate=PA": 0, "plate=PB": 3}
    assert read["plate=PA"].schema == read["plate=PB"].schema
    assert [row["cells"] for row in rows] == [3, 0, None]
    assert read["plate=PB"]["Metadata_CropPaddedFraction"].to_pylist() == [0.25] * 3
    assert str(read["plate=PA"].schema.field("Metadata_CropPaddedFraction").type) == "float"


def test_merging_adds_the_documented_fields_to_the_rows(stages):
    fetched, (_, merged) = stage_folder.read_rows(stages[0]), profiles.single_cells(*stages)
    added = [after.keys() - before.keys() for before, after in zip(fetched, merged, strict=True)]
    expected = types.MergedRow.__annotations__.keys() - types.WindowRow.__annotations__.keys() - {"too_large"}
    for names in added:
        assert expected <= names <= get_type_hints(types.MergedRow).keys()


def test_the_share_of_the_pixels_that_textures_clip_is_that_of_all_nuclei_of_an_image(stages):
    assert [row["texture_clipped"] for row in profiles.single_cells(*stages)[1]] == [None] * 3, "no textures"
    for row in stage_folder.read_rows(stages[0], "ok"):
        cells = read_cells(stages[2][0], row["key"])
        write_cells(stages[2][0], row["key"], cells | {"texture_clipped": cells["label"] * 2})
    assert [row["texture_clipped"] for row in profiles.single_cells(*stages)[1]] == [round(12 / 63, 6), None, None]
    assert {"texture_clipped"} <= {*outcome.COLUMNS} & {*qc.IMAGES.names} & {*rules.COLUMNS["images"]}


def test_readers_need_not_take_a_whole_table_for_some_cells(stages, tmp_path, monkeypatch):
    monkeypatch.setattr(profiles, "PIECE", 2)
    profiles.write(*profiles.single_cells(*stages), "b0000", tmp_path)
    (path,) = tmp_path.rglob("plate=PB/*.parquet")
    assert [pq.ParquetFile(path).metadata.row_group(i).num_rows for i in range(2)] == [2, 1]


def test_a_batch_of_failures_alone_has_no_table(stages, tmp_path):
    stage_folder.write_rows(stages[0], stage_folder.read_rows(stages[0], "failed"))
    table, rows = profiles.single_cells(*stages)
    profiles.write(table, rows, "b0000", tmp_path / "out")
    assert len(table) == 0
    assert not (tmp_path / "out").exists()


def test_stages_that_disagree_about_the_cells_are_not_merged(stages):
    name = stage_folder.read_rows(stages[0], "ok")[0]["key"]
    write_cells(stages[2][0], name, {"label": np.array([1, 3]), "features": np.ones((2, 2), np.float32)})
    with pytest.raises(ValueError, match="3 cells segmented, 2 in features"):
        profiles.single_cells(*stages)


def test_the_rows_tell_the_offset_that_was_taken_off_and_what_is_known_of_it(stages, tmp_path):
    rough = {"state": "rough", "offset": 6.5, "low": 5, "high": 8, "bound": 0.03, "nuclei": 300}
    fields = {"PB": {"status": "ok", "kind": "plate", "shape": [4, 4], "camera_offset": rough}}
    for name in stage_folder.read_rows(stages[0], "ok"):
        write_frame(stages[0], name["key"], np.full((4, 4), 10, np.uint8))
    stage_folder.write_rows(
        stages[0], [row | {"shape": [4, 4], "camera_offset": 2} for row in stage_folder.read_rows(stages[0])]
    )
    (tmp_path / "calibration/PB").mkdir(parents=True)
    files.write_json(tmp_path / "calibration/PB" / FIELDS, {"offset": 6.5, "lost": None, "fields": fields})
    _, rows = profiles.single_cells(*stages, tmp_path / "calibration")
    assert [[row[name] for name in results.OFFSET] for row in rows] == [
        [6.5, "rough", 5, 8, 0.03],
        [2, None, None, None, None],
        [None] * 5,
    ]


def test_every_column_about_cells_and_wells_that_is_not_the_users_is_reserved(stages):
    table, _ = profiles.single_cells(*stages)
    written = {*table.columns, *qc.CELLS.names, export.VARIANT, f"Metadata_{streams.COLUMN}", phenotypes.CLASS}
    written |= {*well_profiles.STRATA, well_profiles.CELLS, well_profiles.IMAGES}
    names = {name.removeprefix("Metadata_") for name in written if name.startswith("Metadata_")}
    assert names - {"Gene", "Control_Type"} == metadata_names.RESERVED
