"""Volumes on a web server: the same voxels, for the chunks that a box meets and no others, whatever the server does."""

import json

import numpy as np
import pytest

import make_volumes
from idrstream import sources
from idrstream.base.failures import NoSuchArray, NotReadable, Truncated, Unreachable
from idrstream.sources import https
from idrstream.volume import entries
from idrstream.volume.box import Box
from idrstream.volume.opening import container
from make_volumes import RAW, noise
from support import http_server

SHAPE = (40, 37, 50)  # 3 x 3 x 4 chunks
WHOLE = Box((0, 0, 0), SHAPE)
FOUR = Box((3, 10, 20), (5, 10, 20))  # in 1 x 2 x 2 of them
DESCRIBED = {".zarray", ".zattrs", "zarr.json", "attributes.json"}
MAKERS = {
    "Zarr 2": lambda place: make_volumes.incasem(place, noise(SHAPE), offset=(10, 20, 30)),
    "slashes": lambda place: make_volumes.incasem(place, noise(SHAPE), offset=(10, 20, 30), separator="/"),
    "N5": lambda place: make_volumes.n5(place, RAW, noise(SHAPE), {"resolution": [5] * 3, "offset": [30, 20, 10]}),
    "0.4": lambda place: make_volumes.ome_zarr(place / RAW, noise(SHAPE), (5, 5, 5), (10, 20, 30), version="0.4"),
    "0.5": lambda place: make_volumes.ome_zarr(place / RAW, noise(SHAPE), (5, 5, 5), (10, 20, 30)),
}


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch):
    monkeypatch.setattr(https, "WAITS_S", (0, 0, 0, 0))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def volume(server, path=RAW):
    return container(f"{server.url}/c", {}).volume(path)


def chunks(server):
    """What was asked for of the server, but for what describes arrays and groups."""
    return [request.path for request in server.log if request.path.rpartition("/")[2] not in DESCRIBED]


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_near_and_far_are_the_same_and_a_box_costs_its_chunks_once(make, tmp_path):
    make(tmp_path / "c")
    near = container(str(tmp_path / "c"), {}).volume(RAW)
    with http_server(tmp_path) as server:
        far = volume(server)
        assert (far.resolution, far.offset, far.chunks) == (near.resolution, near.offset, near.chunks)
        assert (far.resolution, far.offset) == ((5, 5, 5), (10, 20, 30)) and far.version
        assert chunks(server) == []
        assert np.array_equal(far.read(FOUR), noise(SHAPE)[FOUR.within(WHOLE)])
        assert len(chunks(server)) == len({*chunks(server)}) == 4
        assert np.array_equal(far.read(WHOLE), near.read(WHOLE))
        assert len(chunks(server)) == 4 + 36


def test_of_a_shard_only_the_chunks_that_a_box_meets_travel(tmp_path):
    make_volumes.ome_zarr(tmp_path / "c" / RAW, noise(SHAPE), (5, 5, 5), shards=(64, 64, 64))
    with http_server(tmp_path) as server:
        far = volume(server)
        assert np.array_equal(far.read(FOUR), noise(SHAPE)[FOUR.within(WHOLE)])
        assert len(chunks(server)) == 1 + 4  # where they lie, and themselves
        assert sum(request.sent for request in server.log if request.path in chunks(server)) < 6 * 16**3


def test_a_chunk_that_was_never_written_is_asked_for_once(tmp_path):
    make_volumes.incasem(tmp_path / "c", noise(SHAPE))
    (tmp_path / "c" / RAW / "0.1.1").unlink()
    with http_server(tmp_path) as server:
        far = volume(server)
        for _ in range(3):
            found = far.read(FOUR)
        assert chunks(server).count(f"/c/{RAW}/0.1.1") == 1 and far.unwritten == 1
    assert np.array_equal(found[:, :6], noise(SHAPE)[FOUR.within(WHOLE)][:, :6])
    assert not found[:, 6:, :12].any() and found[:, 6:, 12:].all()


def test_a_server_that_fails_now_and_then_is_asked_again(tmp_path):
    make_volumes.incasem(tmp_path / "c", noise(SHAPE))
    with http_server(tmp_path, fail_first=3) as server:
        far = volume(server)
        server.faults.reset_after, server.faults.resets = 500, 3
        assert np.array_equal(far.read(WHOLE), noise(SHAPE))


def test_a_server_that_does_not_answer_is_unreachable_and_nothing_is_taken_for_unwritten(tmp_path):
    make_volumes.incasem(tmp_path / "c", noise(SHAPE))
    with http_server(tmp_path, status=503) as server:
        with pytest.raises(Unreachable):
            volume(server)
        server.faults.status = None
        far = volume(server)
        server.faults.status = 503
        with pytest.raises(Unreachable):
            far.read(FOUR)


@pytest.mark.parametrize("faults, kind, pattern", [
    ({"status": 404}, NoSuchArray, "/c: there is no array volumes/raw_equalized_0.02 "),
    ({"status": 403}, NotReadable, "the server refuses access"),
    ({"html_instead": True}, NotReadable, "is not a JSON object: it is a web page"),
])  # fmt: skip
def test_what_a_server_lacks_or_refuses_is_said(faults, kind, pattern, tmp_path):
    with http_server(tmp_path, **faults) as server, pytest.raises(kind, match=pattern):
        volume(server)


def test_an_archive_may_answer_403_for_what_it_does_not_have(tmp_path, monkeypatch):
    make_volumes.ome_zarr(tmp_path / "c" / RAW, noise(SHAPE), (5, 5, 5))
    attempt = https._Link._try

    def refusing(link, start, stop, take):
        if link.url.endswith(".zarray"):
            raise NotReadable("403")
        return attempt(link, start, stop, take)

    monkeypatch.setattr(https._Link, "_try", refusing)
    with http_server(tmp_path) as server:
        assert np.array_equal(volume(server).read(WHOLE), noise(SHAPE))


def test_a_chunk_that_a_server_cuts_off_is_named(tmp_path):
    make_volumes.incasem(tmp_path / "c", noise(SHAPE))
    chunk = tmp_path / "c" / RAW / "0.1.1"
    chunk.write_bytes(chunk.read_bytes()[:-9])
    with http_server(tmp_path) as server, pytest.raises(Truncated, match=r"chunk 0\.1\.1 does not decode"):
        volume(server).read(FOUR)


def test_no_more_connections_are_open_than_were_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "connections", sources.connections)
    make_volumes.incasem(tmp_path / "c", noise(SHAPE))
    sources.at_most(2)
    with http_server(tmp_path, stall=0.005) as server:
        volume(server).read(WHOLE)
        assert server.most <= 2


def test_entries_may_lie_on_a_server(tmp_path):
    make_volumes.incasem(tmp_path / "c", noise(SHAPE))
    entry = {"file": "c", "offset": [0, 0, 0], "shape": [9, 9, 9], "voxel_size": [5, 5, 5], "raw": RAW}
    path = tmp_path / "data.json"
    path.write_text(json.dumps({"a": entry, "b": entry | {"raw": "volumes/raw"}}))
    with http_server(tmp_path) as server:
        (found,), faults = entries.read(path, server.url)
        assert (found.location, found.folders(), found.raw.box) == (f"{server.url}/c", [], WHOLE)
        assert len(faults) == 1 and "entry b (line 1): " in faults[0] and "there is no array volumes/raw (" in faults[0]


def test_a_server_that_does_not_answer_is_a_fault_of_its_entries_beside_all_others(tmp_path):
    entry = {"file": "c", "offset": [0, 0, 0], "shape": [9, 9, 9], "voxel_size": [5, 5, 5], "raw": RAW, "mask": "m"}
    path = tmp_path / "data.json"
    with http_server(tmp_path, status=500) as server:
        far = entry | {"file": f"{server.url}/c"}
        path.write_text(json.dumps({"a": far, "b": far, "c": entry, "d": entry | {"shape": 9}}))
        found, faults = entries.read(path, str(tmp_path))
        assert len(server.log) == 1 + len(https.WAITS_S)  # a container is tried once, whatever names it
    assert found == [] and [fault.split(" (line")[0][-1] for fault in faults] == [*"dabc"]
    assert all("(500)" in fault and "check the address" in fault for fault in faults[1:3])
    assert "there is no folder" in faults[3]
    (tmp_path / "data.json").write_text(json.dumps({"a": entry | {"file": "http://127.0.0.1:9/x.zarr"}}))
    (fault,) = entries.read(path, str(tmp_path))[1]
    assert fault.startswith('data.json, entry a (line 1): "file": http://127.0.0.1:9/x.zarr')
