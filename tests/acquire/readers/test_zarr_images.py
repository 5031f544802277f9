"""What is wrong with an OME-Zarr image is told before its chunks travel; its channels and z planes are chosen."""

import pytest
import zarr

from idrstream.base.failures import NoSuchPlane, NotReadable, UnchosenPlane
from make_zarr import CHUNKS, WELL, edit, noise, write
from reading import same
from support import http_server
from zarr_reading import assert_says, frames_of

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
