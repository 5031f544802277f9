"""The calibration of plates on disk, flat-field, camera offset, range and nucleus diameter, and frames corrected by it.

A folder of fields holds flat-fields, named by their plate or by their image, and `fields.json`: {"offset": grey levels,
given or estimated, "lost": why its frames could not be fetched or None, "frames": their range and size
(bit_depth.of_plate), "fields": {name: {"status": "ok" or "refused", "reason", "kind": "plate" or "frames", "shape",
figures}}}; of a plate that is kept also "plate", its name. The calibration of the plates of a batch lies in one folder,
called `calibration`, which need not exist. A row's `camera_offset` is the offset that was given, for images of which no
such folder speaks.
"""

from pathlib import Path

from idrstream.base import files
from idrstream.images import tiff_files
from idrstream.images.frames import frame_key, read_frame

REFERENCES = 3  # frames of a plate that tell the diameter of its nuclei
WINDOW = 3  # frames that an image's own flat-field is fitted to, itself included
FIELDS = "fields.json"


def write_field(folder, name, field):
    """Write a flat-field: (Y, X) float32, mean 1."""
    tiff_files.write(folder, name, field, compression="zlib")


def write_picture(folder, name, picture):
    """Write a picture for people: (Y, X, 3) uint8, red first, as PNG."""
    import cv2

    cv2.imwrite(str(Path(folder) / f"{name}.png"), picture[..., ::-1])


def read_fields(calibration):
    """The folders of fields in a calibration: list of (folder, content of its fields.json)."""
    paths = sorted(Path(calibration).glob(f"*/{FIELDS}")) if calibration else []
    return [(path.parent, files.read_json(path)) for path in paths]


def field_of(row, calibration):
    """The flat-field that applies to an image.

    row          the image's, with its `shape`
    calibration  folder with the calibration of each plate
    returns      (folder, name, camera offset in grey levels, facts), the facts saying why if it was refused; None
                 where nobody asked for one
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
    """Grey levels that are subtracted from an image, whatever becomes of its field; arguments as of `field_of`."""
    if row.get("variant") == "no_ic":
        return 0.0
    field = field_of(row, calibration)
    return float(field[2] if field else row.get("camera_offset", 0))


def read_diameters(calibration):
    """Diameters of the nuclei in pixels by plate."""
    estimates = map(files.read_json, sorted(Path(calibration).glob("*/diameter.json")) if calibration else [])
    return {estimate["plate"]: estimate["diameter"] for estimate in estimates}


def read_bit_depths(calibration):
    """Bits of the grey levels by plate; None where no frame was seen."""
    plates = [content for _, content in read_fields(calibration) if "plate" in content]
    return {content["plate"]: content["frames"] and content["frames"]["bits"] for content in plates}


def read_corrected(folder, row, calibration=None):
    """Read a frame, camera offset subtracted and flat-field corrected: ``(frame - offset) / field``.

    folder       of frames
    row          the image's
    calibration  folder with the calibration of each plate
    returns      (Y, X) float32, grey levels, never rescaled, so wells stay comparable; where no field applies,
                 ``frame - offset``; where there is no offset either, the frame as it is stored

    Peng et al. 2017, doi:10.1038/ncomms14836, eq. 1.
    """
    frame, field, offset = read_frame(folder, frame_key(row)), field_of(row, calibration), offset_of(row, calibration)
    corrected = field is not None and field[3]["status"] == "ok"
    if corrected or offset:
        frame = frame.astype("float32") - offset
    return frame / read_frame(field[0], field[1]) if corrected else frame
