"""Frames on disk. A folder of them holds `images.json`, with one row an image, and one TIFF a frame.

A file is named by the frame's key. In a run with streams a frame may be two images, its variants `ic` (illumination
corrected) and `no_ic` (as it is stored): two rows, each with its `variant` and a key that ends in it, and one TIFF,
named by the key without it.
"""

from idrstream.images import tiff_files

CONTEXT = "context"  # folder, in one of frames, of neighbours in time that only flat-fields are fitted to
VARIANTS = ("ic", "no_ic")  # of a frame, in a run with streams


def image_key(plate, well, site, frame, variant=""):
    """The name of an image: ``XD0001_01_A03_s1_f2``, with a variant ``XD0001_01_A03_s1_f2__no_ic``."""
    return f"{plate}_{well}_s{site}_f{frame}" + (f"__{variant}" if variant else "")


def frame_key(row):
    """The name of the frame that an image is of: its key, without the variant."""
    if not row.get("variant"):
        return row["key"]
    return image_key(*(row[name] for name in ("plate", "well", "site", "frame")))


def write_frame(folder, name, frame):
    """Write a frame as it is stored in its archive: (Y, X), integer grey levels."""
    tiff_files.write(folder, name, frame)


def read_frame(folder, name):
    """Read a frame, (Y, X), integer grey levels."""
    return tiff_files.read(folder, name)


class Frames:
    """A sequence of frames, each read anew when it is looked at: a plate's do not lie in memory together.

    read   function of a name that returns the frame, (Y, X)
    names  list, in the order of the frames
    """

    def __init__(self, read, names):
        self._read, self._names = read, names

    def __getitem__(self, i):
        return self._read(self._names[i])
