"""The tools' images: what a process runs in one works there for a user without a home, with a /tmp to write to."""

import re
import shutil
import subprocess

import pytest
from runs import ROOT, image

ENGINE = next((name for name in ("podman", "docker") if shutil.which(name)), None)

# What takes its time, or wants a cache, when it is imported.
IMPORTS = {
    "acquire": "h5py, imagecodecs, imagej, jpype, zarr",
    "cellpose": "cellpose.models, efficientnet_lite_pytorch, openvino, torch, zarr",
    "deepprofiler": "deepprofiler.__main__, tensorflow",
    "profiles": "anndata, pyarrow, pycytominer",
}

pytestmark = pytest.mark.skipif(ENGINE is None, reason="neither podman nor docker is here")


def commands():
    """(tool, command) of every process that runs in an image."""
    views = re.findall(r"VIEW as (\w+)", (ROOT / "workflows/screen/views.nf").read_text())
    for module in sorted(ROOT.glob("modules/*/*.nf")):
        text = module.read_text()
        named = re.findall(r"^ +(\w+\.py) ", text, re.MULTILINE)[:1] or [f"screen_{view.lower()}.py" for view in views]
        for tool in set(IMPORTS) & set(re.findall(r"^ +label '(\w+)'", text, re.MULTILINE)):
            yield from ((tool, command) for command in named)


def in_image(tool, *command):
    """What a command says in an image, run as a task would be by the strictest of engines."""
    if subprocess.run([ENGINE, "image", "inspect", image(tool)], capture_output=True).returncode:
        pytest.skip(f"there is no image {image(tool)} (make images ENGINE={ENGINE})")
    strict = ["--read-only", "--tmpfs", "/tmp", "--user", "1234:1234", "--network", "none", "--workdir", "/tmp"]
    run = [ENGINE, "run", "--rm", *strict, "--volume", f"{ROOT}/bin:/opt/bin:ro", image(tool), *command]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("tool, command", sorted(commands()))
def test_a_command_works_without_a_home_and_on_a_read_only_file_system(tool, command):
    assert in_image(tool, f"/opt/bin/{command}", "--help").startswith(f"Usage: {command}")
    lock = (ROOT / "containers" / tool / "requirements.txt").read_text()
    _python, *packages = in_image(tool, f"/opt/bin/{command}", "--version").strip().split(", ")
    assert packages
    for package in packages:
        name, version = package.split()
        assert f"\n{name.replace('_', '-')}=={version.split('+')[0]} " in lock


@pytest.mark.parametrize("tool", IMPORTS)
def test_what_a_tool_computes_with_can_be_imported(tool):
    assert "imported" in in_image(tool, "python", "-c", f"import {IMPORTS[tool]}; print('imported')")


def test_there_is_a_java_for_bioformats():
    started = "import jpype; jpype.startJVM(); print(jpype.java.lang.System.getProperty('java.version'))"
    assert int(in_image("acquire", "python", "-c", started).split(".")[0]) >= 11


@pytest.mark.parametrize("tool", IMPORTS)
def test_an_image_does_not_run_as_root_and_has_no_tool_that_only_builds_need(tool):
    in_image(tool, "true")
    inspect = [ENGINE, "image", "inspect", "-f", "{{.Config.User}}", image(tool)]
    user = subprocess.run(inspect, capture_output=True, text=True)
    assert user.stdout.strip() == "1000:1000"
    assert in_image(tool, "sh", "-c", "command -v uv gcc || echo none").strip() == "none"
