"""Runs on slides, and what they leave."""

import hashlib
import json

import numpy as np
import pandas as pd
import zarr
from runs import Run

TILED = ("--tile", 256, "--tiles_per_task", 2)


class Slides(Run):
    """A run on the table of a folder."""

    def __init__(self, folder, *options, **more):
        words = ("--workflow", "tissue", "--input", folder / "slides.csv", *options)
        super().__init__(folder, *words, **more)

    def labels(self, slide, layer="nuclei"):
        return zarr.open_array(self.out / f"slides/{slide}/{slide}.zarr/labels/{layer}", path="s0", mode="r")[:]

    def record(self, slide):
        return json.loads((self.out / f"slides/{slide}/slide.json").read_text())

    def cells(self, slide):
        return pd.read_parquet(self.out / f"slides/{slide}/cells.parquet")

    @property
    def table(self):
        return pd.read_table(self.out / "slides.tsv", index_col="slide")

    @property
    def digests(self):
        """Path -> sha256 of the results that do not tell what they cost."""
        paths = [path for path in (self.out / "slides").rglob("*") if path.is_file() and path.name != "slide.json"]
        return {str(path.relative_to(self.out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def by_label(labels, plane):
    """The pixels of each label of an image, ascending, as float64: a list of arrays."""
    order = np.argsort(labels, axis=None, kind="stable")
    starts = np.flatnonzero(np.diff(labels.ravel()[order], prepend=0))
    return np.split(plane.ravel()[order].astype(np.float64), starts)[1:]
