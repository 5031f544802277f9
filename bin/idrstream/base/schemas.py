"""Values against the rules of JSON schemas, in sentences. Needs jsonschema."""

import functools

import jsonschema

from idrstream.base import tables


def checked(table, schema):
    """TABLE with the rows that conform to its JSON SCHEMA; the others are added to its problems."""
    rules = {c: schema["properties"].get(c) or schema["additionalProperties"] for c in table.columns}
    validators = {column: jsonschema.Draft202012Validator(rule) for column, rule in rules.items()}

    @functools.cache  # most cells of a column are alike
    def fault(column, text):
        if validators[column].is_valid(text):
            return None
        return f'"{tables.shown(text)}" {rules[column]["errorMessage"]}{tables.damaged(text)}'

    valid = []
    for row in table.rows:
        faults = [(column, fault(column, text)) for column, text in row.cells.items() if fault(column, text)]
        table.problems += [table.problem(what, row.line, column) for column, what in faults]
        valid += [] if faults else [row]
    table.rows = valid
    return table


def expected(rule, error):
    """What a value should be by its RULE, the end of a sentence; ERROR: jsonschema's."""
    if "errorMessage" in rule:
        return rule["errorMessage"]
    if "enum" in rule:
        return f"is none of {', '.join(map(str, rule['enum']))}.{tables.nearest(error.instance, rule['enum'])}"
    if rule["type"] == "boolean":
        return "is neither true nor false"
    return f"is not a {rule['type']}" if error.validator == "type" else error.message
