"""A folder of images as input: its files' names become a samplesheet."""

import json
import random
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from idrstream.base import files, tables
from idrstream.base.tables import Problems
from idrstream.images.frames import read_frame
from idrstream.readers import planes
from idrstream.runs import housekeeping
from idrstream.screen import fetch, folder_input, plan, request
from idrstream.screen.study import SAMPLESHEET
from planning import DEFAULTS, ROOT, SCHEMA, given

PATTERN = "{plate}/{well}_s{site}_f{frame}.tif"


def sheet(names, pattern, folder="/data/P9", nuclear=None):
    return folder_input.sheet(sorted(names), pattern, folder, nuclear)


def cells(made, *columns):
    return [tuple(row.cells[column] for column in columns) for row in made.rows]


def refused(names, pattern, nuclear=None, folder="/data/P9"):
    with pytest.raises(Problems) as found:
        sheet(names, pattern, folder, nuclear)
    return found.value.sentences


def planned(folder, given_more=(), **changed):
    """The plan of a run on FOLDER/images, made as the pipeline makes it."""
    command = [sys.executable, ROOT / "bin/list_files.py", folder / "images", "--without", folder / "out"]
    (folder / "files.json").write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    params = DEFAULTS | {"input": "images", "study": None, "screens": None, "source": None} | changed
    files_given = given(folder, params) | {"listing": folder / "files.json"} | dict(given_more)
    files_given.pop("input")
    return plan.make(params, str(folder), "first", files_given, SCHEMA)


@pytest.fixture
def screen(here):
    """A folder with two plates of images, each of one grey level of its own, and what is no image."""
    for number, name in enumerate(("P10/A01_s1", "P2/A1_s1", "P2/A01_s2", "P2/b10_s1", "P2/A2_s1"), 1):
        for frame in (1, 2):
            path = here / f"images/{name}_f{frame}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, np.full((40, 50), 10 * number + frame, np.uint8) + np.eye(40, 50, dtype=np.uint8))
    (here / "images/notes.txt").write_text("no image")
    return here


def test_plates_wells_sites_and_frames_are_read_off_the_names_in_their_natural_order(screen):
    made = planned(screen, pattern=PATTERN)
    keys = [asked["key"] for asked in made.images]
    wells = ["P2_A01_s1", "P2_A01_s2", "P2_A02_s1", "P2_B10_s1", "P10_A01_s1"]
    assert keys == [f"{well}_f{frame}" for well in wells for frame in (1, 2)]
    assert made.text().splitlines()[2:5] == [
        f"{screen}/images: 10 files (of one frame each) of 4 wells on 2 plates match --pattern; "
        "1 other file without a match (notes.txt)",
        "its samplesheet: out/pipeline_info/samplesheet.tsv",
        f"10 images to do in 5 batches, from 2 folders ({screen}/images/P10, ..., {screen}/images/P2)",
    ]


def test_each_file_is_read_as_the_frame_that_its_name_says(screen):
    made = planned(screen, pattern=PATTERN)
    batch = {"images": made.images, "source": None, "bit_depth": 8, "camera_offset": 0}
    for row in fetch.fetch(batch | {"nuclear": None, "z": None}, screen / "frames"):
        assert row["status"] == "ok", row["reason"]
        assert row["locations"][0].endswith(f"_s{row['site']}_f{row['frame']}.tif")
        read = read_frame(screen / "frames", row["key"])
        assert np.array_equal(read, tifffile.imread(row["locations"][0]))


def test_the_samplesheet_that_is_left_in_the_output_folder_gives_the_same_images(screen):
    made = planned(screen, pattern=PATTERN)
    plan.write(made, screen / "plan")
    written = files.read_json(screen / "plan/plan.json")
    housekeeping.begin(written, screen / "out", screen, screen / "plan/samplesheet.tsv")
    params = DEFAULTS | {"input": "out/pipeline_info/samplesheet.tsv", "source": "images", "study": None}
    params |= {"screens": None}
    again = plan.make(params, str(screen), "first", given(screen, params), SCHEMA)
    assert {a["id"]: a["locations"] for a in again.images} == {a["id"]: a["locations"] for a in made.images}


def test_a_samplesheet_by_hand_of_the_same_single_images_gives_the_same_images(here):
    (here / "images").mkdir()
    for site in (1, 2):
        tifffile.imwrite(here / f"images/A01_s{site}.tif", np.eye(40, dtype=np.uint8))
    rows = "plate,well,site,frame,path\nimages,A01,1,1,A01_s1.tif\nimages,A01,2,1,A01_s2.tif\n"
    (here / "images/sheet.csv").write_text(rows)
    params = DEFAULTS | {"input": "images/sheet.csv", "study": None, "screens": None, "source": None}
    by_hand = plan.make(params, str(here), "first", given(here, params), SCHEMA)
    made = planned(here, pattern="{well}_s{site}.tif")
    assert [a["id"] for a in made.images] == [a["id"] for a in by_hand.images]
    assert "2 files (frame 1 of each) of 1 well on 1 plate match --pattern; 1 other file" in made.text()


SPELLINGS = ("A1", "a01", "A001", "A-01", "A - 1", "A_1", "r01c01", "R1C1", "r001-c001")


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_well_is_known_by_its_usual_spellings(spelling):
    assert cells(sheet([f"x/{spelling}.tif"], "{plate}/{well}.tif"), "plate", "well") == [("x", "A01")]


@pytest.mark.parametrize(
    "name, pattern, wanted",
    [
        ("My_P_1_B03_s2.tif", "{plate}_{well}_s{site}.tif", ("My_P_1", "B03", "2")),
        ("P1/B03/P1_B03_s02_x9.tif", "{plate}/{well}/{plate}_{well}_s{site}_*.tif", ("P1", "B03", "2")),
        ("2021-05/P1/r02c03f02p01-ch1sk1.tiff", "*/{plate}/{well}f{site}p*.tiff", ("P1", "B03", "2")),
        ("P1 (1)/[B3]+$x.tif", "{plate} (*)/[{well}]+$x.tif", ("P1", "B03", None)),
        ("P1/B03_s2.ome.zarr", "{plate}/{well}_s{site}.ome.zarr", ("P1", "B03", "2")),
        ("./P1/B03.tif", "{plate}/{well}.tif", None),
        ("P1/P2_B03.tif", "{plate}/{plate}_{well}.tif", None),
        ("P1/x/y_B03.tif", "{plate}/*_{well}.tif", None),
        ("P1/B03.TIF", "{plate}/{well}.tif", None),
        ("P1/B03xtif", "{plate}/{well}.tif", None),
    ],
)
def test_a_pattern_means_what_it_says(name, pattern, wanted):
    if wanted is None:
        assert f'a file there is called "{name}"' in refused([name], pattern)[0]
    else:
        (row,) = sheet([name], pattern).rows
        assert (row.cells["plate"], row.cells["well"], row.cells.get("site")) == wanted


def test_without_a_plate_in_the_pattern_the_folder_is_the_plate():
    assert cells(sheet(["A01.tif"], "{well}.tif"), "plate", "frame", "path") == [("P9", "1", "A01.tif")]
    (said,) = refused(["A01.tif"], "{well}.tif", folder="/data/my plate")
    assert '"my plate" is not a plate: letters, digits' in said and "rename the folder" in said


def test_site0_and_frame0_are_read_as_counted_from_0():
    names = [f"A01_s{site}_t{frame:03}.tif" for site in (1, 2) for frame in (0, 1)]
    made = sheet(names, "{well}_s{site}_t{frame0}.tif")
    assert cells(made, "site", "frame", "path")[:2] == [("1", "1", "A01_s1_t000.tif"), ("1", "2", "A01_s1_t001.tif")]
    assert {row.cells["file_frame"] for row in made.rows} == {"1"}
    assert cells(sheet(["A01_s0.tif", "A01_s1.tif"], "{well}_s{site0}.tif"), "site") == [("1",), ("2",)]


def test_a_0_among_sites_counted_from_1_is_an_error_and_shifts_no_other_image():
    before = cells(sheet(["A01_s1.tif", "A02_s1.tif"], "{well}_s{site}.tif"), "well", "site")
    assert before == [("A01", "1"), ("A02", "1")]
    names = ["A01_s1.tif", "A02_s1.tif", "A03_s0.tif", "A04_s0.tif"]
    assert refused(names, "{well}_s{site}.tif") == [
        "--pattern {well}_s{site}.tif: {site} is counted from 1, and A03_s0.tif has 0; "
        "write {site0}, which is counted from 0"
    ]
    more = dict(cells(sheet(names, "{well}_s{site0}.tif"), "path", "site"))
    assert more == dict(cells(sheet(names[:3], "{well}_s{site0}.tif"), "path", "site")) | {"A04_s0.tif": "1"}


def test_channel_10_is_not_taken_for_channel_1():
    names = [f"P1/r02c03f02p01-ch{channel}sk1fk1fl1.tiff" for channel in (1, 10)]
    made = sheet(names, "{plate}/{well}f{site}p*-ch{channel}sk*.tiff", nuclear=1)
    assert cells(made, "well", "site", "path") == [("B03", "2", names[0])]


def test_images_with_files_of_other_channels_only_are_named_in_a_warning(here):
    names = [f"{well}_s{site}_w{channel}.tif" for well in ("A01", "A02") for site in (1, 2) for channel in (1, 2)]
    names.remove("A02_s1_w1.tif")
    made = sheet(names, "{well}_s{site}_w{channel}.tif", nuclear=1)
    assert made.warnings == [
        "1 image left out, with no file of channel 1 (--nuclear): plate P9 well A02 site 1 frame 1"
    ]
    (here / "images").mkdir()
    for name in names:
        tifffile.imwrite(here / "images" / name, np.eye(40, dtype=np.uint8))
    made = planned(here, pattern="{well}_s{site}_w{channel}.tif", nuclear=1)
    assert "warning: 1 image left out, with no file of channel 1 (--nuclear): plate images well A02" in made.text()
    many = sheet([f"A{well:02}_w{1 + (well > 1)}.tif" for well in range(1, 7)], "{well}_w{channel}.tif", nuclear=1)
    assert many.warnings[0].startswith("5 images left out") and many.warnings[0].endswith(
        "well A04 site 1 frame 1; ..."
    )


def test_frames_of_a_file_that_are_not_read_are_said(here):
    (here / "images").mkdir()
    stack = np.random.default_rng(1).integers(0, 255, (3, 40, 50), np.uint8)
    for well in ("A01", "A02"):
        tifffile.imwrite(here / f"images/{well}_t1.tif", stack, photometric="minisblack")
    for pattern in ("{well}_t1.tif", "{well}_t{frame}.tif"):
        assert planned(here, pattern=pattern).warnings == [
            "A01_t1.tif: this file has 3 frames, and only frame 1 of each file is read; for others write a samplesheet"
        ]
    tifffile.imwrite(here / "images/A01_t1.tif", stack[0])
    assert planned(here, pattern="{well}_t1.tif").warnings == []


def test_where_no_file_can_be_opened_before_the_start_the_plan_says_which_frame_is_read(here):
    (here / "images").mkdir()
    (here / "images/A01.tif").write_bytes(b"no TIFF")
    text = planned(here, pattern="{well}.tif").text()
    assert "no image could be opened yet: if files have several frames, only frame 1 of each file is read" in text
    assert "this file has" not in text


@pytest.mark.parametrize("named", ["images", "images/", "images/.", "images/..", "../here/images/"])
def test_the_plate_is_called_as_the_folder_however_its_path_is_written(tmp_path, named):
    (tmp_path / "here/images").mkdir(parents=True)
    made = sheet(["A01.tif"], "{well}.tif", folder=f"{tmp_path}/here/{named}")
    assert cells(made, "plate") == [("here" if named.endswith("..") else "images",)]


def test_of_several_channels_the_one_of_the_nuclei_must_be_named():
    names = [f"A{well:02}_{channel}.tif" for well in range(1, 4) for channel in ("DAPI", "GFP")]
    assert refused(names, "{well}_{channel}.tif") == [
        "--pattern: the files are of 2 channels (DAPI, GFP); name the nuclei's by --nuclear"
    ]
    assert "Did you mean DAPI?" in refused(names, "{well}_{channel}.tif", "DAPY")[0]
    made = sheet(names, "{well}_{channel}.tif", nuclear="dapi")
    assert cells(made, "well", "channel") == [("A01", "DAPI"), ("A02", "DAPI"), ("A03", "DAPI")]
    assert made.notes[1:] == ["3 files of other channels left out (--nuclear dapi)"]
    assert cells(sheet(["A01_w01.tif", "A01_w2.tif"], "{well}_w{channel}.tif", nuclear=1), "path") == [("A01_w01.tif",)]


def test_a_file_of_one_channel_is_read_whatever_its_name_calls_that(here):
    tifffile.imwrite(here / "A01_w2.tif", np.eye(40, dtype=np.uint8))
    made = sheet(["A01_w1.tif", "A01_w2.tif"], "{well}_w{channel}.tif", str(here), nuclear=2)
    (asked,) = request.from_samplesheet(made, SAMPLESHEET, str(here))
    chosen = fetch.choice({"nuclear": 2, "z": None}, asked)
    assert chosen == planes.Choice(2, "2", None)
    (row,) = fetch.fetch({"images": [asked], "source": None, "bit_depth": 8, "nuclear": 2}, here / "frames")
    assert row["status"] == "ok"


MISTAKES = {
    "no well": ("{plate}/{site}.tif", "it has no {well}"),
    "no column": ("{plat}/{well}.tif", "{plat} is none of {plate}, {well}, {site}", "Did you mean plate?"),
    "a column of the samplesheet that is no part of a name": ("{path}/{well}.tif", "{path} is none of"),
    "a brace": ("{plate}/{well.tif", "a brace in it is not closed"),
    "two braces": ("{{plate}}/{well}.tif", "a brace in it is not closed"),
    "from the root": ("/data/{well}.tif", "write a path relative to the folder of --input"),
    "a site twice": ("{well}_s{site}_{site0}.tif", "{site} and {site0} exclude each other"),
    "from above": ("../{well}.tif", "write a path relative to the folder of --input"),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_what_is_wrong_with_a_pattern_is_said(mistake):
    pattern, *words = mistake
    (said,) = refused(["P/A01.tif"], pattern)
    assert said.startswith(f"--pattern {pattern}: ")
    assert all(word in said for word in words)


def test_what_is_wrong_with_a_file_names_the_file(screen):
    names = ["P/A1.tif", "P/A01.tif", "P/A001.tif", "P/Z99.tif", "P/A00.tif", "P q/B01.tif"]
    said = refused(names, "{plate}/{well}.tif")
    assert 'P q/B01.tif: "P q" is not a plate: letters' in said[0]
    assert "P/A001.tif and P/A01.tif: both are well A01 of plate P, site 1, frame 1" in said[1]
    assert len(said) == 3
    tifffile.imwrite(screen / "images/P2/A00_s1_f1.tif", np.eye(40, dtype=np.uint8))
    with pytest.raises(Problems) as found:
        planned(screen, pattern=PATTERN)
    assert found.value.sentences[0].startswith('P2/A00_s1_f1.tif: "A00" is not a well of a plate of')


def test_many_mistakes_of_a_kind_are_counted():
    said = refused([f"P/{well}_{x}.tif" for well in ("A01", "A1") for x in range(30)], "{plate}/{well}_*.tif")
    assert len(said) == 21 and said[-1] == "and 39 pairs of files more"


@pytest.mark.parametrize("name", ["P/A01\n.tif", "P/A01\t.tif", " P/A01.tif", "P/A01\udcff.tif"])
def test_a_name_that_no_table_can_hold_is_refused_in_one_line(name):
    (said,) = refused([name], name.replace("P", "{plate}").replace("A01", "{well}"))
    assert said.isprintable() and "rename it" in said


def test_nothing_that_matches_is_one_sentence_with_a_name_that_is_there():
    assert refused(["Thumbs.db", "P/A2.tif", "P/A10.tif"], "{plate}/{well}_s{site}.tif") == [
        "--pattern {plate}/{well}_s{site}.tif: none of the 3 files in /data/P9 matches; "
        'a file there is called "P/A2.tif"'
    ]


@pytest.mark.parametrize(
    "name, guess",
    [
        ("P1/A01_s1_f2.tif", "{plate}/{well}_s{site}_f{frame}.tif"),
        ("a/P1/B3_s1_w2.TIF", "*/{plate}/{well}_s{site}_w{channel}.TIF"),
        ("C05.ome.zarr", "{well}.ome.zarr"),
        ("p01_B03.tif", "p01_{well}.tif"),
        ("A01_s0_t000.tif", "{well}_s{site0}_t{frame0}.tif"),
        ("img.tif", None),
    ],
)
def test_a_folder_without_a_pattern_is_answered_with_one_for_the_names_in_it(name, guess):
    said = folder_input.without_pattern([name, "notes.txt"], "/data/P9")
    assert (f"such as --pattern '{guess}' (1 of its 2 files match, {name} first)" in said) == bool(guess)
    assert guess or 'a file there is called "img.tif"' in said


def test_of_several_patterns_the_one_that_matches_most_files_is_suggested():
    names = [f"a01_b{row}c_{row}{column:02}_s{site}.tif" for row in "ab" for column in (1, 2) for site in (0, 1)]
    said = folder_input.without_pattern([*names, "z9.tif"], "/data/P9")
    assert "--pattern 'a01_bac_{well}_s{site0}.tif' (4 of its 9 files match, a01_bac_a01_s0.tif first)" in said


def test_so_is_a_run_on_a_folder_without_a_pattern(screen):
    with pytest.raises(Problems) as found:
        planned(screen)
    (said,) = found.value.sentences
    assert f"--pattern '{PATTERN}' (10 of its 11 files match, P2/A1_s1_f1.tif first)" in said


def test_what_does_not_go_with_a_folder_is_said_together(screen):
    with pytest.raises(Problems) as found:
        planned(screen, pattern=PATTERN, illumination="frames", source="source", zarr_index="absent.tsv")
    assert [said.split(":")[0] for said in found.value.sentences] == [
        "--zarr_index absent.tsv",
        "--source",
        "--illumination frames",
        "--zarr_index",
    ]
    with pytest.raises(Problems) as found:
        params = DEFAULTS | {"pattern": PATTERN}
        plan.make(params, str(screen), "first", given(screen, params), SCHEMA)
    assert found.value.sentences == [
        "--pattern: it goes with a folder of images as --input; a table names its files itself"
    ]


@pytest.mark.parametrize(
    "found, said",
    [
        (
            {"files": ["A01.tif"], "faults": ["closed: this folder cannot be read"]},
            "closed: this folder cannot be read",
        ),
        ({"files": [], "faults": []}, "--input {}/images: there are no files in this folder"),
    ],
)
def test_a_listing_with_faults_or_without_files_is_said(screen, found, said):
    (screen / "other.json").write_text(json.dumps(found))
    with pytest.raises(Problems) as problems:
        planned(screen, {"listing": screen / "other.json"}, pattern=PATTERN)
    assert problems.value.sentences == [said.format(screen)]


def test_a_frame_of_a_file_may_be_named_in_a_samplesheet_and_makes_another_image(here):
    stack = np.arange(3, dtype=np.uint8)[:, None, None] + np.eye(40, dtype=np.uint8)
    tifffile.imwrite(here / "a.tif", stack, photometric="minisblack")
    ids = set()
    for own in (3, 2):
        (here / "sheet.csv").write_text(f"plate,well,frame,file_frame,path\nP,A01,3,{own},a.tif\n")
        (asked,) = request.from_samplesheet(request.read(here / "sheet.csv", "samplesheet"), SAMPLESHEET, str(here))
        assert asked["metadata"] == {"Control_Type": "", "Gene": ""}
        (row,) = fetch.fetch({"images": [asked], "source": None, "bit_depth": 8}, here / f"frames{own}")
        assert np.array_equal(read_frame(here / f"frames{own}", row["key"]), stack[own - 1])
        ids.add(asked["file"])
    assert ids == {"a.tif", "a.tif\n2"}
    with pytest.raises(Problems, match='"0" is not a frame of the file'):
        (here / "sheet.csv").write_text("plate,well,frame,file_frame,path\nP,A01,3,0,a.tif\n")
        raise Problems(request.read(here / "sheet.csv", "samplesheet").problems)


def test_the_order_of_the_files_changes_nothing():
    names = [
        f"P{plate}/{row}{column}_s{site}.tif"
        for plate in (2, 10)
        for row in "AB"
        for column in (2, 10)
        for site in (1, 2)
    ]
    random.Random(2).shuffle(names)
    made = folder_input.sheet(names, "{plate}/{well}_s{site}.tif", "/data/P")
    assert [row.line for row in made.rows] == list(range(2, 18))
    assert made.rows == sheet(names, "{plate}/{well}_s{site}.tif", "/data/P").rows
    assert tables.CONTROL.search("".join(made.notes)) is None
