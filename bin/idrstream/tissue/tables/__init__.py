"""TABLES: what MEASURE left of a slide, as the files that people open, written in one pass over its objects."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path

from idrstream.base import files
from idrstream.tissue.tables import annotated, outlines, parquet, quant, shapes
from idrstream.tissue.tables.counts import Counts
from idrstream.tissue.tables.measured import Measured
from idrstream.tissue.tables.slide import Slide
from idrstream.tissue.workspace import SHAPES

VERSION = 1  # part of the recipe: raise it when a table changes
RESULTS, ELEMENT, COUNTS = "results", "element", "counts.json"


def write(packet, folders, target, pairs=None):
    """Write the tables of a slide into the folder TARGET; returns its counts, as counts.Counts has them.

    packet   the planner's JSON of the slide
    folders  that MEASURE left, one of each group of tiles
    target   gets `results/`, of which the packet's `outputs` choose the files; `element/`, the table of the slide's
             store, if "spatialdata" is one of them; `shapes/`, if it is of a workspace; and counts.json
    pairs    what PAIR counted: paired, nuclei_alone, cells_alone

    Raises RuntimeError if MEASURE's objects are not those that PAIR counted.
    """
    measured = Measured(folders)
    slide, results = Slide(packet, measured.columns), Path(target, RESULTS)
    if pairs is not None and sum(pairs.values()) != len(measured.labels):
        raise RuntimeError(f"{len(measured.labels)} objects were measured of {sum(pairs.values())}")
    results.mkdir(parents=True)
    writers = {
        "parquet": partial(parquet.writing, results / "cells.parquet", slide),
        "quant": partial(quant.writing, results / "QUANT.tsv", slide),
        "geojson": partial(outlines.writing, results / "cells.geojson", slide),
        "h5ad": partial(annotated.in_file, results / f"{slide.name}.h5ad", slide, measured),
        "spatialdata": partial(annotated.in_store, Path(target, ELEMENT), slide, measured),
    }
    counts = Counts(slide, measured)
    with ExitStack() as stack:
        wanted = [stack.enter_context(begin()) for name, begin in writers.items() if name in packet["outputs"]]
        if packet["workspace"] and "geojson" in packet["outputs"]:
            wanted.append(stack.enter_context(shapes.writing(Path(target, SHAPES))))
        for chunk in measured.chunks("geojson" in packet["outputs"]):
            for write in [*wanted, counts]:
                write(chunk)
    found = counts.result()
    files.write_json(Path(target, COUNTS), found)
    return found
