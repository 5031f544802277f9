"""How many objects a slide has, and how they are distributed: what the report shows of them. Needs numpy alone."""

import numpy as np

from idrstream.base.sampling import spread

SAMPLE = 100_000  # objects at most of which distributions are taken, evenly from all
BINS = 40
ENDS = 0.5, 99.5  # percentiles between which histograms lie
PERCENTILES = 5, 25, 50, 75, 95
AREA = "area"


class Counts:
    """Counts of the Chunks of a slide: call it with each of them.

    slide     slide.Slide
    measured  measured.Measured
    """

    def __init__(self, slide, measured):
        self._slide = slide
        places, kept = np.array(spread(len(measured.labels), SAMPLE), int), self._areas() + self._shown()
        self._places, self._kept = places, kept
        self._sample = np.full((len(places), len(kept)), np.nan)
        self._count = dict.fromkeys(("objects", "nuclei", "cells", "nuclei_alone", "cells_alone"), 0)

    def __call__(self, chunk):
        nucleus, cell = chunk.has_nucleus, chunk.has_cell
        self._count["objects"] += len(chunk)
        pairs = {"nuclei": nucleus, "cells": cell}
        if self._slide.has_cells:
            pairs |= {"nuclei_alone": nucleus & ~cell, "cells_alone": cell & ~nucleus}
        for name, chosen in pairs.items():
            self._count[name] += int(np.count_nonzero(chosen))
        first, last = np.searchsorted(self._places, (chunk.rows.start, chunk.rows.stop))
        rows = self._places[first:last] - chunk.start
        self._sample[first:last] = chunk.values[np.ix_(rows, self._kept)]

    def result(self):
        """The content of counts.json, of all Chunks.

        returns dict: objects, nuclei, cells, nuclei_alone, cells_alone; `sampled`, the number of objects that these
                were taken of: `areas` (compartment, unit, median, and the edges and counts of a histogram, each) and
                `intensities` (channel, compartment, statistic and its percentiles, each), null without any value
        """
        columns = dict(zip(self._kept, self._sample.T, strict=True))
        areas = [self._area(number, columns[number]) for number in self._areas()]
        shown = [self._intensity(number, columns[number]) for number in self._shown()]
        return self._count | {"sampled": len(self._places), "areas": areas, "intensities": shown}

    def _areas(self):
        return [number for number in self._slide.shapes if self._slide.columns[number].measure == AREA]

    def _shown(self):
        return self._slide.layers.get((self._slide.compartment, self._slide.statistic), [])

    def _area(self, number, values):
        about = {"compartment": self._slide.columns[number].compartment, "unit": f"{self._slide.unit}²"}
        values = values[~np.isnan(values)]
        if not len(values):
            return about | {"median": None, "edges": [], "counts": []}
        counts, edges = np.histogram(values, BINS, np.percentile(values, ENDS))
        return about | {"median": float(np.median(values)), "edges": edges.tolist(), "counts": counts.tolist()}

    def _intensity(self, number, values):
        column, values = self._slide.columns[number], values[~np.isnan(values)]
        found = np.percentile(values, PERCENTILES).tolist() if len(values) else [None] * len(PERCENTILES)
        about = {"channel": self._slide.channels[column.channel], "compartment": column.compartment}
        return about | {
            "statistic": column.measure,
            "percentiles": dict(zip(map(str, PERCENTILES), found, strict=True)),
        }
