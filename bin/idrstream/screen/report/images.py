"""Measures of every image, and which images the rules flag."""

from idrstream.report import page
from idrstream.report.pictures import COLOURS, FLAGGED, GREY, limits, panel

INTERACTIVE = 2000  # images; an interactive plot of more is slow
ROWS = 50  # of a table
PAIRS = (("focus", "cells"), ("background", "saturation"))
WORDS = {
    "cells": "cells",
    "focus": "focus (lower is blurrier)",
    "background": "background (grey levels)",
    "saturation": "share of saturated pixels",
}


def section(results, pictures):
    """Scatter plots with flagged images, counts by rule, and the flagged images by name."""
    content = page.Section(
        "images",
        "Images",
        "Each point is an image. Flagged images deserve a look; they stay in all tables (all images: "
        "qc/images.parquet).",
    )
    done = results.done
    if done.empty:
        content.html.append(page.paragraph("No image is finished yet."))
        return content
    flagged = results.flagged[done.index]
    pairs = [pair for pair in PAIRS if done[list(pair)].notna().all(axis=1).any()]
    content.html.append(page.panels([_scatter(done, flagged, *pair, pictures) for pair in pairs]))
    if not results.rules:
        content.html.append(
            page.paragraph("Images are not flagged: there is no qc/images.parquet, which is written when a run ends.")
        )
    else:
        marks = results.marks.loc[done.index]
        counts = [(rule, why, int(marks[rule].sum()), 100 * marks[rule].mean()) for rule, why in results.rules.items()]
        content.html.append(page.table(("rule", "why", "images flagged", "in %"), counts, "Flags"))
        worst = done[flagged].sort_values(["plate", "well_number", "site", "frame"])
        if len(worst):
            caption = f"Flagged images{f', the first {ROWS} of {len(worst):,}' if len(worst) > ROWS else ''}"
            content.html.append(page.table(("image", "flags", *WORDS), _rows(worst[:ROWS], marks), caption))
    if len(done) <= INTERACTIVE and pairs:
        content.plot = _interactive(done, flagged)
    elif pairs:
        content.html.append(page.paragraph(f"With more than {INTERACTIVE:,} images there is no interactive plot."))
    return content


def _rows(images, marks):
    return [
        (row["key"], ", ".join(marks.columns[marks.loc[index]]), *(row[name] for name in WORDS))
        for index, row in images.iterrows()
    ]


def _scatter(images, flagged, across, up, pictures):
    drawn, axes = panel()
    small = 10 if len(images) < 2000 else 2
    rest, marked = images[~flagged], images[flagged]
    axes.scatter(rest[across], rest[up], s=small, color=GREY if len(marked) else COLOURS[0], lw=0, alpha=0.6)
    if len(marked):
        axes.scatter(marked[across], marked[up], s=max(small, 8), color=FLAGGED, marker="x", lw=1, label="flagged")
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
    if up == "saturation":
        axes.set_yscale("symlog", linthresh=1e-5)
        axes.set_ylim(0, max(1e-4, 1.5 * images[up].max()))
    low, high = limits(images[across], 0.05, 99.95)
    axes.set(xlabel=WORDS[across], ylabel=WORDS[up], xlim=(low - 0.05 * (high - low), high + 0.05 * (high - low)))
    alt = (
        f"Scatter of {len(images):,} images by {WORDS[across]} (median {page.number(images[across].median())}) and "
        f"{WORDS[up]} (median {page.number(images[up].median())}); {len(marked):,} are flagged."
    )
    return pictures.add(drawn, f"images_{across}_{up}", alt)


def _interactive(images, flagged):
    measured = images.dropna(subset=["focus", "cells"])
    data = {
        row["key"]: [{"x": row["focus"], "y": row["cells"], "color": FLAGGED if flagged[i] else COLOURS[0]}]
        for i, row in measured.iterrows()
    }
    settings = {"id": "images_plot", "title": "Images: focus and cells", "xlab": WORDS["focus"], "ylab": "cells"}
    about = {"section_name": "Images by name", "description": "The same plot; point at an image to see its name."}
    return about | {"plot_type": "scatter", "pconfig": settings | {"height": 420}, "data": data}
