"""Output folders made to do harm: no entry and no link leads to a file that a run has not written."""

import json
import os

import pytest

from commits import plan_again
from idrstream.base import files, stage_folder
from idrstream.base.tables import Problems
from idrstream.runs import commit, housekeeping, ledger
from idrstream.screen import results
from planning import planned
from support import one_line

pytestmark = pytest.mark.usefixtures("digests_once")


def outside(here):
    place = here / "other"
    place.mkdir(exist_ok=True)
    (place / "mine.txt").write_text("mine")
    return place / "mine.txt"


@pytest.fixture
def entry(here, committed):
    """A function that plants an entry of the ledger: the first batch's, with changes."""
    committed(plan_again(here))
    path = min((here / "out/ledger").glob("*.json"))

    def plant(**changed):
        files.write_json(path, files.read_json(path) | changed)
        return path

    return plant


def assert_refused(here, path):
    """Nobody acts on the entry: not who reads, not who takes back, not who commits in its place."""
    mine = outside(here)
    for act in (
        lambda: ledger.read(here / "out"),
        lambda: housekeeping.set_aside(path.stem, here / "out", "2026-01-01_00-00-00"),
        lambda: planned(here),
        lambda: planned(here, session="second", redo=True),
    ):
        with pytest.raises(Problems, match="nothing was deleted") as refused:
            act()
        assert one_line(str(refused.value))
    assert mine.read_text() == "mine"
    assert path.exists()


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("how", ["../other/mine.txt", "profiles/../../other/mine.txt", "absolute", "..", "", "."])
def test_an_entry_that_names_a_file_outside_is_refused(how, dated, here, entry):
    mine = outside(here)
    named = {"path": str(mine) if how == "absolute" else how, "bytes": 4, "sha256": files.sha256(mine), "mtime_ns": 0}
    assert_refused(here, entry(files=[named], committed="2026-01-01T00:00:00" if dated else None))


def test_an_entry_that_names_a_file_behind_a_link_is_refused(here, entry):
    mine = outside(here)
    (here / "out/link").symlink_to(mine.parent)
    (here / "out/file.txt").symlink_to(mine)
    for name in "link/mine.txt", "file.txt":
        assert_refused(here, entry(files=[{"path": name, "bytes": 4, "sha256": files.sha256(mine), "mtime_ns": 0}]))


@pytest.mark.parametrize("batch", ["../../other/x", "/tmp/x", "b9999-another"])
def test_an_entry_under_another_batchs_name_is_refused(batch, here, entry):
    assert_refused(here, entry(batch=batch))


@pytest.mark.parametrize(
    "content", ["", "no json", "[]", '{"batch": 1}', '{"batch": "x", "files": [1]}', "null", "\xff"]
)
def test_what_no_commit_wrote_is_refused(content, here, entry):
    path = entry()
    path.write_text(content, encoding="latin-1")
    assert_refused(here, path)


def test_a_batch_that_names_others_to_replace_cannot_name_files(here, entry):
    mine = outside(here)
    (here / "other/x.json").write_text(json.dumps({"batch": "../../other/x", "files": [{"path": "mine.txt"}]}))
    (here / "tables").mkdir()
    files.write_json(here / "tables" / stage_folder.ROWS, [])
    files.write_json(here / "tables" / stage_folder.PROVENANCE, {})
    packet = {"id": "b0", "kept": [], "number": 0, "session": "", "recipe": {}, "references": {}}
    for act in (
        lambda: results.commit(
            packet | {"supersedes": ["../../other/x"]}, here / "tables", here / "labels", here / "out"
        ),
        lambda: housekeeping.set_aside("../../other/x", here / "out", "2026-01-01_00-00-00"),
    ):
        with pytest.raises(Problems, match="nothing was deleted"):
            act()
    assert mine.exists()
    assert (here / "other/x.json").exists()


@pytest.mark.parametrize("changed", [{"former": ["../other/mine.txt"]}, {"supersedes": ["../../other/x"]}])
def test_a_commit_that_was_begun_and_names_what_lies_outside_is_not_ended(changed, here, entry):
    mine, path = outside(here), entry()
    pending = here / "out/ledger/pending" / path.name
    files.write_json(pending, files.read_json(path) | {"former": [], "supersedes": []} | changed)
    for act in (lambda: ledger.read(here / "out"), lambda: commit.recover(here / "out")):
        with pytest.raises(Problems, match="nothing was deleted"):
            act()
    assert mine.read_text() == "mine"


def test_an_entry_is_not_set_aside_outside_of_the_output_folder(here, entry):
    path = entry(stale_folder="../../escaped")
    with pytest.raises(Problems, match="which is not in the output folder; move the entry away"):
        housekeeping.set_aside(path.stem, here / "out", "2026-01-01_00-00-00")
    assert path.exists()
    assert not (here / "escaped").exists()


def test_results_are_not_written_through_links(here, committed):
    mine = outside(here)
    (here / "out/profiles").symlink_to(mine.parent)
    with pytest.raises(Problems, match="a link leads out of the output folder; link the whole folder"):
        committed(plan_again(here))
    assert [path.name for path in mine.parent.iterdir()] == ["mine.txt"]
    assert not list((here / "out/ledger").rglob("*.json"))


def test_an_output_folder_that_is_a_link_itself_is_as_good_as_any(here, committed):
    os.rename(here / "out", here / "real")
    (here / "out").symlink_to(here / "real")
    committed(plan_again(here))
    assert planned(here).batches == []


def copy(source, target):
    files.stage(source, target)
    files.publish(target)


def test_a_link_under_a_files_unfinished_name_is_not_written_through(tmp_path):
    mine = tmp_path / "mine.txt"
    for write in (
        lambda: files.write_text(tmp_path / "a.txt", "new"),
        lambda: copy(tmp_path / "source.txt", tmp_path / "a.txt"),
    ):
        mine.write_text("mine")
        (tmp_path / "source.txt").write_text("new")
        (tmp_path / "a.txt").unlink(missing_ok=True)
        (tmp_path / "a.txt").symlink_to(mine)
        files.part(tmp_path / "a.txt").symlink_to(mine)
        write()
        assert mine.read_text() == "mine"
        assert (tmp_path / "a.txt").read_text() == "new"
        assert not (tmp_path / "a.txt").is_symlink()


@pytest.mark.parametrize("name", ["a.txt", "new.txt"])
def test_what_cannot_be_written_whole_changes_nothing(name, tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        files.write_text(tmp_path / name, "\ud800")
    with pytest.raises(OSError, match="arrived of 0"):
        copy("/proc/version", tmp_path / name)  # says that it is empty, and is not
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "old")]
