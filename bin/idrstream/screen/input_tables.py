"""Kinds of tables that people write, recognised by their header; columns in one spelling. Standard library only."""

from pathlib import Path

from idrstream.base import files, tables

SCHEMAS = files.read_json(Path(__file__).with_name("schemas.json"))
NAMES = {"samplesheet": "a samplesheet", "wells": "a table of wells"}


def read(path, *kinds):
    """Read a table that is of one of these KINDS (names of schemas).

    returns  tables.Table with its kind, its columns in the schema's spelling whatever capitals the file has

    Raises tables.Problems for a file that is not a table, or of none of these kinds.
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
    """Sentences about a table that lacks columns of each of KINDS."""
    hints = [tables.nearest(column, table.columns).replace("Did you mean", "Is it") for column in missing]
    if len(kinds) == 1:
        wrong = [f"missing; the columns are {table.listed()}.{hint}" for hint in hints]
        return [table.problem(what, table.header_line, column) for what, column in zip(wrong, missing, strict=True)]
    expected = " nor ".join(f"{NAMES[kind]} ({', '.join(SCHEMAS[kind]['required'])})" for kind in kinds)
    hint = (
        f' "{missing[0]}" is missing.{hints[0]}' if len(table.columns) > 1 else " It has no tabs, semicolons or commas."
    )
    return [table.problem(f"neither {expected}; its columns are {table.listed()}.{hint}", table.header_line)]


def _spelled(table):
    """TABLE with the schema's spelling of its columns. Raises tables.Problems where two differ in capitals only."""
    schema = {name.lower(): name for name in SCHEMAS[table.kind]["properties"]}
    spelling = {column: schema.get(column.lower(), column) for column in table.columns}
    names = list(spelling.values())
    repeated = [column for column, name in spelling.items() if column != name and names.count(name) > 1]
    if repeated:
        what = {column: f'differs from "{spelling[column]}" in capitals only; rename one' for column in repeated}
        raise tables.Problems([table.problem(what[column], table.header_line, column) for column in repeated])
    table.columns = names
    table.rows = [
        tables.Row(row.line, row.place, dict(zip(names, row.cells.values(), strict=True))) for row in table.rows
    ]
    return table
