"""Files that Bio-Formats cannot read: the same reasons why not as other readers give, and no file left behind."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from idrstream import sources
from idrstream.base.failures import (
    ConstantFrame,
    NotReadable,
    Truncated,
    Unreachable,
)
from idrstream.base.task import UserError
from idrstream.readers import bioformats
from idrstream.readers.movie import open_movie
from java_reading import frames_of, write_ics
from make_screen import make_screen
from reading import assert_says, noise, same
from support import http_server, needs_java


@needs_java
@pytest.mark.parametrize(
    ("fault", "expected", "reason"),
    [
        ("truncated", [Truncated, Truncated], "00003_01.ch5: Bio-Formats cannot open it: it ends too early"),
        ("web page", [NotReadable, NotReadable], "00003_01.ch5: Bio-Formats cannot open it, it is a web page"),
        ("constant", [None, ConstantFrame], "00003_01.ch5 frame 2: every pixel is 6"),
        ("corrupt", [NotReadable, None], "00003_01.ch5: frame 1 cannot be read"),
    ],
)
def test_each_fault_of_a_movie_is_the_one_that_h5py_tells(fault, expected, reason, tmp_path):
    make_screen(tmp_path, plates=["XX0001_01"], wells=[3], shape=(256, 336), faults={("XX0001_01", 3): fault})
    (path,) = tmp_path.glob("pub/**/*.ch5")
    for found, failure in zip(frames_of(path, [1, 2]), expected, strict=True):
        if failure is None:
            assert isinstance(found, np.ndarray)
        else:
            assert_says(found, reason, failure)
            assert "\n" not in str(found)


@needs_java
@pytest.mark.parametrize("name", ["a.tif", "a.ics"])
def test_a_file_cut_anywhere_gives_failures_but_never_wrong_pixels(name, tmp_path):
    truth, path = noise(3, (64, 80)), tmp_path / name
    if name == "a.tif":
        tifffile.imwrite(path, truth, photometric="minisblack", compression="zlib")
    else:
        write_ics(path, truth)
    whole = path.read_bytes()
    for length in [10, *range(len(whole) - 3 * truth[0].size, len(whole), 2999), len(whole) - 1]:
        path.write_bytes(whole[:length])
        for found, image_ in zip(frames_of(path, [1, 2, 3]), truth, strict=True):
            assert isinstance(found, Truncated | NotReadable) or same(found, image_), length
    assert_says(found, "a.(tif|ics)", Truncated)


@needs_java
def test_a_frame_whose_last_pixel_looks_like_nothing_read_is_no_cut_one(tmp_path):
    images = np.arange(3 * 64 * 80, dtype=np.uint8).reshape(3, 64, 80)
    images[:, -1, -1] = bioformats.UNREAD
    write_ics(tmp_path / "a.ics", images)
    assert all(map(same, frames_of(tmp_path / "a.ics", [1, 2, 3]), images))


@needs_java
def test_a_file_on_which_bio_formats_goes_round_for_ever_is_left_behind(tmp_path):
    write_ics(tmp_path / "good.ics", noise(1, (64, 80)))
    (tmp_path / "bad.ics").write_bytes((tmp_path / "good.ics").read_bytes()[:200])  # a header without end
    script = """if True:
        import sys
        from idrstream.readers import bioformats
        from idrstream.readers.movie import open_movie
        for name, seconds in ("good", 60), ("bad", 0.5), ("good", 60):
            bioformats.LONGEST_S = seconds
            with open(f"{sys.argv[1]}/{name}.ics", "rb") as file, open_movie(file, f"{name}.ics") as movie:
                found = movie.read(1)
            print(getattr(found, "shape", found))
    """  # a process of its own, which ends although a thread in it does not
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run([sys.executable, "-c", script, tmp_path], env=environment, stdout=-1, check=True, text=True)
    good, bad, after = said.stdout.splitlines()
    assert good == after == "(64, 80)"
    assert bad.startswith("bad.ics: Bio-Formats cannot open it (it did not end within")


@needs_java
def test_several_images_in_a_file_and_images_in_colour_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as file:
        for size in 64, 32:
            file.write(noise(1, (size, 80))[0])
    tifffile.imwrite(tmp_path / "b.tif", noise(1, (64, 80, 3))[0], photometric="rgb")
    assert_says(frames_of(tmp_path / "a.ome.tif", [1])[0], "a.ome.tif: one image is expected.*here are 2", NotReadable)
    assert_says(frames_of(tmp_path / "b.tif", [1])[0], "b.tif: grey images are needed.*Split Channels", NotReadable)


@needs_java
@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "it is empty"), (b"nonsense" * 99, "it begins with b'nonsense'")]
)
def test_what_no_format_fits_is_refused(content, reason, tmp_path):
    (tmp_path / "a.czi").write_bytes(content)
    assert_says(frames_of(tmp_path / "a.czi", [1], reader=None)[0], f"^a.czi: .*{reason}", NotReadable)


@needs_java
@pytest.mark.parametrize("trouble", [{"status": 503}, {"reset_after": 500}, {"edited": True}], ids=str)
def test_a_server_lost_while_a_file_is_fetched_is_unreachable_and_leaves_no_copy(trouble, tmp_path):
    write_ics(tmp_path / "a.ics", noise(20))
    (tmp_path / "cache").mkdir()
    with http_server(tmp_path) as server, sources.open_location(f"{server.url}/a.ics") as file:
        vars(server.faults).update(trouble)
        with open_movie(file, "a.ics", cache=tmp_path / "cache") as movie:
            found = [movie.read(1), movie.read(2)]
    assert [type(failure) for failure in found] == [Unreachable, Unreachable]
    assert not list((tmp_path / "cache").iterdir())


def test_no_file_is_blamed_where_bio_formats_or_java_is_missing(tmp_path, monkeypatch):
    jpype = pytest.importorskip("jpype")
    write_ics(tmp_path / "a.ics", noise(1, (64, 80)))

    def no_java(*_, **__):
        raise jpype.JVMNotFoundException("No JVM shared library file (libjvm.so) found.")

    monkeypatch.setattr(jpype, "isJVMStarted", lambda: False)
    monkeypatch.setattr(jpype, "startJVM", no_java)
    with pytest.raises(UserError, match=r"needs Java, which does not start .*openjdk-17-jre-headless"):
        frames_of(tmp_path / "a.ics", [1])
    monkeypatch.setattr(bioformats, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="needs the Python package python-bioformats"):
        frames_of(tmp_path / "a.ics", [1])
    monkeypatch.setitem(sys.modules, "jpype", None)
    with pytest.raises(UserError, match="needs the Python package jpype1"):
        frames_of(tmp_path / "a.ics", [1])
