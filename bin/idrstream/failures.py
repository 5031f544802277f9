"""What can be wrong with one image. The names of these classes are what `failures.tsv` shows."""

import errno
from contextlib import contextmanager

import click

LONGEST = 300  # characters of what a library says
# Errors of the operating system that are this machine's: no room on the disk, too many open files.
MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class ImageFailure(Exception):
    """One image cannot be used; its batch goes on.

    heals  whether trying again later may help: the next run takes up such images again, the others it leaves alone
    """

    heals = False


class MissingWell(ImageFailure):
    """The archive has no file for this well."""


class NotReadable(ImageFailure):
    """The file is not of the format its name promises, or lacks what the reader needs."""


class Truncated(ImageFailure):
    """The file ends before its own directory says it should."""


class NoSuchFrame(ImageFailure):
    """The movie has fewer frames than were asked for."""


class UnwrittenFrame(ImageFailure):
    """The file says itself that this frame was never written (CellH5's attribute `valid`)."""


class ConstantFrame(ImageFailure):
    """Every pixel has one value: a lost or closed-shutter exposure, or missing chunks read as zeros."""


class Unreachable(ImageFailure):
    """The server did not answer, or broke off, after every retry."""

    heals = True


@contextmanager
def image_failures(problem):
    """Raise whatever goes wrong meanwhile as an ImageFailure, so that one odd image never takes its batch.

    problem  sentence without its end, such as "a.tif frame 2: cannot be read"; the error's own text follows

    What no image can be blamed for stays as it is: a full disk, too little memory, what the user must mend.
    """
    try:
        yield
    except (ImageFailure, MemoryError, click.ClickException):
        raise
    except Exception as error:  # format libraries raise whatever their parsing trips over
        if isinstance(error, OSError) and error.errno in MACHINE:
            raise
        said = " ".join(str(error).split())[:LONGEST] or type(error).__name__
        raise NotReadable(f"{problem} ({said}).") from error
