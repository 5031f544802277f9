"""Files read by Fiji: what PyImageJ needs is on no mirror of Maven Central, so a double stands for `imagej.init`."""

import io
import sys
from types import SimpleNamespace

import pytest

from idrstream.base.failures import (
    NoSuchFrame,
    NotReadable,
    UnchosenPlane,
)
from idrstream.base.task import UserError
from idrstream.readers import fiji
from idrstream.readers.movie import open_movie
from java_reading import frames_of
from reading import assert_says, noise, same


class Named:
    """What of xarray.DataArray, which PyImageJ makes of an ImageJ image, is used."""

    def __init__(self, values, *dims):
        self.values, self.dims, self.dtype = values, dims, values.dtype
        self.sizes = dict(zip(dims, values.shape, strict=True))

    def isel(self, indexers=None, **more):
        places = (indexers or {}) | more
        left = [dim for dim in self.dims if dim not in places]
        return Named(self.values[tuple(places.get(dim, slice(None)) for dim in self.dims)], *left)

    def transpose(self, *dims):
        return Named(self.values.transpose([self.dims.index(dim) for dim in dims]), *dims)


@pytest.fixture
def imagej(monkeypatch):
    """PyImageJ; `images` is what its Fiji makes of any file, `asked` what it was asked for."""

    def open_(path):
        if isinstance(double.images, Exception):
            raise double.images
        double.asked.append(path)
        return double.images

    def init(place, mode):
        double.asked.append((place, mode))
        if double.broken:
            raise RuntimeError(double.broken)
        py = SimpleNamespace(from_java=lambda images: images)
        return SimpleNamespace(io=lambda: SimpleNamespace(open=open_), py=py)

    double = SimpleNamespace(init=init, asked=[], images=None, broken=None)
    monkeypatch.setitem(sys.modules, "imagej", double)
    config = SimpleNamespace(set_java_constraints=lambda **asked: None, add_option=lambda option: None)
    monkeypatch.setitem(sys.modules, "scyjava", SimpleNamespace(config=config))
    monkeypatch.setattr(fiji, "_started", [])
    monkeypatch.delenv(fiji.FIJI, raising=False)
    return double


def test_fiji_is_started_once_headless_and_is_the_users_own_where_one_is_named(imagej, tmp_path, monkeypatch):
    imagej.images = Named(noise(1, (64, 80))[0], "row", "col")
    for name in "a.xyz", "b.xyz":
        (tmp_path / name).touch()
        assert same(frames_of(tmp_path / name, [1], reader="fiji")[0], imagej.images.values)
    assert imagej.asked == [("sc.fiji:fiji", "headless"), f"{tmp_path}/a.xyz", f"{tmp_path}/b.xyz"]
    monkeypatch.setattr(fiji, "_started", [])
    monkeypatch.setenv(fiji.FIJI, "/opt/Fiji.app")
    frames_of(tmp_path / "a.xyz", [1], reader="fiji")
    assert imagej.asked[3] == ("/opt/Fiji.app", "headless")


def test_fiji_gives_the_channel_the_z_plane_and_the_frames(imagej, tmp_path):
    (tmp_path / "a.xyz").touch()
    images = noise(2 * 4 * 64 * 80, (3,)).reshape(2, 4, 64, 80, 3)
    imagej.images = Named(images, "t", "pln", "row", "col", "ch")
    first, second, beyond = frames_of(tmp_path / "a.xyz", [1, 2, 3], reader="fiji", nuclear=3, z=2)
    assert same(first, images[0, 1, ..., 2])
    assert same(second, images[1, 1, ..., 2])
    assert_says(beyond, "the movie has 2 frames", NoSuchFrame)
    assert_says(frames_of(tmp_path / "a.xyz", [1], reader="fiji")[0], "3 channels .1, 2, 3.*4 z planes", UnchosenPlane)


def test_a_far_file_is_brought_to_fiji_under_its_suffix(imagej):
    imagej.images = Named(noise(1, (64, 80))[0], "row", "col")
    with open_movie(io.BytesIO(b"far"), "a.xyz", reader="fiji") as movie:
        assert same(movie.read(1), imagej.images.values)
    assert imagej.asked[1].endswith(".xyz")


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (None, "a.xyz: Fiji opens it, but not as an image"),
        (RuntimeError("no plugin\nat java.lang"), r"a.xyz: Fiji cannot open it \(no plugin\)"),
        (Named(noise(2, (64, 80)), "Spectra", "row", "col"), r"also Spectra \(2\)"),
        (SimpleNamespace(dims=("row", "col"), sizes={"row": 10**5, "col": 10**5}), "100,000 x 100,000 pixels"),
    ],
    ids=["nothing", "error", "spectra", "huge"],
)
def test_what_fiji_cannot_open_is_not_readable(images, reason, imagej, tmp_path):
    (tmp_path / "a.xyz").touch()
    imagej.images = images
    assert_says(frames_of(tmp_path / "a.xyz", [1], reader="fiji")[0], reason, NotReadable)


def test_no_file_is_blamed_where_fiji_is_missing(imagej, tmp_path, monkeypatch):
    (tmp_path / "a.xyz").touch()
    imagej.broken = "sc.fiji:fiji not found\nsee the log"
    with pytest.raises(UserError, match=r"does not start \(sc.fiji:fiji not found\); IDRSTREAM_FIJI names the folder"):
        frames_of(tmp_path / "a.xyz", [1], reader="fiji")
