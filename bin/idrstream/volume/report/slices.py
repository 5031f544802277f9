"""The middle of three planes of every volume, with what was found in it."""

from idrstream.base.sampling import spread
from idrstream.report import page
from idrstream.volume import results as layout
from idrstream.volume.box import Box

VOLUMES = 6  # at most, evenly from all


def section(results, pictures):
    """Pictures of each volume, raw and with the segmentation."""
    content = page.Section(
        "slices",
        "Slices",
        "The middle of each volume, from three sides: the raw grey levels, and the segmentation over them (class 1 "
        "orange, class 2 blue, class 3 green). The files lie in slices/.",
    )
    if not results.volumes:
        content.html.append(page.paragraph("No volume is finished yet."))
        return content
    for place in spread(len(results.volumes), VOLUMES):
        volume = results.volumes[place]
        content.html.append(f"<h4>{page.escape(volume.name)}</h4>")
        figures = [_figure(results, volume, each, pictures) for each in volume.row["pictures"]]
        figures = [figure for figure in figures if figure]
        content.html.append(page.panels(figures) if figures else page.paragraph("It has no pictures."))
    if len(results.volumes) > VOLUMES:
        content.html.append(page.paragraph(f"{VOLUMES} of {len(results.volumes):,} volumes are shown."))
    return content


def _figure(results, volume, picture, pictures):
    """A picture as HTML; an empty text if a run is just replacing it."""
    file = results.outdir / layout.SLICES / picture["file"]
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return ""
    what = "with its segmentation" if picture["labels"] else "raw"
    where = f"plane {picture['plane']}, voxels {Box.of(picture['box'])}"
    words = f"{volume.name}, {where}, {what}"
    return pictures.embed(content, "png", file.stem, f"{words}.", f"{where}, {what}")
