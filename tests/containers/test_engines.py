"""The same run with the tools from images as from virtual environments."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from runs import ROOT, Run, image, podman_has, screen_options

from make_screen import make_screen

TOOLS = ("acquire", "cellpose", "profiles")

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("screen")
    make_screen(folder, plates=["DM0001_01"], wells=[3], frames=1, shape=(512, 672))
    return folder


@pytest.fixture(scope="module")
def by_venv(screen, tmp_path_factory):
    return run(screen, tmp_path_factory.mktemp("venv"), "venv")


def run(screen, folder, profile):
    options = screen_options(screen, illumination="none", diameter=22, bit_depth=8, save="labels")
    made = Run(folder / "run", *options, profile=profile)
    assert made.code == 0, made.said
    return made


@pytest.fixture
def podman():
    """Images that podman has."""
    for tool in TOOLS:
        if not podman_has(tool):
            pytest.skip(f"podman or its image of {tool} is not here (make images ENGINE=podman)")


@pytest.fixture
def docker(podman, tmp_path, monkeypatch):
    """Docker's client, which podman answers."""
    if not shutil.which("docker"):
        pytest.skip("docker's client is not here")
    address = tmp_path / "socket"
    service = subprocess.Popen(["podman", "system", "service", "--time=0", f"unix://{address}"])
    monkeypatch.setenv("DOCKER_HOST", f"unix://{address}")
    while not answers(address):
        assert service.poll() is None
        time.sleep(0.1)
    yield
    service.terminate()
    service.wait()


def answers(address):
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(address)) == 0


@pytest.fixture
def charliecloud(podman, tmp_path, monkeypatch):
    """Images as folders."""
    if not shutil.which("ch-run"):
        pytest.skip("charliecloud is not here")
    for tool in TOOLS:
        folder = tmp_path / "images" / Path(image(tool)).name
        unpack(image(tool), folder)
        for seen in ROOT, tmp_path:  # of a path that is mounted, the top must be there
            (folder / seen.parts[1]).mkdir(exist_ok=True)
    monkeypatch.setenv("IDRSTREAM_REGISTRY", str(tmp_path / "images"))
    monkeypatch.setenv("USER", os.environ.get("USER", "root"))
    yield
    shutil.rmtree(tmp_path / "images")


def unpack(image, folder):
    """What ch-convert makes of an image, which takes it ten times as long."""
    (folder / "ch").mkdir(parents=True)
    variables = "{{range .Config.Env}}{{println .}}{{end}}"
    (folder / "ch/environment").write_text(podman_says("image", "inspect", "--format", variables, image))
    container = podman_says("create", image).strip()
    with subprocess.Popen(["podman", "export", container], stdout=subprocess.PIPE) as export:
        subprocess.run(["tar", "-x", "-C", folder], stdin=export.stdout, check=True)
    podman_says("rm", container)


def podman_says(*arguments):
    return subprocess.run(["podman", *arguments], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("engine", ["podman", "docker", "charliecloud"])
def test_an_engine_changes_no_label_and_no_feature(engine, request, screen, tmp_path):
    request.getfixturevalue(engine)
    by_venv = request.getfixturevalue("by_venv")  # only where the engine is here
    made = run(screen, tmp_path, engine)
    assert labels(made.out) == labels(by_venv.out) != {}
    ours, theirs = made.cells, by_venv.cells
    assert list(ours) == list(theirs)
    features = ours.columns.str.startswith("efficientnet_")
    assert ours.loc[:, ~features].equals(theirs.loc[:, ~features])
    np.testing.assert_allclose(ours.loc[:, features], theirs.loc[:, features], rtol=1e-5, atol=1e-5)


def labels(out):
    """The label images of an output folder: name -> bytes."""
    return {path.relative_to(out): path.read_bytes() for path in Path(out).rglob("labels/**/*.tif")}
