"""Frames out of OME-Zarr: the pixels that were written, for few requests, or the reason why not."""

import shutil

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec

from idrstream import fetch, image, readers
from idrstream.failures import (
    ImageFailure,
    MissingWell,
    NoSuchFrame,
    NoSuchPlane,
    NotFinite,
    NotReadable,
    Truncated,
    UnchosenPlane,
    Unreachable,
    UnwrittenFrame,
)
from idrstream.readers import planes
from idrstream.sources import https, open_store, split
from make_screen import write_cellh5
from make_zarr import CHUNKS, FIRST, SHAPE, V2, WELL, edit, noise, write
from support import http_server, read_frames


def frames_of(location, frames, **choice):
    """{frame: image or failure} of an image on a disk or a server; of its first channel and z plane, if not told."""
    name = split(str(location))[1]
    try:
        with open_store(str(location)) as store:
            return dict(read_frames(store, name, frames, **FIRST | choice))
    except ImageFailure as failure:
        return dict.fromkeys(frames, failure)


def same(found, truth):
    return not isinstance(found, ImageFailure) and found.dtype == truth.dtype and np.array_equal(found, truth)


def assert_says(failure, kind, *parts):
    assert type(failure) is kind, failure
    assert all(part in str(failure) for part in parts), failure


@pytest.fixture
def well(tmp_path):
    """Folder and pixels of a well of a plate, Zarr 2."""
    pixels = noise()
    return write(tmp_path / WELL, pixels), pixels


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
        with open_store(f"{server.url}/{WELL}") as store, readers.opened(store, WELL, planes.Choice(**FIRST)) as movie:
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
        assert found_mask(frames_of(folder, [2], z="max")[2]) == 1
        shutil.rmtree(folder / "0/1/0/1")
    found = frames_of(folder, [1, 2], z=1 if frame == "z 1" else "max")
    assert not isinstance(found[1], ImageFailure)
    assert_says(
        found[2], UnwrittenFrame, f"{WELL} frame 2: ", "never written" if fill is None else "none of its pixels"
    )


def found_mask(found):
    """Share of the pixels that were never written."""
    return np.ma.getmaskarray(found).mean()


def test_chunks_that_were_never_written_cannot_be_filled_where_nothing_is_named(tmp_path):
    folder = write(tmp_path / WELL, noise(dtype="f4"), 2, fill_value=None)
    (folder / "0/1/0/0/1/0").unlink()
    found = frames_of(folder, [1, 2])
    assert same(found[1], noise(dtype="f4")[0, 0, 0])
    what = "frame 2: 1 of its chunks were never written"
    assert_says(found[2], UnwrittenFrame, what, "1/0/0/1/0", "names nothing to fill them with")


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


def test_how_much_was_never_written_stands_in_the_row_of_the_image(well, tmp_path):
    folder, _ = well
    (folder / "0/1/0/0/1/0").unlink()
    batch = {"images": [asked_for(frame, WELL) for frame in (1, 2)], "source": None} | FIRST
    whole, part = fetch.fetch(batch, tmp_path / "frames", root=str(folder.parents[3]))
    assert (whole["status"], whole["unwritten"]) == ("ok", 0)
    assert (part["status"], part["unwritten"]) == ("ok", pytest.approx(36 * 100 / (100 * 132), abs=1e-6))
    assert np.array_equal(image.read_frame(tmp_path / "frames", part["key"])[64:, :100], np.zeros((36, 100)))


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
    assert_says(found, NotReadable, f"{WELL}: .zattrs is not the JSON it should be: it is a web page")


# What is wrong with an image


HUGE = {"shape": [4, 2, 2, 30_000, 30_000]}
MISTAKES = {
    "huge plane": (HUGE, "30,000 x 30,000 pixels"),
    "huge chunk": ({"chunks": [1, 1, 1, 20_000, 20_000]}, "its chunks (1, 1, 1, 20000, 20000) are larger than"),
    "many frames a chunk": ({"chunks": [10**9, 1, 1, 64, 100]}, "are larger than 536,870,912 bytes"),
    "dust": ({"shape": [4, 2, 2, 9_000, 9_000], "chunks": [1, 1, 1, 1, 1]}, "more than 10,000 chunks"),
    "colour": ({"dtype": "|b1", "fill_value": False}, "no image of grey levels (bool)"),
    "complex": ({"dtype": "<c8", "fill_value": None}, "no image of grey levels (complex64)"),
    "objects": ({"dtype": "|O", "filters": [{"id": "pickle"}]}, "stored by pickle"),
    "pickled": ({"filters": [{"id": "pickle"}]}, "stored by pickle; blosc, bytes,"),
    "unknown": ({"compressor": {"id": "zfpy", "mode": 4}}, "stored by zfpy"),
    "dimensions": ({"shape": [4, 100, 132], "chunks": [1, 64, 100]}, "its axes are 'tczyx', but its pixels have 3"),
    "no shape": ({"shape": None}, "0 is no array of Zarr that can be read"),
    "no chunks": ({"chunks": [0, 0, 0, 0, 0]}, "its chunks (0, 0, 0, 0, 0) hold nothing"),
    "no type": ({"dtype": "nonsense"}, "0 is no array of Zarr that can be read"),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_what_cannot_be_a_movie_is_refused_before_a_chunk_travels(mistake, well):
    changes, said = mistake
    folder, _ = well
    edit(folder / "0/.zarray", **changes)
    with http_server(folder.parents[3]) as server:
        assert_says(frames_of(f"{server.url}/{WELL}", [1])[1], NotReadable, f"{WELL}: ", said)
        assert len(server.log) == 2


def test_shards_within_shards_are_refused_for_their_gaps_would_not_be_seen(tmp_path):
    inner = zarr.codecs.ShardingCodec(chunk_shape=CHUNKS)
    outer = zarr.codecs.ShardingCodec(chunk_shape=(1, 1, 1, 128, 200), codecs=[inner])
    write(tmp_path / WELL, noise(), 3, "raw", chunks=(2, 1, 1, 128, 200), serializer=outer)
    assert_says(frames_of(tmp_path / WELL, [1])[1], NotReadable, "shards within shards")


@pytest.mark.parametrize(
    "axes, said",
    [
        ("tczxy", "its axes are 'tczxy'"),
        ("ctzyx", "its axes are 'ctzyx'"),
        ("tcqyx", "its axes are 'tcqyx'"),
        ("tczy", "its axes are 'tczy'"),
        ("tcyx", "its axes are 'tcyx', but its pixels have 5 dimensions"),
    ],
)
def test_axes_in_another_order_are_refused(axes, said, tmp_path):
    write(tmp_path / "a.zarr", noise(), axes=axes)
    assert_says(frames_of(tmp_path / "a.zarr", [1])[1], NotReadable, said)


@pytest.mark.parametrize(
    "content", ["[]", "{", "{}", '{"multiscales": []}', '{"multiscales": [{"axes": 1}]}', "[" * 99999]
)
def test_a_description_that_describes_nothing_is_refused(content, well):
    folder, _ = well
    (folder / ".zattrs").write_text(content)
    assert_says(frames_of(folder, [1])[1], NotReadable, WELL)


@pytest.mark.parametrize(
    "axes, version, said", [(list("tczyx"), "0.3", "0.3"), (None, "0.2", "0.2"), (None, None, "0.1 or 0.2")]
)
def test_versions_before_0_4_are_called_by_their_name(axes, version, said, well):
    folder, _ = well
    multiscale = {"axes": axes, "version": version, "datasets": [{"path": "0"}]}
    edit(folder / ".zattrs", multiscales=[{key: value for key, value in multiscale.items() if value}])
    assert_says(frames_of(folder, [1])[1], NotReadable, f"{WELL}: this is OME-Zarr {said}; convert it to 0.4 or 0.5")
    edit(folder / ".zattrs", multiscales=[multiscale | {"axes": None, "version": "0.4"}])
    assert_says(frames_of(folder, [1])[1], NotReadable, f"{WELL}: this is no OME-Zarr image", "lacks its multiscales")


@pytest.mark.parametrize("version", [2, 3])
def test_the_channels_have_the_names_that_omero_shows(version, tmp_path):
    folder = write(tmp_path / WELL, noise(), version)
    group = zarr.open_group(folder, mode="a", zarr_format=version)
    channels = {"channels": [{"label": "GFP"}, {"label": "DAPI"}]}
    group.attrs.update({"omero": channels} if version == 2 else {"ome": group.attrs["ome"] | {"omero": channels}})
    assert same(frames_of(folder, [1], nuclear="dapi")[1], noise()[0, 1, 0])
    assert_says(frames_of(folder, [1], nuclear=None)[1], UnchosenPlane, "2 channels (1 GFP, 2 DAPI)", "--nuclear")


@pytest.mark.parametrize("omero", [1, [], {"channels": 1}, {"channels": [1, {}]}, {"channels": [{"label": 2}]}])
def test_settings_of_omero_that_are_none_name_no_channel(omero, well):
    folder, _ = well
    edit(folder / ".zattrs", omero=omero)
    assert_says(frames_of(folder, [1], nuclear=None)[1], UnchosenPlane, "2 channels (1, 2)")


def test_of_several_z_planes_the_wanted_ones_travel_and_no_others(tmp_path):
    pixels = noise((1, 2, 5, 100, 132))
    write(tmp_path / WELL, pixels)
    wanted = {"max": pixels[0, 1].max(0), "middle": pixels[0, 1, 2], 4: pixels[0, 1, 3]}
    with http_server(tmp_path) as server:
        for z, image_ in wanted.items():
            before = len(server.log)
            assert same(frames_of(f"{server.url}/{WELL}", [1], nuclear=2, z=z)[1], image_)
            assert len(server.log) - before == 2 + 4 * (5 if z == "max" else 1)
    assert_says(frames_of(tmp_path / WELL, [1], z=6)[1], NoSuchPlane, "no z plane 6 (--z); there are 5")
    assert_says(frames_of(tmp_path / WELL, [1], z=None)[1], UnchosenPlane, "5 z planes; choose by --z max")


@pytest.mark.parametrize("path", ["./0", "0/", ".//0/."])
@pytest.mark.parametrize("version", [2, 3])
def test_a_path_of_level_0_is_read_however_it_is_written(path, version, tmp_path):
    folder = write(tmp_path / "a.zarr", noise(), version)
    multiscales = [{"axes": [{"name": axis} for axis in "tczyx"], "datasets": [{"path": path}]}]
    if version == 2:
        edit(folder / ".zattrs", multiscales=multiscales)
    else:
        edit(folder / "zarr.json", attributes={"ome": {"version": "0.5", "multiscales": multiscales}})
    assert same(frames_of(folder, [2])[2], noise()[1, 0, 0])


@pytest.mark.parametrize("attributes", [True, [], "x", None, {"ome": True}, {"ome": ["plate"]}, {"ome": {}}])
def test_attributes_that_are_no_description_are_refused(attributes, tmp_path):
    folder = write(tmp_path / "a.zarr", noise(), 3)
    edit(folder / "zarr.json", attributes=attributes)
    assert_says(frames_of(folder, [1])[1], NotReadable, "a.zarr: this is no OME-Zarr image", "lacks its multiscales")


@pytest.mark.parametrize("path", ["../../other.zarr/0", "/0/../..", "/0", "0/../../x"])
def test_pixels_that_are_said_to_lie_outside_are_not_looked_for(path, well):
    folder, _ = well
    edit(folder / ".zattrs", multiscales=[{"axes": [{"name": a} for a in "tczyx"], "datasets": [{"path": path}]}])
    assert_says(frames_of(folder, [1])[1], NotReadable, "outside of it")


def test_a_channel_that_the_image_lacks_is_refused(well):
    assert_says(frames_of(well[0], [1], nuclear=3)[1], NoSuchPlane, 'no channel "3" (--nuclear); its channels: 1, 2')


@pytest.mark.parametrize("version", [2, 3])
def test_a_plate_in_place_of_an_image_is_told_with_the_remedy(version, tmp_path):
    group = zarr.open_group(tmp_path / "P.zarr", mode="w", zarr_format=version)
    group.attrs.update({"plate": {}} if version == 2 else {"ome": {"plate": {}}})
    assert_says(frames_of(tmp_path / "P.zarr", [1])[1], NotReadable, "name an image in it, such as P.zarr/B/3/0")


# Wells and servers


def test_a_well_that_the_plate_lacks_is_missing_near_and_far(well):
    folder, _ = well
    plates = folder.parents[3]
    with http_server(plates) as server:
        for place in f"{server.url}/P.zarr/B/4/0", plates / "P.zarr/B/4/0", plates / "Q.zarr/B/3/0":
            assert_says(frames_of(place, [1])[1], MissingWell, "there is no OME-Zarr image")


def test_a_disk_that_is_not_there_is_no_missing_well(tmp_path):
    assert_says(frames_of(tmp_path / "gone/P.zarr/B/3/0", [1])[1], Unreachable, "is the disk mounted")


def test_a_local_image_may_not_lie_outside_of_the_folder_of_the_images(well):
    folder, _ = well
    with pytest.raises(NotReadable, match="leads out of"):
        open_store("../P.zarr/B/3/0", root=folder.parents[1])


def test_a_server_that_is_busy_at_first_gives_the_frame_in_the_end(well):
    folder, pixels = well
    with http_server(folder.parents[3], fail_first=3) as server, open_store(f"{server.url}/{WELL}") as store:
        server.faults.fail_first = 3
        assert same(dict(read_frames(store, WELL, [1], **FIRST))[1], pixels[0, 0, 0])
        assert store.requests == len(server.log) == 3 + 3 + 2 + 4


@pytest.mark.parametrize(
    "trouble", [{"status": 503}, {"lie_about_length": 7}, {"reset_after": 100}], ids=lambda trouble: next(iter(trouble))
)
def test_a_server_that_breaks_down_is_to_blame_not_the_image(trouble, well):
    folder, pixels = well
    with http_server(folder.parents[3]) as server, open_store(f"{server.url}/{WELL}") as store:
        found = read_frames(store, WELL, [1, 2, 3], **FIRST)
        assert same(next(found)[1], pixels[0, 0, 0])
        vars(server.faults).update(trouble)
        lost = [failure for _, failure in found]
    assert {type(failure) for failure in lost} == {Unreachable}


def test_a_range_that_is_not_the_one_asked_for_is_not_taken(tmp_path):
    write(tmp_path / WELL, noise(), 3, shards=(4, 1, 1, 128, 200))
    with http_server(tmp_path) as server, open_store(f"{server.url}/{WELL}") as store:
        found = read_frames(store, WELL, [2, 1], **FIRST)
        assert same(next(found)[1], noise()[1, 0, 0])
        server.faults.wrong_range = True
        ((_, failure),) = found
    assert_says(failure, Unreachable, "the server sent bytes", "try after try")


def test_an_object_larger_than_memory_should_hold_is_not_fetched_whole(well, monkeypatch):
    folder, _ = well
    monkeypatch.setattr(https, "LARGEST", 1000)
    with http_server(folder.parents[3]) as server:
        found = frames_of(f"{server.url}/{WELL}", [1])[1]
    assert_says(found, NotReadable, "bytes at once are asked for")


# In a batch


def asked_for(frame, *locations):
    row = {"plate": "P", "well": "B03", "well_number": 27, "site": 1, "frame": frame, "locations": list(locations)}
    return row | {"key": image.key("P", "B03", 1, frame)}


def test_a_batch_reads_a_store_first_and_where_it_lacks_the_well_the_movie(well, tmp_path):
    folder, pixels = well
    movie = noise((2, 100, 132), np.uint8)
    write_cellh5(folder.parents[3] / "00027_01.ch5", "P", 27, movie)
    with http_server(folder.parents[3]) as server:
        images = [asked_for(2, f"{server.url}/{WELL}", "00027_01.ch5")]
        images += [asked_for(1, f"{server.url}/P.zarr/C/9/0", "00027_01.ch5")]
        batch = {"images": images, "source": server.url, "nuclear": 1, "z": 1, "window": False}
        stored, fallen = fetch.fetch(batch, tmp_path / "frames")
    assert (stored["status"], fallen["status"]) == ("ok", "ok")
    assert np.array_equal(image.read_frame(tmp_path / "frames", stored["key"]), pixels[1, 0, 0])
    assert np.array_equal(image.read_frame(tmp_path / "frames", fallen["key"]), movie[0])
    assert 0 < stored["bytes"] <= server.sent


def test_a_local_store_below_the_root_is_read_with_the_neighbours_in_time(well, tmp_path):
    folder, _ = well
    batch = {"images": [asked_for(2, WELL)], "source": None, "nuclear": 2, "z": 1, "window": True}
    (row,) = fetch.fetch(batch, tmp_path / "frames", root=str(folder.parents[3]))
    assert row["status"] == "ok" and row["shape"] == [100, 132]
    assert len(row["window"]) == 3
    shutil.rmtree(folder)
    (row,) = fetch.fetch(batch, tmp_path / "again", root=str(folder.parents[3]))
    assert row["reason"].startswith("MissingWell: ")
