"""Quality control as data: every image and every cell of an output folder, with a mark for each rule that it breaks.

Marks remove nothing. Images are taken from the ledger (ledger.rows), whether or not the run had features.
"""

from pathlib import Path, PurePath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from idrstream.base import tables
from idrstream.images.frames import image_key
from idrstream.runs import ledger
from idrstream.screen import outcome, plate_format, study
from idrstream.screen.profiles import FOLDER, PIECE, UNMEASURED

GROUP = 1 << 16  # cells of a row group: 10 MB
FEWEST = 10  # values that a plate needs for its own median and deviation
IMAGES = pa.schema(
    [(name, pa.string()) for name in ("plate", "well")]
    + [(name, pa.int32()) for name in ("well_number", "site", "frame")]
    + [("variant", pa.string()), ("row", pa.int64()), ("status", pa.string()), ("reason", pa.string())]
    + [("cells", pa.int32()), ("control_type", pa.string()), ("gene", pa.string())]
    + [(name, pa.float64()) for name in ("focus", "saturation", "background", "out_of_range", "texture_clipped")]
    + [("unwritten", pa.float64())]
    + [("bit_depth", pa.int32()), ("too_large", pa.int32())]
    + [("flatfield", pa.string()), ("bytes", pa.int64()), ("seconds", pa.float64())]
)
CELLS = pa.schema(
    [("Metadata_Plate", pa.string()), ("Metadata_Well", pa.string())]
    + [(f"Metadata_{name}", pa.int32()) for name in ("Site", "Frame", "Label")]
    + [(f"Metadata_{name}", pa.string()) for name in ("Cell_ID", "Control_Type")]
    + [(f"Metadata_{name}", pa.float64()) for name in ("Center_X", "Center_Y")]
    + [("Metadata_Area", pa.int32()), ("Metadata_Solidity", pa.float32()), ("Metadata_TouchesBorder", pa.bool_())]
    + [("Metadata_CropPaddedFraction", pa.float32()), ("Metadata_TextureLevels", pa.int32())]
)


class Spread:
    """Median and robust standard deviation of values that arrive in pieces, in memory that does not grow with them.

    Values are counted to 14 binary digits: whole numbers below 16,384 as they are, others within 6e-5 of themselves.
    NaN is ignored.
    """

    def __init__(self):
        self._values, self._counts = np.empty(0), np.empty(0, np.int64)

    def add(self, values):
        """Add VALUES, (n,) of any number type."""
        bits = values[np.isfinite(values)].astype(np.float32).view(np.uint32)
        rounded = ((bits + np.uint32(1 << 9)) & ~np.uint32((1 << 10) - 1)).view(np.float32).astype(np.float64)
        values, counts = np.unique(rounded, return_counts=True)
        self._values, place = np.unique(np.concatenate([self._values, values]), return_inverse=True)
        self._counts = np.bincount(place, np.concatenate([self._counts, counts])).astype(np.int64)

    @property
    def median(self):
        return _median(self._values, self._counts)

    @property
    def deviation(self):
        """1.4826 times the median absolute deviation: a normal distribution's standard deviation. 0 without values."""
        distances = np.abs(self._values - self.median)
        order = np.argsort(distances)
        return 1.4826 * _median(distances[order], self._counts[order])

    @property
    def count(self):
        return int(self._counts.sum())


class Spreads:
    """The Spread of each plate, as staining and focus differ by plate; with fewer than FEWEST values the screen's."""

    def __init__(self):
        self._screen, self._plates = Spread(), {}

    def add(self, plate, values):
        """Add VALUES of a plate, (n,) of any number type."""
        for spread in (self._screen, self._plates.setdefault(plate, Spread())):
            spread.add(values)

    def of(self, plate):
        """The Spread that its values are compared with."""
        spread = self._plates[plate]
        return spread if spread.count >= FEWEST else self._screen


def broken(rule, values, spread):
    """(n,) bool: which of VALUES, (n,) float64, break a rules.Rule; none where there is no value (NaN).

    spread  Spread that they are compared with; if its deviation is 0, no value breaks the rule
    """
    if rule.below is not None:
        return values < rule.below
    if rule.above is not None:
        return values > rule.above
    far = (values - spread.median) * np.sign(rule.z) > abs(rule.z) * spread.deviation
    return far & (spread.deviation > 0)


def write_images(outdir, entries, rules, path):
    """Write a row per image to PATH, failed images too.

    entries  of the ledger (ledger.read) of OUTDIR
    rules    list of rules.Rule
    returns  (rows, rule -> number of marks)
    """
    places, wells = _places(outdir), plate_format.read(outdir)
    passed = {ledger.SEGMENTED: "ok"}  # as far as quality control is concerned
    rows = [
        row
        | {"row": places.get(row["key"]), "well_number": study.numbered(row["well"], wells)}
        | {"status": passed.get(row["status"], row["status"])}
        for row in sorted(ledger.rows(entries).values(), key=outcome.order)
    ]
    names = [name for name in IMAGES.names if name != "variant" or any(row.get("variant") for row in rows)]
    table = pa.Table.from_pylist(rows, pa.schema([IMAGES.field(name) for name in names]))
    table, marks = _marked(table, rules, _spreads(rules, [table]))
    pq.write_table(table, path, compression="zstd")
    return len(table), marks


def write_cells(outdir, entries, rules, path):
    """Write a row per cell to PATH, by plate and batch, in pieces; arguments and result as of `write_images`."""
    spreads = _spreads(rules, _cells(outdir, entries))
    schema, none = _marked(CELLS.empty_table(), rules, spreads)
    total, marks, waiting = 0, dict.fromkeys(none, 0), []
    with pq.ParquetWriter(path, schema.schema, compression="zstd") as writer:
        for piece in _cells(outdir, entries):
            piece, counts = _marked(piece, rules, spreads)
            total += len(piece)
            marks = {name: marks[name] + counts[name] for name in marks}
            waiting.append(piece)
            if sum(map(len, waiting)) >= GROUP:
                writer.write_table(pa.concat_tables(waiting), row_group_size=GROUP)
                waiting = []
        writer.write_table(pa.concat_tables([schema, *waiting]), row_group_size=GROUP)
    return total, marks


def _cells(outdir, entries):
    """Yield the cells as tables of CELLS: those of each image once, from the batch whose result counts."""
    keys_of = {}
    for row in ledger.rows(entries).values():
        keys_of.setdefault(row["batch"], []).append(row["key"])
    places = tuple(f"{place.as_posix()}/" for place in (FOLDER, UNMEASURED))
    paths = [(file["path"], entry["batch"]) for entry in entries for file in entry["files"]]
    paths = [(name, batch) for name, batch in paths if name.startswith(places) and batch in keys_of]
    for name, batch in sorted(paths, key=lambda pair: PurePath(pair[0]).parts[-2:]):
        file, keys = pq.ParquetFile(Path(outdir, name)), pa.array(keys_of[batch], pa.string())
        present = [column for column in CELLS.names if column in file.schema_arrow.names]
        for piece in file.iter_batches(PIECE, columns=present):
            images = pc.replace_substring_regex(piece["Metadata_Cell_ID"], r"_c\d+$", "")
            piece = piece.filter(pc.is_in(pc.cast(images, pa.string()), keys))
            columns = {column: piece[column] if column in present else pa.nulls(len(piece)) for column in CELLS.names}
            yield pa.table(columns).cast(CELLS)


def _places(outdir):
    """Image key -> place of its row in the last run's input table."""
    path = Path(outdir, "images.tsv")
    rows = [row.cells for row in tables.read(path).rows] if path.exists() else []
    name = ("plate", "well", "site", "frame")
    return {image_key(*(row[n] for n in name), row.get("variant", "")): int(row["row"]) for row in rows if row["row"]}


def _spreads(rules, pieces):
    """Column -> Spreads, of the columns whose rules need them."""
    spreads = {rule.column: Spreads() for rule in rules if rule.z is not None}
    for piece in pieces if spreads else ():
        plates = _plates(piece)
        for column, of_column in spreads.items():
            values = _numbers(piece, column)
            for plate, rows in plates:
                of_column.add(plate, values[rows])
    return spreads


def _marked(table, rules, spreads):
    """TABLE with a column per rule; and rule -> number of marks."""
    counts, plates = {}, _plates(table)
    for rule in rules:
        values, marks = _numbers(table, rule.column), np.zeros(len(table), bool)
        for plate, rows in plates:
            spread = spreads[rule.column].of(plate) if rule.z is not None else None
            marks[rows] = broken(rule, values[rows], spread)
        why = {"reason": rule.reason}  # stored with the column, for the report
        table = table.append_column(pa.field(rule.mark, pa.bool_(), metadata=why), pa.array(marks, pa.bool_()))
        counts[rule.name] = int(marks.sum())
    return table, counts


def _plates(table):
    """(plate, (n,) bool: its rows) of each plate in a table of images or cells."""
    plates = table["plate" if "plate" in table.column_names else "Metadata_Plate"]
    return [(plate, pc.equal(plates, plate).to_numpy()) for plate in pc.unique(plates).to_pylist()]


def _numbers(table, column):
    return pc.cast(table[column], pa.float64()).to_numpy().astype(np.float64)


def _median(values, counts):
    """Median of VALUES, ascending, each as often as COUNTS says; 0 of none."""
    if not counts.sum():
        return 0.0
    after = np.cumsum(counts)
    middle = [values[np.searchsorted(after, rank, side="right")] for rank in ((after[-1] - 1) // 2, after[-1] // 2)]
    return float(np.mean(middle))
