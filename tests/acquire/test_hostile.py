"""Input made to do harm: each piece of it is refused in one line; nothing is run, allocated, deleted or trusted."""

import csv
import io
import json
import os
import shlex
import struct
import tracemalloc
import zlib
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context

import h5py
import numpy as np
import pytest
import tifffile
from test_ledger import committed, plan_again  # noqa: F401  (committed is a fixture)
from test_plan import SCHEMA, here, planned  # noqa: F401  (here is a fixture)
from test_readers import assert_says, noise

from idrstream import commit, digest, files, housekeeping, image, ledger, plan, readers, sources, tables
from idrstream.failures import ImageFailure, NotReadable, Truncated
from idrstream.tables import Problems

IMAGES = "sample/0/plate/P/experiment/W/position/S/image/channel"
SHELL = ("; touch pwned", "$(touch pwned)", "`touch pwned`", "' & touch pwned '", '" | touch pwned "', "> pwned")
DIGEST = cache(digest.of)  # of the code; it does not change meanwhile
LIMIT = 20_000_000  # bytes that refusing a file may take


def one_line(said):
    return said and "\n" not in said and "\r" not in said


@pytest.fixture(autouse=True)
def digests_once(monkeypatch):
    monkeypatch.setattr(digest, "of", DIGEST)


# Tables

PLATES = ["../PA", "/etc/PA", "..", ".", "PA/../..", "-rf", "PA\\PB", "~root", "=1+1", "@SUM(A1)", "PA\x1b[31m", "PÄ"]
PLATES += [f"PA{text}" for text in SHELL] + ["PA B", "PA'", "PA*", "PA\0"]


STRICT, FREE = {"plate": "P", "well": "A1", "frame": "1", "site": "1"}, ("path", "gene", "note")
NASTY = [
    *SHELL,
    "a\nb",
    "a\r\nb",
    'a"b',
    "a'b",
    "a\tb",
    "=1+1",
    "@cmd",
    "+1",
    "-1",
    "../../x",
    "/etc/passwd",
    "\x1b[2J",
]


def plan_sheet(here, *rows):  # noqa: F811
    """The plan of a samplesheet; rows are cells by column, absent ones are sound."""
    sheet = io.StringIO()
    writer = csv.DictWriter(sheet, [*STRICT, *FREE])
    writer.writeheader()
    writer.writerows(STRICT | dict.fromkeys(FREE, "x") | row for row in rows)
    (here / "sheet.csv").write_text(sheet.getvalue())
    return planned(here, input="sheet.csv", study=None, screens=None, source=None)


@pytest.mark.parametrize("plate", PLATES)
def test_a_plates_name_is_a_name_and_never_a_path_or_a_command(plate, here):  # noqa: F811
    with pytest.raises(Problems) as refused:
        plan_sheet(here, {"plate": plate})
    assert all(map(one_line, refused.value.sentences))


@pytest.mark.parametrize("text", NASTY)
def test_a_name_or_number_of_a_table_that_is_none_is_refused_in_one_line(text, here):  # noqa: F811
    with pytest.raises(Problems) as refused:
        plan_sheet(here, *({column: text} for column in STRICT))
    assert len(refused.value.sentences) == len(STRICT)
    assert all(map(one_line, refused.value.sentences))


@pytest.mark.parametrize("text", [text for text in NASTY if not tables.CONTROL.search(text)])
def test_free_text_of_a_table_reaches_no_command_and_no_file_name_and_stays_as_it_is(text, here):  # noqa: F811
    made = plan_sheet(here, dict.fromkeys(FREE, text))
    plan.write(made, here / "plan")
    assert_names_and_commands_are_harmless(made, here / "plan")
    (asked,) = json.loads((here / "plan/batches" / f"{made.batches[0]['id']}.json").read_text())["images"]
    assert asked["metadata"] == {"Control_Type": "", "Gene": text, "note": text}


@pytest.mark.parametrize("text", [text for text in NASTY if tables.CONTROL.search(text)])
def test_text_that_would_break_a_line_or_move_a_terminal_is_refused_in_one_line(text, here):  # noqa: F811
    with pytest.raises(Problems) as refused:
        plan_sheet(here, dict.fromkeys(FREE, text))
    assert all(sentence.startswith("sheet.csv, line ") for sentence in refused.value.sentences)
    assert all(map(one_line, refused.value.sentences))


def assert_names_and_commands_are_harmless(made, folder):
    names = [path.name for path in folder.iterdir()] + [asked["key"] for asked in made.images]
    assert all(set(name) <= set(files_safe()) for name in names)
    for stage in made.stages.values():
        assert shlex.join(shlex.split(stage["args"])) == stage["args"]


def files_safe():
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"


def test_the_long_name_of_a_plate_cannot_climb_out_of_the_source(here):  # noqa: F811
    (here / "screens.tsv").write_text("PA\t../screens/...screen\nPB\t../screens/PB--long.screen\n")
    (here / "secret.ch5").write_bytes(b"secret")
    for asked in planned(here).images[:1]:
        for location in asked["locations"]:
            with pytest.raises(ImageFailure):
                sources.open_location(location, root=here / "source")


@pytest.mark.parametrize("location", ["../secret.tif", "a/../../secret.tif", "/etc/passwd", "./../source-2/secret.tif"])
def test_a_location_does_not_lead_out_of_its_folder(location, here):  # noqa: F811
    (here / "source-2").mkdir()
    for place in here / "secret.tif", here / "source-2" / "secret.tif":
        tifffile.imwrite(place, noise(1, (8, 8))[0])
    with pytest.raises(NotReadable, match="leads out of") as refused:
        sources.open_location(location, root=here / "source")
    assert one_line(str(refused.value))


PARAMS = {name: rule for group in SCHEMA["$defs"].values() for name, rule in group["properties"].items()}
PLACES = ("input", "screens", "source", "outdir", "study", "model", "dp_config", "dp_checkpoint")  # stdin or quoted
PLACES += ("embed_model",)
OFFERED = [name for name in PARAMS if name not in (*PLACES, "help")]


@pytest.mark.parametrize("text", [*SHELL, "1\n; touch pwned", "auto; x"])
def test_no_param_brings_a_command_of_its_own(text, here):  # noqa: F811
    for name in OFFERED:
        try:
            made = planned(here, **{name: text})
        except Problems:
            continue
        for stage in made.stages.values():
            assert shlex.split(stage["args"], comments=True) == stage["args"].split(), name
            assert "touch" not in stage["args"], name


@pytest.mark.parametrize("reason", ["=1+1", "@cmd", "a\tb", "a\nb\r\nc", "a\x1b[2Jb", 'a "b" c', '"', "a\u2028b", "'"])
def test_a_row_of_a_table_stays_one_row_whatever_a_reason_says(reason, tmp_path):
    rows = [{"row": 0, "reason": reason, "bytes": 1}, {"row": 1, "reason": "", "bytes": None}]
    tables.write(tmp_path / "images.tsv", ("row", "reason", "bytes"), rows)
    assert len((tmp_path / "images.tsv").read_text().splitlines()) == 3
    found = [row.cells for row in tables.read(tmp_path / "images.tsv").rows]
    kept = tables.CONTROL.sub(" ", reason)
    assert found == [{"row": "0", "reason": kept, "bytes": "1"}, {"row": "1", "reason": "", "bytes": ""}]


# The ledger


def outside(here):  # noqa: F811
    place = here / "other"
    place.mkdir(exist_ok=True)
    (place / "mine.txt").write_text("mine")
    return place / "mine.txt"


@pytest.fixture
def entry(here, committed):  # noqa: F811
    """A function that plants an entry of the ledger: the first batch's, with changes."""
    committed(plan_again(here))
    path = min((here / "out/ledger").glob("*.json"))

    def plant(**changed):
        files.write_json(path, files.read_json(path) | changed)
        return path

    return plant


def assert_refused(here, path):  # noqa: F811
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
def test_an_entry_that_names_a_file_outside_is_refused(how, dated, here, entry):  # noqa: F811
    mine = outside(here)
    named = {"path": str(mine) if how == "absolute" else how, "bytes": 4, "sha256": files.sha256(mine), "mtime_ns": 0}
    assert_refused(here, entry(files=[named], committed="2026-01-01T00:00:00" if dated else None))


def test_an_entry_that_names_a_file_behind_a_link_is_refused(here, entry):  # noqa: F811
    mine = outside(here)
    (here / "out/link").symlink_to(mine.parent)
    (here / "out/file.txt").symlink_to(mine)
    for name in "link/mine.txt", "file.txt":
        assert_refused(here, entry(files=[{"path": name, "bytes": 4, "sha256": files.sha256(mine), "mtime_ns": 0}]))


@pytest.mark.parametrize("batch", ["../../other/x", "/tmp/x", "b9999-another"])
def test_an_entry_under_another_batchs_name_is_refused(batch, here, entry):  # noqa: F811
    assert_refused(here, entry(batch=batch))


@pytest.mark.parametrize(
    "content", ["", "no json", "[]", '{"batch": 1}', '{"batch": "x", "files": [1]}', "null", "\xff"]
)
def test_what_no_commit_wrote_is_refused(content, here, entry):  # noqa: F811
    path = entry()
    path.write_text(content, encoding="latin-1")
    assert_refused(here, path)


def test_a_batch_that_names_others_to_replace_cannot_name_files(here, entry):  # noqa: F811
    mine = outside(here)
    (here / "other/x.json").write_text(json.dumps({"batch": "../../other/x", "files": [{"path": "mine.txt"}]}))
    (here / "tables").mkdir()
    files.write_json(here / "tables" / image.ROWS, [])
    packet = {"id": "b0", "kept": [], "number": 0, "session": "", "recipe": {}, "references": {}}
    for act in (
        lambda: commit.commit(
            packet | {"supersedes": ["../../other/x"]}, here / "tables", here / "labels", here / "out"
        ),
        lambda: housekeeping.set_aside("../../other/x", here / "out", "2026-01-01_00-00-00"),
    ):
        with pytest.raises(Problems, match="nothing was deleted"):
            act()
    assert mine.exists()
    assert (here / "other/x.json").exists()


@pytest.mark.parametrize("changed", [{"former": ["../other/mine.txt"]}, {"replaces": ["../../other/x"]}])
def test_a_commit_that_was_begun_and_names_what_lies_outside_is_not_ended(changed, here, entry):  # noqa: F811
    mine, path = outside(here), entry()
    pending = here / "out/ledger/pending" / path.name
    files.write_json(pending, files.read_json(path) | {"former": [], "replaces": []} | changed)
    for act in (lambda: ledger.read(here / "out"), lambda: commit.recover(here / "out")):
        with pytest.raises(Problems, match="nothing was deleted"):
            act()
    assert mine.read_text() == "mine"


def test_an_entry_is_not_set_aside_outside_of_the_output_folder(here, entry):  # noqa: F811
    path = entry(aside="../../escaped")
    with pytest.raises(Problems, match="which is not in the output folder; nothing was deleted"):
        housekeeping.set_aside(path.stem, here / "out", "2026-01-01_00-00-00")
    assert path.exists()
    assert not (here / "escaped").exists()


def test_results_are_not_written_through_links(here, committed):  # noqa: F811
    mine = outside(here)
    (here / "out/profiles").symlink_to(mine.parent)
    with pytest.raises(Problems, match="a link leads out of the output folder; link the whole folder"):
        committed(plan_again(here))
    assert [path.name for path in mine.parent.iterdir()] == ["mine.txt"]
    assert not list((here / "out/ledger").rglob("*.json"))


def test_an_output_folder_that_is_a_link_itself_is_as_good_as_any(here, committed):  # noqa: F811
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


# Image files


def refusal(path):
    """What reading the first frame of a file gives, and the most bytes that Python held meanwhile."""
    tracemalloc.start()
    with open(path, "rb") as file, readers.opened(file, path.name) as movie:
        found = movie.read(1)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found, held


@pytest.fixture(scope="module")
def refused():
    """What is said of the first frame of a file, which must cost next to nothing.

    It is read in a process of one thread: where Java's threads call into Python, stopping tracemalloc may crash.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as alone:

        def refused(path):
            found, held = alone.submit(refusal, path).result()
            assert held < LIMIT
            assert isinstance(found, ImageFailure)
            assert one_line(str(found))
            return found

        yield refused


def dataset(shape, dtype="u1", **how):
    return lambda file: file.create_dataset(IMAGES, shape, dtype, **how)


HDF5 = {
    "large images": (dataset((1, 1, 1, 10**6, 10**6), chunks=(1, 1, 1, 99, 99)), "1,000,000 x 1,000,000 pixels"),
    "large without blocks": (dataset((1, 1, 1, 10**5, 10**5)), "100,000 x 100,000 pixels"),
    "large blocks": (
        dataset((1, 1, 1, 9, 9), maxshape=(None,) * 5, chunks=(1, 1, 1, 60000, 60000)),
        "a block: .* 60,000 x 60,000 pixels",
    ),
    "deep blocks": (dataset((1, 900, 900, 64, 64), chunks=(1, 900, 900, 64, 64)), "a block: .* pixels"),
    "many blocks": (dataset((1, 1, 1, 10**4, 10**4), chunks=(1, 1, 1, 1, 1)), "cut into 100,000,000 blocks"),
    "large values": (dataset((1, 1, 1, 9, 9), "S100000000", chunks=(1, 1, 1, 1, 1)), "no images of grey levels"),
    "nested values": (dataset((1, 1, 1, 9, 9), np.dtype(("u1", (9999, 9999)))), "no images of grey levels"),
    "no planes": (dataset((1, 1, 0, 9, 9)), "it says that it has no z plane"),
}


@pytest.mark.parametrize(("make", "said"), HDF5.values(), ids=HDF5)
def test_hdf5_that_declares_too_much_is_refused_before_memory_is_asked_for(make, said, refused, tmp_path):
    with h5py.File(tmp_path / "a.ch5", "w") as file:
        make(file)
    assert_says(refused(tmp_path / "a.ch5"), said, NotReadable)


@pytest.mark.parametrize("how", ["external", "virtual", "link", "link to a group"])
def test_hdf5_whose_images_lie_in_another_file_is_refused(how, refused, tmp_path):
    secret = np.arange(256, dtype="u1").reshape(1, 1, 1, 16, 16)
    (tmp_path / "secret").write_bytes(secret.tobytes())
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file[IMAGES] = secret
    with h5py.File(tmp_path / "a.ch5", "w") as file:
        if how == "external":
            file.create_dataset(IMAGES, secret.shape, "u1", external=[(tmp_path / "secret", 0, 256)])
        elif how == "virtual":
            layout = h5py.VirtualLayout(secret.shape, "u1")
            layout[...] = h5py.VirtualSource(tmp_path / "secret.h5", IMAGES, secret.shape)
            file.create_virtual_dataset(IMAGES, layout)
        else:
            path = IMAGES if how == "link" else "sample"
            file[path] = h5py.ExternalLink(tmp_path / "secret.h5", path)
    assert_says(refused(tmp_path / "a.ch5"), "lie in another file|this is not CellH5", NotReadable)


@pytest.mark.parametrize("names", [["P\n\t\x1b[31m=1+1", "Q"], [f"P{number}" for number in range(3000)]])
def test_what_groups_are_called_does_not_spoil_the_line(names, refused, tmp_path):
    with h5py.File(tmp_path / "a.ch5", "w") as file:
        for name in names:
            file.create_group(f"sample/0/plate/{name}")
    said = str(refused(tmp_path / "a.ch5"))
    assert "\t" not in said
    assert "\x1b" not in said
    assert len(said) < 300


def tiff(width=10, height=10, **tags):
    """A TIFF of one strip; tags by number, as (type, count, value)."""
    known = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1)}
    known |= {273: (4, 1, 300), 277: (3, 1, 1), 278: (4, 1, height), 279: (4, 1, 100)}
    known |= {int(name[1:]): value for name, value in tags.items()}
    rows = [struct.pack("<HHII", number, *value) for number, value in sorted(known.items()) if value]
    directory = struct.pack("<H", len(rows)) + b"".join(rows) + bytes(4)
    return b"II*\0\x08\0\0\0" + directory + bytes(range(1, 251)) * 4


TILED = {"_273": None, "_278": None, "_279": None, "_324": (4, 1, 300), "_325": (4, 1, 100)}
TIFF = {
    "large": (tiff(10**5, 10**5), "100,000 x 100,000 pixels"),
    "largest": (tiff(2**32 - 1, 2**32 - 1), "4,294,967,295 x 4,294,967,295 pixels"),
    "wide": (tiff(2**32 - 1, 1), "1 x 4,294,967,295 pixels"),
    "tiles": (tiff(_322=(4, 1, 65536), _323=(4, 1, 65536), **TILED), "65,536 x 65,536 pixels"),
    "samples": (tiff(10**4, 10**4, _277=(3, 1, 65535)), "a grey image is needed"),
    "strip": (tiff(_279=(4, 1, 2**32 - 1)), "the file ends before its pixels do"),
    "strips": (tiff(_273=(4, 2**31 - 1, 300), _279=(4, 2**31 - 1, 300)), "cannot be read"),
    "empty": (tiff(0, 0), "no image of grey levels|cannot be read"),
}


@pytest.mark.parametrize(("content", "said"), TIFF.values(), ids=TIFF)
def test_a_tiff_that_declares_too_much_is_refused_before_memory_is_asked_for(content, said, refused, tmp_path):
    (tmp_path / "a.tif").write_bytes(content)
    assert_says(refused(tmp_path / "a.tif"), said, (NotReadable, Truncated))


@pytest.mark.parametrize("content", [b"no zlib", zlib.compress(bytes(64 * 64))[:-4], bytes(range(256))])
def test_a_block_that_cannot_be_unpacked_is_refused(content, refused, tmp_path):
    with h5py.File(tmp_path / "a.ch5", "w") as file:
        images = file.create_dataset(IMAGES, (1, 1, 1, 64, 64), "u1", chunks=(1, 1, 1, 64, 64), compression="gzip")
        images.id.write_direct_chunk((0, 0, 0, 0, 0), content)
    assert_says(refused(tmp_path / "a.ch5"), "a.ch5", NotReadable)
