"""Outlines of the nuclei and of the cells of a slide as deepcell-imaging writes them: a GeoJSON geometry a line.

Each has a member of ours, `label`: the object's number in the label images and tables.
"""

import json
from contextlib import contextmanager
from pathlib import Path

NUCLEI, CELLS = "nuclei.jsonl", "cells.jsonl"


@contextmanager
def writing(folder):
    """Context: yields a function that writes the outlines of the next Chunk into FOLDER, which is made."""
    Path(folder).mkdir()
    with open(Path(folder, NUCLEI), "w") as nuclei, open(Path(folder, CELLS), "w") as cells:

        def write(chunk):
            for outline, has_cell in zip(map(json.loads, chunk.outlines), chunk.has_cell.tolist(), strict=True):
                if has_cell:
                    cells.write(_line(outline["geometry"], outline["label"]))
                nucleus = outline.get("nucleusGeometry") if has_cell else outline["geometry"]
                if nucleus:
                    nuclei.write(_line(nucleus, outline["label"]))

        yield write


def _line(geometry, label):
    return json.dumps(geometry | {"label": label}, separators=(",", ":")) + "\n"
