"""What a column of an input table is called in the results, after `Metadata_`, and which names are not the user's.

Standard library.
"""

import re

LONGEST = 100  # characters of a column's name

# What idrstream itself writes after `Metadata_`, in whichever table; a column of the user's may not take its place.
RESERVED = {"Plate", "Well", "WellNumber", "Site", "Frame", "Label", "Center_X", "Center_Y"}
RESERVED |= {"Area", "Solidity", "TouchesBorder", "CropPaddedFraction", "TextureLevels", "Model", "Cell_ID"}
RESERVED |= {"Illumination"}  # the variant, in a run with streams: exports tell by it that a cell is there twice
RESERVED |= {"Cell_Count", "Image_Count"}  # of wells
RESERVED |= {"Phenotypic_Class"}  # of labelled cells

# Columns that differ only in capitals are one to DuckDB, and so to the users of our tables: names are compared without.
_RESERVED = {reserved.casefold(): reserved for reserved in RESERVED}

# Columns of the input that have a name of their own there, or none, by kind of table.
OWN_NAMES = {
    "wells": {"Plate": None, "Well": None, "Well Number": None, "Frames": None, "Site": None}
    | {"Control Type": "Control_Type", "Original Gene Target": "Gene"},
    "samplesheet": {"plate": None, "well": None, "frame": None, "file_frame": None, "site": None, "path": None}
    | {"control_type": "Control_Type", "gene": "Gene"},
}
POINTS = {"cell", "reason"}  # what points.tsv adds to the columns of a table of labelled points


def name(column, kind):
    """What a COLUMN of a table of this KIND is called after `Metadata_`; None for one that says where an image is."""
    return OWN_NAMES[kind].get(column, re.sub(r"\W+", "_", column.removeprefix("Metadata_")))


def names(table):
    """Column -> what it is called, of the columns of a tables.Table that describe cells."""
    called = {column: name(column, table.kind) for column in table.columns}
    return {column: metadata for column, metadata in called.items() if metadata is not None}


def problems(table):
    """What is wrong with the column names of a tables.Table, a sentence each."""
    found, first = [], {}
    for column in table.columns:
        wrong = _points_fault(column) if table.kind == "phenotypes" else None
        if table.kind in OWN_NAMES:
            wrong = _fault(column, table.kind, first)
        if wrong:
            found.append(table.problem(f"{wrong}; rename the column", table.header_line, column))
    return found


def _points_fault(column):
    return "reserved: points.tsv has a column of this name" if column in POINTS else None


def _fault(column, kind, first):
    """What is wrong with one COLUMN, or None; FIRST has the columns before it, by what they are called."""
    metadata = name(column, kind)
    if metadata is None:
        return None
    before = first.setdefault(metadata.casefold(), column)
    if reserved := _RESERVED.get(metadata.casefold()):
        return f"reserved: the results have a column Metadata_{reserved} of their own"
    if not metadata.strip("_"):
        return "no letter or digit would be left of its name"
    if len(metadata) > LONGEST:
        return f"its name has more than {LONGEST} characters"
    if before != column:
        return f'it would be Metadata_{metadata}, as column "{before}" is'
    return None
