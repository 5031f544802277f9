"""Of the images in a TIFF one is read: thumbnails and masks are none, several are refused, descriptions obeyed."""

import re

import pytest
import tifffile

from idrstream.base.failures import (
    NoSuchFrame,
    NoSuchPlane,
    NotReadable,
    Truncated,
    UnwrittenFrame,
)
from idrstream.readers import tiff_axes
from reading import assert_says, frames_of, noise, same
from tiff_stacks import ome, shaped, stack


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
    "many": (lambda xml: xml.replace('SizeT="3"', 'SizeT="999999999"'), "describes more than 1,000,000 planes"),
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
