"""Frames out of OME-Zarr: the pixels that were written, for few requests, or the reason why not."""

import shutil

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec

from idrstream.base.failures import ImageFailure, NoSuchFrame, NotFinite, NotReadable, Truncated, UnwrittenFrame
from idrstream.readers import planes
from idrstream.readers.movie import open_movie
from idrstream.sources import open_store
from make_zarr import CHUNKS, FIRST, SHAPE, V2, WELL, noise, write
from reading import same
from support import http_server, read_frames
from zarr_reading import assert_says, frames_of

# The right pixels


@pytest.mark.parametrize("codec", V2)
@pytest.mark.parametrize("version", [2, 3])
def test_whatever_the_format_and_compressor_near_and_far_give_the_pixels_that_were_written(version, codec, tmp_path):
    pixels = noise()
    write(tmp_path / WELL, pixels, version, codec)
    with http_server(tmp_path) as server:
        for place in tmp_path / WELL, f"{server.url}/{WELL}":
            found = frames_of(place, [1, 4], nuclear=2)
            assert same(found[1], pixels[0, 1, 0]) and same(found[4], pixels[3, 1, 0])


@pytest.mark.parametrize("dtype", ["u1", ">u2", "i2", "u4", "f4", ">f8"])
@pytest.mark.parametrize("version", [2, 3])
def test_the_kind_of_number_stays_in_the_byte_order_of_the_machine(version, dtype, tmp_path):
    pixels = noise(dtype=dtype)
    write(tmp_path / "a.zarr", pixels, version)
    assert same(frames_of(tmp_path / "a.zarr", [2])[2], pixels[1, 0, 0].astype(np.dtype(dtype).newbyteorder("=")))


@pytest.mark.parametrize("axes, taken", [("yx", ()), ("tyx", (2,)), ("czyx", (0, 0)), ("tcyx", (2, 0))])
def test_an_image_may_lack_axes(axes, taken, tmp_path):
    pixels = noise(tuple(SHAPE["tczyx".index(axis)] for axis in axes))
    write(tmp_path / "a.ome.zarr", pixels, axes=axes)
    frame = 3 if "t" in axes else 1
    assert same(frames_of(tmp_path / "a.ome.zarr", [frame])[frame], pixels[taken])


def test_chunks_may_be_named_with_dots(tmp_path):
    write(tmp_path / WELL, noise(), chunk_key_encoding={"name": "v2", "separator": "."})
    (tmp_path / WELL / "0/1.0.0.1.0").unlink()
    found = frames_of(tmp_path / WELL, [1, 2])
    assert same(found[1], noise()[0, 0, 0])
    assert found[2].mask[64:, :100].all() and found[2].mask.mean() == pytest.approx(36 / 132)


# What it costs


@pytest.mark.parametrize("version, described", [(2, 2), (3, 3)])
def test_a_frame_costs_its_chunks_and_the_description_of_the_image_is_read_once(version, described, tmp_path):
    write(tmp_path / WELL, noise(), version)
    with http_server(tmp_path) as server:
        with open_store(f"{server.url}/{WELL}") as store, open_movie(store, WELL, planes.Choice(**FIRST)) as movie:
            assert movie.frames == 4
            for number in range(1, 4):
                assert same(movie.read(number), noise()[number - 1, 0, 0])
                assert store.requests == described + 4 * number
        assert (store.requests, store.bytes) == (len(server.log), server.sent)
        assert len({request.path for request in server.log}) == len(server.log)


def test_of_shards_only_the_wanted_chunks_travel_and_where_they_lie_is_asked_once(tmp_path):
    pixels = noise()
    write(tmp_path / WELL, pixels, 3, shards=(4, 2, 2, 128, 200))
    with http_server(tmp_path) as server, open_store(f"{server.url}/{WELL}") as store:
        found = dict(read_frames(store, WELL, [1, 3], **FIRST))
    assert same(found[1], pixels[0, 0, 0]) and same(found[3], pixels[2, 0, 0])
    assert store.requests == 3 + 1 + 2 * 4
    assert store.bytes < 2.5 * pixels[0, 0, 0].nbytes


def test_a_server_without_ranges_gives_whole_shards_and_the_same_pixels(tmp_path):
    write(tmp_path / WELL, noise(), 3, shards=(2, 1, 1, 128, 200))
    with http_server(tmp_path, no_ranges=True) as server:
        assert same(frames_of(f"{server.url}/{WELL}", [4])[4], noise()[3, 0, 0])


# What is wrong with a frame


@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("fill", [0, 7])
@pytest.mark.parametrize("version", [2, 3])
def test_chunks_that_were_never_written_hold_the_fill_value_and_are_marked(version, fill, far, tmp_path):
    pixels = noise()
    folder = write(tmp_path / WELL, pixels, version, fill_value=fill)
    for path in [path for path in folder.glob("0/*1/0/0/1/*" if version == 2 else "0/c/1/0/0/1/*") if path.is_file()]:
        path.unlink()
    with http_server(tmp_path) as server:
        found = frames_of(f"{server.url}/{WELL}" if far else folder, [1, 2, 5])
    assert same(found[1], pixels[0, 0, 0]) and not np.ma.isMaskedArray(found[1])
    assert same(found[2].data[:64], pixels[1, 0, 0, :64]) and np.all(found[2].data[64:] == fill)
    assert found[2].mask[64:].all() and not found[2].mask[:64].any()
    assert_says(found[5], NoSuchFrame, "the movie has 4 frames")


@pytest.mark.parametrize("fill, frame", [(0, "z 1"), (7, "z 1"), (None, "z 1"), (0, "max"), (7, "max")])
def test_a_frame_of_which_no_chunk_was_written_fails_whatever_it_would_be_filled_with(fill, frame, tmp_path):
    folder = write(tmp_path / WELL, noise(), fill_value=fill)
    shutil.rmtree(folder / "0/1/0/0")
    if frame == "max":  # of which one plane is there still
        found = frames_of(folder, [2], z="max")[2]
        assert np.array_equal(found.data, noise()[1, 0, 1]) and found.mask.all()
        shutil.rmtree(folder / "0/1/0/1")
    found = frames_of(folder, [1, 2], z=1 if frame == "z 1" else "max")
    assert not isinstance(found[1], ImageFailure)
    assert_says(
        found[2], UnwrittenFrame, f"{WELL} frame 2: ", "never written" if fill is None else "none of its pixels"
    )


@pytest.mark.parametrize("dtype, fill, held", [
    ("u1", 0, 0), ("u1", 255, 255), ("f4", 7, 7), ("f4", -1, None), ("f4", np.nan, None),
])  # fmt: skip
def test_where_one_plane_was_never_written_the_brightest_pixel_is_that_of_the_others(dtype, fill, held, tmp_path):
    pixels = noise(dtype=dtype)
    folder = write(tmp_path / WELL, pixels, fill_value=fill)
    for chunk in "0/1/0", "0/1/1", "1/1/1":  # of the z planes of frame 2, rows and columns
        (folder / "0/1/0" / chunk).unlink()
    found = frames_of(folder, [2], z="max")[2]
    truth, nowhere = pixels[1, 0].max(axis=0), np.zeros(pixels.shape[-2:], bool)
    truth[64:, :100] = pixels[1, 0, 1, 64:, :100]
    nowhere[64:, 100:] = True
    lacking = nowhere.copy()
    lacking[64:] = True  # what one plane lacks is said, though the other has it
    assert np.array_equal(found.mask, lacking) and np.array_equal(found.data[~nowhere], truth[~nowhere])
    assert np.all(found.data[nowhere] == (np.median(truth[~nowhere]) if held is None else held))
    assert found.dtype == truth.dtype


def test_chunks_that_were_never_written_cannot_be_filled_where_nothing_is_named(tmp_path):
    folder = write(tmp_path / WELL, noise(dtype="f4"), 2, fill_value=None)
    (folder / "0/1/0/0/1/0").unlink()
    found = frames_of(folder, [1, 2])
    assert same(found[1], noise(dtype="f4")[0, 0, 0])
    what = "frame 2: 1 of its chunks were never written"
    assert_says(found[2], UnwrittenFrame, what, "1/0/0/1/0", "has no fill value")


@pytest.mark.parametrize("version, fill", [(2, np.nan), (3, np.nan), (3, np.inf), (2, -9999.0)])
def test_a_declared_fill_value_that_is_no_grey_level_is_a_mask(version, fill, tmp_path):
    pixels = noise(dtype="f4")
    pixels[1, 0, 0, 3:5, 7] = fill
    pixels[2, 0, 0] = fill
    pixels[3, 0, 0, 0, 0] = -np.inf  # no fill value
    folder = write(tmp_path / WELL, pixels, version, fill_value=fill)
    (folder / ("0/1/0/0/1/0" if version == 2 else "0/c/1/0/0/1/0")).unlink()
    found = frames_of(folder, [1, 2, 3, 4])
    assert same(found[1], pixels[0, 0, 0]) and not np.ma.isMaskedArray(found[1])
    empty = np.zeros(found[2].shape, bool)
    empty[3:5, 7] = empty[64:, :100] = True
    assert np.array_equal(found[2].mask, empty)
    assert np.array_equal(found[2].data[~empty], pixels[1, 0, 0][~empty])
    assert np.all(found[2].data[empty] == np.median(pixels[1, 0, 0][~empty]))
    assert_says(found[3], UnwrittenFrame, "none of its pixels was ever written")
    assert_says(found[4], NotFinite, "1 of its 13,200 pixels are not finite (0 NaN, 1 infinite)")


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("chunks", [(1, 1, 1, 64, 100), (1, 1, 1, 128, 200)], ids=["some of a shard", "a whole one"])
def test_a_chunk_that_is_absent_from_its_shard_is_noticed(chunks, dtype, tmp_path):
    pixels = noise(dtype=dtype)
    pixels[1, 0, 0, :64, :100] = 0  # Zarr does not write what is all filling
    write(tmp_path / WELL, pixels, 3, chunks=CHUNKS, shards=(1, 1, 1, 2 * chunks[3], 2 * chunks[4]))
    found = frames_of(tmp_path / WELL, [1, 2])
    assert same(found[1], pixels[0, 0, 0])
    assert same(found[2].data, pixels[1, 0, 0])
    assert found[2].mask[:64, :100].all() and not found[2].mask[64:].any()


@pytest.mark.parametrize("value", [0, 255])
def test_a_chunk_of_one_value_that_was_written_is_no_absent_one(value, tmp_path):
    pixels = noise(dtype=np.uint8)
    pixels[0, 0, 0, :64, :100] = value
    for version, options in (2, {}), (3, {}), (3, {"shards": (1, 1, 1, 128, 200)}):
        write(tmp_path / WELL, pixels, version, config={"write_empty_chunks": True}, **options)
        assert same(frames_of(tmp_path / WELL, [1])[1], pixels[0, 0, 0])


@pytest.mark.parametrize("codec", V2)
@pytest.mark.parametrize("version", [2, 3])
def test_a_chunk_cut_short_names_itself_and_leaves_the_other_frames_alone(version, codec, tmp_path):
    pixels = noise()
    folder = write(tmp_path / WELL, pixels, version, codec)
    key = "0/1/0/0/0/1" if version == 2 else "0/c/1/0/0/0/1"
    content = (folder / key).read_bytes()
    for length in 0, 5, len(content) // 2, len(content) - 1:
        (folder / key).write_bytes(content[:length])
        found = frames_of(folder, [1, 2])
        assert same(found[1], pixels[0, 0, 0])
        assert_says(found[2], type(found[2]), f"{WELL} frame 2: chunk {key} does not decode (")
        assert isinstance(found[2], Truncated if codec == "blosc" else Truncated | NotReadable)


@pytest.mark.parametrize("start", [True, False], ids=["index first", "index last"])
def test_a_shard_cut_anywhere_gives_failures_but_never_wrong_pixels(start, tmp_path):
    codec = zarr.codecs.ShardingCodec(
        chunk_shape=CHUNKS,
        codecs=[zarr.codecs.BytesCodec(), BloscCodec()],
        index_location="start" if start else "end",
    )
    pixels = noise()
    folder = write(tmp_path / WELL, pixels, 3, "raw", chunks=(2, 1, 1, 128, 200), serializer=codec)
    assert same(frames_of(folder, [1])[1], pixels[0, 0, 0])
    (path,) = folder.glob("0/c/0/0/0/0/0")
    content = path.read_bytes()
    for length in np.random.default_rng(0).integers(0, len(content), 25):
        path.write_bytes(content[:length])
        for frame, found in frames_of(folder, [1, 2]).items():
            assert isinstance(found, Truncated | NotReadable) or same(found, pixels[frame - 1, 0, 0]), length


def test_a_web_page_in_place_of_a_missing_chunk_is_noticed(well):
    folder, _ = well
    for codec in V2:
        write(folder, noise(), codec=codec)
        (folder / "0/1/0/0/1/1").write_text("<!DOCTYPE html><html><body>Sorry, there is no such object</body></html>")
        found = frames_of(folder, [2])[2]
        assert_says(found, NotReadable, "chunk 0/1/0/0/1/1 does not decode")
        assert codec != "blosc" or "it is a web page" in str(found)


def test_a_web_page_in_place_of_everything_is_not_readable(well):
    folder, _ = well
    with http_server(folder.parents[3], html_instead=True) as server:
        found = frames_of(f"{server.url}/{WELL}", [1])[1]
    assert_says(found, NotReadable, f"{WELL}: .zattrs is not a JSON object: it is a web page")
