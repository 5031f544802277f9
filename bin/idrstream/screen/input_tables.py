"""Kinds of tables that users of `screen` write. Standard library only."""

from pathlib import Path

from idrstream.base import files, input_tables

SCHEMAS = files.read_json(Path(__file__).with_name("schemas.json"))
NAMES = {"samplesheet": "a samplesheet", "wells": "a table of wells"}


def read(path, *kinds):
    """Read a table that is of one of these KINDS (names of SCHEMAS), as base.input_tables.read."""
    return input_tables.read(path, {kind: SCHEMAS[kind] for kind in kinds}, NAMES)
