"""Objects in public buckets are read as files of a web server, the address of which follows from theirs."""

import pytest

from idrstream import sources
from idrstream.base.failures import MissingWell, NotReadable
from idrstream.sources import buckets
from idrstream.tissue import header
from make_slide import make_slide
from support import CONTENT, http_server

ADDRESSES = {
    "gs://lab/OMETIFF/A1.ome.tiff": "https://storage.googleapis.com/lab/OMETIFF/A1.ome.tiff",
    "gs://lab.org/a b#1.tif": "https://storage.googleapis.com/lab.org/a%20b%231.tif",
    "s3://lab/x.zarr/0": "https://lab.s3.amazonaws.com/x.zarr/0",
    "S3://lab.org/a+b.tif": "https://s3.amazonaws.com/lab.org/a%2Bb.tif",
}


@pytest.fixture(autouse=True)
def usual(monkeypatch):
    """An environment that names no server."""
    for name in (name for names in buckets.ENDPOINTS.values() for name in names):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("location, address", ADDRESSES.items())
def test_an_object_has_an_address_of_https(location, address):
    assert buckets.address(location) == address and sources.fault(location) is None


@pytest.mark.parametrize("location", ["gs://lab", "s3://lab/", "gs:///a.tif"])
def test_an_address_without_a_key_is_refused(location):
    with pytest.raises(NotReadable, match="names no object of a bucket"):
        buckets.address(location)


@pytest.mark.parametrize(
    "variable, value, location, address",
    [
        ("STORAGE_EMULATOR_HOST", "localhost:4443", "gs://lab/a.tif", "http://localhost:4443/lab/a.tif"),
        ("AWS_ENDPOINT_URL", "https://minio.lab/", "s3://lab/a.tif", "https://minio.lab/lab/a.tif"),
        ("AWS_ENDPOINT_URL_S3", "http://one:9000", "s3://lab/a.tif", "http://one:9000/lab/a.tif"),
    ],
)
def test_the_environment_may_name_another_server(variable, value, location, address, monkeypatch):
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", value if variable == "AWS_ENDPOINT_URL" else "http://other")
    assert buckets.address(location) == address


@pytest.mark.parametrize("scheme, variable", [("gs", "STORAGE_EMULATOR_HOST"), ("s3", "AWS_ENDPOINT_URL")])
def test_of_an_object_only_the_bytes_that_are_read_travel(scheme, variable, tmp_path, monkeypatch):
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/movie 1.bin").write_bytes(CONTENT)
    with http_server(tmp_path) as server:
        monkeypatch.setenv(variable, server.url)
        with sources.open_location(f"{scheme}://lab/movie 1.bin") as file:
            file.seek(300_000)
            assert file.read(1000) == CONTENT[300_000:301_000] and file.size == len(CONTENT)
            assert file.bytes < 100_000
        with pytest.raises(MissingWell):
            sources.open_location(f"{scheme}://lab/none.bin")


def test_a_slide_in_a_bucket_is_read_as_one_on_a_disk(tmp_path, monkeypatch):
    (tmp_path / "lab").mkdir()
    make_slide(tmp_path / "lab", size=(256, 300))
    with http_server(tmp_path) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        found = header.read(["gs://lab/slide.ome.tif"], {})
    there = header.read([str(tmp_path / "lab/slide.ome.tif")], {})
    assert (found.shape, found.channels, found.pixel_size) == (there.shape, there.channels, there.pixel_size)


def test_objects_of_an_ome_zarr_in_a_bucket_are_fetched_one_by_one(tmp_path, monkeypatch):
    (tmp_path / "lab/x.zarr/0").mkdir(parents=True)
    (tmp_path / "lab/x.zarr/zarr.json").write_bytes(b"{}")
    (tmp_path / "lab/x.zarr/0/c").write_bytes(CONTENT)
    with http_server(tmp_path) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with sources.open_any("s3://lab/x.zarr") as store:
            assert store.fetch("0/c", 1000, 2000)[0] == CONTENT[1000:2000] and store.fetch("0/d", 0, None)[0] is None
