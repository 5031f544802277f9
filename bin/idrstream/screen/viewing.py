"""What there is to see of an image, as layers of napari, each cell with its row of the table."""

import json
from pathlib import Path

from idrstream.base import tables
from idrstream.images import zarr_group
from idrstream.images.labels import read_labels
from idrstream.images.outlines import read_outlines
from idrstream.runs import ledger
from idrstream.screen import hcs, study

PLACE = ("site", "frame", "variant")  # in a well


def find(outdir, plate, well, **wanted):
    """The images of a well that are in the ledger of OUTDIR, in order of site, frame, variant: list of their rows.

    wanted  site, frame, variant: those that are not None narrow it down

    Raises tables.Problems where there is none, saying what there is instead.
    """
    rows = list(ledger.rows(ledger.read(outdir)[0]).values())
    place = study.Well.parse(well)
    steps = {"plate": plate, "well": place.name if place else well} | wanted
    for name, value in steps.items():
        there = sorted({row.get(name) for row in rows} - {None})
        rows = [row for row in rows if value is None or row.get(name) == value]
        if not rows:
            few = ", ".join(map(str, there[:8])) + (", ..." if len(there) > 8 else "")
            raise tables.Problems([f"{outdir}: there is no {name} {value}; there is {few or 'none'}"])
    return sorted(rows, key=lambda row: (row["site"], row["frame"], row.get("variant", "")))


def layers(outdir, row):
    """The layers of an image.

    row      the image's, as `find` gives it
    returns  (layers, notes): list of napari's (data, options, kind): `image` (Y, X) grey levels, `labels` (Y, X), or
             `shapes` where only outlines are kept, `points` (n, 2) of the cells' centres, y and x in pixels; labels,
             shapes and points have `features`, a DataFrame with a row a cell. And what is missing, a sentence each
    """
    if row["status"] not in ledger.finished(True):
        return [], [f"{row['key']} failed: {row['reason']}"]
    outdir, name = Path(outdir), row["key"]
    saved = outdir / hcs.field(row)
    cells = read_cells(outdir, row)
    made, notes, labels = [], [], None
    if (saved / zarr_group.GROUP).exists():
        from idrstream.images import ome_zarr

        pixels, labels = ome_zarr.read(saved)
        made.append((pixels, {"name": name, "colormap": "gray", "contrast_limits": _shown(saved)}, "image"))
    else:
        notes.append("the image was not saved: --save_images keeps images, --redo --save_images those of finished ones")
    if labels is None and (outdir / f"labels/plate={row['plate']}/{name}.tif").exists():
        labels = read_labels(outdir / f"labels/plate={row['plate']}", name)
    outlines = outdir / f"outlines/plate={row['plate']}/{name}.geojson"
    if labels is not None:
        made.append((labels, {"name": "nuclei", "features": _of_labels(cells), "opacity": 0.6}, "labels"))
    elif outlines.exists():
        options = {"name": "nuclei", "shape_type": "polygon", "edge_color": "orange", "face_color": "transparent"}
        rings, labels_of = _rings(outlines)
        own = cells.set_index("Metadata_Label", drop=False).reindex(labels_of).reset_index(drop=True)
        made.append((rings, options | {"features": own}, "shapes"))
    else:
        notes.append("the nuclei were not kept: --save_images, --save_labels or --outlines keep them")
    options = {"name": "cells", "features": cells, "size": 6, "face_color": "orange", "border_width": 0}
    made.append((cells[["Metadata_Center_Y", "Metadata_Center_X"]].to_numpy(), options, "points"))
    return made, notes


def read_cells(outdir, row):
    """DataFrame of the cells of an image by label: its rows of the table, which has features unless its run stopped."""
    import pyarrow.dataset as ds

    from idrstream.screen.profiles import FOLDER, UNMEASURED

    where = (ds.field("Metadata_Well") == row["well"]) & (ds.field("Metadata_Site") == row["site"])
    where &= ds.field("Metadata_Frame") == row["frame"]
    if row.get("variant"):
        where &= ds.field("Metadata_Illumination") == row["variant"]
    folder = UNMEASURED if row["status"] == ledger.SEGMENTED else FOLDER
    paths = ledger.tables_in(outdir, folder / f"plate={row['plate']}")
    table = ds.dataset(paths).to_table(filter=where).to_pandas()
    return table.sort_values("Metadata_Label", ignore_index=True)


def _of_labels(cells):
    """What napari shows of the label under the pointer: the metadata, of which it finds the row by `index`."""
    shown = cells[[name for name in cells if name.startswith("Metadata_")]]
    return shown.assign(index=cells["Metadata_Label"])


def _shown(saved):
    window = json.loads((saved / zarr_group.ATTRIBUTES).read_text())["omero"]["channels"][0]["window"]
    return window["start"], window["end"]


def _rings(path):
    """Outer rings of a GeoJSON, and whose they are: corners (y, x), 0 at the centre of the first pixel, and labels."""
    parts = [(label, part[0]) for label, (parts, _) in read_outlines(path).items() for part in parts]
    return [[(y - 0.5, x - 0.5) for x, y in ring] for _, ring in parts], [label for label, _ in parts]
