"""Tables as spreadsheets and people write them: read for what they are, or named with the place and the remedy."""

import re

import pytest

from idrstream.base import tables
from idrstream.base.tables import Problems
from idrstream.images.frames import image_key
from idrstream.screen import input_tables, metadata_names, plan, request
from idrstream.screen.input_tables import SCHEMAS
from planning import DEFAULTS, given, planned
from planning import SCHEMA as PARAMS
from repository import ROOT

DOCS = ROOT / "docs/screen/usage.md"
ROWS = (("plate", "well", "frame", "path"), ("P", "A01", "1", "a.tif"), ("P", "B02", "2", "b.tif"))
READ = [dict(zip(ROWS[0], row, strict=True)) for row in ROWS[1:]]


def sheet(by=",", end="\n", rows=ROWS):
    return end.join(by.join(row) for row in rows) + end


SOUND = {
    "commas.csv": sheet().encode(),
    "semicolons.csv": sheet(";").encode(),
    "tabs.csv": sheet("\t").encode(),
    "commas.tsv": sheet().encode(),
    "commas.txt": sheet().encode(),
    "semicolons.CSV": sheet(";").encode(),
    "no_suffix": sheet("\t").encode(),
    "capitals.csv": b"Plate,WELL,Frame,Path\n" + sheet(rows=ROWS[1:]).encode(),
    "quoted.csv": "".join(f'"{line}"\n' for line in sheet('","').splitlines()).encode(),
    "crlf.csv": sheet(end="\r\n").encode(),
    "cr.csv": sheet(end="\r").encode(),
    "mark.csv": sheet().encode("utf-8-sig"),
    "utf16.txt": sheet("\t").encode("utf-16"),
    "utf16_big.csv": "\ufeff".encode("utf-16-be") + sheet(";").encode("utf-16-be"),
    "sep.csv": b"sep=;\r\n" + sheet(";", "\r\n").encode(),
    "sep_tab.csv": b"sep=\t\n" + sheet("\t").encode(),
    "comment.csv": b"# made on Monday, by me\n\n" + sheet().encode(),
    "blank.csv": b"\n , \n".replace(b" , ", b"") + sheet().encode() + b",,,\n\n",
    "comment_by_excel.csv": b'"# made by me, 2026",,,\n' + sheet().encode(),
    "title_line.csv": b";;;\n" + sheet(";").encode(),
    "spaces.csv": "".join(f'"{line}"\n' for line in sheet('", "').splitlines()).encode(),
    "more_commas.csv": "\n".join(line + ",," * bool(n) for n, line in enumerate(sheet().splitlines())).encode(),
    "no_end.csv": sheet().encode()[:-1],
    "index.csv": "\n".join(f"{i},{line}" for i, line in enumerate(sheet().splitlines())).encode()[1:],
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_samplesheet_is_read_whatever_its_separator_suffix_code_and_line_ends(name, tmp_path):
    (tmp_path / name).write_bytes(SOUND[name])
    table = request.read(tmp_path / name, "samplesheet", "wells")
    assert [row.cells for row in table.rows] == READ
    assert (table.kind, table.problems) == ("samplesheet", [])


def test_separators_inside_cells_and_names_and_decimal_commas_are_text(tmp_path):
    (tmp_path / "s.csv").write_text('plate;well;frame;path;dose, in mM;"a;b"\nP;A01;1;x,y.tif;0,5;"c;d"\n')
    (row,) = request.read(tmp_path / "s.csv", "samplesheet", "wells").rows
    assert row.cells["path"] == "x,y.tif" and row.cells["dose, in mM"] == "0,5" and row.cells["a;b"] == "c;d"


def test_a_line_in_the_file_is_a_line_in_the_message(tmp_path):
    (tmp_path / "s.csv").write_text("# note\n\nplate,well,frame,path,Label\nP,A01,1,a.tif,x\n\nP,A01,0x,b.tif,x\n")
    header, row = request.read(tmp_path / "s.csv", "samplesheet").problems
    assert header.startswith('s.csv, line 3, column "Label": reserved')
    assert row.startswith('s.csv, line 6, column "frame": "0x" is not a frame')


def test_each_kind_is_told_by_its_whole_header(tmp_path):
    headers = {"wells": "Plate\tWell\tWell Number\tFrames\tpath\n", "samplesheet": "Path\tPlate\tWell\tFrame\n"}
    headers |= {"phenotypes": "Plate\tWell\tFrame\tX\tY\tClass\n", "zarr_index": "Store\tPlate\n"}
    for kind, header in headers.items():
        (tmp_path / kind).write_text(header + "\t".join("1" * header.count("\t") + "1") + "\n")
        table = input_tables.read(tmp_path / kind, *headers)
        assert table.kind == kind and set(table.columns) >= set(SCHEMAS[kind]["required"])


def test_the_table_of_screens_may_have_any_separator(tmp_path):
    for by in tables.SEPARATORS:
        (tmp_path / "screens").write_text(f"# plates\nPA{by}../screens/PA--long.screen\n")
        (row,) = request.read_screens(tmp_path / "screens").rows
        assert row.cells == {"plate": "PA", "screen": "../screens/PA--long.screen"} and row.line == 2


HEADER = sheet(rows=ROWS[:1])
BROKEN = {
    "open quote": (HEADER + 'P,A01,1,"a.tif\nP,A02,1,b.tif\n', ["t.csv, line 2: a quote is opened and not closed"]),
    "two open quotes": (
        HEADER + 'P,A01,1,"a.tif\nP,A02,1,b.tif\nP,A03,1,"c.tif\n',
        ["t.csv, line 2: a quote is opened", "t.csv, line 4: a quote is opened"],
    ),
    "line end in a cell": (HEADER + 'P,A01,1,"a\nb.tif"\nP,A02,1\n', ["t.csv, line 2: a quote is opened"]),
    "open quote in the header": ('"plate,well,frame,path\nP,A01,1,a\n', ["t.csv, line 1: a quote is opened"]),
    "early quote": (HEADER + 'P,A01,1,"a"b.tif\n', ["t.csv, line 2: a quote closes before its cell ends"]),
    "ragged": (HEADER + "P,A01,1\nP,A01,1,a,b\n", ["t.csv, line 2: 3 columns where 4", "t.csv, line 3: 5 columns"]),
    "latin": (
        HEADER.encode() + b"P,A01,1,a\nP,A02,1,\xb5.tif\n",
        ['line 3, character 9: byte 0xB5 ("\xb5" in'],
    ),
    "utf-16 without its mark": (HEADER.encode("utf-16-le"), ["t.csv: this is not UTF-8, but perhaps UTF-16"]),
    "xlsx": (b"PK\x03\x04" + bytes(40), ["t.csv: this is an Excel or LibreOffice workbook, not text; save it as CSV"]),
    "xls": (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(40), ["t.csv: this is an Excel workbook (.xls), not text"]),
    "gzip": (bytes.fromhex("1f8b0800"), ["t.csv: this is a compressed file"]),
    "nul": (HEADER + "P,A01,1,a.tif\0\n", ['t.csv, line 2, column "path": a control character ("\\x00")']),
    "twice": ("plate,well,frame,path,x,x\nP,A01,1,a,b,c\n", ['t.csv, line 1: duplicate column "x"']),
    "twice by capitals": (
        "plate,well,frame,path,PATH\nP,A01,1,a,b\n",
        ['t.csv, line 1, column "PATH": differs from "path" in capitals only'],
    ),
    "no name": (
        "plate,well,frame,path,,\nP,A01,1,a,,b\n",
        ["t.csv, line 1: column 6 has no name but a value in line 2"],
    ),
    "no kind": (
        "plate,well,picture\nP,A01,a.tif\n",
        ["t.csv, line 1: neither a samplesheet (plate, well"],
    ),
    "no separator": (
        "plate|well|frame|path\nP|A01|1|a\n",
        ["its columns are plate|well|frame|path. It has no tabs, semicolons or commas"],
    ),
    "header alone": (HEADER, ["t.csv: the table has no rows"]),
    "empty": (b"", ["t.csv: the table has no rows"]),
    "blank rows": (HEADER + ",,,\n", ["t.csv: the table has no rows"]),
}


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN)
def test_what_is_no_sound_table_is_named_with_its_line(case, tmp_path):
    content, said = case
    (tmp_path / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(Problems) as problems:
        raise Problems(request.read(tmp_path / "t.csv", "samplesheet", "wells").problems)
    assert len(problems.value.sentences) == len(said), problems.value.sentences
    assert all(part in sentence for part, sentence in zip(said, problems.value.sentences, strict=True))


def test_a_table_of_neither_kind_is_told_its_columns_and_both_sets_and_nothing_of_a_study(here):
    (here / "sheet.csv").write_text("plate;well;picture\nP;A01;a.tif\n")
    with pytest.raises(Problems) as problems:
        planned(here, input="sheet.csv", study=None, screens=None, source=None)
    (sentence,) = problems.value.sentences
    assert sentence.startswith("sheet.csv, line 1: neither ")
    assert "(plate, well, frame, path)" in sentence and "(Plate, Well, Well Number, Frames)" in sentence
    assert "its columns are plate, well, picture" in sentence


def test_the_mistakes_of_all_tables_and_of_columns_and_rows_are_told_at_once(here):
    (here / "wells.tsv").write_text("Plate\tWell\tFrames\tWell Number\tArea\nPA\tA4\tx\t4\t1\nPA\tQ4\t5\t4\t1\n")
    (here / "screens.tsv").write_text("PA\tPA.txt\n")
    with pytest.raises(Problems) as problems:
        planned(here)
    places = [sentence.split(": ")[0] for sentence in problems.value.sentences]
    assert sorted(places) == [
        'screens.tsv, line 1, column "screen"',
        'wells.tsv, line 1, column "Area"',
        'wells.tsv, line 2, column "Frames"',
        'wells.tsv, line 3, column "Well"',
    ]


# What a cell may hold

OUT_OF_BOUNDS = [
    ("site", "20260101101"),
    ("site", "2147483648"),
    ("frame", "99999999999"),
    ("plate", "P" * 101),
    ("path", "x" * 4096),
    ("gene", "G" * 1001),
    ("note", "n" * 1001),
]


@pytest.mark.parametrize(("column", "value"), OUT_OF_BOUNDS)
def test_a_cell_beyond_what_a_result_can_hold_is_refused_before_anything_starts(column, value, here):
    cells = {"plate": "P", "well": "A01", "site": "1", "frame": "1", "path": "a.tif", "gene": "G", "note": "n"}
    rows = (cells.keys(), cells.values(), (cells | {"well": "A02", column: value}).values())
    (here / "sheet.csv").write_text(sheet(rows=rows))
    with pytest.raises(Problems) as problems:
        planned(here, input="sheet.csv", study=None, screens=None, source=None)
    (sentence,) = problems.value.sentences
    assert sentence.startswith(f'sheet.csv, line 3, column "{column}"') and len(sentence) < 250


def test_every_file_that_is_named_by_the_longest_names_there_may_be_has_a_name_that_a_disk_takes(tmp_path):
    (tmp_path / "s.csv").write_text(sheet(rows=[(*ROWS[0], "site"), ("P" * 100, "AZ99", "9" * 9, "a.tif", "9" * 9)]))
    (row,) = request.read(tmp_path / "s.csv", "samplesheet").rows
    name = image_key(row.cells["plate"], row.cells["well"], row.cells["site"], row.cells["frame"], "no_ic")
    assert len(f"{name}.geojson.part") < 255
    assert max(int(row.cells["site"]), int(row.cells["frame"]) + 1) < 2**31


@pytest.mark.parametrize(("plate", "frame"), [("1.10E+11", "1"), ("P", "1-Mar"), ("P", "Mar-01"), ("P", "01.03.2026")])
def test_what_excel_makes_of_names_and_numbers_is_told(plate, frame, tmp_path):
    (tmp_path / "s.csv").write_text(sheet(rows=[ROWS[0], (plate, "A01", frame, "a.tif")]))
    (sentence,) = request.read(tmp_path / "s.csv", "samplesheet").problems
    assert sentence.endswith("(has Excel changed it? format the column as text)")


def test_what_cannot_be_seen_is_written_out(tmp_path):
    (tmp_path / "s.csv").write_text(sheet(rows=[ROWS[0], ("P", "A01\u200b", "1", "a.tif")]))
    (sentence,) = request.read(tmp_path / "s.csv", "samplesheet").problems
    assert '"A01\\u200b" is not a well' in sentence


# Names of columns


@pytest.mark.parametrize("name", sorted(metadata_names.RESERVED))
@pytest.mark.parametrize("prefix", ["", "Metadata_"])
def test_a_column_that_the_results_have_of_their_own_is_refused(name, prefix, tmp_path):
    header = (*ROWS[0], "site", prefix + name)
    (tmp_path / "s.csv").write_text(sheet(rows=[header, (*ROWS[1], "1", "x")]))
    with pytest.raises(Problems) as problems:
        raise Problems(request.read(tmp_path / "s.csv", "samplesheet").problems)
    (sentence,) = problems.value.sentences
    assert sentence.startswith(f's.csv, line 1, column "{prefix}{name}": ') and "rename" in sentence


def test_the_names_that_are_reserved_are_those_that_the_docs_list():
    (line,) = (line for line in DOCS.read_text().splitlines() if line.startswith("| columns of your own"))
    assert set(re.findall(r"`(\w+)`", line.split("must not be one of:")[1])) == metadata_names.RESERVED


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            ("dose mM", "dose/mM"),
            'column "dose/mM": both it and column "dose mM" would become Metadata_dose_mM; rename',
        ),
        (("dose", "Dose"), 'column "Dose": both it and column "dose" would become Metadata_Dose; rename'),
        (("label", "x"), 'column "label": reserved: idrstream itself writes Metadata_Label; rename'),
        (
            ("Gene", "Metadata_Gene"),
            'column "Metadata_Gene": both it and column "gene" would become Metadata_Gene; rename',
        ),
        (("%", "x"), 'column "%": its name has no letter or digit; rename'),
        (("Metadata_", "x"), 'column "Metadata_": its name has no letter or digit; rename'),
        (("n" * 101, "x"), "its name has more than 100 characters; rename"),
    ],
)
def test_names_that_fall_together_or_vanish_in_the_results_are_told(columns, said, tmp_path):
    (tmp_path / "s.csv").write_text(sheet(rows=[(*ROWS[0], *columns), (*ROWS[1], "1", "2")]))
    (sentence,) = request.read(tmp_path / "s.csv", "samplesheet").problems
    assert sentence.startswith("s.csv, line 1, column") and said in sentence


def test_a_table_of_points_may_not_take_the_columns_that_tell_what_became_of_them(tmp_path):
    (tmp_path / "p.tsv").write_text("plate\twell\tframe\tx\ty\tclass\treason\nP\tA1\t1\t2\t3\tc\tr\n")
    (sentence,) = request.read(tmp_path / "p.tsv", "phenotypes").problems
    assert sentence.startswith('p.tsv, line 1, column "reason": reserved')


# One frame for several wells


def shared(folder, rows):
    (folder / "sheet.csv").write_text(sheet(rows=[ROWS[0], *rows]))
    params = DEFAULTS | {"input": "sheet.csv", "study": None, "screens": None, "source": None, "illumination": "none"}
    return plan.make(params, str(folder), "first", given(folder, params), PARAMS)


def test_a_file_and_frame_that_two_wells_name_is_a_warning_before_the_start(here):
    made = shared(here, [("P", "A01", "1", "a.tif"), ("P", "A02", "1", "./a.tif"), ("P", "A02", "2", "a.tif")])
    assert made.warnings == ["sheet.csv, lines 2 and 3: wells A01 and A02 of P name the same file and frame"]
    assert f"warning: {made.warnings[0]}" in made.text().splitlines()
    assert len(made.images) == 3


def test_a_column_filled_down_is_told_in_a_few_lines(here):
    made = shared(here, [("P", f"A{number:02}", "1", "a.tif") for number in range(1, 25)])
    assert len(made.warnings) == 4
    assert made.warnings[-1] == "sheet.csv: 20 more images name a file and frame that another names"


def test_other_frames_of_a_file_and_other_files_are_no_warning(here):
    made = shared(here, [("P", "A01", "1", "a.tif"), ("P", "A01", "2", "a.tif"), ("Q", "A01", "1", "q/a.tif")])
    assert made.warnings == [] and "warning" not in made.text()
    assert planned(here).warnings == []


def test_a_study_whose_location_tells_no_wells_apart_is_a_warning(here):
    (here / "mine.yml").write_text(
        "name: mine\nwells: {rows: 16, columns: 24}\nlocations: ['{plate}.ch5']\n"
        "frame: {height: 9, width: 9, bytes: 9, nuclei: 1}\n"
    )
    made = planned(here, study="mine.yml")
    assert "wells.tsv, lines 2 and 3: wells A04 and B02 of PA name the same file and frame" in made.warnings
