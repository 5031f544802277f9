"""An image as layers of napari, each cell with its row of the table."""

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
    """The images of a well in the ledger of OUTDIR, in the order of site, frame, variant: list of their rows.

    wanted  site, frame, variant: those that are not None select

    Raises tables.Problems where there is no such image, with the existing values.
    """
    rows = list(ledger.rows(ledger.read(outdir)[0]).values())
    place = study.Well.parse(well)
    steps = {"plate": plate, "well": place.name if place else well} | wanted
    for name, value in steps.items():
        existing = sorted({row.get(name) for row in rows} - {None})
        rows = [row for row in rows if value is None or row.get(name) == value]
        if not rows:
            few = ", ".join(map(str, existing[:8])) + (", ..." if len(existing) > 8 else "")
            raise tables.Problems([f"{outdir}: no {name} {value}; it has {few or 'none'}"])
    return sorted(rows, key=lambda row: (row["site"], row["frame"], row.get("variant", "")))


def layers(outdir, row):
    """The layers of an image.

    row      the image's, as `find` gives it
    returns  (layers, notes): list of napari's (data, options, kind): `image` (Y, X) grey levels, `labels` (Y, X), or
             `shapes` where only outlines were saved, `points` (n, 2) of the cells' centres, y and x in pixels; labels,
             shapes and points have `features`, a DataFrame with a row per cell. And what is missing, a sentence each
    """
    if row["status"] not in ledger.finished(True):
        return [], [f"{row['key']} failed: {row['reason']}"]
    outdir, name = Path(outdir), row["key"]
    saved = outdir / hcs.field(row)
    cells = read_cells(outdir, row)
    layers, notes, labels = [], [], None
    if (saved / zarr_group.GROUP).exists():
        from idrstream.images import ome_zarr

        pixels, labels = ome_zarr.read(saved)
        layers.append((pixels, {"name": name, "colormap": "gray", "contrast_limits": _shown(saved)}, "image"))
    else:
        notes.append("the image was not saved; --save images saves images, --redo --save images also finished ones")
    if labels is None and (outdir / f"labels/plate={row['plate']}/{name}.tif").exists():
        labels = read_labels(outdir / f"labels/plate={row['plate']}", name)
    outlines = outdir / f"outlines/plate={row['plate']}/{name}.geojson"
    if labels is not None:
        layers.append((labels, {"name": "nuclei", "features": _of_labels(cells), "opacity": 0.6}, "labels"))
    elif outlines.exists():
        options = {"name": "nuclei", "shape_type": "polygon", "edge_color": "orange", "face_color": "transparent"}
        rings, labels_of = _rings(outlines)
        features = cells.set_index("Metadata_Label", drop=False).reindex(labels_of).reset_index(drop=True)
        layers.append((rings, options | {"features": features}, "shapes"))
    else:
        notes.append("the nuclei were not saved; --save images, --save labels or --save outlines saves them")
    options = {"name": "cells", "features": cells, "size": 6, "face_color": "orange", "border_width": 0}
    layers.append((cells[["Metadata_Center_Y", "Metadata_Center_X"]].to_numpy(), options, "points"))
    return layers, notes


def read_cells(outdir, row):
    """DataFrame of an image's cells by label, with features unless its run stopped at quality control."""
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
    """Metadata that napari shows for the label under the pointer; it finds the row by `index`."""
    shown = cells[[name for name in cells if name.startswith("Metadata_")]]
    return shown.assign(index=cells["Metadata_Label"])


def _shown(saved):
    window = json.loads((saved / zarr_group.ATTRIBUTES).read_text())["omero"]["channels"][0]["window"]
    return window["start"], window["end"]


def _rings(path):
    """Outer rings of a GeoJSON as corners (y, x), 0 at the centre of the first pixel; and the label of each."""
    parts = [(label, part[0]) for label, (parts, _) in read_outlines(path).items() for part in parts]
    return [[(y - 0.5, x - 0.5) for x, y in ring] for _, ring in parts], [label for label, _ in parts]
