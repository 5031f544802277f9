"""Slides as MEASURE leaves them, made up: values by numpy and outlines by shapely, object by object."""

import json
from typing import NamedTuple

import numpy as np
import shapely

STATISTICS = ("mean", "median", "min", "max", "sd", "variance")
COMPARTMENTS = ("nucleus", "cytoplasm", "membrane", "cell")
SHAPES = ("area", "length", "circularity", "solidity", "max_diameter", "min_diameter")
FIELDS = [("nucleus_pixels", "i8"), ("cell_pixels", "i8"), ("y", "f8"), ("x", "f8")]
FIELDS += [("y_nucleus", "f8"), ("x_nucleus", "f8"), ("first", "i8")]


class Made(NamedTuple):
    """A slide.

    packet   of the planner
    folders  of MEASURE
    nuclei   (Y, X) uint32
    cells    (Y, X) uint32
    planes   (C, Y, X) float64
    values   label -> list of values, as columns.json names them
    """

    packet: dict
    folders: list
    nuclei: np.ndarray
    cells: np.ndarray
    planes: np.ndarray
    values: dict


def labels_of(shape, seed=0, pitch=23, gaps=1):
    """(nuclei, cells): discs in larger discs, with holes, two parts, single pixels, and every GAPS-th number."""
    random, count = np.random.default_rng(seed), 0
    nuclei, cells = np.zeros(shape, np.uint32), np.zeros(shape, np.uint32)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for cy in range(pitch // 2, shape[0], pitch):
        for cx in range(pitch // 2, shape[1], pitch):
            count += gaps
            far = np.hypot(y - cy + random.normal(), x - cx + random.normal())
            radius = random.uniform(2, 6)
            nuclei[far < radius] = count
            cells[far < radius + 4] = count
            if count % 3 == 0:  # a hole
                cells[cy - 1 : cy + 1, cx] = nuclei[cy - 1 : cy + 1, cx] = 0
            if count % 4 == 0:  # a second part that touches the first with a corner
                cells[cy + 9, min(cx + 9, shape[1] - 1)] = count
            if count % 7 == 0:  # a nucleus alone
                cells[cells == count] = 0
            elif count % 11 == 0:  # a cell alone
                nuclei[nuclei == count] = 0
            elif count % 13 == 0:  # single pixels
                nuclei[nuclei == count] = cells[cells == count] = 0
                nuclei[cy, cx] = cells[cy, cx] = count
    return nuclei, cells


def make(folder, shape=(115, 138), channels=("DNA1", "CD45", "CD3"), groups=3, **changed):
    """A slide of SHAPE in folders of GROUPS in FOLDER; CHANGED: keys of its packet, `gaps`, and `with_cells`."""
    nuclei, cells = labels_of(shape, gaps=changed.pop("gaps", 1))
    cells = cells if changed.pop("with_cells", True) else np.zeros_like(nuclei)
    packet = packet_of(shape, channels, cells.any()) | changed
    planes = np.random.default_rng(1).integers(0, 4000, (len(channels), *shape)).astype(float)
    columns, found = columns_of(packet), {}
    for label in np.union1d(nuclei, cells)[1:].tolist():
        found[label] = one(packet, columns, label, nuclei, cells, planes)
    order = np.random.default_rng(2).permutation(list(found))
    folders = [folder / f"measured_{number}" for number in range(groups)]
    for number, path in enumerate(folders):
        leave(path, columns, packet, {label: found[label] for label in sorted(order[number::groups].tolist())})
    return Made(packet, folders, nuclei, cells, planes, {label: values for label, (values, _, _) in found.items()})


def packet_of(shape, channels, has_cells):
    packet = {"id": "A12", "slide": "A12", "identity": "0" * 16, "size": list(shape), "region": None, "tile": 64}
    packet |= {
        "locations": ["/data/A12.ome.tif"],
        "workspace": None,
        "pixel_size": {"y": 0.5, "x": 0.25, "source": "OME-XML"},
    }
    packet |= {"metadata": {"patient": "P 7"}, "cells": "expand" if has_cells else "none", "names": "qupath"}
    facts = [{"file": 0, "channel": n, "frame": 0, "number": n + 1, "background": None} for n in range(len(channels))]
    packet |= {"measured": [about | {"name": name} for about, name in zip(facts, channels, strict=True)]}
    return packet | {"outputs": ["masks", "quant", "geojson", "parquet", "h5ad", "spatialdata"]}


def columns_of(packet):
    """QuPath's columns: shapes of nuclei and cells, and statistics of each channel in each compartment."""
    compartments = COMPARTMENTS if packet["cells"] != "none" else COMPARTMENTS[:1]
    columns = [
        {"kind": "intensity", "compartment": part, "measure": statistic, "channel": channel}
        for channel in range(len(packet["measured"]))
        for part in compartments
        for statistic in STATISTICS
    ]
    columns += [
        {"kind": "shape", "compartment": part, "measure": measure, "channel": None}
        for part in ("nucleus", "cell")
        for measure in SHAPES
        if part in compartments
    ]
    return columns + [{"kind": "ratio", "measure": "nucleus_cell_area_ratio"}] * (len(compartments) > 1)


def one(packet, columns, label, nuclei, cells, planes):
    """(values, object, outline) of one."""
    nucleus, cell = nuclei == label, cells == label
    padded = np.pad(cell, 1, mode="edge")
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    parts = {"nucleus": nucleus, "cell": cell, "cytoplasm": cell & ~nucleus, "membrane": cell & ~inner}
    rings = {name: outline(mask) for name, mask in parts.items() if name in ("nucleus", "cell") and mask.any()}
    size = packet["pixel_size"] or {"y": 1, "x": 1}
    scaled = {name: shapely.transform(ring, lambda at: at * [size["x"], size["y"]]) for name, ring in rings.items()}
    values = [_value(column, parts, scaled, planes) for column in columns]
    centres = {
        name: np.mean(np.nonzero(mask), axis=1) + 0.5 if mask.any() else [np.nan] * 2 for name, mask in parts.items()
    }
    main = "cell" if cell.any() else "nucleus"
    first = np.flatnonzero(nucleus if nucleus.any() else cell)[0]
    about = (nucleus.sum(), cell.sum(), *centres[main], *centres["nucleus"], first)
    y0, x0 = (packet["region"] or (0, 0))[:2]
    moved = {name: shapely.transform(ring, lambda at: np.add(at, (x0, y0))) for name, ring in rings.items()}
    feature = {"label": label, "geometry": geometry(moved[main])}
    if "nucleus" in moved:
        feature["nucleusGeometry"] = geometry(moved["nucleus"])
    return values, about, feature


def outline(mask):
    """The pixels of a mask as a polygon, or several."""
    y, x = np.nonzero(mask)
    return shapely.union_all(shapely.box(x, y, x + 1, y + 1))


def geometry(shape):
    text = json.loads(shapely.to_geojson(shape))
    return {"type": text["type"], "coordinates": _whole(text["coordinates"])}


def leave(folder, columns, packet, found):
    """Write what MEASURE leaves of objects: label -> (values, object, outline)."""
    folder.mkdir(parents=True)
    (folder / "columns.json").write_text(json.dumps(columns))
    np.save(folder / "labels.npy", np.array(list(found), np.uint32))
    values = np.array([values for values, _, _ in found.values()]).reshape(-1, len(columns))
    np.save(folder / "values.npy", np.asfortranarray(values))
    np.save(folder / "objects.npy", np.array([about for _, about, _ in found.values()], FIELDS))
    if "geojson" in packet["outputs"]:
        lines = [json.dumps(feature) for _, _, feature in found.values()]
        (folder / "outlines.jsonl").write_text("".join(f"{line}\n" for line in lines))


def _value(column, parts, scaled, planes):
    if column["kind"] == "intensity":
        pixels = planes[column["channel"]][parts[column["compartment"]]]
        return float(_STATISTIC[column["measure"]](pixels)) if len(pixels) else np.nan
    if column["kind"] == "ratio":
        return scaled["nucleus"].area / scaled["cell"].area if len(scaled) == 2 else np.nan
    shape = scaled.get(column["compartment"])
    return _SHAPE[column["measure"]](shape) if shape is not None else np.nan


def _variance(pixels):
    return pixels.var(ddof=1) if len(pixels) > 1 else 0.0


def _circularity(shape):
    if shape.geom_type != "Polygon":
        return np.nan
    outer = shapely.Polygon(shape.exterior)
    return 4 * np.pi * outer.area / outer.length**2


def _width(shape):
    corners = np.array(shape.convex_hull.exterior.coords)[:-1]
    edges = np.roll(corners, -1, axis=0) - corners
    across = np.stack([-edges[:, 1], edges[:, 0]]) / np.hypot(*edges.T)
    return np.ptp(corners @ across, axis=0).min()


_STATISTIC = {"mean": np.mean, "median": np.median, "min": np.min, "max": np.max}
_STATISTIC |= {"sd": lambda pixels: _variance(pixels) ** 0.5, "variance": _variance}
_SHAPE = {"area": lambda shape: shape.area, "length": lambda shape: shape.length, "circularity": _circularity}
_SHAPE |= {"solidity": lambda shape: shape.area / shape.convex_hull.area}
_SHAPE |= {"max_diameter": lambda shape: 2 * shapely.minimum_bounding_radius(shape)}
_SHAPE |= {"min_diameter": _width}


def _whole(numbers):
    return [_whole(part) for part in numbers] if isinstance(numbers, list) else int(numbers)
