"""What tests of reading OME-Zarr share: the frames that an image gives, and how a failure is told."""

from idrstream.base.failures import ImageFailure
from idrstream.sources import open_store, split
from make_zarr import FIRST
from support import read_frames


def frames_of(location, frames, **choice):
    """{frame: image or failure} of an image on a disk or a server; of its first channel and z plane, if not told."""
    name = split(str(location))[1]
    try:
        with open_store(str(location)) as store:
            return dict(read_frames(store, name, frames, **FIRST | choice))
    except ImageFailure as failure:
        return dict.fromkeys(frames, failure)


def assert_says(failure, kind, *parts):
    assert type(failure) is kind, failure
    assert all(part in str(failure) for part in parts), failure
