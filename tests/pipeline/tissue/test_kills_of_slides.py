"""The head process killed while a slide is worked on, and the run taken up: every file as if nothing had been."""

import hashlib

import pytest
from runs import Run, kill

from make_slide import make_slide

pytestmark = pytest.mark.full

OPTIONS = ("--workflow", "tissue", "--input", "slides.csv", "--tile", 256, "--tiles_per_task", 2, "--diameter", 20)
MOMENTS = ("READ", "PREDICT", "LABEL", "MEASURE", "TABLES", "ASSEMBLE", "COMMIT")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The text of a table of one slide."""
    folder = tmp_path_factory.mktemp("slide")
    make_slide(folder, size=(420, 700))
    return f"slide,image,nuclear\nlocal,{folder}/slide.ome.tif,DNA1\n"


def run(folder, table, *more):
    folder.mkdir(exist_ok=True)
    (folder / "slides.csv").write_text(table)
    return Run(folder, *OPTIONS, *more)


def digests(out):
    """Path -> sha256 of the results that do not tell what they cost."""
    paths = [path for path in (out / "slides").rglob("*") if path.is_file() and path.name != "slide.json"]
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture(scope="module")
def undisturbed(table, tmp_path_factory):
    ended = run(tmp_path_factory.mktemp("whole") / "run", table)
    assert ended.code == 0, ended.said
    return digests(ended.out)


@pytest.mark.parametrize("process", MOMENTS)
def test_a_run_that_was_killed_and_taken_up_leaves_what_one_leaves_that_nothing_disturbed(
    process, table, undisturbed, tmp_path
):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/slides.csv").write_text(table)
    kill(tmp_path / "run", process, *OPTIONS)
    found = digests(tmp_path / "run/results") if (tmp_path / "run/results/slides").exists() else {}
    assert found.items() <= undisturbed.items(), "half of a slide under its final name"
    taken_up = run(tmp_path / "run", table, "-resume")
    assert taken_up.code == 0, taken_up.said
    assert digests(taken_up.out) == undisturbed
    assert process == "READ" or "Cached process > TISSUE:READ" in taken_up.said, "what was finished is not done again"
