"""How columns of an input table are named in the results, after `Metadata_`, and which names are reserved.

Standard library.
"""

import re

LONGEST = 100  # characters of a column's name

# Names after `Metadata_` that idrstream itself writes to some table; a column of the user's may not replace them.
RESERVED = {"Plate", "Well", "WellNumber", "Site", "Frame", "Label", "Center_X", "Center_Y"}
RESERVED |= {"Area", "Solidity", "TouchesBorder", "CropPaddedFraction", "TextureLevels", "Model", "Cell_ID"}
RESERVED |= {"Illumination"}  # the variant, in a run with streams: exports tell by it that a cell is there twice
RESERVED |= {"Cell_Count", "Image_Count"}  # of wells
RESERVED |= {"Phenotypic_Class"}  # of labelled cells

# DuckDB, and so users of our tables, cannot tell columns that differ in capitals only: names are compared without.
_RESERVED = {reserved.casefold(): reserved for reserved in RESERVED}

# Columns of the input tables that get another name, or none, by kind of table.
OWN_NAMES = {
    "wells": {"Plate": None, "Well": None, "Well Number": None, "Frames": None, "Site": None}
    | {"Control Type": "Control_Type", "Original Gene Target": "Gene"},
    "samplesheet": {"plate": None, "well": None, "frame": None, "file_frame": None, "site": None, "path": None}
    | {"control_type": "Control_Type", "gene": "Gene"},
}
POINTS = {"cell", "reason"}  # what points.tsv adds to the columns of a table of labelled points


def name(column, kind):
    """Name after `Metadata_` of a COLUMN of a table of this KIND; None for a column that locates an image."""
    return OWN_NAMES[kind].get(column, re.sub(r"\W+", "_", column.removeprefix("Metadata_")))


def names(table):
    """Column -> name after `Metadata_`, of the columns of a tables.Table that describe cells."""
    named = {column: name(column, table.kind) for column in table.columns}
    return {column: metadata for column, metadata in named.items() if metadata is not None}


def problems(table):
    """What is wrong with the column names of a tables.Table, a sentence each."""
    problems, first = [], {}
    for column in table.columns:
        wrong = _points_fault(column) if table.kind == "phenotypes" else None
        if table.kind in OWN_NAMES:
            wrong = _fault(column, table.kind, first)
        if wrong:
            problems.append(table.problem(f"{wrong}; rename the column", table.header_line, column))
    return problems


def _points_fault(column):
    return "reserved for a column of points.tsv" if column in POINTS else None


def _fault(column, kind, first):
    """What is wrong with one COLUMN, or None; FIRST: name -> first column of that name, is extended."""
    metadata = name(column, kind)
    if metadata is None:
        return None
    before = first.setdefault(metadata.casefold(), column)
    if reserved := _RESERVED.get(metadata.casefold()):
        return f"reserved: idrstream itself writes Metadata_{reserved}"
    if not metadata.strip("_"):
        return "its name has no letter or digit"
    if len(metadata) > LONGEST:
        return f"its name has more than {LONGEST} characters"
    if before != column:
        return f'both it and column "{before}" would become Metadata_{metadata}'
    return None
