"""QUANT.tsv: a row an object, in the columns of QuPath's or MCMICRO's tables. Needs pyarrow."""

from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc

from idrstream.tissue.tables import naming

CENTRE = 0.5  # pixels: MCQuant's coordinates have 0 in the middle of the first pixel, QuPath's at the corner
FIXED = "Image", "Object ID", "Object type", "Name", "Classification", "Parent", "ROI"
PARENT, ROI = "Root object (Image)", "Polygon"  # QuPath's words


@contextmanager
def writing(path, slide):
    """Context: yields a function that writes the next Chunk of SLIDE to PATH."""
    columns = _of_mcmicro if slide.style == "mcmicro" else _of_qupath
    with open(path, "w", encoding="utf-8") as file:

        def write(chunk):
            found = columns(chunk, slide)
            if not chunk.start:
                file.write(naming.cells(name for name, _ in found) + "\n")
            texts = [text for _, text in found]
            rows = pc.binary_join_element_wise(*texts, "\t", null_handling="replace", null_replacement="")
            file.writelines(f"{row}\n" for row in rows.to_pylist())

        yield write


def _of_qupath(chunk, slide):
    """(name, texts) of QuPath's nine columns, and of the measurements."""
    kinds = pc.if_else(pa.array(chunk.has_cell), "Cell", "Detection")
    fixed = [_same(chunk, naming.cells([slide.image])), pa.array(chunk.ids(slide), pa.string()), kinds]
    fixed += [_text(chunk.labels), *(_same(chunk, text) for text in ("", PARENT, ROI))]
    y, x = chunk.places(slide)
    centres = [(f"Centroid X {slide.unit}", _text(x)), (f"Centroid Y {slide.unit}", _text(y))]
    measurements = [(name, chunk.text(number)) for number, name in enumerate(slide.names)]
    return [*zip(FIXED, fixed, strict=True), *centres, *measurements]


def _of_mcmicro(chunk, slide):
    """(name, texts) of MCQuant's columns: intensities come before X_centroid, shapes after it."""
    named = [(name, chunk.text(number)) for number, name in enumerate(slide.names)]
    shapes = [named[number] for number in slide.shapes]
    intensities = [column for number, column in enumerate(named) if number not in set(slide.shapes)]
    y, x = (_text(centre - CENTRE) for centre in chunk.centres(slide))
    area = _text(chunk.objects["cell_pixels" if slide.has_cells else "nucleus_pixels"])
    placed = [("X_centroid", x), ("Y_centroid", y), ("Area", area)]
    return [("CellID", _text(chunk.labels)), *intensities, *placed, *shapes]


def _same(chunk, text):
    return pa.array([text]).take(pa.array([0] * len(chunk), pa.int32()))


def _text(values):
    return pc.cast(pa.array(values, from_pandas=True), pa.string())
