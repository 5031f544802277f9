"""cells.parquet: a row an object, with every measurement as it was computed. Needs pyarrow."""

from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from idrstream.tissue.tables import naming

CENTRE = 0.5  # pixels: in Metadata_Center_* the middle of the first pixel is 0, as in the tables of screens


@contextmanager
def writing(path, slide):
    """Context: yields a function that writes the next Chunk of SLIDE to PATH, as a row group."""
    writer = None

    def write(chunk):
        nonlocal writer
        rows = pa.table(_metadata(chunk, slide) | _measurements(chunk, slide))
        if writer is None:
            texts = [field.name for field in rows.schema if pa.types.is_dictionary(field.type)]
            writer = pq.ParquetWriter(path, rows.schema, compression="zstd", use_dictionary=texts)
        writer.write_table(rows)

    try:
        yield write
    finally:
        if writer:
            writer.close()


def _metadata(chunk, slide):
    """Name -> array of each column that is no measurement; the user's own come last."""
    y, x = chunk.centres(slide)
    y_nucleus, x_nucleus = chunk.centres(slide, "_nucleus")
    columns = {"Slide": constant(slide.name, len(chunk)), "Label": chunk.labels}
    columns |= {"Object_ID": pa.array(chunk.ids(slide), pa.string())}
    columns |= {"Center_Y": y - CENTRE, "Center_X": x - CENTRE}
    columns |= {"Nucleus_Center_Y": _or_null(y_nucleus - CENTRE), "Nucleus_Center_X": _or_null(x_nucleus - CENTRE)}
    columns |= {"Has_Nucleus": chunk.has_nucleus, "Has_Cell": chunk.has_cell}
    columns |= {"Nucleus_Pixels": chunk.objects["nucleus_pixels"], "Cell_Pixels": chunk.objects["cell_pixels"]}
    names = naming.distinct(slide.metadata, columns)
    columns |= dict(zip(names, (constant(text, len(chunk)) for text in slide.metadata.values()), strict=True))
    return {f"Metadata_{name}": column for name, column in columns.items()}


def _measurements(chunk, slide):
    return {name: chunk.column(number) for number, name in enumerate(slide.names)}


def constant(text, count):
    """A column of one text."""
    return pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), pa.array([text]))


def _or_null(values):
    return pa.array(values, from_pandas=True)
