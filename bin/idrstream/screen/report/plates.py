"""The plates beside each other, in figures: a table to sort by any of them."""

from idrstream.report import page

COLUMNS = {
    "images": ("images", "{:,.0f}"),
    "failed": ("failed", "{:,.0f}"),
    "flagged": ("flagged", "{:,.0f}"),
    "cells": ("cells", "{:,.0f}"),
    "median": ("cells an image", "{:,.0f}"),
    "focus": ("focus", "{:,.2f}"),
    "background": ("background", "{:,.0f}"),
    "halves": ("field: halves differ by %", "{:,.2f}"),
}


def section(results, _pictures):
    """MultiQC's own table, which becomes violins where the plates are more than it shows in a table."""
    made = page.Section(
        "plates",
        "Plates",
        "Medians over the images of a plate. Click on a heading to sort. More than 500 plates are shown as "
        "distributions; a point is a plate.",
    )
    if results.images.empty:
        made.html.append(page.paragraph("No image is finished yet."))
        return made
    images = results.images.assign(flagged=results.flagged)
    rows = images.groupby("plate").agg(
        images=("id", "size"),
        failed=("failed", "sum"),
        flagged=("flagged", "sum"),
        cells=("cells", "sum"),
        median=("cells", "median"),
        focus=("focus", "median"),
        background=("background", "median"),
    )
    rows["halves"] = [100 * results.fields.get(plate, {}).get("halves_rms", float("nan")) for plate in rows.index]
    named = {
        name: {"title": title, "format": form, "scale": "Blues" if name in ("cells", "median", "images") else "Oranges"}
        for name, (title, form) in COLUMNS.items()
        if rows[name].notna().any()
    }
    data = {
        str(plate): {name: float(row[name]) for name in named if row[name] == row[name]}
        for plate, row in rows.iterrows()
    }
    settings = {"id": "plates_table", "title": "Plates", "col1_header": "Plate", "no_violin": len(rows) <= 500}
    made.plot = {"plot_type": "table", "pconfig": settings, "headers": named, "data": data}
    return made
