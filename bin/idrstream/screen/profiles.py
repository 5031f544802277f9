"""One table of single cells out of what the stages left: one row a cell, the field's column names."""

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
    features        list of folders, of EMBED and MEASURE, or none: their columns follow each other
    calibration  folder with the calibration of each plate
    returns  (table, rows): a DataFrame with a row a cell, sorted by plate, well, site, frame and label, Metadata_*
             first, then float32 features; and the images' rows, with `cells`, `texture_clipped`, `flatfield`,
             `field_bytes`, `camera_offset` as it was taken off, and what is known of that where it was estimated

    Raises ValueError where the stages disagree about which cells there are: no cell is dropped silently.
    """
    rows = stage_folder.read_rows(frames)
    made = [files.read_json(Path(folder) / stage_folder.PROVENANCE) for folder in features]
    model, names = made[0]["model"] if made else "", [about["features"] for about in made]
    tables = []
    for row in rows:
        row |= dict.fromkeys(("cells", "texture_clipped", "flatfield", *results.OFFSET[1:]))
        if row["status"] != "ok":
            row["camera_offset"] = None
            continue
        cells, found = (
            read_cells(labels, row["key"]),
            [read_cells(folder, row["key"]) for folder in features],
        )
        for folder, part in zip(features, found, strict=True):
            if not np.array_equal(cells["label"], part["label"]):
                count = f"{len(cells['label'])} cells segmented, {len(part['label'])} in {Path(folder).name}"
                raise ValueError(f"{row['key']}: {count}")
        row |= {"cells": len(cells["label"]), "texture_clipped": _clipped(cells, found)}
        row |= _light(row, calibration)
        tables.append(pd.concat([_metadata(row, cells, found, model), *map(_features, found, names)], axis=1))
    extra = rows[0]["metadata"] if rows else {}
    empty = {"key": "", "plate": "", "well": "", "well_number": 0, "site": 0, "frame": 0, "metadata": extra}
    none = {name: np.empty(0) for name in ("label", "center_y", "center_x", "area", "solidity", "touches_border")}
    blank = pd.concat([_metadata(empty, none, [], model), *(_features({}, some) for some in names)], axis=1)
    table = pd.concat(tables, ignore_index=True) if tables else blank
    order = [f"Metadata_{name}" for name in ("Plate", "WellNumber", "Site", "Frame")]
    order += ["Metadata_Illumination"] * any(row.get("variant") for row in rows) + ["Metadata_Label"]
    return table.sort_values(order, ignore_index=True, kind="stable"), rows


def write(table, rows, batch, folder, place=FOLDER):
    """Write one Parquet file a plate (zstd) into FOLDER, laid out as the output folder is, also if it holds no cell.

    place  FOLDER, or UNMEASURED for cells without features
    """
    for plate in sorted({row["plate"] for row in rows if row["status"] == "ok"}):
        path = Path(folder, place, f"plate={plate}", f"{batch}.parquet")
        path.parent.mkdir(parents=True)
        cells = pa.Table.from_pandas(table[table["Metadata_Plate"] == plate], preserve_index=False)
        pq.write_table(cells.replace_schema_metadata(None), path, compression="zstd", row_group_size=PIECE)


def _light(row, calibration):
    """What became of an image's flat-field, in words, and the bytes fetched for it: a plate's for all of its images.

    And the camera's offset that was taken off it, with what is known of that.
    """
    found, offset = field_of(row, calibration), dict.fromkeys(results.OFFSET)
    offset["camera_offset"] = offset_of(row, calibration)
    if found is None:
        return {"flatfield": "none", "field_bytes": 0} | offset
    facts = found[3]
    word = facts["kind"] if facts["status"] == "ok" else f"refused: {facts['reason']}"
    estimate = facts.get("camera_offset", {})
    offset |= {f"offset_{name}": estimate.get(name) for name in ("state", "low", "high", "bound")}
    return {"flatfield": word, "field_bytes": facts.get("bytes", row.get("field_bytes"))} | offset


def _clipped(cells, found):
    """Share of the pixels of the cells (0 to 1) that their textures clip; None without textures, or without cells."""
    pixels = next((part["texture_clipped"] for part in found if "texture_clipped" in part), None)
    return None if pixels is None or not len(pixels) else round(float(pixels.sum() / cells["area"].sum()), 6)


def _metadata(row, cells, found, model):
    label = cells["label"].astype(np.int32)
    padded = next((part["padded"] for part in found if "padded" in part), None)  # deep features have crops
    levels = next((part["texture_levels"] for part in found if "texture_levels" in part), None)  # classical ones
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


def _features(found, names):
    values = found.get("features", np.empty((0, len(names)), np.float32))
    return pd.DataFrame(values.reshape(-1, len(names)).astype(np.float32), columns=names)
