"""What can be wrong with one image. The names of these classes are what `failures.tsv` shows."""

import errno
from contextlib import contextmanager

import click

from idrstream.base.task import REBUILD, UserError

LONGEST = 300  # characters of what a library says
# Of the system's errors those that a damaged file leads to (reading it raises an ImageFailure); others are ours.
OF_THE_FILE = (None, errno.EINVAL, errno.ENAMETOOLONG)
NO_THREAD = "can't start new thread"  # Python's words for it, of a RuntimeError


class ImageFailure(Exception):
    """One image cannot be used; its batch goes on.

    retryable  whether trying again later may help: the next run takes up such images again, the others it leaves alone
    """

    retryable = False


class MissingWell(ImageFailure):
    """The archive has no file for this well."""


class NotReadable(ImageFailure):
    """The file is not of the format its name promises, or lacks what the reader needs."""


class Truncated(ImageFailure):
    """The file ends before its own directory says it should."""


class NoSuchFrame(ImageFailure):
    """The movie has fewer frames than were asked for."""


class UnchosenPlane(ImageFailure):
    """The file has several channels or z planes, and nothing says which is wanted."""


class NoSuchPlane(ImageFailure):
    """The file lacks the channel or z plane that is wanted."""


class UnwrittenFrame(ImageFailure):
    """The frame was never written: the file says so (CellH5's attribute `valid`), or has nothing of its pixels."""


class NotFinite(ImageFailure):
    """Some pixels are no numbers (NaN), or infinite: what is computed of them would be void."""


class ConstantFrame(ImageFailure):
    """Every pixel has one value: a lost or closed-shutter exposure, or missing chunks read as zeros."""


class OutOfRange(ImageFailure):
    """The values are beyond any range of grey levels that the file's type or the user says."""


class Unreachable(ImageFailure):
    """The server did not answer, or broke off, after every retry."""

    retryable = True


@contextmanager
def image_failures(problem):
    """Raise whatever goes wrong meanwhile as an ImageFailure, so that one odd image never takes its batch.

    problem  sentence without its end, such as "a.tif frame 2: cannot be read"; the error's own text follows

    What no image can be blamed for stays as it is: a disk that is full or does not answer, too little memory, what the
    user must mend. Raises UserError for a library that cannot be loaded.
    """
    try:
        yield
    except (ImageFailure, MemoryError, click.ClickException):
        raise
    except Exception as error:  # format libraries raise whatever their parsing trips over
        said = " ".join(str(error).split())[:LONGEST] or type(error).__name__
        if isinstance(error, ImportError) and of_machine(error):
            raise UserError(f"a library cannot be loaded ({said}): {REBUILD}") from error
        if of_machine(error):
            raise
        raise NotReadable(f"{problem} ({said}).") from error


def of_machine(error):
    """Is what a library raised this machine's fault, whatever file was read?"""
    if isinstance(error, OSError):
        return error.errno not in OF_THE_FILE
    if isinstance(error, ImportError):  # a subclass is a library's word for a compression that it lacks
        return type(error) in (ImportError, ModuleNotFoundError)
    return isinstance(error, RuntimeError) and NO_THREAD in str(error)
