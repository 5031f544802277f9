"""Cells that a person labelled: a point and its class are the cell's in whose outline the point lies.

As mitocheck_data does it for MitoCheck's training set (shapely's `contains`, point by point); here by a tree an image.
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
    """What became of each point of a table, in its order, once for each variant of its image.

    path     table with the columns plate, well (A04 or 4), frame, x, y (pixels; 0 is the first pixel's centre), class,
             and site, 1 if it has none
    outdir   where a run has ended
    returns  list of dicts: the table's columns, `cell` (Metadata_Cell_ID) or None, and `reason` why it has none

    Raises tables.Problems where no run has ended, or the table is not of this kind.
    """
    known = _images(Path(outdir))
    wanted = defaultdict(list)
    asked = [row.cells for row in input_tables.read(path, "phenotypes").rows]
    for place, point in enumerate(asked):
        well = int(point["well"]) if point["well"].isdigit() else Well.parse(point["well"]).name
        for row in known.get((point["plate"], well, int(point.get("site") or 1), int(point["frame"])), [None]):
            wanted[row and row["key"]].append((place, row))
    found = []
    for name, some in wanted.items():
        labels, reason = _labels(outdir, some[0][1], [asked[place] for place, _ in some])
        for (place, _), label in zip(some, labels, strict=True):
            cell = f"{name}_c{label}" if label else None
            found.append((place, asked[place] | {"cell": cell, "reason": "" if label else reason}))
    told = [point for _, point in sorted(found, key=lambda pair: pair[0])]
    classes = defaultdict(set)
    for point in told:
        classes[point["cell"]].add(point["class"])
    for point in told:
        if point["cell"] and len(classes[point["cell"]]) > 1:
            said = ", ".join(sorted(classes[point["cell"]]))
            point |= {"reason": f"several classes in one nucleus: {point['cell']} {said}", "cell": None}
    return told


def cells(paths, told):
    """The rows of the labelled cells, their class as the last of the metadata.

    paths    tables of single cells, read a row group at a time and only where one of the cells lies
    told     as `points` gives it
    returns  a pyarrow Table; None where no point lies in a cell
    """
    classes = {point["cell"]: point["class"] for point in told if point["cell"]}
    ids, pieces = pa.array(classes, pa.string()), []
    for file in map(pq.ParquetFile, paths):
        for group in range(file.num_row_groups):
            own = pc.is_in(file.read_row_group(group, ["Metadata_Cell_ID"])["Metadata_Cell_ID"], ids)
            if pc.any(own).as_py():
                pieces.append(file.read_row_group(group).filter(own))
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
    known = defaultdict(list)
    for row in (row.cells for row in tables.read(outdir / "images.tsv").rows):
        row["key"] = image_key(*(row.get(name, "") for name in ("plate", "well", "site", "frame", "variant")))
        number = row["well_number"]  # empty for a well that the last run's plates do not have
        for well in [row["well"], int(number)] if number else [row["well"]]:
            known[row["plate"], well, int(row["site"]), int(row["frame"])].append(row)
    return known


def _labels(outdir, row, some):
    """Label of the cell at each of SOME points of an image, or None; and why there may be none."""
    nothing = [None] * len(some)
    if row is None:
        return nothing, "no such image in the results"
    if row["status"] != "ok":
        return nothing, f"the image is {row['status']}: {row['reason']}"
    path = Path(outdir, "outlines", f"plate={row['plate']}", f"{row['key']}.geojson")
    if not path.exists():
        return nothing, "its image has no outlines; compute it again: --outlines --redo"
    outlines = read_outlines(path)
    areas = [shapely.MultiPolygon([(part[0], part[1:]) for part in parts]) for parts, _ in outlines.values()]
    spots = shapely.points([[float(point["x"]) + 0.5, float(point["y"]) + 0.5] for point in some])  # of corners, too
    found = zip(*shapely.STRtree(areas).query(spots, predicate="intersects"), strict=True)
    for place, number in sorted(found, reverse=True):  # of two nuclei on whose common edge it lies, the first
        nothing[place] = list(outlines)[number]
    return nothing, "no nucleus lies there"
