"""Tables that people write, recognised by their header; columns in one spelling. Standard library only."""

from idrstream.base import tables


def read(path, schemas, names=None):
    """Read a table that one of these SCHEMAS describes.

    schemas  kind -> JSON schema of a row: its columns are the properties
    names    kind -> what messages call it, where there are several
    returns  tables.Table with its kind, its columns in the schema's spelling whatever capitals the file has

    Raises tables.Problems for a file that is not a table, or of none of these kinds.
    """
    table = tables.read(path, {name for schema in schemas.values() for name in schema["properties"]})
    lower = {column.lower() for column in table.columns}
    needed = {kind: schema["required"] for kind, schema in schemas.items()}
    missing = {kind: [name for name in columns if name.lower() not in lower] for kind, columns in needed.items()}
    exact = {kind: sum(name in table.columns for name in columns) for kind, columns in needed.items()}
    table.kind = min(schemas, key=lambda kind: (len(missing[kind]), -exact[kind]))
    if missing[table.kind]:
        raise tables.Problems(_unlike(table, schemas, names, missing[table.kind]))
    return _spelled(table, schemas[table.kind]["properties"])


def _unlike(table, schemas, names, missing):
    """Sentences about a table that lacks columns of each of the SCHEMAS."""
    hints = [tables.nearest(column, table.columns).replace("Did you mean", "Is it") for column in missing]
    if len(schemas) == 1:
        wrong = [f"missing; the columns are {table.listed()}.{hint}" for hint in hints]
        return [table.problem(what, table.header_line, column) for what, column in zip(wrong, missing, strict=True)]
    expected = " nor ".join(f"{names[kind]} ({', '.join(schema['required'])})" for kind, schema in schemas.items())
    hint = (
        f' "{missing[0]}" is missing.{hints[0]}' if len(table.columns) > 1 else " It has no tabs, semicolons or commas."
    )
    return [table.problem(f"neither {expected}; its columns are {table.listed()}.{hint}", table.header_line)]


def _spelled(table, properties):
    """TABLE with the schema's spelling of its columns. Raises tables.Problems where two differ in capitals only."""
    schema = {name.lower(): name for name in properties}
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
