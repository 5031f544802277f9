"""Single cells as AnnData (Virshup et al. 2024, doi:10.21105/joss.04371), which scanpy and its kin read."""

import anndata
import h5py
import pandas as pd
import pyarrow.parquet as pq

from idrstream.screen.single_cells import PIECE, values

ARRAY = {"encoding-type": "array", "encoding-version": "0.2.0"}  # what AnnData's file format calls a dense array


def write(paths, cells, target):
    """Write tables of cells to one .h5ad file: float32 features in X, Metadata_* in obs, indexed by cell id.

    paths   Parquet files, of a plate
    cells   the single_cells.SingleCells they belong to

    The features, which may exceed memory, are written in pieces.
    """
    obs = pd.concat([pd.read_parquet(path, columns=cells.metadata, partitioning=None) for path in paths])
    obs = obs.set_index("Metadata_Cell_ID", drop=False).rename_axis(None)
    obs = obs.astype(dict.fromkeys(obs.select_dtypes("string"), object))
    anndata.AnnData(obs=obs, var=pd.DataFrame(index=cells.features)).write_h5ad(target)
    with h5py.File(target, "r+") as file:
        file.pop("X", None)
        whole = file.create_dataset("X", (len(obs), len(cells.features)), "float32", compression="gzip", chunks=True)
        whole.attrs.update(ARRAY)
        start = 0
        for path in paths:
            for piece in pq.ParquetFile(path).iter_batches(PIECE, columns=cells.features):
                whole[start : start + len(piece)] = values(piece, cells.features)
                start += len(piece)
