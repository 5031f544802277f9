"""IDR_stream's CSV files from an output folder: its batches of rows of the input table, its columns, its order.

Three shapes: `DP` as IDR_stream's DeepProfiler run writes them, `CP` as its CellProfiler run does, `merged` as its
merge of both does. https://github.com/WayScience/IDR_stream; read by https://github.com/WayScience/mitocheck_data.
"""

import gzip
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from idrstream.base import files, tables, units
from idrstream.images.frames import image_key
from idrstream.images.outlines import read_outlines
from idrstream.runs import ledger
from idrstream.screen.profiles import FOLDER as CELLS
from idrstream.screen.profiles import PIECE

FOLDERS = {
    "DP": "DP_features",
    "CP": "CP_features",
    "merged": "merged_features",
}  # named as IDR_stream's users name them
NUCLEI = "Nuclei_"  # prefix of CellProfiler's features, except in its own table of nuclei
NEEDED = {"DP": "deep", "CP": "cp"}  # family of features, by shape
KEY = ["Metadata_Plate", "Metadata_Well", "Metadata_Site", "Metadata_Frame"]
VARIANT = "Metadata_Illumination"  # part of an image's name in a run with streams
OTHER = ("WellNumber", "Gene", "Gene_Replicate", "Label", "Center_X", "Center_Y", "Model", "Cell_ID")
METADATA = [*KEY, VARIANT, *(f"Metadata_{name}" for name in OTHER)]
LEVEL = 1  # of gzip, IDR_stream's: features hardly compress
CORNERS = 4  # shapely takes no polygon of fewer
UUIDS = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/WayScience/IDR_stream")


class Export:
    """The cells of the last run's input table, in batches of its rows.

    shapes   those to write, of FOLDERS
    batches  number -> its images that have cells, in the order of the table; batch 0 exists even without any, because
             its header is read; no batch at all where no image has a table of cells
    notes    what is not exported or left empty, a sentence each

    Raises tables.Problems for a folder that cannot be exported, or whose tables do not match `images.tsv`.
    """

    def __init__(self, outdir, shapes, batch_size=None):
        self.outdir, self.shapes, self.notes = Path(outdir), shapes, []
        rows = self._rows()
        self._fit(rows)
        size = batch_size or self._batch_size()
        self.paths, counts = self._index()
        self.outlined = self._wants_outlines()
        images = self._images(rows, counts)
        self.batches = {} if self.features is None else {0: []}
        for row in images:
            self.batches.setdefault(int(row["row"]) // size, []).append(row)
        last = max((int(row["row"]) // size for row in rows if row["row"]), default=0)
        empty = [str(number) for number in range(last + 1) if not self.batches.get(number)]
        if not self.batches:
            self.notes.append("nothing exported: no image has a table of cells")
        elif empty:
            header = "" if self.batches[0] else " (batch 0 has a file with the header only)"
            self.notes.append(f"no file for batches without cells: {', '.join(empty)}{header}")

    def prepare(self, folder):
        """Make the folders; delete hidden files of a killed export.

        Raises tables.Problems where another export's batches lie: whoever reads the folder would read them too.
        """
        wanted = {_name(number) for number in self.batches}
        for shape in self.shapes:
            target = Path(folder) / FOLDERS[shape]
            target.mkdir(parents=True, exist_ok=True)
            others = sorted(path.name for path in target.glob(_name("*")) if path.name not in wanted)
            if others:
                named = f"{others[0]} and {len(others) - 1} more" if len(others) > 1 else others[0]
                those = "them" if len(others) > 1 else "it"
                raise tables.Problems([f"{target}: {named} of another export; delete {those}, or name another folder"])
            for hidden in target.glob(files.part(_name("*")).name):
                hidden.unlink()

    def write(self, number, folder):
        """Write batch NUMBER in each of the shapes; returns the number of its cells."""
        cells = self._cells(self.batches[number])
        outlines = self._outlines(cells) if self.outlined and self.shapes != ["CP"] else None
        make = {
            "DP": lambda: _dp(cells, outlines),
            "CP": lambda: _cp(cells),
            "merged": lambda: _merged(cells, outlines),
        }
        for shape in self.shapes:
            _write(Path(folder) / FOLDERS[shape] / _name(number), make[shape]())
        return len(cells)

    def _rows(self):
        path = self.outdir / "images.tsv"
        if not path.exists():
            self._refuse("there is no images.tsv; name the --outdir of a run that has ended")
        table = tables.read(path)
        if "row" not in table.columns:
            self._refuse('images.tsv has no column "row"; run the pipeline again, which only rewrites that file')
        return [row.cells for row in table.rows]

    def _fit(self, rows):
        """Raise Problems where variants of a frame would be exported together: its columns do not tell them."""
        if any(row.get("variant") for row in rows if row["row"]):
            self._refuse("its cells belong to streams, some of them in two variants; export them with --streams")

    def _wants_outlines(self):
        return any(self.outdir.glob("outlines/plate=*/*.geojson"))

    def _images(self, rows, counts):
        """The images to export, in the order of the input table: those of ROWS that are in it and have cells."""
        with_cells = [row for row in rows if row["status"] == "ok" and int(row["cells"]) > 0]
        images = [row for row in with_cells if row["row"]]
        for row in images:
            row["key"] = image_key(*(row.get(name, "") for name in ("plate", "well", "site", "frame", "variant")))
            if int(row["cells"]) != counts.get(row["key"], 0):
                differ = f"{row['cells']} cells in images.tsv, {counts.get(row['key'], 0)} in {CELLS}"
                remedy = "run the pipeline again, and with --redo if this happens again"
                self._refuse(f"{row['key']} has {differ}; {remedy}")
        if others := len(with_cells) - len(images):
            self.notes.append(f"{units.count(others, 'image')} not exported: not in the last run's input table")
        bare = self.outlined and sum(not self._outlines_path(row["key"], row["plate"]).exists() for row in images)
        if bare:
            self.notes.append(f"Object_Outline is empty for {units.count(bare, 'image')} without outlines")
        return sorted(images, key=lambda row: [int(row[name]) for name in ("row", "site", "frame")])

    def _batch_size(self):
        path = self.outdir / "pipeline_info" / "run.json"
        if path.exists() and (size := files.read_json(path).get("params", {}).get("batch_size")):
            return int(size)
        return self._refuse("pipeline_info/run.json does not have the batch size; give --batch_size")

    def _index(self):
        """Image key -> its file, and image key -> number of its cells."""
        paths, counts, self.features = {}, {}, None
        for path in ledger.tables_in(self.outdir, CELLS):
            file = pq.ParquetFile(path)
            features = [name for name in file.schema_arrow.names if not name.startswith("Metadata_")]
            if self.features is None:
                self.features, self.schema = features, file.schema_arrow
            if features != self.features:
                self._refuse(
                    f"{path.name} and the files before it have different features; compute older batches with --redo"
                )
            columns = _key(file.schema_arrow.names)
            groups = file.read(columns=columns).group_by(columns).aggregate([([], "count_all")]).to_pydict()
            for *key, count in zip(*(groups[name] for name in (*columns, "count_all")), strict=True):
                name = image_key(*key)
                paths[name] = path
                counts[name] = counts.get(name, 0) + count
        if self.features is None:
            return paths, counts
        has = {"cp" if name.startswith(NUCLEI) else "deep" for name in self.features}
        for shape in self.shapes:
            if shape in NEEDED and NEEDED[shape] not in has:
                self._refuse(f"{shape} files hold {NEEDED[shape]} features, which its cells do not have (--features)")
        return paths, counts

    def _cells(self, images):
        """The cells of IMAGES, in their order and by label, as an Arrow table."""
        place = {row["key"]: number for number, row in enumerate(images)}
        columns = [*METADATA, *self.features]
        pieces, places = [self.schema.empty_table().select([c for c in columns if c in self.schema.names])], []
        for path in sorted({self.paths[row["key"]] for row in images}):
            for piece in pq.ParquetFile(path).iter_batches(PIECE, columns=columns):
                keys = zip(*(piece[name].to_pylist() for name in _key(piece.schema.names)), strict=True)
                rank = np.array([place.get(image_key(*key), -1) for key in keys])
                pieces.append(pa.table(piece.filter(pa.array(rank >= 0))))
                places.append(rank[rank >= 0])
        cells = pa.concat_tables(pieces, promote_options="permissive")
        order = np.lexsort((cells["Metadata_Label"].to_numpy(), np.concatenate(places))) if places else []
        cells = cells.combine_chunks().take(pa.array(order, pa.int64()))
        numbers = np.array([int(row["well_number"]) for row in images], np.int32)  # by one plate format
        numbers = pa.array(numbers[np.concatenate(places)[order]] if places else [], pa.int32())
        return cells.set_column(cells.column_names.index("Metadata_WellNumber"), "Metadata_WellNumber", numbers)

    def _outlines(self, cells):
        """The outline of every cell as IDR_stream writes it; null where its image has none."""
        texts, current, rings = [], None, None
        columns = [*_key(cells.column_names), "Metadata_Label"]
        for *key, label in zip(*(cells[name].to_pylist() for name in columns), strict=True):
            name = image_key(*key)
            path = self._outlines_path(name, key[0])
            if name != current:
                outlines = read_outlines(path) if path.exists() else None
                rings = outlines and {label: [*border, border[0]] for label, (_, border) in outlines.items()}
                current = name
            if rings is not None and label not in rings:
                self._refuse(f"{path} has no outline of cell {label}; compute its batch with --redo")
            texts.append(rings and outline_text(rings[label]))
        return pa.array(texts, pa.string())

    def _outlines_path(self, name, plate):
        return self.outdir / "outlines" / f"plate={plate}" / f"{name}.geojson"

    def _refuse(self, sentence):
        raise tables.Problems([f"{self.outdir}: {sentence}"])


def _key(columns):
    """Those of COLUMNS that identify an image."""
    return [*KEY, VARIANT] if VARIANT in columns else KEY


def outline_text(ring):
    """A polygon as NumPy prints the array of its corners, which IDR_stream's users parse: ``[[ 1 20]\\n [ 3 20]]``.

    ring     list of [x, y], closed
    returns  the whole array, although NumPy abbreviates above 1,000 numbers; the first corner is not repeated at the
             end; with fewer than CORNERS corners the last one is repeated
    """
    corners = ring[:-1] or ring
    corners = corners + corners[-1:] * (CORNERS - len(corners))
    width = max(len(str(number)) for corner in corners for number in corner)
    return "[" + "\n ".join(f"[{x:>{width}} {y:>{width}}]" for x, y in corners) + "]"


def _shared(cells):
    """Columns of every shape. IDR_stream has no sites, so the site is in the image's name only where it is not 1."""
    plate, site = cells["Metadata_Plate"], cells["Metadata_Site"]
    well, frame = _text(cells["Metadata_WellNumber"]), _text(cells["Metadata_Frame"])
    movie, none = _join(plate, well, by="_"), pa.nulls(len(cells), pa.string())
    suffix = pc.if_else(pc.equal(site, 1), ".tif", _join("_s", _text(site), ".tif"))
    replicate = cells["Metadata_Gene_Replicate"] if "Metadata_Gene_Replicate" in cells.column_names else none
    replicate = pc.if_else(pc.equal(pc.fill_null(replicate, ""), ""), "1", replicate)
    columns = {f"Location_Center_{axis}": cells[f"Metadata_Center_{axis}"] for axis in "XY"}
    return columns | {
        "Metadata_Plate": plate,
        "Metadata_Well": _join(well, frame, by="_"),
        "Metadata_Site": site,
        "Metadata_Plate_Map_Name": movie,
        "Metadata_DNA": _join(plate, "/", movie, "_", frame, suffix),
        "Metadata_Gene": cells["Metadata_Gene"],
        "Metadata_Gene_Replicate": replicate,
    }


def _deep(cells):
    names = [name for name in cells.column_names if not name.startswith(("Metadata_", NUCLEI))]
    return {"Metadata_Model": cells["Metadata_Model"]} | {name: cells[name] for name in names}


def _classical(cells):
    return {name.removeprefix(NUCLEI): cells[name] for name in cells.column_names if name.startswith(NUCLEI)}


def _dp(cells, outlines):
    outline = {} if outlines is None else {"Object_Outline": outlines}
    return pa.table(_index(cells) | outline | _shared(cells) | _deep(cells))


def _cp(cells):
    return pa.table(_index(cells) | _shared(cells) | _classical(cells))


def _merged(cells, outlines):
    """As IDR_stream merges the two: a prefix tells whose a column is, and positions are whole pixels."""
    ids = cells["Metadata_Cell_ID"].to_pylist()
    columns = _index(cells) | {"Cell_UUID": pa.array([str(uuid.uuid5(UUIDS, id)) for id in ids], pa.string())}
    for name, values in _shared(cells).items():
        columns[name] = pc.cast(values, pa.int64(), safe=False) if name.startswith("Location_") else values
    outline = {} if outlines is None else {"Object_Outline": outlines}
    columns |= {f"CP__{name}": values for name, values in _classical(cells).items()}
    return pa.table(columns | {f"DP__{name}": values for name, values in (outline | _deep(cells)).items()})


def _index(cells):
    return {"": pa.array(range(len(cells)), pa.int64())}


def _write(path, table):
    with (
        files.whole(path) as part,
        open(part, "wb") as file,
        gzip.GzipFile(
            "", "wb", LEVEL, file, mtime=0
        ) as packed,  # without name and time, so that bytes are the same each time
    ):
        pyarrow.csv.write_csv(table, packed, pyarrow.csv.WriteOptions(quoting_header="none"))


def _name(number):
    return f"batch_{number}.csv.gz"


def _text(numbers):
    return pc.cast(numbers, pa.string())


def _join(*parts, by=""):
    parts = [pc.cast(part, pa.string()) if isinstance(part, pa.ChunkedArray) else part for part in parts]
    return pc.binary_join_element_wise(*parts, by)
