"""The axes of a TIFF, by what it says of itself: time is frames, channels and z planes are chosen."""

import io

import pytest
import tifffile

from idrstream.base.failures import (
    ImageFailure,
    NoSuchFrame,
    NoSuchPlane,
    NotReadable,
    Truncated,
    UnchosenPlane,
)
from idrstream.readers import tiff_pages
from idrstream.sources import open_location
from reading import assert_says, frames_of, noise, same
from support import DATA, http_server, read_frames
from tiff_stacks import SIZES, imagej, ome, one_directory, shaped, stack

PAINTING = DATA / "tissue/painting_6ch.ome.tif"
needs_painting = pytest.mark.skipif(not PAINTING.exists(), reason=f"there is no {PAINTING} (set IDRSTREAM_DATA)")


@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}], ids=["raw", "packed"])
@pytest.mark.parametrize(
    "write, axes",
    [
        *((ome, axes) for axes in ("TZC", "CTZ", "TC")),
        *((imagej, axes) for axes in ("TZC", "ZC")),
        *((shaped, axes) for axes in ("ZTC", "TCZ")),
        *((one_directory, axes) for axes in ("TZC", "TC")),
    ],
)
def test_each_plane_is_found_by_its_time_channel_and_z(write, axes, options, far, tmp_path):
    pixels, plane = stack(axes)
    write(tmp_path / "a.tif", pixels, axes, **options)
    times, planes = (SIZES[axis] if axis in axes else 1 for axis in "TZ")
    with http_server(tmp_path) as server:
        for z in {1, planes}:
            for channel in 1, 2:
                with open_location(f"{server.url}/a.tif" if far else tmp_path / "a.tif") as file:
                    found = dict(read_frames(file, "a.tif", range(1, times + 2), nuclear=channel, z=z))
                for time in range(times):
                    assert same(found[time + 1], plane(T=time, C=channel - 1, Z=z - 1))
                assert_says(found[times + 1], f"the movie has {times} frames", NoSuchFrame)


def test_of_several_z_planes_the_user_says_which(tmp_path):
    pixels, plane = stack("TZ")
    ome(tmp_path / "a.ome.tif", pixels, "TZ")
    wanted = {"max": pixels[1].max(0), "middle": plane(T=1, Z=2), 4: plane(T=1, Z=3), "4": plane(T=1, Z=3)}
    for z, image in wanted.items():
        assert same(frames_of(tmp_path / "a.ome.tif", [2], z=z)[2], image)
    tifffile.imwrite(tmp_path / "b.tif", pixels[0, :4], imagej=True, metadata={"axes": "ZYX"})
    assert same(frames_of(tmp_path / "b.tif", [1], z="middle")[1], pixels[0, 1]), "of an even number the lower"
    unsaid = frames_of(tmp_path / "a.ome.tif", [1, 2])
    assert_says(unsaid[2], "^a.ome.tif: it has 5 z planes; choose by --z max, --z middle or --z N.$", UnchosenPlane)
    assert_says(frames_of(tmp_path / "a.ome.tif", [1], z=6)[1], "no z plane 6 .--z.; there are 5", NoSuchPlane)


@pytest.mark.parametrize("nuclear", [2, "2", "DAPI", "dapi"])
def test_the_channel_is_a_number_or_a_name(nuclear, tmp_path):
    pixels, plane = stack("C")
    ome(tmp_path / "a.ome.tif", pixels, "C")
    assert same(frames_of(tmp_path / "a.ome.tif", [1], nuclear=nuclear)[1], plane(C=1))
    assert same(frames_of(tmp_path / "a.ome.tif", [1], column=nuclear, nuclear=1)[1], plane(C=1)), "the row goes first"


def test_a_channel_that_nobody_chose_or_that_is_not_there_is_said_with_those_that_are(tmp_path):
    ome(tmp_path / "a.ome.tif", stack("TZC")[0], "TZC")

    def said(**choice):
        return frames_of(tmp_path / "a.ome.tif", [1], z=1, **choice)[1]

    unsaid = "^a.ome.tif: it has 2 channels .1 GFP, 2 DAPI.; name the one of the nuclei by --nuclear, or in a column"
    assert_says(said(), unsaid, UnchosenPlane)
    both = frames_of(tmp_path / "a.ome.tif", [1])[1]
    assert_says(both, "2 channels .*, and 5 z planes; choose by --z", UnchosenPlane)
    for nuclear in 0, 3, "RFP", "1.0":
        gone = f'no channel "{nuclear}" .--nuclear.; its channels: 1 GFP, 2 DAPI'
        assert_says(said(nuclear=nuclear), gone, NoSuchPlane)
    assert_says(said(column="RFP", nuclear=1), 'no channel "RFP" .column "channel".', NoSuchPlane)
    tifffile.imwrite(
        tmp_path / "twice.ome.tif", stack("C")[0], metadata={"axes": "CYX", "Channel": {"Name": ["DAPI", "dapi"]}}
    )
    found = frames_of(tmp_path / "twice.ome.tif", [1], nuclear="Dapi")[1]
    assert_says(found, '2 channels are called "Dapi"', NoSuchPlane)
    assert same(frames_of(tmp_path / "twice.ome.tif", [1], nuclear="dapi")[1], stack("C")[1](C=1)), "written just so"


def test_of_a_file_with_one_channel_the_column_is_its_name_and_the_param_may_not_contradict(tmp_path):
    pixels = noise(1, (32, 40))[0]
    tifffile.imwrite(tmp_path / "plain.tif", pixels)
    tifffile.imwrite(tmp_path / "named.ome.tif", pixels, metadata={"axes": "YX", "Channel": {"Name": "GFP"}})
    for choice in {"column": "DAPI"}, {"column": "7"}, {"nuclear": 1}, {"column": "DAPI", "nuclear": 5}, {}:
        assert same(frames_of(tmp_path / "plain.tif", [1], **choice)[1], pixels)
        assert same(frames_of(tmp_path / "named.ome.tif", [1], **choice)[1], pixels)
    assert same(frames_of(tmp_path / "plain.tif", [1], nuclear="DAPI")[1], pixels), "nothing says that it is not"
    assert same(frames_of(tmp_path / "named.ome.tif", [1], nuclear="gfp")[1], pixels)
    for name, nuclear in ("plain.tif", 2), ("named.ome.tif", "DAPI"), ("named.ome.tif", 2):
        assert_says(frames_of(tmp_path / name, [1], nuclear=nuclear)[1], f'no channel "{nuclear}"', NoSuchPlane)


def test_labels_of_imagej_are_names_of_channels(tmp_path):
    pixels, plane = stack("TC")
    labels = ["GFP", "DAPI"] * 3
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata={"axes": "TCYX", "Labels": labels})
    assert same(frames_of(tmp_path / "a.tif", [2], nuclear="DAPI")[2], plane(T=1, C=1))


@needs_painting
def test_of_a_painting_the_nuclei_are_read_and_never_the_first_channel_unasked():
    dna = tifffile.imread(PAINTING, key=4)
    for nuclear in 5, "ch5":
        assert same(frames_of(PAINTING, [1], nuclear=nuclear)[1], dna)
    assert_says(frames_of(PAINTING, [1])[1], "6 channels .1 ch1, 2 ch2, .*6 ch6.; name .*--nuclear", UnchosenPlane)


@needs_painting
def test_of_a_far_painting_one_channel_travels():
    with http_server(PAINTING.parent) as server, open_location(f"{server.url}/{PAINTING.name}") as file:
        ((_, image),) = read_frames(file, PAINTING.name, [1], nuclear=5)
        with tifffile.TiffFile(PAINTING) as whole:
            stored = sum(whole.pages[4].databytecounts)
        assert not isinstance(image, ImageFailure)
        assert file.bytes <= 1.05 * stored + 256 * 1024


@pytest.mark.parametrize("write", [ome, imagej, shaped])
def test_of_a_far_stack_the_wanted_planes_travel_and_its_directory_once(write, tmp_path):
    pixels = noise(12, (512, 512)).reshape(3, 4, 512, 512)
    write(tmp_path / "a.tif", pixels, "TC", compression="zlib")
    with http_server(tmp_path) as server, open_location(f"{server.url}/a.tif") as file:
        ((_, image),) = read_frames(file, "a.tif", [3], nuclear=2)
        assert same(image, pixels[2, 1])
        assert file.requests <= 16  # of them twelve on the way from page to page
        assert file.bytes < 2 * pixels[0, 0].size


def test_only_the_wanted_planes_are_decoded(tmp_path, monkeypatch):
    pixels, plane = stack("TZC")
    ome(tmp_path / "a.ome.tif", pixels, "TZC", compression="zlib")
    decoded = []
    real = tiff_pages.read

    def counted(page, *how):
        decoded.append(page.index)
        return real(page, *how)

    monkeypatch.setattr(tiff_pages, "read", counted)
    assert same(frames_of(tmp_path / "a.ome.tif", [2], nuclear=2, z="middle")[2], plane(T=1, C=1, Z=2))
    assert decoded == [(1 * 5 + 2) * 2 + 1]


def test_a_stack_of_one_directory_that_is_cut_is_truncated(tmp_path):
    pixels, plane = stack("T")
    one_directory(tmp_path / "a.tif", pixels, "T")
    content = (tmp_path / "a.tif").read_bytes()
    assert same(frames_of(tmp_path / "a.tif", [3])[3], plane(T=2))
    for frame in 1, 3:
        ((_, found),) = read_frames(io.BytesIO(content[:-1000]), "a.tif", [frame])
        assert isinstance(found, Truncated | NotReadable)
