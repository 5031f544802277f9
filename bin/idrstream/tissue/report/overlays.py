"""Pictures of places of every slide with the outlines of their nuclei and cells."""

import io

from PIL import Image

from idrstream.base.sampling import spread
from idrstream.report import page

SLIDES = 12  # at most, evenly from all
LONGEST = 640  # pixels of a side in the page; the file in the slide's folder has all
QUALITY = 85  # of JPEG


def section(results, pictures):
    """The pictures of each slide, with where they lie."""
    content = page.Section(
        "overlays",
        "Three places of each slide",
        "The channel of the nuclei with the outlines of nuclei, and of cells where there are any. Where outlines join "
        "nuclei, split them or surround nothing, try another --diameter. Rows and columns are of the label image. "
        "The files lie beside slide.json.",
    )
    if not results.slides:
        content.html.append(page.paragraph("No slide is finished yet."))
        return content
    shown = [results.slides[place] for place in spread(len(results.slides), SLIDES)]
    for slide in shown:
        figures = [_figure(slide, overlay, pictures) for overlay in slide.facts["overlays"]]
        figures = [figure for figure in figures if figure]
        content.html.append(f"<h4>{page.escape(slide.name)}</h4>")
        content.html.append(page.panels(figures) if figures else page.paragraph("It has no pictures."))
    if len(shown) < len(results.slides):
        content.html.append(page.paragraph(f"{len(shown)} of {len(results.slides):,} slides are shown."))
    return content


def caption(slide, box):
    """Where a picture lies, in pixels and, if the size of one is known, in micrometres."""
    y0, y1, x0, x1 = box
    words = f"{slide.name}: rows {y0:,}-{y1:,}, columns {x0:,}-{x1:,} px"
    size = slide.facts["pixel_size"]
    if not size:
        return words
    top, bottom = (place * size["y"] for place in (y0, y1))
    left, right = (place * size["x"] for place in (x0, x1))
    return f"{words} ({top:,.0f}-{bottom:,.0f}, {left:,.0f}-{right:,.0f} µm)"


def _figure(slide, overlay, pictures):
    """A picture as HTML; an empty text if a run is just replacing it."""
    try:
        with Image.open(slide.folder / overlay["file"]) as picture:
            picture.thumbnail((LONGEST, LONGEST))
            file = io.BytesIO()
            picture.convert("RGB").save(file, "JPEG", quality=QUALITY)
    except FileNotFoundError:
        return ""
    where = caption(slide, overlay["box"])
    name = f"{slide.name}_{overlay['file'].split('.')[0]}"
    return pictures.embed(file.getvalue(), "jpeg", name, f"Outlines of nuclei and cells, {where}.", where)
