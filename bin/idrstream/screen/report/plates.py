"""Figures of each plate, in a table that can be sorted by any of them."""

from idrstream.report import page

COLUMNS = {
    "images": ("images", "{:,.0f}"),
    "failed": ("failed", "{:,.0f}"),
    "flagged": ("flagged", "{:,.0f}"),
    "cells": ("cells", "{:,.0f}"),
    "median": ("cells per image", "{:,.0f}"),
    "focus": ("focus", "{:,.2f}"),
    "background": ("background", "{:,.0f}"),
    "halves": ("flat-field split-half difference (%)", "{:,.2f}"),
}


def section(results, _pictures):
    """MultiQC's own table, which becomes violins when there are too many plates."""
    content = page.Section(
        "plates",
        "Plates",
        "Medians over the images of a plate. Click a heading to sort. More than 500 plates are shown as "
        "distributions, with a point per plate.",
    )
    if results.images.empty:
        content.html.append(page.paragraph("No image is finished yet."))
        return content
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
    content.plot = {"plot_type": "table", "pconfig": settings, "headers": named, "data": data}
    return content
