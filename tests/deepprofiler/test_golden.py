"""DeepProfiler's features are what they were."""

import numpy as np
from nuclei import NUCLEI, a_row

from golden import assert_golden
from idrstream.images.labels import read_cells


def test_deep_features(embedded):
    cells = [read_cells(embedded, a_row(well)["key"])["features"] for well in NUCLEI]
    assert_golden("embed.deepprofiler", np.concatenate(cells)[:2, ::100], rtol=1e-2, atol=1e-3)
