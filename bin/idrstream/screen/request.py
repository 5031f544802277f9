"""The user's request: params, and a types.PlannedImage for each image of a table; all mistakes are reported at once."""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from idrstream import sources
from idrstream.base import schemas, tables
from idrstream.images.frames import image_key
from idrstream.screen import input_tables, metadata_names, places
from idrstream.screen.input_tables import SCHEMAS
from idrstream.screen.study import Study, Well
from idrstream.screen.types import PlannedImage

LISTED = 20  # control types
WARNED = 3  # pairs of images of the same frame that are named one by one


def read(path: Path, *kinds: str) -> tables.Table:
    """Read a table of one of these KINDS (names of schemas) and check it by its schema.

    returns  the table with the rows that keep to the schema, and `problems`: what is wrong with its columns and with
             the other rows, one sentence each

    Raises tables.Problems for a file that is no table, or none of these.
    """
    table = input_tables.read(path, *kinds)
    table.problems += metadata_names.problems(table)
    return schemas.checked(table, SCHEMAS[table.kind])


def read_screens(path: Path) -> tables.Table:
    """Read the table of screens, which has no header; result as of `read`."""
    table = tables.read(path, header=SCHEMAS["screens"]["required"])
    table.kind = "screens"
    return schemas.checked(table, SCHEMAS[table.kind])


def stores(table: tables.Table, root: str | None) -> dict[str, str]:
    """plate -> its OME-Zarr, an address or relative to the source.

    table  the table of --zarr_index, as `read` gives it
    root   local folder that is the source

    Raises tables.Problems.
    """
    problems, by_plate, lines = list(table.problems), {}, {}
    for row in table.rows:
        plate, store = row.cells["plate"], row.cells["store"].rstrip("/")
        if plate in lines:
            problems.append(
                table.problem(f'duplicate plate "{plate}", first in line {lines[plate]}', row.line, "plate")
            )
        lines.setdefault(plate, row.line)
        if wrong := sources.fault(store):
            problems.append(table.problem(f'"{store}": {wrong}', row.line, "store"))
        if os.path.isabs(store) and root and os.path.commonpath([root, store]) == root:
            store = os.path.relpath(store, root)
        if os.path.isabs(store) or ".." in store.split("/"):
            outside = f'"{store}" is not in --source; make that the folder of all stores, or name an address'
            problems.append(table.problem(outside, row.line, "store"))
        by_plate[plate] = store
    if problems:
        raise tables.Problems(problems)
    return by_plate


def from_wells(
    table: tables.Table, screens: tables.Table, study: Study, stores: Mapping[str, str] | None = None
) -> list[PlannedImage]:
    """Images of IDR_stream's table of wells, `data_to_process.tsv`.

    table    the table, as `read` gives it
    screens  the table of screens, as `read_screens` gives it
    stores   plate -> its OME-Zarr, see `stores`; None: there is no table of them
    returns  the images in the order of the table; no ids yet (batches.identify)

    Raises tables.Problems.
    """
    problems, long_plates = _long_plates(screens)
    if problems:  # a plate may be missing because its row is broken; its wells are checked all the same
        long_plates = {row.cells["Plate"]: row.cells["Plate"] for row in table.rows} | long_plates
    problems += table.problems
    if stores is not None:
        _stored(table, stores, problems)
    images = list(_wells(table, long_plates, study, stores or {}, problems))
    return _checked(images, problems, table)


def from_samplesheet(table: tables.Table, study: Study, folder: str) -> list[PlannedImage]:
    """Images of a samplesheet with the columns plate, well, frame and path; arguments and result as in `from_wells`.

    folder  what a relative path is relative to: a folder's absolute path, or an address
    """
    problems = list(table.problems)
    images = list(_samples(table, study, folder, problems))
    return _checked(images, problems, table)


def shared_frames(table: tables.Table, images: Sequence[PlannedImage]) -> list[str]:
    """Warnings, a sentence each, about IMAGES of a table that read the same frame of the same file.

    A cell filled down in a spreadsheet makes one well's image another's too.
    """
    first, warnings = {}, []
    for image in images:
        frame = tuple(map(os.path.normpath, image["locations"])), places.frame_in_file(image)
        before = first.setdefault(frame, image)
        if before is not image:
            lines = sorted({before["line"], image["line"]})
            where = f"lines {lines[0]} and {lines[1]}" if len(lines) > 1 else f"line {lines[0]}"
            warnings.append(f"{table.name}, {where}: {_both(before, image)} name the same file and frame")
    if (more := len(warnings) - WARNED) > 0:
        warnings[WARNED:] = [f"{table.name}: {more} more images name a file and frame that another names"]
    return warnings


def unseen_control(word: str | None, images: Sequence[PlannedImage]) -> str | None:
    """The sentence that no image has the control type WORD; None if one has, or if WORD is None."""
    types = {row["metadata"]["Control_Type"] for row in images} - {""}
    if word is None or str(word) in types:
        return None
    listed = ", ".join(f'"{tables.shown(name)}"' for name in sorted(types)[:LISTED]) + ", ..." * (len(types) > LISTED)
    near = tables.nearest(str(word), types)
    return (
        f'--negative_control "{word}": no well has this control type; the control types are {listed or "none"}.{near}'
    )


def _both(first, second):
    """The wells of two images in words: ``wells A01 and A02 of P``."""
    if first["plate"] == second["plate"] and first["well"] != second["well"]:
        return f"wells {first['well']} and {second['well']} of {first['plate']}"
    places = (f"{row['plate']} {row['well']} site {row['site']}" for row in (first, second))
    return " and ".join(places)


def _stored(table, stores, problems):
    """Add a problem for each plate that is not in the table of stores, with its first line."""
    first = {}
    for row in table.rows:
        first.setdefault(row.cells["Plate"], row.line)
    for plate in first.keys() - stores.keys():
        where = tables.nearest(plate, stores) or " Its line there is missing."
        problems.append(table.problem(f'"{plate}" is not in --zarr_index.{where}', first[plate], "Plate"))


def _wells(table, long_plates, study, stores, problems):
    names = metadata_names.names(table)
    for row in table.rows:
        cells = row.cells
        well = _well(table, row, "Well", study, problems)
        if cells["Plate"] not in long_plates:
            where = tables.nearest(cells["Plate"], long_plates) or " Its line there is missing."
            problems.append(
                table.problem(f'"{cells["Plate"]}" is not in the table of screens.{where}', row.line, "Plate")
            )
        if not well or cells["Plate"] not in long_plates:
            continue
        number = study.well_number(well)
        if int(cells["Well Number"]) != number:
            wrong = f"well {cells['Well']} is number {number}, not {cells['Well Number']}, counted row by row"
            problems.append(table.problem(wrong, row.line, "Well Number"))
            continue
        for text in filter(None, map(str.strip, cells["Frames"].split(","))):
            site = int(cells.get("Site") or 1)
            if frame := _frame(table, row, "Frames", text, problems):
                place = (cells["Plate"], long_plates[cells["Plate"]], well, site, frame)
                locations = study.locate(*place, store=stores.get(cells["Plate"]))
                # An image is the same wherever its plate's store is, and with or without one.
                file = "\n".join(study.locate(*place) or study.locate(*place, store="{store}"))
                yield _image(row, cells["Plate"], well, number, site, frame, locations, file, names)


def _samples(table, study, folder, problems):
    names = metadata_names.names(table)
    for row in table.rows:
        cells = row.cells
        well = _well(table, row, "well", study, problems)
        frame = _frame(table, row, "frame", cells["frame"], problems)
        path = cells["path"]
        if wrong := sources.fault(path):
            problems.append(table.problem(f'"{path}": {wrong}', row.line, "path"))
        elif not sources.scheme(path):  # a file name may have any character; in an address # and ? would end it
            far = sources.scheme(folder)
            path = f"{folder.rstrip('/')}/{quote(path)}" if far else sources.joined(folder, path)
        if well and frame:
            site, number = int(cells.get("site") or 1), study.well_number(well)
            file_frame = int(cells.get("file_frame") or frame)
            file = cells["path"] if file_frame == frame else f"{cells['path']}\n{file_frame}"
            image = _image(row, cells["plate"], well, number, site, frame, [path], file, names)
            yield image if file_frame == frame else image | {"file_frame": file_frame}


def _image(row, plate, well, number, site, frame, locations, file, names):
    """The dict of an image; NAMES are those of the columns that become its metadata."""
    metadata = {"Control_Type": "", "Gene": ""} | {name: row.cells[column] for column, name in names.items()}
    return {
        "row": row.place,
        "line": row.line,
        "key": image_key(plate, well.name, site, frame),
        "plate": plate,
        "well": well.name,
        "well_number": number,
        "site": site,
        "frame": frame,
        "locations": locations,
        "file": file,
        "metadata": metadata,
    }


def _well(table, row, column, study, problems):
    text = row.cells[column]
    well = Well.parse(text)
    if well and study.holds(well):
        return well
    size = f"a plate of {study.wells[0]} x {study.wells[1]} wells"
    remedy = "" if study.locations else "; set the size of the plates by --plate_format, or by the wells of a --study"
    problems.append(table.problem(f'"{text}" is not a well of {size}{remedy}', row.line, column))
    return None


def _frame(table, row, column, text, problems):
    if int(text) > 0:
        return int(text)
    convention = f'"{text}" is not a frame; frames are counted from 1 (IDR_stream\'s convention)'
    problems.append(table.problem(convention, row.line, column))
    return None


def _long_plates(screens):
    """Short plate name -> long one, from rows such as ``LT0001_02``, ``../screens/LT0001_02--ex2005_11_16.screen``."""
    problems, names = list(screens.problems), {}
    for row in screens.rows:
        plate = row.cells["plate"]
        if plate in names:
            problems.append(screens.problem(f'duplicate plate "{plate}"', row.line, "plate"))
        else:
            names[plate] = row.cells["screen"].rpartition("/")[2].removesuffix(".screen")
    return problems, names


def _checked(images, problems, table):
    """The images. Raises tables.Problems with PROBLEMS, duplicates, and wells of several control types."""
    first = {}
    for row in images:
        if first.setdefault(row["key"], row) is not row:
            what = f"plate {row['plate']} well {row['well']} site {row['site']} frame {row['frame']}"
            problems.append(table.problem(f"duplicate {what}, first in line {first[row['key']]['line']}", row["line"]))
    problems += _mixed_controls(images, table)
    if problems:
        raise tables.Problems(problems)
    return images


def _mixed_controls(images, table):
    """Sentences about wells with several control types, whose profile would have none."""
    names = {name: column for column, name in metadata_names.names(table).items()}
    first, problems = {}, {}
    for row in images:
        well = row["plate"], row["well"]
        before = first.setdefault(well, row)
        types = [image["metadata"]["Control_Type"] for image in (row, before)]
        if types[0] != types[1] and row["key"] != before["key"] and well not in problems:
            now, then = (f'"{word}"' if word else "none" for word in types)
            what = f"the control type of well {row['well']} of plate {row['plate']} is {now}, but in line"
            what += f" {before['line']} it is {then}; give all rows of a well the same"
            problems[well] = table.problem(what, row["line"], names["Control_Type"])
    return list(problems.values())
