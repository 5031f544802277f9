"""Maps of the plates, each well at its position."""

import re

import numpy as np
from matplotlib import pyplot as plt

from idrstream.report import page
from idrstream.report.pictures import limits

SINGLE = 6  # plates; more are drawn together, one picture per quantity
GAP = 2  # wells between plates that are drawn together
QUANTITIES = {
    "cells": "cells per image",
    "focus": "focus (slope of the power spectrum; lower is blurrier)",
    "saturation": "share of saturated pixels",
    "background": "background (grey levels)",
    "failed": "images failed",
}


def section(results, pictures):
    """A map of each quantity: one per plate, or one of all plates if there are many."""
    content = page.Section(
        "plate_maps",
        "Plate maps",
        "Mean over the images of a well; failed images are counted. All plates have one colour scale, from the 1st "
        "to the 99th percentile. Wells that were not requested are white; wells without a value have a cross. A "
        "gradient from the border inwards, a conspicuous row or column, or a plate unlike the others points to the "
        "plate or the microscope rather than to biology.",
    )
    if results.images.empty:
        content.html.append(page.paragraph("No image is finished yet."))
        return content
    wells = by_well(results.images)
    shape = geometry(wells, results.wells)
    drawn = [name for name in QUANTITIES if wells[name].notna().any() and (name != "failed" or wells[name].any())]
    for name in [name for name in QUANTITIES if name not in drawn]:
        why = "there are none" if name == "failed" else "the ledger does not have it for these images"
        content.html.append(page.paragraph(f"No map of {QUANTITIES[name]}: {why}."))
    if len(results.plates) > SINGLE:
        mean = wells.groupby(["row", "column"])[list(QUANTITIES)].mean().reset_index()
        means = [_single(mean, f"mean of {len(results.plates)} plates", name, shape, pictures) for name in drawn]
        content.html.append(page.panels(means))
        maps = [_together(wells, name, QUANTITIES[name], shape, pictures) for name in drawn]
        content.html.append(page.panels(maps, wide=True))
    else:
        for plate, of_plate in wells.groupby("plate"):
            maps = [_single(of_plate, plate, name, shape, pictures, limits(wells[name])) for name in drawn]
            content.html.append(page.panels(maps))
    return content


def by_well(images):
    """A row per well: plate, well, row and column from 0, and the QUANTITIES."""
    groups = images.groupby(["plate", "well"], sort=True)
    means = {name: (name, "mean") for name in QUANTITIES if name != "failed"}
    wells = groups.agg(**means, failed=("failed", "sum")).reset_index()
    places = [place(well) for well in wells["well"]]
    wells["row"], wells["column"] = np.array(places).T
    return wells


def place(well):
    """(row, column) of a well, from 0: A04 is (0, 3), AB12 of a plate of 1536 wells (27, 11)."""
    letters, digits = re.fullmatch(r"([A-Za-z]+)0*(\d+)", well).groups()
    row = 0
    for letter in letters.upper():
        row = 26 * row + ord(letter) - 64
    return row - 1, int(digits) - 1


def geometry(wells, plates):
    """(rows, columns) of the maps: of the PLATES, or more if a well lies outside; such a well can only have failed."""
    return tuple(max(side, int(wells[name].max()) + 1) for side, name in zip(plates, ("row", "column"), strict=True))


def grid(wells, name, shape):
    """(rows, columns) float of a quantity; NaN where there is no well or no value."""
    values = np.full(shape, np.nan)
    values[wells["row"], wells["column"]] = wells[name]
    return values


def row_name(row):
    """A of row 0, AA of row 26."""
    return (chr(64 + row // 26) if row >= 26 else "") + chr(65 + row % 26)


def _single(wells, plate, name, shape, pictures, scale=None):
    """The map of a plate, or of the mean of several; wells without a value have a cross. SCALE: (from, to)."""
    scale = scale or limits(wells[name])
    drawn, axes = plt.subplots(figsize=(5.2, 0.5 + 4.4 * shape[0] / shape[1]))
    values = grid(wells, name, shape)
    shown = axes.imshow(values, cmap="cividis", vmin=scale[0], vmax=scale[1])
    missing = wells[wells[name].isna()]
    axes.plot(missing["column"], missing["row"], "x", color="#D55E00", ms=5)
    step = 1 if shape[1] <= 24 else 2
    axes.set_xticks(range(0, shape[1], step), range(1, shape[1] + 1, step), fontsize=6)
    axes.set_yticks(range(0, shape[0], step), map(row_name, range(0, shape[0], step)), fontsize=6)
    axes.vlines(np.arange(shape[1] + 1) - 0.5, -0.5, shape[0] - 0.5, color="#dddddd", lw=0.4)
    axes.hlines(np.arange(shape[0] + 1) - 0.5, -0.5, shape[1] - 0.5, color="#dddddd", lw=0.4)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(f"{plate}: {QUANTITIES[name].split(' (')[0]}")
    drawn.colorbar(shown, shrink=0.85, aspect=25)
    return pictures.add(drawn, f"plate_map_{name}_{plate.replace(' ', '_')}", _alt(wells, name, plate, shape))


def _together(wells, name, words, shape, pictures):
    """All plates in one picture, in the order of their names, row by row."""
    plates = sorted(wells["plate"].unique())
    across = max(4, min(30, round(np.sqrt(2 * len(plates) * shape[0] / shape[1]))))
    down = -(-len(plates) // across)
    step = (shape[0] + 2 * GAP + 3, shape[1] + GAP)
    canvas = np.full((down * step[0], across * step[1]), np.nan)
    scale = limits(wells[name])
    size = (11, max(2.0, 11 * canvas.shape[0] / canvas.shape[1]) + 0.6)
    drawn, axes = plt.subplots(figsize=size)
    groups = dict(list(wells.groupby("plate")))
    font = min(9.0, 5.0 * 24 / across)
    for i, plate in enumerate(plates):
        top, left = (i // across) * step[0] + GAP + 3, (i % across) * step[1]
        canvas[top : top + shape[0], left : left + shape[1]] = grid(groups[plate], name, shape)
        axes.text(left, top - 1.2, plate, fontsize=font, va="bottom")
        axes.add_patch(plt.Rectangle((left - 0.5, top - 0.5), shape[1], shape[0], fill=False, ec="#bbbbbb", lw=0.4))
    shown = axes.imshow(canvas, cmap="cividis", vmin=scale[0], vmax=scale[1])
    axes.axis("off")
    axes.set_title(words)
    drawn.colorbar(shown, location="bottom", shrink=0.4, aspect=50, pad=0.01)
    return pictures.add(drawn, f"plate_maps_{name}", _alt(wells, name, f"{len(plates)} plates", shape))


def _alt(wells, name, what, shape):
    values = wells[name].dropna()
    words = f"Map of {what} with {shape[0]} rows and {shape[1]} columns: {QUANTITIES[name]} of {len(wells)} wells"
    if values.empty:
        return f"{words}, none of which has a value."
    low, middle, high = (page.number(value) for value in (values.min(), values.median(), values.max()))
    return f"{words}, from {low} to {high}, median {middle}."
