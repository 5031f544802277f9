"""IDR_stream's CSV files of CellProfiler's and DeepProfiler's features, joined cell by cell.

IDR_stream gave each of DeepProfiler's cells the nearest of CellProfiler's, so that a cell could be used twice or never,
at any distance; and it refused batches of unequal length. Here the cells of an image are paired one to one, with the
smallest sum of distances and none above a limit; cells without a partner are counted.
"""

import uuid

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from idrstream.base.tables import Problems
from idrstream.screen.export import UUIDS

CENTER = ["Location_Center_X", "Location_Center_Y"]
IMAGE = "Metadata_DNA"


def read(path):
    """A batch file of IDR_stream, names unchanged: plate 007, gene NA. Raises Problems if it is not one."""
    try:
        names = pd.read_csv(path, index_col=0, nrows=0).columns
        text = {name: str for name in names if name.startswith("Metadata_")}
        table = pd.read_csv(path, index_col=0, low_memory=False, converters=text)
    except (OSError, ValueError) as error:
        raise Problems([f"{path}: not a table as IDR_stream writes it ({error})"]) from error
    missing = [name for name in (*CENTER, IMAGE) if name not in table.columns]
    if missing:
        raise Problems([f"{path}: not a table as IDR_stream writes it; missing: {', '.join(missing)}"])
    return table


def merge(cp, dp, limit):
    """Join the cells of a batch.

    cp, dp   tables of the cells by CellProfiler and by DeepProfiler
    limit    pixels, above which two cells are not the same
    returns  (cells, counts): the pairs in the order of CP, with IDR_stream's columns (those that both have, of CP, then
             CP__*, then DP__*) and Cell_UUID, which depends only on image and position; and a row per image with
             `pairs`, `only_CP`, `only_DP` and the `farthest` pair in pixels
    """
    shared = [name for name in cp.columns if name in dp.columns]
    left, right, counts = [], [], []
    for name in pd.unique(pd.concat([cp[IMAGE], dp[IMAGE]])):
        ours, theirs = np.flatnonzero(cp[IMAGE] == name), np.flatnonzero(dp[IMAGE] == name)
        i, j, apart = pair(cp[CENTER].to_numpy(float)[ours], dp[CENTER].to_numpy(float)[theirs], limit)
        left.append(ours[i])
        right.append(theirs[j])
        row = {"image": name, "pairs": len(i), "only_CP": len(ours) - len(i), "only_DP": len(theirs) - len(j)}
        counts.append(row | {"farthest": round(apart.max(initial=0), 2)})
    ours = cp.iloc[np.concatenate([np.empty(0, int), *left])].reset_index(drop=True)
    theirs = dp.iloc[np.concatenate([np.empty(0, int), *right])].reset_index(drop=True)
    cells = pd.concat(
        [ours[shared], ours.drop(columns=shared).add_prefix("CP__"), theirs.drop(columns=shared).add_prefix("DP__")],
        axis=1,
    )
    places = zip(cells[IMAGE], *(cells[name] for name in CENTER), strict=True)
    cells.insert(0, "Cell_UUID", [str(uuid.uuid5(UUIDS, f"{image} {x} {y}")) for image, x, y in places])
    return cells, pd.DataFrame(counts, columns=["image", "pairs", "only_CP", "only_DP", "farthest"])


def pair(ours, theirs, limit):
    """Pair points one to one: as many as possible within LIMIT of each other, with the smallest sum of distances.

    ours, theirs  (n, 2) and (m, 2)
    returns       indices into either, (k,) each, and their distances (k,)
    """
    distances = cdist(ours, theirs)
    far = distances > limit
    i, j = linear_sum_assignment(np.where(far, (limit + 1) * (len(ours) + len(theirs) + 1), distances))
    near = ~far[i, j]
    i, j = i[near], j[near]
    return i, j, distances[i, j]
