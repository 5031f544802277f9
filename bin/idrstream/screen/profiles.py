"""One table of single cells out of the stages' folders: one row per cell, columns named as the field does."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from idrstream.base import files, stage_folder
from idrstream.images.calibration import field_of, offset_of
from idrstream.images.labels import read_cells
from idrstream.screen import results

VERSION = 2  # raised when columns of the table of cells change that are not features

FOLDER = Path("profiles", "single_cells")  # in an output folder: plate=P/BATCH.parquet
UNMEASURED = Path("qc", "single_cells")  # likewise, of cells without features: their run stopped before those
PIECE = 4096  # cells of a row group, which readers take at once: 24 MB of 1,430 features


def single_cells(frames, labels, features, calibration=None):
    """The cells of a batch.

    frames, labels  folders of FETCH and SEGMENT
    features        list of folders of EMBED and MEASURE, in the order of their columns; may be empty
    calibration     folder with the calibration of each plate
    returns         (table, rows): a DataFrame with a row per cell, sorted by plate, well, site, frame and label,
                    Metadata_* first, then float32 features; and types.MergedRow of each image, without too_large

    Raises ValueError where the stages have different cells: none is dropped silently.
    """
    rows = stage_folder.read_rows(frames)
    provenances = [files.read_json(Path(folder) / stage_folder.PROVENANCE) for folder in features]
    model = provenances[0]["model"] if provenances else ""
    names = [provenance["features"] for provenance in provenances]
    tables = []
    for row in rows:
        row |= dict.fromkeys(("cells", "texture_clipped", "flatfield", *results.OFFSET[1:]))
        if row["status"] != "ok":
            row["camera_offset"] = None
            continue
        cells = read_cells(labels, row["key"])
        measured = [read_cells(folder, row["key"]) for folder in features]
        for folder, part in zip(features, measured, strict=True):
            if not np.array_equal(cells["label"], part["label"]):
                count = f"{len(cells['label'])} cells segmented, {len(part['label'])} in {Path(folder).name}"
                raise ValueError(f"{row['key']}: {count}")
        row |= {"cells": len(cells["label"]), "texture_clipped": _clipped(cells, measured)}
        row |= _illumination(row, calibration)
        tables.append(pd.concat([_metadata(row, cells, measured, model), *map(_features, measured, names)], axis=1))
    extra = rows[0]["metadata"] if rows else {}
    empty = {"key": "", "plate": "", "well": "", "well_number": 0, "site": 0, "frame": 0, "metadata": extra}
    none = {name: np.empty(0) for name in ("label", "center_y", "center_x", "area", "solidity", "touches_border")}
    blank = pd.concat([_metadata(empty, none, [], model), *(_features({}, columns) for columns in names)], axis=1)
    table = pd.concat(tables, ignore_index=True) if tables else blank
    order = [f"Metadata_{name}" for name in ("Plate", "WellNumber", "Site", "Frame")]
    order += ["Metadata_Illumination"] * any(row.get("variant") for row in rows) + ["Metadata_Label"]
    return table.sort_values(order, ignore_index=True, kind="stable"), rows


def write(table, rows, batch, folder, place=FOLDER):
    """Write one Parquet file per plate (zstd) into FOLDER, with paths as in the output folder, even without cells.

    place  FOLDER, or UNMEASURED for cells without features
    """
    for plate in sorted({row["plate"] for row in rows if row["status"] == "ok"}):
        path = Path(folder, place, f"plate={plate}", f"{batch}.parquet")
        path.parent.mkdir(parents=True)
        cells = pa.Table.from_pandas(table[table["Metadata_Plate"] == plate], preserve_index=False)
        pq.write_table(cells.replace_schema_metadata(None), path, compression="zstd", row_group_size=PIECE)


def _illumination(row, calibration):
    """How an image's illumination was corrected, as fields of its row; field_bytes of a plate count for all its images.

    returns  flatfield, field_bytes, camera_offset, offset_*
    """
    field, offset = field_of(row, calibration), dict.fromkeys(results.OFFSET)
    offset["camera_offset"] = offset_of(row, calibration)
    if field is None:
        return {"flatfield": "none", "field_bytes": 0} | offset
    facts = field[3]
    word = facts["kind"] if facts["status"] == "ok" else f"refused: {facts['reason']}"
    estimate = facts.get("camera_offset", {})
    offset |= {f"offset_{name}": estimate.get(name) for name in ("state", "low", "high", "bound")}
    return {"flatfield": word, "field_bytes": facts.get("bytes", row.get("field_bytes"))} | offset


def _clipped(cells, measured):
    """Share of the cells' pixels (0 to 1) that texture features clip; None without textures, or without cells."""
    pixels = next((part["texture_clipped"] for part in measured if "texture_clipped" in part), None)
    return None if pixels is None or not len(pixels) else round(float(pixels.sum() / cells["area"].sum()), 6)


def _metadata(row, cells, measured, model):
    label = cells["label"].astype(np.int32)
    padded = next((part["padded"] for part in measured if "padded" in part), None)  # deep features have crops
    levels = next((part["texture_levels"] for part in measured if "texture_levels" in part), None)  # classical ones
    columns = {
        "Plate": row["plate"],
        "Well": row["well"],
        "WellNumber": np.int32(row["well_number"]),
        "Site": np.int32(row["site"]),
        "Frame": np.int32(row["frame"]),
        **row["metadata"],
        "Label": label,
        "Center_X": cells["center_x"].astype(np.float64),
        "Center_Y": cells["center_y"].astype(np.float64),
        "Area": cells["area"].astype(np.int32),
        "Solidity": cells["solidity"].astype(np.float32),
        "TouchesBorder": cells["touches_border"].astype(bool),
        **({"CropPaddedFraction": padded.astype(np.float32)} if padded is not None else {}),
        **({"TextureLevels": levels.astype(np.int32)} if levels is not None else {}),
        "Model": model,
        "Cell_ID": [f"{row['key']}_c{number}" for number in label],
    }
    frame = pd.DataFrame({f"Metadata_{name}": values for name, values in columns.items()}, index=range(len(label)))
    text = [f"Metadata_{name}" for name in ("Plate", "Well", *row["metadata"], "Model", "Cell_ID")]
    return frame.astype(dict.fromkeys(text, "string"))


def _features(measured, names):
    values = measured.get("features", np.empty((0, len(names)), np.float32))
    return pd.DataFrame(values.reshape(-1, len(names)).astype(np.float32), columns=names)
