"""What can be wrong with one image. The names of these classes are what `failures.tsv` shows."""

import errno
import functools
from contextlib import contextmanager

import click

from idrstream.base import tables
from idrstream.base.task import REBUILD, DataError, OutOfMemory, TransientError, UserError

LONGEST = 300  # characters of a library's message
# System errors that a damaged file can cause (reading it raises an ImageFailure); all others are the machine's.
OF_THE_FILE = (None, errno.EINVAL, errno.ENAMETOOLONG)
NO_THREAD = "can't start new thread"  # text of Python's RuntimeError


class ImageFailure(Exception):
    """One image cannot be used; its batch goes on.

    retryable  whether trying again later may help: the next run tries such images again, and no others
    """

    retryable = False


class MissingWell(ImageFailure):
    """The archive has no file for this well."""


class NotReadable(ImageFailure):
    """The file is not of the format of its suffix, or lacks what the reader needs."""


class Truncated(ImageFailure):
    """The file ends before its own directory says it should."""


class NoSuchFrame(ImageFailure):
    """The movie has fewer frames than were asked for."""


class UnchosenPlane(ImageFailure):
    """The file has several channels or z planes, and the user named none."""


class NoSuchPlane(ImageFailure):
    """The file lacks the channel or z plane that is wanted."""


class NoSuchArray(ImageFailure):
    """The container of a volume has no array where one is wanted."""


class UnwrittenFrame(ImageFailure):
    """The frame was never written: the file says so (CellH5's attribute `valid`), or has none of its pixels."""


class NotFinite(ImageFailure):
    """Some pixels are NaN or infinite: anything computed from them would be void."""


class ConstantFrame(ImageFailure):
    """All pixels have one value: a lost or closed-shutter exposure, or missing chunks read as zeros."""


class OutOfRange(ImageFailure):
    """The values are beyond the range of grey levels of the file's type, or of --bit_depth."""


class Unreachable(ImageFailure):
    """The server did not answer, or broke off, after all retries."""

    retryable = True


@contextmanager
def image_failures(problem):
    """Raise any error in the block as an ImageFailure, so that one bad image does not fail its batch.

    problem  beginning of the sentence, such as "a.tif frame 2: cannot be read"; the error's own text follows

    Errors that no image causes are raised unchanged: a full or unreachable disk, too little memory, the user's errors.
    Raises UserError for a library that cannot be loaded.
    """
    try:
        yield
    except (ImageFailure, MemoryError, click.ClickException):
        raise
    except Exception as error:  # format libraries raise all kinds of errors
        message = " ".join(str(error).split())[:LONGEST] or type(error).__name__
        if isinstance(error, ImportError) and of_machine(error):
            raise UserError(f"a library cannot be loaded ({message}): {REBUILD}") from error
        if of_machine(error):
            raise
        raise NotReadable(f"{problem} ({message}).") from error


def in_words(failure):
    """``Truncated: a.tif: the file ends before its pixels do.``: an ImageFailure as one line that any file can hold."""
    text = tables.CONTROL.sub(" ", f"{type(failure).__name__}: {failure}")  # a file may bring any characters
    return text.encode(errors="backslashreplace").decode()


def of_the_unit(command):
    """Decorator: an ImageFailure gives up the unit that a command works on, unless trying again may help."""

    @functools.wraps(command)
    def run(**params):
        try:
            return command(**params)
        except ImageFailure as failure:
            kind = TransientError if failure.retryable else DataError
            raise kind(in_words(failure)) from failure
        except MemoryError as error:
            raise OutOfMemory("this task has too little memory.") from error

    return run


def of_machine(error):
    """Is an error of a library the machine's fault, whatever file was read?"""
    if isinstance(error, OSError):
        return error.errno not in OF_THE_FILE
    if isinstance(error, ImportError):  # libraries raise subclasses for a compression that they lack
        return type(error) in (ImportError, ModuleNotFoundError)
    return isinstance(error, RuntimeError) and NO_THREAD in str(error)
