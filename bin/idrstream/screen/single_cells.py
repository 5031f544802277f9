"""The single cells of an output folder, read in pieces: `profiles/single_cells/plate=P/BATCH.parquet`."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from idrstream.runs import ledger
from idrstream.screen import plate_format
from idrstream.screen.profiles import FOLDER, PIECE
from idrstream.screen.study import Well, numbered

WELL, NUMBER = "Metadata_Well", "Metadata_WellNumber"
NEGATIVE = "negative control"  # as IDR's tables of wells have it in `Control Type`


class SingleCells:
    """The tables of an output folder.

    plates    plate -> its files, sorted; empty without tables, or if their features differ
    features  names of the features, the same in all files
    metadata  names of the other columns
    notes     a sentence if the features of the tables differ
    """

    def __init__(self, outdir):
        self.plates, self.features, self.metadata, self.notes = {}, [], [], []
        self._format = plate_format.read(outdir)
        for path in ledger.tables_in(outdir, FOLDER):
            names = pq.read_schema(path).names
            features = [name for name in names if not name.startswith("Metadata_")]
            if not self.plates:
                self.features, self.metadata = features, [name for name in names if name.startswith("Metadata_")]
            if features != self.features:
                first = f"tables have different features (first: {path.parent.name}/{path.name})"
                self.plates, self.notes = {}, [f"{first}, so nothing was made; compute the older batches with --redo"]
                return
            self.plates.setdefault(path.parent.name.removeprefix("plate="), []).append(path)

    @property
    def files(self):
        return [path for paths in self.plates.values() for path in paths]

    def wells(self, plate):
        """Yield the cells of a plate as DataFrames of complete wells, with at most PIECE cells or one well.

        Wells are numbered by one plate format (plate_format.read), even if batches were made with another.
        """
        names = ds.dataset(self.plates[plate]).to_table(columns=[WELL])[WELL]
        counts = {row["values"]: row["counts"] for row in names.value_counts().to_pylist()}
        wells, total = [], 0
        for well in sorted(counts, key=Well.parse):
            if wells and total + counts[well] > PIECE:
                yield self._of_wells(plate, wells)
                wells, total = [], 0
            wells.append(well)
            total += counts[well]
        if wells:
            yield self._of_wells(plate, wells)

    @property
    def several_frames(self):
        """Does any well have cells of more than one frame?"""
        for paths in self.plates.values():
            wells = ds.dataset(paths).to_table(columns=[WELL, "Metadata_Frame"]).group_by(WELL)
            frames = wells.aggregate([("Metadata_Frame", "count_distinct")])["Metadata_Frame_count_distinct"]
            if max(frames.to_pylist(), default=0) > 1:
                return True
        return False

    def negative_controls(self, negative):
        """Yield (n, features) float64 of the cells of negative controls, of the whole screen.

        negative  values of control_type that mark them
        """
        if "Metadata_Control_Type" not in self.metadata:
            return
        for path in self.files:
            for piece in pq.ParquetFile(path).iter_batches(PIECE, columns=["Metadata_Control_Type", *self.features]):
                chosen = piece.filter(pc.is_in(piece["Metadata_Control_Type"], pa.array(negative, pa.string())))
                if len(chosen):
                    yield values(chosen, self.features)

    def _of_wells(self, plate, wells):
        cells = ds.dataset(self.plates[plate]).to_table(filter=pc.field(WELL).isin(wells)).to_pandas()
        cells[NUMBER] = cells[WELL].map({well: numbered(well, self._format) for well in wells}).astype(np.int32)
        return cells


def values(piece, features):
    """(n, features) float64 of a table or record batch."""
    return np.stack([piece[name].to_numpy(zero_copy_only=False) for name in features], axis=1).astype(np.float64)


def replaced(piece, features, new):
    """PIECE with its features replaced by NEW, (n, features), as float32."""
    columns = {name: piece[name] for name in piece.schema.names}
    columns |= {name: pa.array(new[:, i].astype(np.float32)) for i, name in enumerate(features)}
    return pa.table(columns)
