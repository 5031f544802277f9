"""Cells that a person labelled: a point and its class belong to the cell whose outline contains the point.

As mitocheck_data does it for MitoCheck's training set (shapely's `contains`, point by point); here with one tree per
image.
"""

from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely

from idrstream.base import tables
from idrstream.images.frames import image_key
from idrstream.images.outlines import read_outlines
from idrstream.screen import input_tables
from idrstream.screen.study import Well

CLASS = "Metadata_Phenotypic_Class"


def points(path, outdir):
    """The cell of each point of a table, in its order, once for each variant of its image.

    path     table with the columns plate, well (A04 or 4), frame, x, y (pixels; 0 is the first pixel's centre), class,
             and optionally site, which is 1 by default
    outdir   where a run has ended
    returns  list of dicts: the table's columns, `cell` (Metadata_Cell_ID) or None, and `reason` why it has none

    Raises tables.Problems where no run has ended, or the table is not of this kind.
    """
    images = _images(Path(outdir))
    of_image = defaultdict(list)
    points = [row.cells for row in input_tables.read(path, "phenotypes").rows]
    for place, point in enumerate(points):
        well = int(point["well"]) if point["well"].isdigit() else Well.parse(point["well"]).name
        for row in images.get((point["plate"], well, int(point.get("site") or 1), int(point["frame"])), [None]):
            of_image[row and row["key"]].append((place, row))
    assigned = []
    for key, pairs in of_image.items():
        labels, reason = _labels(outdir, pairs[0][1], [points[place] for place, _ in pairs])
        for (place, _), label in zip(pairs, labels, strict=True):
            cell = f"{key}_c{label}" if label else None
            assigned.append((place, points[place] | {"cell": cell, "reason": "" if label else reason}))
    return _unambiguous([point for _, point in sorted(assigned, key=lambda pair: pair[0])])


def _unambiguous(points):
    """POINTS, in which a cell with points of several classes belongs to none of them."""
    classes = defaultdict(set)
    for point in points:
        classes[point["cell"]].add(point["class"])
    for point in points:
        if point["cell"] and len(classes[point["cell"]]) > 1:
            named = ", ".join(sorted(classes[point["cell"]]))
            point |= {"reason": f"several classes in one nucleus: {point['cell']} {named}", "cell": None}
    return points


def cells(paths, points):
    """The rows of the labelled cells, their class as the last of the metadata.

    paths    tables of single cells; only row groups with one of the cells are read
    points   as `points` gives them
    returns  a pyarrow Table; None where no point lies in a cell
    """
    classes = {point["cell"]: point["class"] for point in points if point["cell"]}
    ids, pieces = pa.array(classes, pa.string()), []
    for file in map(pq.ParquetFile, paths):
        for group in range(file.num_row_groups):
            labelled = pc.is_in(file.read_row_group(group, ["Metadata_Cell_ID"])["Metadata_Cell_ID"], ids)
            if pc.any(labelled).as_py():
                pieces.append(file.read_row_group(group).filter(labelled))
    if not pieces:
        return None
    table = pa.concat_tables(pieces, promote_options="permissive")
    named = [classes[cell] for cell in table["Metadata_Cell_ID"].to_pylist()]
    place = sum(name.startswith("Metadata_") for name in table.column_names)
    return table.add_column(place, CLASS, pa.array(named, pa.string()))


def _images(outdir):
    """(plate, well by name or by number, site, frame) -> rows of images.tsv: one, or its variants."""
    if not (outdir / "images.tsv").exists():
        raise tables.Problems([f"{outdir}: there is no images.tsv; name the --outdir of a run that has ended"])
    images = defaultdict(list)
    for row in (row.cells for row in tables.read(outdir / "images.tsv").rows):
        row["key"] = image_key(*(row.get(name, "") for name in ("plate", "well", "site", "frame", "variant")))
        number = row["well_number"]  # empty for a well that the last run's plates do not have
        for well in [row["well"], int(number)] if number else [row["well"]]:
            images[row["plate"], well, int(row["site"]), int(row["frame"])].append(row)
    return images


def _labels(outdir, row, points):
    """Label of the cell at each of POINTS of an image, or None; and why a point may have none."""
    labels = [None] * len(points)
    if row is None:
        return labels, "no such image in the results"
    if row["status"] != "ok":
        return labels, f"the image is {row['status']}: {row['reason']}"
    path = Path(outdir, "outlines", f"plate={row['plate']}", f"{row['key']}.geojson")
    if not path.exists():
        return labels, "its image has no outlines; compute it again: --save outlines --redo"
    outlines = read_outlines(path)
    areas = [shapely.MultiPolygon([(part[0], part[1:]) for part in parts]) for parts, _ in outlines.values()]
    spots = shapely.points([[float(point["x"]) + 0.5, float(point["y"]) + 0.5] for point in points])  # in corners, too
    hits = zip(*shapely.STRtree(areas).query(spots, predicate="intersects"), strict=True)
    for place, number in sorted(hits, reverse=True):  # on the common edge of two nuclei, the first of them
        labels[place] = list(outlines)[number]
    return labels, "no nucleus lies there"
