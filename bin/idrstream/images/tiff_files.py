"""Images in TIFF files of our own, one a file, named by a key."""

import io
from pathlib import Path


def write(folder, name, image, compression=None, description=None):
    """Write an image: (Y, X) of any type; DESCRIPTION is text that stays with it."""
    import tifffile

    content = io.BytesIO()  # NumPy, writing to the disk itself, would not say that it is full
    described = {"description": description, "metadata": None} if description else {}  # else tifffile states the shape
    tifffile.imwrite(content, image, compression=compression, photometric="minisblack", **described)
    (Path(folder) / f"{name}.tif").write_bytes(content.getbuffer())


def read(folder, name):
    """Read it again."""
    import tifffile

    return tifffile.imread(Path(folder) / f"{name}.tif")


def description(folder, name):
    """The text that stays with it."""
    import tifffile

    with tifffile.TiffFile(Path(folder) / f"{name}.tif") as file:
        return file.pages[0].description
