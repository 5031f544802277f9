"""In an output folder only what a run wrote is overwritten or deleted, whatever else lies there."""

import pytest

import keep  # (the command)
from commits import full_disk, killed
from idrstream.base import files
from idrstream.base.tables import Problems
from idrstream.runs import manifest


@pytest.fixture
def out(tmp_path):
    """An output folder with a part of two files, and somebody else's file beside them."""
    manifest.put(tmp_path / "out", "csv", {"csv/a.csv": b"a1", "csv/deep/b.csv": b"b1"})
    (tmp_path / "out/csv/mine.csv").write_text("mine")
    return tmp_path / "out"


def there(out):
    paths = [path for path in (out / "csv").rglob("*") if path.is_file()]
    return {str(path.relative_to(out / "csv")): path.read_text() for path in paths}


def test_a_part_takes_the_place_of_what_it_was_and_of_nothing_else(out):
    manifest.put(out, "csv", {"csv/a.csv": b"a2", "csv/c.csv": b"c2"})
    assert there(out) == {"mine.csv": "mine", "a.csv": "a2", "c.csv": "c2"}
    assert not (out / "csv/deep").exists(), "a folder that is empty without it goes too"
    assert manifest.intact(out, "csv")
    manifest.put(out, "csv", {})
    assert there(out) == {"mine.csv": "mine"}


def test_a_file_of_somebody_else_is_not_overwritten_and_nothing_is_written_beside(out):
    before = there(out)
    with pytest.raises(Problems) as problems:
        manifest.put(out, "csv", {"csv/a.csv": b"a2", "csv/mine.csv": b"ours"})
    assert problems.value.sentences == [
        f"{out}/csv/mine.csv was not written by idrstream and would be overwritten: move it, or name another --outdir"
    ]
    assert there(out) == before and manifest.intact(out, "csv")
    assert manifest.strangers(out, "csv", ["csv/mine.csv", "csv/a.csv", "csv/none.csv"]) == ["csv/mine.csv"]


def test_what_is_the_same_as_before_is_not_written_again(out):
    times = {name: (out / "csv" / name).stat().st_mtime_ns for name in ("a.csv", "deep/b.csv")}
    manifest.put(out, "csv", {"csv/a.csv": b"a1", "csv/deep/b.csv": b"b2"})
    assert (out / "csv/a.csv").stat().st_mtime_ns == times["a.csv"]
    assert (out / "csv/deep/b.csv").read_text() == "b2" and manifest.intact(out, "csv")


@pytest.mark.parametrize("step", ["os.replace", "os.fsync", "os.unlink"])
def test_a_view_is_kept_whole_by_a_command_that_is_killed_and_run_again(step, out, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["keep.py", str(tmp_path / "csv"), str(out), "csv"])
    for survived in range(9):
        for name, text in (("a.csv", "a2"), ("c.csv", "c2")):
            files.write_text(tmp_path / "csv" / name, f"{text} {survived}")
        with killed(monkeypatch, step, survived):
            keep.main()
        keep.main()
        assert there(out) == {"mine.csv": "mine", "a.csv": f"a2 {survived}", "c.csv": f"c2 {survived}"}
        assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_was_moved_to_another_disk_and_linked_is_said_to_be_so(out, tmp_path):
    (out / "csv").rename(tmp_path / "elsewhere")
    (out / "csv").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Problems, match=r"csv/a.csv: a link leads out of the output folder; link the whole folder"):
        manifest.put(out, "csv", {"csv/a.csv": b"a2"})


def test_a_link_is_not_followed_out_of_the_folder(out, tmp_path):
    (tmp_path / "other").mkdir()
    (out / "linked").symlink_to(tmp_path / "other")
    with pytest.raises(Problems, match="a link leads out of the output folder"):
        manifest.put(out, "csv", {"linked/a.csv": b"a2"})
    assert not list((tmp_path / "other").iterdir())


def test_a_full_disk_leaves_the_part_as_it_was(out):
    before = there(out)
    with full_disk(1000), pytest.raises(OSError, match="File too large"):
        manifest.put(out, "csv", {"csv/a.csv": b"a2", "csv/z/large.csv": bytes(2000)})
    assert there(out) == before and manifest.intact(out, "csv")
    assert not (out / "csv/z").exists()


def put(out, texts):
    manifest.put(out, "csv", {f"csv/{name}": text.encode() for name, text in texts.items()})


@pytest.mark.parametrize("step", ["os.replace", "os.fsync", "os.unlink"])
def test_what_a_kill_leaves_belongs_to_the_part_still(step, out, monkeypatch):
    old, new = {"a.csv": "a1", "deep/b.csv": "b1"}, {"a.csv": "a2", "c.csv": "c2"}
    for survived in range(8):
        with killed(monkeypatch, step, survived):
            put(out, new)
        if manifest.intact(out, "csv"):
            assert there(out) in ({"mine.csv": "mine"} | old, {"mine.csv": "mine"} | new)
        put(out, old)
        assert there(out) == {"mine.csv": "mine"} | old


@pytest.mark.parametrize(
    "content", ["", "[]", "null", '{"part": "other"}', '{"part": "csv", "files": {"../mine.txt": null}}']
)
def test_a_manifest_that_no_run_wrote_is_not_acted_on(content, out, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    (out / "manifest/csv.json").write_text(content)
    with pytest.raises(Problems, match="nothing was deleted"):
        manifest.put(out, "csv", {})
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_an_output_folder_is_one_workflows(out):
    assert manifest.workflow(out) is None
    manifest.mark(out, "screen")
    assert manifest.workflow(out) == "screen"
    assert files.read_json(out / "manifest/outdir.json")["workflow"] == "screen"


def test_an_output_folder_has_one_number_for_all_runs_wherever_it_is_moved(out, tmp_path):
    assert manifest.identity(out) is None
    manifest.mark(out, "screen")
    number = manifest.identity(out)
    manifest.mark(out, "screen")
    assert manifest.identity(out.rename(tmp_path / "moved")) == number
    manifest.mark(tmp_path / "other", "screen")
    assert manifest.identity(tmp_path / "other") not in (number, None)


def test_of_the_files_of_a_part_those_that_were_changed_are_told_and_not_deleted_ones(out):
    manifest.put(out, "csv", {"a.csv": b"1", "b.csv": b"1", "c.csv": b"1"}, {"result": "0"})
    (out / "a.csv").write_text("2")
    (out / "b.csv").unlink()
    assert manifest.changed(out, "csv") == ["a.csv"] and manifest.about(out, "csv") == {"result": "0"}


def test_a_full_disk_leaves_what_is_said_of_a_part_as_it_was(out):
    manifest.put(out, "csv", {"csv/a.csv": b"a1"}, {"result": "0"})
    with full_disk(1000), pytest.raises(OSError, match="File too large"):
        manifest.put(out, "csv", {"csv/a.csv": b"a2", "csv/z/large.csv": bytes(2000)}, {"result": "1"})
    assert manifest.about(out, "csv") == {"result": "0"} and manifest.intact(out, "csv")
