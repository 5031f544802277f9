"""Weights that are fetched when a run starts are there whole, or not at all."""

import hashlib
import subprocess
import sys

import pytest

from repository import ROOT
from support import http_server

COMMAND = ROOT / "bin/fetch_weights.py"
WEIGHTS = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()


@pytest.fixture
def server(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models/cyto3").write_bytes(WEIGHTS)
    with http_server(tmp_path / "models") as server:
        yield server


def fetch(server, folder, name="cyto3", *options):
    command = [sys.executable, COMMAND, f"{server.url}/{name}", "weights", *options]
    (folder / "task").mkdir()
    return subprocess.run(command, cwd=folder / "task", capture_output=True, text=True)


def test_size_and_checksum_are_said(server, tmp_path):
    done = fetch(server, tmp_path, "cyto3", "--sha256", SHA256)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"model weights: {len(WEIGHTS)} bytes, sha256 {SHA256}, from {server.url}/cyto3"
    assert (tmp_path / "task/weights").read_bytes() == WEIGHTS


def test_a_server_that_breaks_off_or_is_busy_is_asked_again(server, tmp_path):
    server.faults.fail_first, server.faults.reset_after, server.faults.resets = 1, 1000, 1
    done = fetch(server, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "task/weights").read_bytes() == WEIGHTS
    assert [request.status for request in server.log] == [503, 200, 200]


@pytest.mark.parametrize(
    "address", ["/models/cyto3", "models/cyto3", "ftp://a.org/cyto3", "file:///models/cyto3", "http://"]
)
def test_what_is_no_address_of_a_web_server_is_refused_in_a_sentence_that_names_the_variable(address, tmp_path):
    command = [sys.executable, COMMAND, address, "weights"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 64
    assert done.stderr.startswith(f"CELLPOSE_MODELS: {address} is no address of a web server; name one, such as ")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name, options, why",
    [
        ("cyto4", [], "HTTP Error 404"),
        ("cyto3", ["--sha256", "0" * 64], f"its sha256 is {SHA256}, expected was {'0' * 64}"),
    ],
)
def test_what_cannot_be_had_or_is_another_file_stops_the_run_in_a_sentence_and_leaves_nothing(
    name, options, why, server, tmp_path
):
    done = fetch(server, tmp_path, name, *options)
    assert done.returncode == 64
    assert done.stderr.startswith(f"the model's weights could not be fetched from {server.url}/{name} ({why}")
    assert len(done.stderr.splitlines()) == 1
    assert list((tmp_path / "task").iterdir()) == []
    assert len(server.log) == 1
