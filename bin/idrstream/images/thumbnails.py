"""Small pictures of the images with their nuclei outlined, for people who decide what is good."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from skimage.segmentation import find_boundaries

from idrstream.images.calibration import read_corrected
from idrstream.images.labels import read_cells, read_labels

FOLDER = Path("qc", "thumbnails")  # in an output folder: plate=P/BATCH.parquet
SIDE = 320  # pixels, at most
CONTRAST = 0.1, 99.9  # percentiles of the grey levels that become black and white
COLOUR = 0xE6, 0x9F, 0x00  # orange of Okabe and Ito 2008: seen on grey by the colour-blind too
QUALITY = 70  # of JPEG: 6 to 25 kB of nuclei, and less than 80 kB of mere noise
SCHEMA = pa.schema([("key", pa.string()), ("jpeg", pa.binary())])


def picture(grey, labels):
    """The picture of an image.

    grey     (Y, X) any integer or float type, grey levels
    labels   (Y, X) its label image
    returns  (y, x, 3) uint8, no side longer than SIDE, never enlarged; outlines lie around the nuclei, not on them
    """
    size = tuple(max(1, round(side * min(1, SIDE / max(grey.shape)))) for side in grey.shape[::-1])
    small = np.asarray(Image.fromarray(grey.astype(np.float32)).resize(size, Image.Resampling.BOX))
    low, high = np.percentile(small, CONTRAST)
    even = np.clip((small - low) / max(high - low, np.finfo(np.float32).tiny), 0, 1)
    colours = np.repeat(np.rint(even * 255).astype(np.uint8)[..., None], 3, axis=2)
    nuclei = np.asarray(Image.fromarray(labels.astype(np.int32)).resize(size, Image.Resampling.NEAREST))
    colours[find_boundaries(nuclei, mode="outer")] = COLOUR
    return colours


def jpeg(colours):
    """(y, x, 3) uint8 as the bytes of a JPEG file."""
    content = io.BytesIO()
    Image.fromarray(colours).save(content, "JPEG", quality=QUALITY)
    return content.getvalue()


def write(frames, labels, rows, calibration, batch, folder):
    """Write the pictures of the images that are ok into FOLDER, laid out as the output folder is: a Parquet a plate.

    frames, labels  folders of FETCH and SEGMENT
    rows            the images'
    calibration     folder with the calibration of each plate
    batch           its id, which names the files
    """
    made = {}
    for row in rows:
        if row["status"] == "ok":
            nuclei, cells = read_labels(labels, row["key"]), read_cells(labels, row["key"])["label"]
            counted = np.where(np.isin(nuclei, cells), nuclei, 0)
            small = picture(read_corrected(frames, row, calibration), counted)
            made.setdefault(row["plate"], []).append({"key": row["key"], "jpeg": jpeg(small)})
    for plate, pictures in made.items():
        path = Path(folder, FOLDER, f"plate={plate}", f"{batch}.parquet")
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(pictures, SCHEMA), path, compression="none")  # they are packed already
