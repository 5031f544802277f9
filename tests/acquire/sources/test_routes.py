"""Every route to a frame, each over a real server: the same pixels, and of a file no more than has to travel."""

from functools import cache

import pytest

from make_screen import make_screen
from routes import ROUTES, Screen
from support import MOVIES, SCREEN, needs_java, needs_kit

WHOLE = ["https, Bio-Formats", "aspera (stand-in)"]
PARTS = [name for name in ROUTES if name not in WHOLE]


def routes(names):
    return pytest.mark.parametrize(
        "name", [pytest.param(name, marks=needs_java if "Bio-Formats" in name else ()) for name in names]
    )


@pytest.fixture(scope="module")
def bring(tmp_path_factory):
    """A function of a route's name: what it brought of a few frames, real ones if they are at hand."""
    folder, scratch = SCREEN, tmp_path_factory.mktemp("scratch")
    if not MOVIES:
        folder = tmp_path_factory.mktemp("screen")
        make_screen(folder, plates=["XX0001_01"], wells=[3, 17], shape=(128, 168))
    return cache(Screen(folder, scratch, movies=3).bring)


@routes(ROUTES)
def test_every_route_brings_the_pixels_that_h5py_reads(name, bring):
    brought = bring(name)
    assert brought.same == brought.images > 3


@needs_kit
@routes(PARTS)
def test_where_parts_can_be_had_little_more_than_the_wanted_frames_travels(name, bring):
    brought = bring(name)
    assert 0 < brought.travelled < brought.whole / 4  # for a fifth of the frames


@needs_kit
@routes(WHOLE)
def test_where_only_whole_files_can_be_had_each_travels_once(name, bring):
    brought = bring(name)
    assert brought.whole - brought.images < brought.travelled <= brought.whole  # a movie's are divided by its images
