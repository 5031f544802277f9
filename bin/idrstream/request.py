"""What the user asks for: params, and one dict an image from either kind of table; all mistakes are found at once."""

import os.path
import re
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import jsonschema

from idrstream import files, image, sources, tables
from idrstream.study import Well

SCHEMAS = files.read_json(Path(__file__).with_name("schemas.json"))

# Columns of the input that have a name of their own in the cell table, by kind of table.
WELLS = {"Plate": None, "Well": None, "Well Number": None, "Frames": None, "Site": None}
WELLS |= {"Control Type": "Control_Type", "Original Gene Target": "Gene"}
SAMPLESHEET = {"plate": None, "well": None, "frame": None, "site": None, "path": None}
SAMPLESHEET |= {"control_type": "Control_Type", "gene": "Gene"}

# What the pipeline says of a cell itself; a column of the user's may not take its place.
OWN = {"Plate", "Well", "WellNumber", "Site", "Frame", "Label", "Center_X", "Center_Y"}
OWN |= {"Area", "Solidity", "TouchesBorder", "CropPaddedFraction", "Model", "Cell_ID"}


def params_problems(params, schema):
    """Everything that is wrong with PARAMS (name -> value, None where not given), one sentence each.

    An unknown name is a problem too: Nextflow itself takes any, and a typing error would silently mean the default.
    """
    known = {name: rule for group in schema["$defs"].values() for name, rule in group["properties"].items()}
    found = []
    for name, value in params.items():
        if name not in known:
            found.append(f"--{name}: there is no such param.{tables.nearest(name, known)} All are listed by --help.")
        elif value is not None and (
            error := next(jsonschema.Draft202012Validator(known[name]).iter_errors(value), None)
        ):
            found.append(f"--{name} {value}: {_expected(known[name], error)}")
    return found


def is_samplesheet(table):
    """A samplesheet names its files itself; IDR_stream's table of wells leaves that to a study description."""
    return "path" in table.columns


def stores(table, root):
    """plate -> its OME-Zarr, an address or relative to the source.

    table  tables.Table of --zarr_index with the columns plate and store
    root   local folder that is the source, or None

    Raises tables.Problems.
    """
    problems, found, lines = [], {}, {}
    for _, row in _sound_rows(table, "zarr_index", problems):
        plate, store = row.cells["plate"], row.cells["store"].rstrip("/")
        if plate in lines:
            problems.append(table.problem(f'"{plate}" stands already in line {lines[plate]}', row.line, "plate"))
        lines.setdefault(plate, row.line)
        if wrong := sources.fault(store):
            problems.append(table.problem(f'"{store}": {wrong}', row.line, "store"))
        if os.path.isabs(store) and root and os.path.commonpath([root, store]) == root:
            store = os.path.relpath(store, root)
        if os.path.isabs(store) or ".." in store.split("/"):
            outside = f'"{store}" does not lie in --source; make that the folder of all stores, or name an address'
            problems.append(table.problem(outside, row.line, "store"))
        found[plate] = store
    if problems:
        raise tables.Problems(problems)
    return found


def points_problems(table):
    """Everything that is wrong with a table of labelled points, one sentence each."""
    problems = []
    _sound_rows(table, "phenotypes", problems)
    return problems


def from_wells(table, screens, study, stores=None):
    """Images of IDR_stream's table of wells, `data_to_process.tsv`.

    table    tables.Table of it
    screens  tables.Table of `screens.tsv` with the columns plate and screen
    study    study.Study
    stores   plate -> its OME-Zarr, see `stores`; None: there is no table of them
    returns  list of dicts: row (place in the table, from 0), key, plate, well, well_number, site, frame, locations
             (relative to the source, in the order to try), metadata (name -> text)

    Raises tables.Problems.
    """
    problems, long_plates = _long_plates(screens)
    sound = _sound_rows(table, "wells", problems)
    if stores is not None:
        _stored(table, sound, stores, problems)
    images = list(_wells(table, sound, long_plates, study, stores or {}, problems))
    return _checked(images, problems, table, WELLS)


def from_samplesheet(table, study, folder):
    """Images of a samplesheet with the columns plate, well, frame and path; arguments and result as in `from_wells`.

    folder  what a relative path is relative to: a folder's absolute path, or an address
    """
    problems = []
    sound = _sound_rows(table, "samplesheet", problems)
    images = list(_samples(table, sound, study, folder, problems))
    return _checked(images, problems, table, SAMPLESHEET)


def _stored(table, sound, stores, problems):
    """A plate that is not in the table of stores is a problem, said where it stands first."""
    first = {}
    for _, row in sound:
        first.setdefault(row.cells["Plate"], row.line)
    for plate in first.keys() - stores.keys():
        where = tables.nearest(plate, stores) or " Its line there is missing."
        problems.append(table.problem(f'"{plate}" is not in --zarr_index.{where}', first[plate], "Plate"))


def _wells(table, sound, long_plates, study, stores, problems):
    for ordinal, row in sound:
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
                # An image stays what it is wherever its plate's store lies, and whether that is known or not.
                file = (study.locate(*place) or study.locate(*place, store="{store}"))[0]
                yield _image(ordinal, row, cells["Plate"], well, number, site, frame, locations, file, table, WELLS)


def _samples(table, sound, study, folder, problems):
    for ordinal, row in sound:
        cells = row.cells
        well = _well(table, row, "well", study, problems)
        frame = _frame(table, row, "frame", cells["frame"], problems)
        path = cells["path"]
        if wrong := sources.fault(path):
            problems.append(table.problem(f'"{path}": {wrong}', row.line, "path"))
        elif not sources.scheme(path):  # every character in it is the name's: of an address, # and ? would end it
            far = sources.scheme(folder)
            path = f"{folder.rstrip('/')}/{quote(path)}" if far else os.path.normpath(os.path.join(folder, path))
        if well and frame:
            site, number = int(cells.get("site") or 1), study.well_number(well)
            yield _image(
                ordinal, row, cells["plate"], well, number, site, frame, [path], cells["path"], table, SAMPLESHEET
            )


def _image(ordinal, row, plate, well, number, site, frame, locations, file, table, names):
    metadata = {"Control_Type": "", "Gene": ""}
    metadata |= {_metadata(column, names): row.cells[column] for column in table.columns if _metadata(column, names)}
    return {
        "row": ordinal,
        "line": row.line,
        "key": image.key(plate, well.name, site, frame),
        "plate": plate,
        "well": well.name,
        "well_number": number,
        "site": site,
        "frame": frame,
        "locations": locations,
        "file": file,
        "metadata": metadata,
    }


def _metadata(column, names):
    """What a column of the input is called in the cell table after `Metadata_`; None for one that is spoken for."""
    return names.get(column, re.sub(r"\W+", "_", column.removeprefix("Metadata_")))


def _well(table, row, column, study, problems):
    text = row.cells[column]
    well = Well.parse(text)
    if well and study.holds(well):
        return well
    size = f"{study.wells[0]} x {study.wells[1]} wells"
    problems.append(table.problem(f'"{text}" is not a well of a plate of {size}', row.line, column))
    return None


def _frame(table, row, column, text, problems):
    if int(text) > 0:
        return int(text)
    convention = f'"{text}" is not a frame; frames are counted from 1 (IDR_stream\'s convention)'
    problems.append(table.problem(convention, row.line, column))
    return None


def _long_plates(screens):
    """Short plate name -> long one, from rows such as ``LT0001_02``, ``../screens/LT0001_02--ex2005_11_16.screen``."""
    problems, names = [], {}
    for row in screens.rows:
        plate, path = row.cells["plate"], row.cells["screen"]
        match = re.fullmatch(r"(?:.*/)?([^/]+)\.screen", path)
        if not match:
            problems.append(screens.problem(f'"{path}" is not ../screens/<long plate name>.screen', row.line, "screen"))
            names.setdefault(plate, plate)  # its wells are looked at all the same
        elif plate in names:
            problems.append(screens.problem(f'"{plate}" stands there twice', row.line, "plate"))
        else:
            names[plate] = match[1]
    return problems, names


def _sound_rows(table, name, problems):
    """(place, row) of the rows that keep to the table's schema, places counted from 0; what breaks it is a problem."""
    schema = SCHEMAS[name]
    missing = [column for column in schema["required"] if column not in table.columns]
    there = ", ".join(table.columns)
    for column in missing:
        near = tables.nearest(column, table.columns).replace("Did you mean", "Is it")
        problems.append(table.problem(f"it is missing; there are {there}.{near}", 1, column))
    validator = jsonschema.Draft202012Validator(schema)
    sound = []
    for place, row in enumerate(() if missing else table.rows):
        errors = sorted(validator.iter_errors(row.cells), key=lambda error: error.path[0])
        for error in errors:
            what = error.schema.get("errorMessage", error.message)
            problems.append(table.problem(f'"{error.instance}" {what}', row.line, error.path[0]))
        if not errors:
            sound.append((place, row))
    return sound


def _checked(images, problems, table, names):
    """The images, unless there is a problem with them or among them."""
    if problems:
        raise tables.Problems(problems)
    taken = Counter(_metadata(column, names) for column in table.columns if _metadata(column, names))
    for column in table.columns:
        name = _metadata(column, names)
        if name in OWN or (name and taken[name] > 1):
            problems.append(table.problem(f"it would be a second Metadata_{name}; rename it", 1, column))
    first = {}
    for asked in images:
        if first.setdefault(asked["key"], asked) is not asked:
            line = first[asked["key"]]["line"]
            what = f"plate {asked['plate']} well {asked['well']} site {asked['site']} frame {asked['frame']}"
            problems.append(table.problem(f"{what} stands already in line {line}", asked["line"]))
    if problems:
        raise tables.Problems(problems)
    return images


def _expected(rule, error):
    if "errorMessage" in rule:
        return rule["errorMessage"]
    if "enum" in rule:
        return f"is none of {', '.join(map(str, rule['enum']))}.{tables.nearest(error.instance, rule['enum'])}"
    if rule["type"] == "boolean":
        return "is neither true nor false"
    return f"is not a {rule['type']}" if error.validator == "type" else error.message
