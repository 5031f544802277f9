"""What a frame and a label image on disk are, and the rows that travel with them.

A folder of frames holds `images.json` (one row an image, whether it could be had or not) and one TIFF a frame, named by
the image's key. A folder of label images holds a TIFF a frame under the same name, and the table of its cells. With
--remove_edge_masks the table leaves nuclei at the border out: they are no cells, but others have them as neighbours.

In a run with streams a frame may be two images, its variants `ic` (illumination corrected) and `no_ic` (as it is
stored): two rows, each with its `variant` and a key that ends in it, and one TIFF, named by the key without it.

A folder of fields holds flat-fields, named by their plate or by their image, and `fields.json`: {"offset": grey levels,
given or estimated, "lost": why its frames could not be fetched or None, "frames": their range and size
(bit_depth.of_plate), "fields": {name: {"status": "ok" or "refused", "reason", "kind": "plate" or "frames", "shape",
figures}}}; of a plate that is kept also "plate", its name. The calibration of the plates of a batch lies in one folder,
called `calibration`. A row's `camera_offset` is the offset that was given, for images of which no such folder speaks.
"""

import io
import json
from pathlib import Path

from idrstream.base import files

CONTEXT = "context"  # folder, in one of frames, of neighbours in time that only flat-fields are fitted to
REFERENCES = 3  # frames of a plate that tell the diameter of its nuclei
WINDOW = 3  # frames that an image's own flat-field is fitted to, itself included
FIELDS = "fields.json"
VARIANTS = ("ic", "no_ic")  # of a frame, in a run with streams


def key(plate, well, site, frame, variant=""):
    """The name of an image: ``XD0001_01_A03_s1_f2``, with a variant ``XD0001_01_A03_s1_f2__no_ic``."""
    return f"{plate}_{well}_s{site}_f{frame}" + (f"__{variant}" if variant else "")


def frame_key(row):
    """The name of the frame that an image is of: its key, without the variant."""
    return key(*(row[name] for name in ("plate", "well", "site", "frame"))) if row.get("variant") else row["key"]


def spread(length, count):
    """At most COUNT indices of a list of LENGTH, evenly from the first to the last."""
    if length <= count:
        return list(range(length))
    return [round(i * (length - 1) / (count - 1)) for i in range(count)]


def write_frame(folder, name, frame):
    """Write a frame as it is stored in its archive: (Y, X), integer grey levels."""
    _write(folder, name, frame)


def read_frame(folder, name):
    """Read a frame, (Y, X), integer grey levels."""
    import tifffile

    return tifffile.imread(Path(folder) / f"{name}.tif")


class Frames:
    """A sequence of frames, each read anew when it is looked at: a plate's do not lie in memory together.

    read   function of a name that returns the frame, (Y, X)
    names  list, in the order of the frames
    """

    def __init__(self, read, names):
        self._read, self._names = read, names

    def __getitem__(self, i):
        return self._read(self._names[i])


def write_field(folder, name, field):
    """Write a flat-field: (Y, X) float32, mean 1."""
    _write(folder, name, field, compression="zlib")


def write_picture(folder, name, picture):
    """Write a picture for people: (Y, X, 3) uint8, red first, as PNG."""
    import cv2

    cv2.imwrite(str(Path(folder) / f"{name}.png"), picture[..., ::-1])


def read_fields(calibration):
    """The folders of fields in KNOWN, which need not exist: list of (folder, content of its fields.json)."""
    found = sorted(Path(calibration).glob(f"*/{FIELDS}")) if calibration else []
    return [(path.parent, files.read_json(path)) for path in found]


def field_of(row, calibration):
    """The flat-field that applies to an image.

    row      the image's, with its `shape`
    calibration  folder with the calibration of each plate
    returns  (folder, name, camera offset in grey levels, facts), the facts saying why if it was refused; None where
             nobody asked for one
    """
    if row.get("variant") == "no_ic":
        return None
    for name in (frame_key(row), row["plate"]):
        for folder, content in read_fields(calibration):
            facts = content["fields"].get(name)
            if facts and facts["status"] == "ok" and facts["shape"] != row["shape"]:
                sizes = " and ".join("x".join(map(str, shape)) for shape in (facts["shape"], row["shape"]))
                facts = facts | {"status": "refused", "reason": f"field and image differ in size: {sizes}"}
            if facts:
                return (folder, name, content["offset"], facts)
    return None


def offset_of(row, calibration=None):
    """Grey levels that are taken off an image, whatever becomes of its field; arguments as of `field_of`."""
    if row.get("variant") == "no_ic":
        return 0.0
    found = field_of(row, calibration)
    return float(found[2] if found else row.get("camera_offset", 0))


def read_diameters(calibration):
    """Diameters of the nuclei in pixels by plate, from the estimates in KNOWN, which need not exist."""
    estimates = map(files.read_json, sorted(Path(calibration).glob("*/diameter.json")) if calibration else [])
    return {estimate["plate"]: estimate["diameter"] for estimate in estimates}


def read_bit_depths(calibration):
    """Bits of the grey levels by plate, from the plates in KNOWN, which need not exist; None where none were seen."""
    plates = [content for _, content in read_fields(calibration) if "plate" in content]
    return {content["plate"]: content["frames"] and content["frames"]["bits"] for content in plates}


def read_corrected(folder, row, calibration=None):
    """Read a frame less the camera's offset, with its illumination evened: ``(frame - offset) / field``.

    folder   of frames
    row      the image's
    calibration  folder with the calibration of each plate
    returns  (Y, X) float32, grey levels, never rescaled, so wells stay comparable; where no field applies,
             ``frame - offset``; where there is no offset either, the frame as it is stored

    Peng et al. 2017, doi:10.1038/ncomms14836, eq. 1.
    """
    frame, found, offset = read_frame(folder, frame_key(row)), field_of(row, calibration), offset_of(row, calibration)
    corrected = found is not None and found[3]["status"] == "ok"
    if corrected or offset:
        frame = frame.astype("float32") - offset
    return frame / read_frame(found[0], found[1]) if corrected else frame


def write_labels(folder, name, labels, too_large=0):
    """Write a label image: (Y, X) uint16 or uint32, 0 is background; compressed without loss.

    too_large  how many nuclei were dropped for their size: stays with the image, wherever it is taken from
    """
    said = {"description": json.dumps({"too_large": too_large})} if too_large else {}
    _write(folder, name, labels, compression="zlib", **said)


read_labels = read_frame


def too_large(folder, name):
    """How many nuclei of a label image were dropped for their size."""
    import tifffile

    with tifffile.TiffFile(Path(folder) / f"{name}.tif") as file:
        said = file.pages[0].description
    return json.loads(said)["too_large"] if said.startswith('{"too_large"') else 0


def write_cells(folder, name, cells):
    """Write the cells of an image: arrays of equal length by column name (`label`, `center_y`, `center_x`, ...)."""
    import numpy

    numpy.savez(Path(folder) / f"{name}.npz", **cells)


def read_cells(folder, name):
    """Read them again."""
    import numpy

    with numpy.load(Path(folder) / f"{name}.npz") as cells:
        return {column: cells[column] for column in cells.files}


def write_outlines(folder, name, polygons, border_pixels, cells=None):
    """Write the outlines of the cells as GeoJSON, which QuPath, shapely and napari read.

    polygons       nuclei.polygons of labels 1, 2, ...: parts of rings of (y, x) corners; written as (x, y), closed,
                   counted as QuPath does: the first pixel is from 0 to 1
    border_pixels  nuclei.outlines of them, (k, 2) (y, x): IDR_stream's outlines, of pixels; a property of each
    cells          (n,) labels of the cells: of these alone; of all if None
    """
    features = []
    for label in range(1, len(polygons) + 1) if cells is None else map(int, cells):
        areas = [[_closed(ring) for ring in part] for part in polygons[label - 1]]
        one = len(areas) == 1
        geometry = {"type": "Polygon" if one else "MultiPolygon", "coordinates": areas[0] if one else areas}
        border = [[int(x), int(y)] for y, x in border_pixels[label - 1]]
        properties = {"label": label, "border_pixels": border}
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    content = {"type": "FeatureCollection", "features": features}
    (Path(folder) / f"{name}.geojson").write_text(json.dumps(content))


def read_outlines(path):
    """label -> (parts, border pixels), (x, y), of a file that `write_outlines` wrote; a part is a list of rings."""
    found = {}
    for feature in files.read_json(path)["features"]:
        geometry, properties = feature["geometry"], feature["properties"]
        parts = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
        found[properties["label"]] = (parts, properties["border_pixels"])
    return found


def _closed(ring):
    corners = [[int(x), int(y)] for y, x in ring]
    return [*corners, corners[0]]


def _write(folder, name, image, compression=None, description=None):
    import tifffile

    content = io.BytesIO()  # NumPy, writing to the disk itself, would not say that it is full
    named = {"description": description, "metadata": None} if description else {}  # else tifffile describes the shape
    tifffile.imwrite(content, image, compression=compression, photometric="minisblack", **named)
    (Path(folder) / f"{name}.tif").write_bytes(content.getbuffer())
