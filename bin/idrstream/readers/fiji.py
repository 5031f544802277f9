"""Files read by Fiji itself, through PyImageJ: the user's own Fiji, with whatever plugins it has.

IDRSTREAM_FIJI names the folder of the Fiji to use (in an image that was built with FIJI=yes `/idrstream/Fiji.app`);
without it PyImageJ fetches one (sc.fiji:fiji) by Maven.
"""

import os
import threading

from idrstream.base.failures import NotReadable
from idrstream.base.task import UserError
from idrstream.readers import check_size, tiff
from idrstream.readers.bioformats import SIGNALS
from idrstream.readers.planes import named

WHOLE = True
FIJI = "IDRSTREAM_FIJI"  # environment variable
LATEST = "sc.fiji:fiji"

_starting = threading.Lock()
_started = []


class Movie:
    """The first image of a file, all of it in memory."""

    def __init__(self, path, name):
        with _starting:  # ImageJ's services are shared by all who ask for one
            gateway = started()
            try:
                dataset = gateway.io().open(str(path))
                images = None if dataset is None else gateway.py.from_java(dataset)
            except Exception as error:  # whatever a plugin throws
                said = (str(error).splitlines() or [type(error).__name__])[0]
                raise NotReadable(f"{name}: Fiji cannot open it ({said[:200]}).") from None
        if not {"row", "col"} <= set(getattr(images, "dims", ())):
            raise NotReadable(f"{name}: Fiji opens it, but not as an image.")
        strange = [f"{dim} ({images.sizes[dim]})" for dim in images.dims if dim not in ("t", "pln", "row", "col", "ch")]
        if strange:
            raise NotReadable(f"{name}: one image is expected in a file, this one has also {', '.join(strange)}.")
        check_size(name, images.sizes["row"], images.sizes["col"])
        self._images, self.significant_bits = images, tiff.significant_bits(path, name)
        self.frames, self.planes = images.sizes.get("t", 1), images.sizes.get("pln", 1)
        self.channels = named(name, images.sizes.get("ch", 1))

    def close(self):
        self._images = None

    def read(self, frame, channel, z):
        """(Y, X) image, as stored, of a frame counted from 1, channel and z plane counted from 0."""
        place = {"t": frame - 1, "ch": channel, "pln": z}
        image = self._images.isel({dim: at for dim, at in place.items() if dim in self._images.dims})
        return image.transpose("row", "col").values


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
        except Exception as error:  # Maven's, Java's, the folder's
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(
                f"--reader fiji: {place} does not start ({said[:200]}); {FIJI} names the folder of a Fiji on this "
                "machine; or take --reader bioformats"
            ) from None
    return _started[0]
