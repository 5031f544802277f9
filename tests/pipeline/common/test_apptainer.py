"""A run under Apptainer, of images that are folders: those that .ci/apptainer has made.

Nothing of it lies below /tmp, which Apptainer shows to its containers whether Nextflow mounts it or not.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from runs import image
from streams import Stream, make_light

IMAGES = Path(os.environ.get("IDRSTREAM_APPTAINER", "/srv/idrstream-images"))
TOPS = Path("/srv"), Path("/mnt")  # two folders of / that no common folder but / holds


def missing():
    """Why there can be no such run here, or None."""
    if not shutil.which("apptainer"):
        return "Apptainer is not here (.ci/apptainer installs it)"
    if not (IMAGES / "profiles").is_dir():
        return f"{IMAGES} has no images (.ci/apptainer makes them; IDRSTREAM_APPTAINER names another folder)"
    unusable = [str(top) for top in TOPS if not os.access(top, os.W_OK)]
    return f"{' and '.join(unusable)} cannot be written" if unusable else None


pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@pytest.fixture
def tops():
    """A folder of our own in each of two top folders."""
    with tempfile.TemporaryDirectory(dir=TOPS[0]) as one, tempfile.TemporaryDirectory(dir=TOPS[1]) as two:
        yield Path(one), Path(two)


def test_cells_are_those_of_a_run_without_containers_though_images_lie_in_two_top_folders_and_behind_a_link(
    tops, screen, whole, monkeypatch
):
    light = make_light(tops[0] / "pipeline")
    engines = light / "conf/engines.config"
    engines.write_text(engines.read_text().replace("runOptions = '${TMPDIR", "runOptions = '--userns ${TMPDIR"))
    monkeypatch.setenv("IDRSTREAM_REGISTRY", str(tops[0] / "images"))
    (tops[0] / "images").mkdir()
    for tool in ("acquire", "cellpose", "profiles"):
        Path(image(tool)).symlink_to(IMAGES / tool)
    images = shutil.copytree(screen, tops[1] / "screen")
    movie, *_others = sorted(images.rglob("*.ch5"))
    movie.symlink_to(movie.rename(tops[0] / "elsewhere.ch5"))
    stream = Stream(light, images, tops[0] / "run")
    stream.profile = "apptainer"
    run = stream.run("--batch_size", 2)
    assert run.code == 0, run.said
    scripts = [path.read_text() for path in run.folder.glob("work/*/*/.command.run")]
    assert sum("apptainer exec" in script for script in scripts) > 8
    assert run.cells == whole.cells
