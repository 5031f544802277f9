"""Maps of the plates, each well where it lies."""

import re

import numpy as np
from matplotlib import pyplot as plt

from idrstream.report import page
from idrstream.report.pictures import limits

SINGLE = 6  # plates; more are drawn together, a picture a quantity
GAP = 2  # wells between plates that are drawn together
QUANTITIES = {
    "cells": "cells an image",
    "focus": "focus (slope of the power spectrum; lower is blurrier)",
    "saturation": "share of saturated pixels",
    "background": "background (grey levels)",
    "failed": "images failed",
}


def section(results, pictures):
    """A map of each quantity: of each plate by itself, or of all plates together if they are many."""
    made = page.Section(
        "plate_maps",
        "Plate maps",
        "The mean of a well's images, failed images as a count. One scale of colours for all plates, from the 1st "
        "to the 99th percentile. Wells that were not asked for are white, those without a value crossed out. A "
        "gradient from the border inwards, a row or a column that stands out, or a plate unlike the others is a "
        "fault of plate or microscope rather than biology.",
    )
    if results.images.empty:
        made.html.append(page.paragraph("No image is finished yet."))
        return made
    wells = by_well(results.images)
    shape = geometry(wells, results.wells)
    drawn = [name for name in QUANTITIES if wells[name].notna().any() and (name != "failed" or wells[name].any())]
    for name in [name for name in QUANTITIES if name not in drawn]:
        why = "none did" if name == "failed" else "the ledger does not say it of these images"
        made.html.append(page.paragraph(f"No map of {QUANTITIES[name]}: {why}."))
    if len(results.plates) > SINGLE:
        mean = wells.groupby(["row", "column"])[list(QUANTITIES)].mean().reset_index()
        means = [_single(mean, f"mean of {len(results.plates)} plates", name, shape, pictures) for name in drawn]
        made.html.append(page.panels(means))
        maps = [_together(wells, name, QUANTITIES[name], shape, pictures) for name in drawn]
        made.html.append(page.panels(maps, wide=True))
    else:
        for plate, own in wells.groupby("plate"):
            maps = [_single(own, plate, name, shape, pictures, limits(wells[name])) for name in drawn]
            made.html.append(page.panels(maps))
    return made


def by_well(images):
    """A row a well: plate, well, row and column from 0, and the QUANTITIES."""
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
    """(rows, columns) of the maps: of the PLATES, or larger where a well lies outside, which can only have failed."""
    return tuple(max(side, int(wells[name].max()) + 1) for side, name in zip(plates, ("row", "column"), strict=True))


def grid(wells, name, shape):
    """(rows, columns) float of a quantity; NaN where there is no well or no value."""
    made = np.full(shape, np.nan)
    made[wells["row"], wells["column"]] = wells[name]
    return made


def row_name(row):
    """A of row 0, AA of row 26."""
    return (chr(64 + row // 26) if row >= 26 else "") + chr(65 + row % 26)


def _single(wells, plate, name, shape, pictures, scale=None):
    """The map of a plate, or of the mean of several; wells without a value are crossed out. SCALE: (from, to)."""
    scale = scale or limits(wells[name])
    drawn, axes = plt.subplots(figsize=(5.2, 0.5 + 4.4 * shape[0] / shape[1]))
    values = grid(wells, name, shape)
    shown = axes.imshow(values, cmap="cividis", vmin=scale[0], vmax=scale[1])
    lost = wells[wells[name].isna()]
    axes.plot(lost["column"], lost["row"], "x", color="#D55E00", ms=5)
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
    there = wells[name].dropna()
    words = f"Map of {what} with {shape[0]} rows and {shape[1]} columns: {QUANTITIES[name]} of {len(wells)} wells"
    if there.empty:
        return f"{words}, none of which has a value."
    return (
        f"{words}, from {page.number(there.min())} to {page.number(there.max())}, median {page.number(there.median())}."
    )
