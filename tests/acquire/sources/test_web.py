"""Web servers, proxies and certificates as they are: what can heal is tried again, what cannot says what to do."""

import shutil
import ssl
import subprocess

import numpy as np
import pytest
import tifffile

from idrstream.base.failures import MissingWell, NotReadable, Truncated, Unreachable
from idrstream.readers.movie import open_movie
from idrstream.sources import FIRST_READ, https, open_location, open_store, probe, retry
from make_zarr import FIRST, WELL, noise, write
from support import CONTENT, http_server, read_frames

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="certificates are made by openssl")


@pytest.fixture
def server(archive):
    with http_server(archive) as server:
        yield server


@pytest.fixture
def waits(monkeypatch):
    """Seconds waited between tries, which are not waited."""
    seen = []
    monkeypatch.setattr(retry.time, "sleep", lambda seconds: seen.append(seconds) if seconds > 0.1 else None)
    return seen


def content(url):
    with open_location(url) as file:
        return file.read()


# What is sent otherwise than asked for


@pytest.mark.parametrize("whole", [True, False], ids=["packed on its way", "stored packed"])
@pytest.mark.parametrize("name", ["gzip", "x-gzip"])
def test_a_file_that_is_sent_packed_is_unpacked_and_its_bytes_are_those_that_travelled(name, whole, archive):
    (archive / "movie.bin").write_bytes(CONTENT + bytes(100_000))
    with http_server(archive, packed=name, sends_packed_whole=whole) as server:
        with open_location(f"{server.url}/movie.bin") as file:
            assert file.read() == CONTENT + bytes(100_000)
            assert file.bytes < len(CONTENT) + 10_000
        assert len(server.log) == (1 if whole else 3)


def test_a_packing_that_nothing_here_unpacks_is_named_with_the_remedy(server):
    server.faults.packed = "br"
    with pytest.raises(NotReadable, match=r"compressed \(br\), though uncompressed was requested; download it"):
        open_location(f"{server.url}/movie.bin")


def test_a_packed_file_that_is_cut_off_is_tried_again(archive):
    with http_server(archive, packed="gzip", sends_packed_whole=True, no_length=True) as server:
        vars(server.faults).update(reset_after=1000, resets=2)
        assert content(f"{server.url}/movie.bin") == CONTENT
        assert len(server.log) == 3


def test_chunks_of_pixels_that_are_sent_packed_give_the_pixels_that_were_written(tmp_path):
    write(tmp_path / WELL, noise(), 2)
    write(tmp_path / "shards.zarr", noise(), 3, shards=(4, 2, 2, 128, 200))
    with http_server(tmp_path, packed="gzip") as server:
        with open_store(f"{server.url}/{WELL}") as store:
            assert np.array_equal(dict(read_frames(store, WELL, [3], **FIRST))[3], noise()[2, 0, 0])
        with open_store(f"{server.url}/shards.zarr") as store:
            failure = dict(read_frames(store, "shards.zarr", [3], **FIRST))[3]
        assert isinstance(failure, NotReadable) and "stores this object compressed (gzip)" in str(failure)


@pytest.mark.parametrize("name", ["movie.bin", "small.bin"])
def test_a_server_that_does_not_say_how_long_a_file_is_gives_its_parts_all_the_same(name, archive):
    (archive / "small.bin").write_bytes(CONTENT[:100])
    truth = (archive / name).read_bytes()
    with http_server(archive, star_total=True) as server, open_location(f"{server.url}/{name}") as file:
        assert file.size == len(truth)
        file.seek(len(truth) // 2)
        assert file.read(1000) == truth[len(truth) // 2 :][:1000]
        assert file.bytes < 60_000


def test_shards_come_from_a_server_that_does_not_say_how_long_they_are(tmp_path):
    write(tmp_path / WELL, noise(), 3, shards=(4, 2, 2, 128, 200))
    with http_server(tmp_path, star_total=True) as server, open_store(f"{server.url}/{WELL}") as store:
        assert np.array_equal(dict(read_frames(store, WELL, [3], **FIRST))[3], noise()[2, 0, 0])


# What is cut off


@pytest.mark.parametrize("how", ["chunked", "no_length"])
def test_a_file_without_a_length_is_whole_after_connections_that_broke(how, archive):
    with http_server(archive, no_ranges=True, **{how: True}) as server:
        assert content(f"{server.url}/movie.bin") == CONTENT
        vars(server.faults).update(reset_after=1000, resets=1)
        assert content(f"{server.url}/movie.bin") == CONTENT


def test_a_file_cut_into_chunks_of_which_the_last_never_comes_is_unreachable(archive):
    with (
        http_server(archive, no_ranges=True, chunked=True, reset_after=1000) as server,
        pytest.raises(Unreachable, match="broke off"),
    ):
        open_location(f"{server.url}/movie.bin")


def test_a_file_that_may_have_been_cut_off_is_never_called_truncated(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.arange(6400, dtype="u2").reshape(80, 80))
    found = {}
    for no_length in True, False:
        with http_server(tmp_path, no_ranges=True, no_length=no_length) as server:
            if no_length:
                server.faults.reset_after = 5000
            else:
                (tmp_path / "a.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:5000])
            with open_location(f"{server.url}/a.tif") as file, open_movie(file, "a.tif") as movie:
                found[no_length] = movie.read(1)
    assert type(found[True]) is Unreachable and "did not say how long the file is" in str(found[True])
    assert type(found[False]) is Truncated


def test_a_chunk_that_may_have_been_cut_off_is_no_fault_of_the_image(tmp_path):
    write(tmp_path / WELL, noise(), 2, "raw")
    with http_server(tmp_path, no_length=True) as server, open_store(f"{server.url}/{WELL}") as store:
        found = read_frames(store, WELL, [1, 2], **FIRST)
        assert np.array_equal(next(found)[1], noise()[0, 0, 0])
        server.faults.reset_after = 5000
        assert type(next(found)[1]) is Unreachable


# What is said otherwise than usual


def test_the_units_of_a_range_may_be_in_capitals(archive):
    with http_server(archive) as server:
        server.faults.says = {"Content-Range": f"Bytes 0-{FIRST_READ - 1}/{len(CONTENT)}"}
        with open_location(f"{server.url}/movie.bin") as file:
            assert file.read(1000) == CONTENT[:1000]


@pytest.mark.parametrize(
    "name, headers, said",
    [
        ("empty.bin", {"Content-Range": None}, r"no byte of this file \(416\); it may be empty"),
        (
            "movie.bin",
            {"Content-Type": "multipart/byteranges; boundary=x"},
            "as multipart/byteranges, which are not read",
        ),
    ],
)
def test_an_answer_that_no_other_try_betters_is_final(name, headers, said, archive):
    with http_server(archive, says=headers) as server:
        with pytest.raises(NotReadable, match=said):
            open_location(f"{server.url}/{name}")
        assert len(server.log) == 1


def test_a_length_that_is_said_twice_is_trouble_of_the_server(archive, waits):
    with (
        http_server(archive, no_ranges=True, says={"Content-Length": f"{len(CONTENT)}, {len(CONTENT)}"}) as server,
        pytest.raises(Unreachable, match="states no valid length"),
    ):
        open_location(f"{server.url}/movie.bin")


# Servers that ask to wait


@pytest.mark.parametrize("status", [429, 503, 202, 403])
def test_the_date_until_which_a_server_asks_to_wait_is_kept(status, waits, archive):
    with http_server(archive, fail_first=2, failing=status, retry_after=20) as server:
        assert content(f"{server.url}/movie.bin") == CONTENT
    assert len(waits) == 2 and all(17 < seconds <= 21 for seconds in waits)


@pytest.mark.parametrize("date, seconds", [(-3600, 0), (86_400, 30)], ids=["past", "tomorrow"])
def test_no_date_makes_us_wait_for_longer_than_we_have(date, seconds, waits, archive):
    with http_server(archive, fail_first=1, retry_after=date) as server:
        content(f"{server.url}/movie.bin")
    assert waits == ([seconds] if seconds else [])


def test_a_file_that_an_archive_brings_from_tape_is_waited_for_and_may_heal(archive):
    with http_server(archive, status=202) as server:
        with pytest.raises(Unreachable, match=r"still preparing the file \(202\).*tape.*the next run tries again"):
            open_location(f"{server.url}/movie.bin")
        assert len(server.log) == 5
        probe(f"{server.url}/movie.bin")
        assert len(server.log) == 6


def test_an_address_that_goes_round_in_circles_is_given_up_at_once(archive):
    with http_server(archive, circles=True) as server:
        with pytest.raises(Unreachable, match="in circles; open it in a browser"):
            open_location(f"{server.url}/movie.bin")
        assert len(server.log) < 40


# Certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Files of a certificate and its key, by what is wrong with them."""
    folder = tmp_path_factory.mktemp("certificates")
    made = {}
    for name, address in ("self-signed", "IP:127.0.0.1"), ("other", "DNS:archive.example"):
        made[name] = folder / f"{name}.pem"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=archive"]
        command += ["-addext", f"subjectAltName={address}", "-keyout", made[name], "-out", folder / "certificate"]
        subprocess.run(command, check=True, capture_output=True)
        with open(made[name], "ab") as file:
            file.write((folder / "certificate").read_bytes())
    return made


def tls(certificate, **settings):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    for name, value in settings.items():
        setattr(context, name, value)
    return context


@needs_openssl
def test_a_certificate_that_is_not_known_is_refused_at_once_with_the_remedy_which_helps(
    certificates, archive, waits, monkeypatch
):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    with http_server(archive, tls(certificates["self-signed"])) as server:
        for ask in open_location, probe:
            with pytest.raises(Unreachable, match=r"not accepted \(self.signed certificate\);.*REQUESTS_CA_BUNDLE"):
                ask(f"{server.url}/movie.bin")
        assert waits == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates["self-signed"]))
        assert content(f"{server.url}/movie.bin") == CONTENT


@needs_openssl
def test_the_certificate_of_another_server_asks_for_the_address_to_be_checked(
    certificates, archive, waits, monkeypatch
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates["other"]))
    with http_server(archive, tls(certificates["other"])) as server:
        with pytest.raises(Unreachable, match=r"not valid for '127.0.0.1'.*check the address"):
            open_location(f"{server.url}/movie.bin")
        assert len(server.log) == 0
    assert waits == []


@pytest.mark.parametrize("there", [True, False])
def test_a_file_of_certificates_that_is_none_is_named(there, server, tmp_path, monkeypatch):
    place = tmp_path / "institution.pem"
    if there:
        place.write_text("no certificate")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(place))
    said = (
        "REQUESTS_CA_BUNDLE names holds no certificates"
        if there
        else "institution.pem: this file of certificates .* does not exist"
    )
    with pytest.raises(Unreachable, match=said):
        open_location(server.url.replace("http:", "https:") + "/movie.bin")


def test_a_server_without_encryption_is_told_from_one_that_is_not_there(server, waits, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with pytest.raises(Unreachable, match="not by https; is its address http://"):
        open_location(server.url.replace("http:", "https:") + "/movie.bin")
    assert waits == []


@needs_openssl
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_two_that_know_no_common_encryption_do_not_try_again(certificates, archive, waits, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates["self-signed"]))
    with http_server(archive, tls(certificates["self-signed"], maximum_version=ssl.TLSVersion.TLSv1_1)) as server:
        with pytest.raises(Unreachable, match="no encryption in common"):
            open_location(f"{server.url}/movie.bin")
        assert len(server.log) == 0
    assert waits == []


# Proxies


@pytest.fixture
def proxied(monkeypatch):
    """Send what goes to archive.example through a proxy."""

    def use(proxy):
        for name in "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy", "no_proxy":
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("HTTPS_PROXY", proxy)

    https._sessions.clear()
    return use


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_gone_is_named_and_not_its_server(scheme, proxied):
    with http_server(".") as server:
        gone = server.url
    proxied(gone.replace("//", "//user:secret@"))
    said = rf"archive.example/a: the proxy {gone} \({scheme.upper()}_PROXY\) refused the connection; check .* NO_PROXY"
    with pytest.raises(Unreachable, match=said) as caught:
        open_location(f"{scheme}://archive.example/a")
    assert "secret" not in str(caught.value)
    assert "try after try" in str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_asks_for_a_login_is_asked_once(scheme, proxied, archive):
    with http_server(archive, status=407) as server:
        proxied(server.url)
        with pytest.raises(Unreachable, match=rf"{server.url} .* requires a login: put it into {scheme.upper()}_PROXY"):
            open_location(f"{scheme}://archive.example/a")
        assert len(server.log) == 1


@pytest.mark.parametrize("status, tries", [(403, 1), (502, 5)])
def test_a_proxy_that_lets_nobody_through_is_named(status, tries, proxied, archive):
    with http_server(archive, status=status) as server:
        proxied(server.url)
        with pytest.raises(Unreachable, match=rf"the proxy {server.url} .*\({status}"):
            open_location("https://archive.example/a")
        assert len(server.log) == tries


@pytest.mark.parametrize(
    "proxy, said",
    [("socks5://127.0.0.1:1", "needs the Python package PySocks"), ("http://", "is no address of a proxy")],
)
def test_a_proxy_that_cannot_be_used_is_named_at_once(proxy, said, proxied, waits):
    proxied(proxy)
    with pytest.raises(Unreachable, match=said):
        open_location("https://archive.example/a")
    assert waits == []


def test_a_server_that_is_excepted_from_the_proxy_is_asked_itself(proxied, server):
    proxied("http://127.0.0.1:1")
    assert content(f"{server.url}/movie.bin") == CONTENT
    with pytest.raises(MissingWell):
        open_location(f"{server.url}/nothing.bin")
