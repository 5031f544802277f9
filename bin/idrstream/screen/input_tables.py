"""The kinds of tables people write: told by the whole header, their columns under one spelling. Standard library."""

from pathlib import Path

from idrstream.base import files, tables

SCHEMAS = files.read_json(Path(__file__).with_name("schemas.json"))
NAMES = {"samplesheet": "a samplesheet", "wells": "a table of wells"}


def read(path, *kinds):
    """Read a table that is of one of these KINDS (names of schemas).

    returns  tables.Table with its kind, whose columns are spelled as the schema has them, in whatever capitals they
             stand in the file

    Raises tables.Problems for a file that is no table, or none of these.
    """
    table = tables.read(path, {name for kind in kinds for name in SCHEMAS[kind]["properties"]})
    lower = {column.lower() for column in table.columns}
    missing = {kind: [name for name in SCHEMAS[kind]["required"] if name.lower() not in lower] for kind in kinds}
    exact = {kind: sum(name in table.columns for name in SCHEMAS[kind]["required"]) for kind in kinds}
    table.kind = min(kinds, key=lambda kind: (len(missing[kind]), -exact[kind]))
    if missing[table.kind]:
        raise tables.Problems(_unlike(table, kinds, missing[table.kind]))
    return _spelled(table)


def _unlike(table, kinds, missing):
    """What to say of a table that lacks columns of each of KINDS."""
    hints = [tables.nearest(column, table.columns).replace("Did you mean", "Is it") for column in missing]
    if len(kinds) == 1:
        wrong = [f"it is missing; there are {table.listed()}.{hint}" for hint in hints]
        return [table.problem(what, table.header_line, column) for what, column in zip(wrong, missing, strict=True)]
    known = " nor ".join(f"{NAMES[kind]} ({', '.join(SCHEMAS[kind]['required'])})" for kind in kinds)
    hint = f' "{missing[0]}" is missing.{hints[0]}' if len(table.columns) > 1 else " No separator is known in it."
    return [table.problem(f"this is neither {known}; its columns are {table.listed()}.{hint}", table.header_line)]


def _spelled(table):
    """TABLE with the schema's spelling of its columns. Raises tables.Problems where two are the same but for that."""
    known = {name.lower(): name for name in SCHEMAS[table.kind]["properties"]}
    spelling = {column: known.get(column.lower(), column) for column in table.columns}
    names = list(spelling.values())
    again = [column for column, name in spelling.items() if column != name and names.count(name) > 1]
    if again:
        what = {column: f'a second "{spelling[column]}", but for its capitals; rename one' for column in again}
        raise tables.Problems([table.problem(what[column], table.header_line, column) for column in again])
    table.columns = names
    table.rows = [
        tables.Row(row.line, row.place, dict(zip(names, row.cells.values(), strict=True))) for row in table.rows
    ]
    return table
