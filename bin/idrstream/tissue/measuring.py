"""MEASURE: nuclei and cells of a group of a slide's tiles, each where all of it is seen; no value depends on the tiles.

What it leaves: `columns.json`, a list of what the columns of `values.npy` are; `labels.npy`, `values.npy` and
`objects.npy`, a row an object, in ascending order of labels; `outlines.jsonl`, a line an object, if GeoJSON is wanted;
and `Y0_X0.cells.npz`, the cells of each tile, if there are any.
"""

from pathlib import Path

import numpy as np

from idrstream.base import files
from idrstream.cells import rings
from idrstream.tissue import arrays, groups, outlining, pixels, reading, sampling, shapes, statistics, steps, tiles

VERSION = 1  # raised when what is measured changes

COLUMNS, LABELS, VALUES, OBJECTS = "columns.json", "labels.npy", "values.npy", "objects.npy"
OUTLINES, CELLS = "outlines.jsonl", "{}.cells.npz"
AT_ONCE = 8192  # objects that are outlined at a time

PLACES = "y", "x", "y_nucleus", "x_nucleus"
OBJECT = np.dtype(
    [("nucleus_pixels", "<i8"), ("cell_pixels", "<i8"), *((name, "<f8") for name in PLACES), ("first", "<i8")]
)


def columns(packet):
    """What is measured of every object of a slide, a dict a column, by the planner's JSON.

    {"kind": "intensity", "compartment", "measure", "channel": index into packet["measured"]}, {"kind": "shape",
    "compartment", "measure", "channel": None} or {"kind": "ratio", "measure"}, in QuPath's order.
    """
    compartments, statistics_ = _chosen(packet)
    intensities = [
        {"kind": "intensity", "compartment": compartment, "measure": measure, "channel": channel}
        for channel in range(len(packet["measured"]))
        for compartment in compartments
        for measure in statistics_
    ]
    outlined = [
        {"kind": "shape", "compartment": compartment, "measure": measure, "channel": None}
        for compartment in ("nucleus", "cell")[: 1 + _with_cells(packet)]
        for measure in shapes.NAMES
    ]
    return intensities + outlined + [{"kind": "ratio", "measure": "nucleus_cell_area_ratio"}] * _with_cells(packet)


def measure(packet, folder, boxes, nuclei, cells, places, watch):
    """Measure the objects of the tiles BOXES, and leave what comes of it in FOLDER.

    packet         the planner's JSON of the slide
    nuclei, cells  layers.Layer, see groups.read
    places         local folder -> its path in this task (`staged.places`)
    watch          function of the measured channels, a list, that iterates over them and shows progress
    returns        {"objects", "bytes", "requests", "without_data"}: how many, what was read of the slide's files, and
                   channel -> objects of which some pixels have no data, and no statistics therefore

    Raises an ImageFailure where the pixels cannot be used.
    """
    titles = columns(packet)
    files.write_json(Path(folder, COLUMNS), titles)
    found, corner, outlined = _seen(packet, Path(folder), boxes, nuclei, cells)
    with open(Path(folder, VALUES), "wb") as file:
        header = {"descr": "<f8", "fortran_order": True, "shape": (len(outlined), len(titles))}
        np.lib.format.write_array_header_1_0(file, header)
        cost = _intensities(packet, folder, file, found, corner, places, watch)
        file.write(outlined.tobytes("F"))
    return {"objects": len(outlined)} | cost


def _seen(packet, folder, boxes, nuclei, cells):
    """What label images tell: all but intensities. The images themselves are in memory no longer than this takes.

    returns  pixels.Runs; (y, x) of their window in the slide's files; (n, columns) shapes, see `_outlined`
    """
    group = groups.read(packet, boxes, nuclei, cells)
    images = [image for image in (group.nuclei, group.cells) if image is not None]
    facts = [pixels.facts(image, group.places, len(group.labels)) for image in images]
    np.save(folder / LABELS, group.labels)
    np.save(folder / OBJECTS, _objects(group, facts))
    if group.cells is not None:
        for box in boxes:
            labels = group.every[group.cells[box.within(group.window)]]
            arrays.write(folder / CELLS.format(box.name), steps.Raw(labels))
    corner = np.array(tiles.corner(packet)) + group.window[::2]
    outlined = _outlined(packet, folder / OUTLINES, group, images, facts, corner)
    return pixels.runs(group.nuclei, group.cells, group.places, len(group.labels)), corner.tolist(), outlined


def _with_cells(packet):
    return packet["cells"] != "none"


def _chosen(packet):
    """(compartments, statistics) that are measured, in the order of columns."""
    possible = pixels.SPANS if _with_cells(packet) else ["nucleus"]
    chosen = [name for name in possible if name in packet["compartments"]]
    return chosen, [name for name in statistics.NAMES if name in packet["statistics"]]


def _objects(group, facts):
    """(n,) OBJECT: numbers of pixels, and centroids in pixels of the label image, in which the first ends at (1, 1)."""
    found = np.zeros(len(group.labels), OBJECT)
    found["first"] = group.first
    for (name, after), fact in zip((("nucleus", "_nucleus"), ("cell", "")), facts, strict=False):
        found[f"{name}_pixels"] = fact.pixels
        with np.errstate(invalid="ignore"):
            centres = (fact.sums + fact.pixels[:, None] * group.window[::2]) / fact.pixels[:, None] + 0.5
        found[f"y{after}"], found[f"x{after}"] = centres.T
    alone = found["cell_pixels"] == 0
    for axis in "yx":
        found[axis][alone] = found[f"{axis}_nucleus"][alone]
    return found


def _outlined(packet, path, group, images, facts, corner):
    """(n, columns) shapes of nuclei, then of cells and the ratio of the two; if wanted, their outlines go to PATH.

    images, facts  of nuclei, and of cells if there are any
    corner         (y, x) of the images in the slide
    """
    size = packet["pixel_size"] and (packet["pixel_size"]["y"], packet["pixel_size"]["x"])
    found = [np.empty((0, len(shapes.NAMES) * len(images)))]
    if wanted := "geojson" in packet["outputs"]:
        path.touch()
    for first in range(0, len(group.labels), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        pairs = list(zip(images, facts, strict=True))
        traced = [rings.trace(image, group.numbers[some], fact.boxes[some]) for image, fact in pairs]
        parts = zip(traced, facts, strict=True)
        found.append(np.hstack([shapes.measure(each, fact.pixels[some], size or (1, 1)) for each, fact in parts]))
        if wanted:
            with open(path, "a") as file:
                file.writelines(outlining.lines(group.labels[some], corner, *traced))
    found = np.concatenate(found)
    if len(facts) < 2:
        return found
    nuclei, cells = (fact.pixels.astype(np.float64) for fact in facts)
    cells[(nuclei == 0) | (cells == 0)] = np.nan
    return np.hstack([found, np.minimum(nuclei / cells, 1)[:, None]])


def _intensities(packet, folder, file, found, corner, places, watch):
    """Append the statistics of every channel to FILE, column by column; returns what was read, see `measure`.

    found   pixels.Runs
    corner  (y, x) of their window in the slide's files
    """
    compartments, statistics_ = _chosen(packet)
    if not (found.size and packet["measured"] and compartments and statistics_):
        return {"bytes": 0, "requests": 0, "without_data": {}}
    spans = [pixels.SPANS[name] for name in compartments]
    wanted = [statistics.NAMES.index(name) for name in statistics_]
    channels = [each for marker in packet["measured"] for each in (marker, marker["background"]) if each]
    without = {}
    with reading.opened(packet, channels, places, folder) as images:
        samples = sampling.Samples(images, channels, found, corner)
        for channel in watch(packet["measured"]):
            levels = samples.marker(channel)
            values = statistics.measure(levels, found.begins, spans)
            file.write(values[:, :, wanted].transpose(1, 2, 0).tobytes())
            if count := sampling.without_data(levels, found):
                without[channel["name"]] = count
        return reading.travelled(images) | {"without_data": without}
