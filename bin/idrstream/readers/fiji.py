"""Files read by Fiji itself, through PyImageJ: the user's own Fiji, with whatever plugins it has.

IDRSTREAM_FIJI names the folder of the Fiji to use (in an image that was built with FIJI=yes `/idrstream/Fiji.app`);
without it PyImageJ fetches one (sc.fiji:fiji) by Maven.
"""

import os
import threading

from idrstream.base.failures import NotReadable
from idrstream.base.task import UserError
from idrstream.readers import tiff
from idrstream.readers.bioformats import SIGNALS, release_starter
from idrstream.readers.image import Image as BaseImage
from idrstream.readers.image import Level, check_size
from idrstream.readers.planes import named

NEEDS_WHOLE_FILE = True
FIJI = "IDRSTREAM_FIJI"  # environment variable
AXES = {"t": "T", "ch": "C", "pln": "Z", "row": "Y", "col": "X"}  # PyImageJ's names of them
LATEST = "sc.fiji:fiji"

_starting = threading.Lock()
_started = []


class Image(BaseImage):
    """The first image of a file, all of it in memory."""

    def __init__(self, path, name):
        with _starting:  # all threads share ImageJ's services
            gateway = started()
            try:
                dataset = gateway.io().open(str(path))
                images = None if dataset is None else gateway.py.from_java(dataset)
            except Exception as error:  # whatever a plugin throws
                message = (str(error).splitlines() or [type(error).__name__])[0]
                raise NotReadable(f"{name}: Fiji cannot open it ({message[:200]}).") from None
        if not {"row", "col"} <= set(getattr(images, "dims", ())):
            raise NotReadable(f"{name}: Fiji opens it, but not as an image.")
        strange = [f"{dim} ({images.sizes[dim]})" for dim in images.dims if dim not in ("t", "pln", "row", "col", "ch")]
        if strange:
            raise NotReadable(f"{name}: one image is expected in a file, this one has also {', '.join(strange)}.")
        check_size(name, images.sizes["row"], images.sizes["col"])
        self.name = name
        self._images, self.significant_bits = images, tiff.significant_bits(path, name)
        self.shape = tuple(images.sizes.get(dim, 1) for dim in ("t", "ch", "pln", "row", "col"))
        self.axes = "".join(AXES[dim] for dim in images.dims)
        self.dtype = images.dtype.newbyteorder("=")
        self.levels = [Level(self.shape[-2:], self.shape[-2:], 0)]  # all of it is in memory already
        self.channels = named(name, self.shape[1])

    def close(self):
        self._images = None

    def _read(self, channel, z, t, level, box):
        place = {"t": t, "ch": channel, "pln": z}
        image = self._images.isel({dim: at for dim, at in place.items() if dim in self._images.dims})
        y0, y1, x0, x1 = box
        return image.transpose("row", "col").values[y0:y1, x0:x1].astype(self.dtype, copy=False)


def started():
    """The gateway of the one ImageJ of this process. Raises UserError where it cannot start."""
    if not _started:
        import imagej
        import scyjava

        place = os.environ.get(FIJI) or LATEST
        scyjava.config.set_java_constraints(fetch="auto", version="17")  # or it downloads one, even if there is a Java
        scyjava.config.add_option(SIGNALS)
        try:
            _started.append(imagej.init(place, mode="headless"))
            release_starter()
        except Exception as error:  # Maven's, Java's, the folder's
            message = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(
                f"--reader fiji: {place} does not start ({message[:200]}); {FIJI} names the folder of a Fiji on this "
                "machine; or take --reader bioformats"
            ) from None
    return _started[0]
