"""Names of columns, as QuPath, MCMICRO and programs know them. Standard library only."""

import csv
import io
import re

from idrstream.base import tables

STATISTICS = {"mean": "Mean", "median": "Median", "min": "Min", "max": "Max", "sd": "Std.Dev.", "variance": "Variance"}
SHAPES = {
    "area": "Area {unit}^2",
    "length": "Length {unit}",
    "circularity": "Circularity",
    "solidity": "Solidity",
    "max_diameter": "Max diameter {unit}",
    "min_diameter": "Min diameter {unit}",
}
RATIO = "Nucleus/Cell area ratio"
OF_MCQUANT = "CellID", "X_centroid", "Y_centroid", "Area"  # columns beside measurements in mcmicro's style
FORMULA = "=", "+", "-", "@"  # what a spreadsheet computes


def names(columns, channels, unit, style, compartment):
    """The names of measurements in the tables, a list.

    columns      of slide.Column
    channels     names of the channels, each another
    unit         "µm" or "px"
    style        "qupath" (0.5), "qupath06" (0.6 and later) or "mcmicro"
    compartment  that MCMICRO's names mean
    """
    found = [tables.CONTROL.sub(" ", _name(column, channels, unit, style, compartment)) for column in columns]
    return distinct(found, OF_MCQUANT if style == "mcmicro" else (), str)


def plain(column, unit):
    """A shape's name for programs: ``nucleus_area_um2``."""
    edge = unit.replace("µ", "u")
    suffix = {"area": f"_{edge}2", "length": f"_{edge}", "max_diameter": f"_{edge}", "min_diameter": f"_{edge}"}
    return "_".join(filter(None, [column.compartment, column.measure])) + suffix.get(column.measure, "")


def distinct(names, taken=(), folded=str.casefold):
    """NAMES, with a number after those that are TAKEN or come again, in whatever capitals if these are FOLDED."""
    used, found = set(map(folded, taken)), []
    for name in names:
        number, free = 1, name
        while folded(free) in used:
            number += 1
            free = f"{name}_{number}"
        used.add(folded(free))
        found.append(free)
    return found


def key(name):
    """A name of a column as SpatialData takes it: letters, digits, ``_``, ``-``, ``.``, and no ``__`` to begin with."""
    return re.sub(r"^__+", "_", re.sub(r"[^\w.-]", "_", name, flags=re.ASCII))


def cells(texts):
    """A line of a tab-separated table, without its end: no cell is a formula to a spreadsheet, none has a tab."""
    line = io.StringIO()
    plain = (tables.CONTROL.sub(" ", text) for text in texts)
    csv.writer(line, delimiter="\t", lineterminator="").writerow(
        f"'{text}" if text.startswith(FORMULA) else text for text in plain
    )
    return line.getvalue()


def _name(column, channels, unit, style, compartment):
    part = (column.compartment or "").capitalize()
    if style == "mcmicro":
        return _of_mcmicro(column, channels, unit, compartment)
    if column.kind == "ratio":
        return RATIO
    if column.kind == "shape":
        return f"{part}: {SHAPES[column.measure].format(unit=unit)}"
    channel, statistic = channels[column.channel], STATISTICS[column.measure]
    first = (part, channel) if style == "qupath06" else (channel, part)
    return ": ".join([*first, statistic])


def _of_mcmicro(column, channels, unit, compartment):
    """MCQuant's, which measures one compartment a table; the others are named after theirs."""
    if column.kind != "intensity":
        return plain(column, unit)
    channel, other = channels[column.channel], column.compartment != compartment
    if column.measure == "mean" and not other:
        return channel
    return "_".join([channel, *[column.compartment] * other, "intensity", column.measure])
