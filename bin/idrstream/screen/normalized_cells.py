"""Single cells standardised by the negative controls of the whole screen: minus their mean, over their deviation.

As mitocheck_data does it: one StandardScaler (scikit-learn) fitted to all cells of negative controls and applied to
every cell. Here the mean and the deviation are computed in pieces, so that no table is in memory whole.
"""

import numpy as np
import pyarrow.parquet as pq

from idrstream.screen.controls import varies
from idrstream.screen.single_cells import PIECE, replaced, values

CONTROLS = 30  # cells: from fewer, a standard deviation is unreliable


class Scaler:
    """Mean and standard deviation (of the population, like StandardScaler's) of each feature; NaN is ignored.

    count, mean, deviation  (features,) float64
    scaled                  (features,) bool: False where the deviation is only rounding (controls.varies)
    """

    def __init__(self, features):
        self.count, self.mean, self._squares, self._largest = (np.zeros(features) for _ in range(4))

    def add(self, cells):
        """Add CELLS, (n, features). Chan, Golub & LeVeque 1983, doi:10.1080/00031305.1983.10483115."""
        finite = np.isfinite(cells)
        count = finite.sum(axis=0)
        mean = np.where(finite, cells, 0).sum(axis=0) / np.maximum(count, 1)
        squares = (np.where(finite, cells - mean, 0) ** 2).sum(axis=0)
        total = self.count + count
        apart = mean - self.mean
        self._squares += np.where(count > 0, squares + apart**2 * self.count * count / np.maximum(total, 1), 0)
        self.mean += np.where(count > 0, apart * count / np.maximum(total, 1), 0)
        self.count = total
        self._largest = np.maximum(self._largest, np.where(finite, np.abs(cells), 0).max(axis=0))

    @property
    def deviation(self):
        return np.sqrt(self._squares / np.maximum(self.count, 1))

    @property
    def scaled(self):
        return varies(self.deviation, self._largest)

    def __call__(self, cells):
        """(n, features) float64; of a feature that hardly varies among the controls only the mean is subtracted.

        A feature that fewer than CONTROLS of the controls have is all NaN.
        """
        scaled = (cells - self.mean) / np.where(self.scaled, self.deviation, 1)
        return np.where(self.count < CONTROLS, np.nan, scaled)


def fitted(cells, negative):
    """The Scaler of all cells of negative controls of a single_cells.SingleCells; NEGATIVE: controls.words."""
    scaler = Scaler(len(cells.features))
    for piece in cells.negative_controls(negative):
        scaler.add(piece)
    return scaler


def control_types(cells):
    """The words of the column control_type of a single_cells.SingleCells."""
    name = "Metadata_Control_Type"
    columns = [pq.read_table(path, columns=[name], partitioning=None)[name] for path in cells.files]
    return {word for column in columns for word in column.unique().to_pylist()} if name in cells.metadata else set()


def write(path, target, features, scaler):
    """Write the table PATH to TARGET, its features scaled."""
    file = pq.ParquetFile(path)
    with pq.ParquetWriter(target, file.schema_arrow, compression="zstd") as writer:
        for piece in file.iter_batches(PIECE):
            writer.write_table(replaced(piece, features, scaler(values(piece, features))))
