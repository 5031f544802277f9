"""Tables and params made to do harm: refused in one line; nothing of them becomes a path or a command."""

import csv
import io
import json
import shlex

import pytest
import tifffile

from idrstream import sources
from idrstream.base import tables
from idrstream.base.failures import ImageFailure, NotReadable
from idrstream.base.tables import Problems
from idrstream.screen import plan
from planning import SCHEMA, planned
from reading import noise
from support import one_line

pytestmark = pytest.mark.usefixtures("digests_once")

SHELL = ("; touch pwned", "$(touch pwned)", "`touch pwned`", "' & touch pwned '", '" | touch pwned "', "> pwned")
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


def plan_sheet(here, *rows):
    """The plan of a samplesheet; rows are cells by column, absent ones are sound."""
    sheet = io.StringIO()
    writer = csv.DictWriter(sheet, [*STRICT, *FREE])
    writer.writeheader()
    writer.writerows(STRICT | dict.fromkeys(FREE, "x") | row for row in rows)
    (here / "sheet.csv").write_text(sheet.getvalue())
    return planned(here, input="sheet.csv", study=None, screens=None, source=None)


@pytest.mark.parametrize("plate", PLATES)
def test_a_plates_name_is_a_name_and_never_a_path_or_a_command(plate, here):
    with pytest.raises(Problems) as refused:
        plan_sheet(here, {"plate": plate})
    assert all(map(one_line, refused.value.sentences))


@pytest.mark.parametrize("text", NASTY)
def test_a_name_or_number_of_a_table_that_is_none_is_refused_in_one_line(text, here):
    with pytest.raises(Problems) as refused:
        plan_sheet(here, *({column: text} for column in STRICT))
    assert len(refused.value.sentences) == len(STRICT)
    assert all(map(one_line, refused.value.sentences))


@pytest.mark.parametrize("text", [text for text in NASTY if not tables.CONTROL.search(text)])
def test_free_text_of_a_table_reaches_no_command_and_no_file_name_and_stays_as_it_is(text, here):
    made = plan_sheet(here, dict.fromkeys(FREE, text))
    plan.write(made, here / "plan")
    assert_names_and_commands_are_harmless(made, here / "plan")
    (asked,) = json.loads((here / "plan/batches" / f"{made.batches[0]['id']}.json").read_text())["images"]
    assert asked["metadata"] == {"Control_Type": "", "Gene": text, "note": text}


@pytest.mark.parametrize("text", [text for text in NASTY if tables.CONTROL.search(text)])
def test_text_that_would_break_a_line_or_move_a_terminal_is_refused_in_one_line(text, here):
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


def test_the_long_name_of_a_plate_cannot_climb_out_of_the_source(here):
    (here / "screens.tsv").write_text("PA\t../screens/...screen\nPB\t../screens/PB--long.screen\n")
    (here / "secret.ch5").write_bytes(b"secret")
    for asked in planned(here).images[:1]:
        for location in asked["locations"]:
            with pytest.raises(ImageFailure):
                sources.open_location(location, root=here / "source")


@pytest.mark.parametrize("location", ["../secret.tif", "a/../../secret.tif", "/etc/passwd", "./../source-2/secret.tif"])
def test_a_location_does_not_lead_out_of_its_folder(location, here):
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
def test_no_param_brings_a_command_of_its_own(text, here):
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
