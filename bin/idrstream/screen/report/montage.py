"""Frames with the outlines of their nuclei: the worst, median and best, and some without cells."""

import io

import pyarrow.parquet as pq
from matplotlib import pyplot as plt
from PIL import Image

from idrstream.report import page

EACH = 4  # frames of a kind
FOLDER = "qc/thumbnails"
KINDS = {"focus": ("Blurriest", "Median focus", "Sharpest"), "cells": ("Fewest cells", "Median cells", "Most cells")}


def section(results, pictures):
    """The frames of each kind, with a picture of them all together."""
    content = page.Section(
        "montage",
        "Frames and their nuclei",
        "Frames with corrected illumination, contrast stretched for each frame, and outlines of the nuclei in "
        "orange. Where outlines join nuclei, split them or surround nothing, counts and features are wrong too.",
    )
    if not results.tables(FOLDER):
        why = "no batch is finished yet" if not results.batches else f"the folder {FOLDER} is empty"
        content.html.append(page.paragraph(f"There are no pictures of frames: {why}."))
        return content
    rows = []
    for title, images in chosen(results.done).items():
        shown = [(row, jpeg) for _, row in images.iterrows() if (jpeg := thumbnail(results.outdir, row))]
        if shown:
            rows.append((title, shown))
            figures = [pictures.embed(jpeg, "jpeg", row["key"], _alt(row), _words(row)) for row, jpeg in shown]
            content.html += [f"<h4>{page.escape(title)}</h4>", f'<div class="frames">{"".join(figures)}</div>']
    if rows:
        _together(rows, pictures)
    else:
        content.html.append(page.paragraph(f"None of the chosen frames has a picture in {FOLDER}."))
    return content


def chosen(images):
    """Title -> at most EACH images, a DataFrame: worst, median and best by focus and by count; those without cells."""
    groups = {}
    for name, titles in KINDS.items():
        ranked = images[images[name].notna() & (images["cells"] > 0)]  # in empty frames noise counts as fine detail
        ranked = ranked.sort_values([name, "key"])
        each = max(1, min(EACH, len(ranked) // len(titles)))  # no frame twice, if there are enough
        middle = (len(ranked) - each) // 2
        groups |= zip(titles, (ranked[:each], ranked[middle:][:each], ranked[-each:]), strict=True)
    groups["No cells"] = images[images["cells"] == 0].sort_values("key")[:EACH]
    return {title: group for title, group in groups.items() if len(group)}


def thumbnail(outdir, row):
    """The JPEG of an image, as bytes; None where there is none."""
    path = outdir / FOLDER / f"plate={row['plate']}" / f"{row['batch']}.parquet"
    if not path.exists():
        return None
    table = pq.read_table(path, filters=[("key", "=", row["key"])], partitioning=None)
    return table["jpeg"][0].as_py() if len(table) else None


def _together(rows, pictures):
    """All of them as one PNG, for a talk or a mail; the page has them one by one."""
    drawn, axes = plt.subplots(len(rows), EACH, figsize=(9.5, 1.95 * len(rows)), squeeze=False)
    for place in axes.flat:
        place.axis("off")
    for line, (title, shown) in zip(axes, rows, strict=True):
        for place, (row, jpeg) in zip(line, shown, strict=False):
            place.imshow(Image.open(io.BytesIO(jpeg)))
            place.set_title(f"{row['key']}\n{_words(row, named=False)}", fontsize=6)
        line[0].text(-0.03, 0.5, title, rotation=90, va="center", ha="right", fontsize=8, transform=line[0].transAxes)
    pictures.add(drawn, "montage", "")


def _words(row, named=True):
    figures = f"{page.number(row['cells'])} cells, focus {page.number(row['focus'])}"
    return f"{row['key']}: {figures}" if named else figures


def _alt(row):
    where = f"plate {row['plate']}, well {row['well']}, site {row['site']}, frame {row['frame']}"
    return f"A frame, {where}, with the outlines of {page.number(row['cells'])} nuclei."
