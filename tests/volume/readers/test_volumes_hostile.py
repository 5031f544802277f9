"""Metadata of volumes in which any value may be any other: it is read or refused, and never trips."""

import json

import pytest

import make_volumes
from idrstream.base.failures import ImageFailure
from idrstream.volume.box import Box
from idrstream.volume.opening import container
from make_volumes import noise

SHAPE = (4, 5, 6)
VALUES = [None, True, 5, -1, 0, 2**70, 1e999, 0.5, "x", "", [], {}, [None], [[1]], ["z", "y", "x"], {"type": []}]
VALUES += [[0, 0, 0], [-1, 2, 3], [2**40] * 3, [1] * 9, {"a": 1}, [{}], [{"path": 5}], [{"name": []}] * 3, "../../x"]


def places(value, so_far=()):
    """The places of all values in a value of JSON, as the keys that lead there."""
    yield so_far
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from places(part, (*so_far, key))


def changed(value, place, new):
    """A value of JSON with another at a place in it."""
    if not place:
        return new
    copy = dict(value) if isinstance(value, dict) else [*value]
    copy[place[0]] = changed(value[place[0]], place[1:], new)
    return copy


WHERE = {"transform": {"axes": ["z", "y", "x"], "scale": [5, 4, 4], "translate": [5, 8, 0], "units": ["nm"] * 3}}
VIEWER = {"pixelResolution": {"unit": "nm", "dimensions": [4, 4, 5]}, "downsamplingFactors": [1, 1, 1]}
PLAIN = {"resolution": [4, 4, 5], "units": ["nm"] * 3, "offset": [0, 4, 5]}
KINDS = {
    ".zarray": lambda folder: make_volumes.incasem(folder, noise(SHAPE)) / make_volumes.RAW / ".zarray",
    ".zattrs": lambda folder: make_volumes.incasem(folder, noise(SHAPE)) / make_volumes.RAW / ".zattrs",
    "0.4": lambda folder: image(folder, "0.4") / make_volumes.RAW / ".zattrs",
    "0.5": lambda folder: image(folder, "0.5") / make_volumes.RAW / "zarr.json",
    "0.5, the array": lambda folder: image(folder, "0.5") / make_volumes.RAW / "s0/zarr.json",
    "COSEM": lambda folder: dataset(folder, WHERE),
    "n5-viewer": lambda folder: dataset(folder, VIEWER),
    "N5": lambda folder: dataset(folder, PLAIN),
}


def image(folder, version):
    make_volumes.ome_zarr(folder / make_volumes.RAW, noise(SHAPE), (5, 4, 4), (5, 8, 0), version=version)
    return folder


def dataset(folder, attributes):
    return make_volumes.n5(folder, make_volumes.RAW, noise(SHAPE), attributes) / make_volumes.RAW / "attributes.json"


@pytest.mark.filterwarnings("ignore")  # of zarr, about what it does not know
@pytest.mark.parametrize("kind", KINDS)
def test_any_value_in_any_place_is_read_or_refused(kind, tmp_path):
    path = KINDS[kind](tmp_path / "c")
    stated = json.loads(path.read_text())
    refused = 0
    for place in places(stated):
        for value in VALUES:
            path.write_text(json.dumps(changed(stated, place, value)))
            try:
                found = container(str(tmp_path / "c"), {}).volume(make_volumes.RAW)
                assert found.read(Box((0, 0, 0), (1, 1, 1))).shape == (1, 1, 1)
            except ImageFailure as failure:
                refused += 1
                assert str(failure).startswith(("c/", "c:")), (place, value)
    path.write_text(json.dumps(stated))
    volume = container(str(tmp_path / "c"), {}).volume(make_volumes.RAW)
    assert refused > 5 and (volume.read(Box((0, 0, 0), SHAPE)) == noise(SHAPE)).all()
