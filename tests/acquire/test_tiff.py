"""TIFF by what it says of itself: time is frames, channels and z planes are chosen, thumbnails and white are known."""

import io
import re
import struct

import numpy as np
import pytest
import tifffile

from idrstream.base.failures import (
    ImageFailure,
    NoSuchFrame,
    NoSuchPlane,
    NotReadable,
    Truncated,
    UnchosenPlane,
    UnwrittenFrame,
)
from idrstream.readers import tiff_axes, tiff_pages
from idrstream.sources import open_location
from reading import assert_says, frames_of, noise, same
from support import DATA, http_server, read_frames

PAINTING = DATA / "tissue/painting_6ch.ome.tif"
needs_painting = pytest.mark.skipif(not PAINTING.exists(), reason=f"there is no {PAINTING} (set IDRSTREAM_DATA)")
SIZES = {"T": 3, "Z": 5, "C": 2}
NAMES = ["GFP", "DAPI"]


def stack(axes, dtype=np.uint16):
    """Noise with the axes named, and (t, z, c) -> plane of it."""
    pixels = noise(int(np.prod([SIZES[axis] for axis in axes])), (32, 40)).astype(dtype) * 200
    pixels = pixels.reshape([*(SIZES[axis] for axis in axes), 32, 40])

    def plane(**place):
        return pixels[tuple(place.get(axis, 0) for axis in axes)]

    return pixels, plane


def ome(path, pixels, axes, **options):
    named = {"Channel": {"Name": NAMES}} if "C" in axes and pixels.shape[axes.index("C")] == len(NAMES) else {}
    tifffile.imwrite(path, pixels, ome=True, metadata={"axes": f"{axes}YX"} | named, **options)


def imagej(path, pixels, axes, **options):
    tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": f"{axes}YX"}, **options)


def shaped(path, pixels, axes, **options):
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata={"axes": f"{axes}YX"}, **options)


def one_directory(path, pixels, axes, **_):
    """As ImageJ writes a stack above 4 GB: its images follow each other, and only the first has a directory."""
    imagej(path, pixels, axes)
    with tifffile.TiffFile(path) as file:
        first, order = file.pages[0].offset, file.byteorder
    content = bytearray(path.read_bytes())
    (tags,) = struct.unpack_from(f"{order}H", content, first)
    struct.pack_into(f"{order}I", content, first + 2 + 12 * tags, 0)
    path.write_bytes(content)


# Axes


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


# Several images, and those that are none


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("metadata", [{}, None], ids=["described", "bare"])
@pytest.mark.parametrize("kind", [1, 4, 5])
def test_reduced_images_and_masks_are_no_frames(kind, metadata, last, tmp_path):
    images = noise(2, (64, 80))
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        pages = [(images[0][::4, ::4], 1), (images[0], 0), (images[1], 2)]
        for pixels, subfile in pages[1:] + pages[:1] if last else pages:
            file.write(pixels, subfiletype=subfile, photometric="minisblack", metadata=metadata)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:  # tifffile writes no masks of grey levels
        file.pages[2 if last else 0].tags[254].overwrite(kind)
    found = frames_of(tmp_path / "a.tif", [1, 2, 3])
    assert same(found[1], images[0]) and same(found[2], images[1])
    assert_says(found[3], "the movie has 2 frames", NoSuchFrame)


def test_a_file_of_reduced_images_alone_is_refused(tmp_path):
    for metadata in {}, None:
        tifffile.imwrite(tmp_path / "a.tif", noise(1, (8, 8))[0], subfiletype=1, metadata=metadata)
        assert_says(frames_of(tmp_path / "a.tif", [1])[1], "all of its images are reduced|here are 0", NotReadable)


def test_a_tiff_without_a_page_is_refused(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0" + bytes(8))
    assert_says(frames_of(tmp_path / "a.tif", [1])[1], "a.tif: there is no image in it", NotReadable)


def test_pages_of_several_sizes_of_which_nothing_is_said_are_frames(tmp_path):
    images = noise(1, (64, 80))[0], noise(1, (32, 40))[0], noise(1, (64, 80), seed=1)[0]
    for metadata in {}, None:
        with tifffile.TiffWriter(tmp_path / "a.tif") as file:
            for pixels in images:
                file.write(pixels, photometric="minisblack", metadata=metadata)
        found = frames_of(tmp_path / "a.tif", [1, 2, 3])
        assert all(map(same, found.values(), images))


def test_several_images_in_one_ome_tiff_are_refused_by_their_names(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        for name in "overview", "site 1":
            file.write(noise(2, (32, 40)), photometric="minisblack", metadata={"axes": "TYX", "Name": name})
    refused = frames_of(tmp_path / "a.ome.tif", [1])[1]
    assert_says(refused, "one image is expected in a file, here are 2 .overview, site 1.", NotReadable)


def test_an_axis_that_is_neither_time_channel_nor_z_is_refused(tmp_path):
    shaped(tmp_path / "a.tif", noise(4, (32, 40)).reshape(2, 2, 32, 40), "TA")
    assert_says(frames_of(tmp_path / "a.tif", [1])[1], "axes A .2.", NotReadable)


def test_a_file_of_a_set_has_the_planes_that_lie_in_it(tmp_path):
    pixels, plane = stack("TC")
    ome(tmp_path / "a.ome.tif", pixels, "TC")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        xml = file.ome_metadata
    uuid = re.search('UUID="(.+?)"', xml)[1]
    data = [
        f'<TiffData FirstC="{c}" FirstT="{t}" IFD="{t}" PlaneCount="1"><UUID FileName="c{c}.ome.tif">'
        f"{uuid if c == 1 else 'urn:uuid:00000000-0000-0000-0000-000000000000'}</UUID></TiffData>"
        for t in range(3)
        for c in range(2)
    ]
    xml = re.sub("<TiffData.*/>", "".join(data), xml)
    tifffile.imwrite(tmp_path / "c1.ome.tif", pixels[:, 1], description=xml, metadata=None, photometric="minisblack")
    found = frames_of(tmp_path / "c1.ome.tif", [1, 3, 4])
    assert same(found[1], plane(C=1)) and same(found[3], plane(T=2, C=1))
    assert_says(found[4], "the movie has 3 frames", NoSuchFrame)
    assert_says(frames_of(tmp_path / "c1.ome.tif", [1], nuclear="GFP")[1], "its channels: 1 DAPI", NoSuchPlane)


def test_a_plane_that_ome_xml_describes_and_no_page_holds_was_never_written(tmp_path):
    pixels, plane = stack("TC")
    ome(tmp_path / "a.ome.tif", pixels, "TC")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        xml = re.sub('PlaneCount="6"', 'PlaneCount="5"', file.ome_metadata)
    tifffile.imwrite(
        tmp_path / "b.ome.tif", pixels.reshape(6, 32, 40)[:5], description=xml, metadata=None, photometric="minisblack"
    )
    found = {channel: frames_of(tmp_path / "b.ome.tif", [3], nuclear=channel)[3] for channel in (1, 2)}
    assert same(found[1], plane(T=2))
    assert_says(found[2], "b.ome.tif frame 3: its OME-XML describes it", UnwrittenFrame)


OME = {
    "no XML": (lambda xml: xml[:-9], "its OME-XML cannot be read"),
    "no number": (lambda xml: xml.replace('SizeC="2"', 'SizeC="two"'), "its OME-XML cannot be read"),
    "many": (lambda xml: xml.replace('SizeT="3"', 'SizeT="999999999"'), "speaks of more than 1,000,000 planes"),
    "many pages": (lambda xml: xml.replace('PlaneCount="6"', 'PlaneCount="999999999"'), "more than 1,000,000 planes"),
    "other size": (lambda xml: xml.replace('SizeX="40"', 'SizeX="41"'), "does not fit its pages"),
    "modulo": (lambda xml: xml.replace("</OME>", "<ModuloAlongT/></OME>"), "divides an axis further"),
}


@pytest.mark.parametrize("change, said", OME.values(), ids=OME)
def test_ome_xml_that_cannot_be_followed_is_refused_and_pages_are_not_guessed_at(change, said, tmp_path):
    pixels, _ = stack("TC")
    ome(tmp_path / "a.ome.tif", pixels, "TC")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        xml = change(file.ome_metadata)
    tifffile.imwrite(tmp_path / "b.ome.tif", pixels, description=xml, metadata=None, photometric="minisblack")
    assert_says(frames_of(tmp_path / "b.ome.tif", [1], nuclear=1)[1], f"^b.ome.tif: .*{said}", NotReadable)


@pytest.mark.parametrize("counts", [{"frames": 10**9}, {"channels": 10**6, "frames": 10**6}, {"frames": 4}])
def test_more_images_than_there_are_in_an_imagej_stack_are_refused(counts, tmp_path):
    said = "ImageJ=1.54f\n" + "".join(f"{name}={count}\n" for name, count in counts.items())
    for options in {}, {"compression": "zlib"}:
        tifffile.imwrite(tmp_path / "a.tif", noise(2, (32, 40)), description=said, metadata=None, **options)
        assert isinstance(frames_of(tmp_path / "a.tif", [1], nuclear=1)[1], Truncated | NotReadable)


@pytest.mark.parametrize(
    "said", ['{"shape": [3, 32, 40], "axes": 7}', '{"shape": "x"}', '{"shape": [99, 32, 40]}', '{"shape": ']
)
def test_a_description_by_tifffile_that_is_none_leaves_the_pages_as_they_are_or_is_refused(said, tmp_path):
    images = noise(3, (32, 40))
    tifffile.imwrite(tmp_path / "a.tif", images, description=said, metadata=None, photometric="minisblack")
    found = frames_of(tmp_path / "a.tif", [3])[3]
    assert same(found, images[2]) or isinstance(found, NotReadable | Truncated)


def test_the_kinds_that_tifffile_knows_are_the_ones_that_are_followed():
    assert set(tiff_axes.KINDS.split()) <= tifffile.TIFF.FILE_FLAGS


# White


@pytest.mark.parametrize("dtype, bits", [("u1", 8), ("u2", 16), ("u2", 12), ("u4", 32)])
def test_where_0_is_white_the_levels_are_turned_round_within_their_bits(dtype, bits, tmp_path):
    image = np.random.default_rng(0).integers(0, 2**bits, (32, 40), dtype)
    packed = {} if bits == np.dtype(dtype).itemsize * 8 else {"bitspersample": bits}
    tifffile.imwrite(tmp_path / "a.tif", 2**bits - 1 - image, photometric="miniswhite", **packed)
    assert same(frames_of(tmp_path / "a.tif", [1])[1], image)


@pytest.mark.parametrize("dtype", ["f4", "i2"])
def test_where_0_is_white_and_there_is_no_black_the_image_is_refused(dtype, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(1, (32, 40))[0].astype(dtype), photometric="miniswhite")
    assert_says(frames_of(tmp_path / "a.tif", [1])[1], "a.tif frame 1: it says that 0 is white.*Invert", NotReadable)


def test_a_palette_from_white_to_black_is_turned_round_and_another_is_colours_for_grey_levels(tmp_path):
    image = noise(1, (32, 40))[0]
    rising = np.arange(256, dtype=np.uint16) * 257
    fire = np.stack([rising, rising[::-1], np.zeros_like(rising)])
    for colormap, wanted in ([rising] * 3, image), ([rising[::-1]] * 3, 255 - image), (fire, image):
        tifffile.imwrite(tmp_path / "a.tif", image, photometric="palette", colormap=np.stack(colormap))
        assert same(frames_of(tmp_path / "a.tif", [1])[1], wanted)


def test_where_0_is_white_the_bits_are_those_that_ome_xml_says(tmp_path):
    image = noise(1, (32, 40))[0].astype(np.uint16) * 16
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        'DimensionOrder="XYCZT" Type="uint16" SignificantBits="12" SizeX="40" SizeY="32" SizeC="1" SizeZ="1" SizeT="1">'
        "<TiffData/></Pixels></Image></OME>"
    )
    options = {"photometric": "miniswhite", "description": xml, "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", 4095 - image, **options)
    assert same(frames_of(tmp_path / "a.tif", [1])[1], image)


LOWEST = float(np.finfo("f4").min)


@pytest.mark.parametrize("dtype, said, held, masked", [
    ("f4", "nan", np.nan, True), ("f4", "-9999", -9999, True), ("f4", " -9999,5 ", -9999.5, True),
    ("f4", "-3.4028234663852886e+38", LOWEST, True), ("f4", "-3.40282346638529e+38", LOWEST, True),
    ("f4", "-1.797e308", -np.inf, True), ("f8", "-1.797e308", -1.797e308, True), ("f2", "-9999.3", -9999.3, True),
    ("f4", "0.5", 0.5, False), ("f4", "none", -9999, False), ("f4", "", -9999, False), ("u2", "0", 0, False),
])  # fmt: skip
@pytest.mark.filterwarnings("error")
def test_gdals_value_for_no_data_is_a_mask_where_it_is_no_grey_level(dtype, said, held, masked, tmp_path):
    image = noise(1, (32, 40))[0].astype(dtype)
    image[:4, :5] = held
    tag = (42113, 2, len(said) + 1, said, True)
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="minisblack", metadata=None, extratags=[tag])
    found = frames_of(tmp_path / "a.tif", [1])[1]
    if not masked:
        assert same(found, image) and not np.ma.isMaskedArray(found)
        return
    empty = np.zeros(image.shape, bool)
    empty[:4, :5] = True
    assert np.array_equal(found.mask, empty) and np.array_equal(found.data[~empty], image[~empty])
    assert np.all(found.data[empty] == np.median(image[~empty]))


def test_a_place_without_a_pixel_in_one_plane_has_the_brightest_pixel_of_the_others(tmp_path):
    planes = [[[100, 100], [90, -1], [-1, -1]], [[5, 6], [7, 5], [-1, 8]]]
    imagej(tmp_path / "a.tif", np.float32(planes), "Z", extratags=[(42113, 2, 3, "-1", False)])
    found = frames_of(tmp_path / "a.tif", [1], z="max")[1]
    assert found.data.tolist() == [[100, 100], [90, 5], [90, 8]]  # 90: the median of the five
    assert found.mask.tolist() == [[False, False], [False, True], [True, True]]
    nothing = [[[-1, -1]] * 3]
    imagej(tmp_path / "b.tif", np.float32(planes + nothing), "Z", extratags=[(42113, 2, 3, "-1", False)])
    whole = frames_of(tmp_path / "b.tif", [1], z="max")[1]
    assert np.array_equal(whole.data, found.data) and whole.mask.all(), "one plane is lost as a whole"
    imagej(tmp_path / "a.tif", np.float32(nothing * 2), "Z", extratags=[(42113, 2, 3, "-1", False)])
    assert_says(frames_of(tmp_path / "a.tif", [1], z="max")[1], "none of its pixels was ever written", UnwrittenFrame)


def test_without_a_word_on_white_black_is_0(tmp_path):
    image = noise(1, (32, 40))[0]
    tifffile.imwrite(tmp_path / "a.tif", image, metadata=None)
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content.replace(struct.pack("<H", 262), struct.pack("<H", 263), 1))
    assert same(frames_of(tmp_path / "a.tif", [1])[1], image)


@pytest.mark.parametrize("write", [ome, imagej])
def test_a_stack_in_colour_is_refused_with_the_remedy(write, tmp_path):
    images = noise(3, (32, 40, 3))
    metadata = {"axes": "TYXS"}
    how = {"ome": True} if write is ome else {"imagej": True}
    tifffile.imwrite(tmp_path / "a.tif", images, photometric="rgb", metadata=metadata, **how)
    refused = frames_of(tmp_path / "a.tif", [2])[2]
    assert_says(refused, "a.tif: grey images are needed.*Split Channels", NotReadable)
