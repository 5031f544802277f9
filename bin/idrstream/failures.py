"""What can be wrong with one image. The names of these classes are what `failures.tsv` shows."""


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
