"""What a table says of wells: how large their plates are, and of which control type each is."""

import shlex

import pytest

from commits import GATE, plan_again
from idrstream.base import tables
from idrstream.base.tables import Problems
from idrstream.screen import outcome
from idrstream.screen.study import FORMATS, Well
from planning import planned

ALONE = {"screens": None, "study": None, "source": None, "input": "sheet.csv"}


def sheet(here, *rows, header="plate,well,frame,path", **params):
    """The plan of a samplesheet."""
    (here / "sheet.csv").write_text("\n".join((header, *rows)) + "\n")
    return planned(here, **ALONE | params)


def of_wells(here, *wells, **params):
    rows = [f"{plate},{well},1,{i}.tif" for i, (plate, well) in enumerate(wells)]
    (here / "images").mkdir(exist_ok=True)
    return sheet(here, *rows, **params)


def numbers(made):
    return {(asked["plate"], asked["well"]): asked["well_number"] for asked in made.images}


def refused(function, *arguments, **params):
    with pytest.raises(Problems) as problems:
        function(*arguments, **params)
    return problems.value.sentences


LAST = {6: "B03", 12: "C04", 24: "D06", 48: "F08", 96: "H12", 384: "P24", 1536: "AF48"}


@pytest.mark.parametrize("size, last", LAST.items())
def test_a_plate_has_the_smallest_standard_format_that_holds_its_wells(size, last, here):
    made = of_wells(here, ("P", "A01"), ("P", "B01"), ("P", last))
    rows, columns = FORMATS[size]
    assert rows * columns == size
    assert numbers(made) == {("P", "A01"): 1, ("P", "B01"): columns + 1, ("P", last): size}
    assert f"plates of {size} wells ({rows} x {columns}), the smallest that hold all wells of the table" in made.text()


@pytest.mark.parametrize("row, number", [("Z1", 25 * 48 + 1), ("aa01", 26 * 48 + 1), ("AB12", 27 * 48 + 12)])
def test_rows_after_z_have_two_letters(row, number, here):
    assert number in numbers(of_wells(here, ("P", "AF48"), ("P", row))).values()
    assert Well.parse(row).name == (f"{row[:-2].upper()}{row[-2:]}" if len(row) > 2 else "Z01")


def test_a_plate_that_is_partly_filled_has_the_numbers_of_the_others(here):
    made = of_wells(here, ("P", "H12"), ("Q", "B01"))
    assert numbers(made)["Q", "B01"] == 13


def test_a_plates_format_can_be_named(here):
    made = of_wells(here, ("P", "B01"), plate_format=96)
    assert numbers(made)["P", "B01"] == 13 and "the smallest that hold" not in made.text()
    (sentence,) = refused(of_wells, here, ("P", "A01"), ("P", "H12"), plate_format=48)
    assert sentence.startswith('sheet.csv, line 3, column "well": "H12" is not a well of a plate of 6 x 8 wells; set')
    (sentence,) = refused(of_wells, here, ("P", "AG01"))
    assert '"AG01" is not a well of a plate of 32 x 48 wells' in sentence
    (sentence,) = refused(of_wells, here, ("P", "B01"), plate_format=95)
    assert sentence == "--plate_format 95: is none of 6, 12, 24, 48, 96, 384, 1536. Did you mean 96?"
    assert "--plate_format: not with --study" in refused(planned, here, plate_format=96)[0]


PAIR = (("P", "A01"), ("P", "B01"))


@pytest.mark.parametrize("more, params", [([("Q", "P24")], {}), ([], {"plate_format": 384})])
def test_a_larger_plate_leaves_every_finished_image_as_it_is(more, params, here, committed):
    before = plan_of_wells(here, *PAIR)
    committed(before)
    after = of_wells(here, *PAIR, *more, **params)
    assert [asked["id"] for asked in after.images[:2]] == [asked["id"] for asked in before.images]
    assert (after.done, after.stale, numbers(after)["P", "B01"]) == (2, [], 25)
    assert len([asked for batch in after.batches for asked in batch["images"]]) == len(more)


def test_numbers_by_another_format_are_said_and_those_of_images_tsv_are_of_one(here, committed):
    committed(plan_of_wells(here, *PAIR))
    assert "another plate format" not in of_wells(here, *PAIR).text()
    after = plan_of_wells(here, *PAIR, ("P", "P24"))
    what = "the cell tables of 1 committed image keep the Metadata_WellNumber of another plate format"
    assert (
        f"{what} (B01 is 4 there and 25 in this run); join by Metadata_Well, or renumber them by --redo" in after.text()
    )
    committed(after)
    outcome.summarise(after.images[:1], after.places, after.study.wells, here / "out", 0, GATE)
    rows = [row.cells for row in tables.read(here / "out/images.tsv").rows]
    assert [(row["row"], row["well"], row["well_number"]) for row in rows] == [
        ("0", "A01", "1"), ("1", "B01", "25"), ("2", "P24", "384")
    ]  # fmt: skip
    for name in ("images.tsv", "failures.tsv"):  # written here by no run
        (here / "out" / name).unlink()
    committed(plan_again(here, session="second", **ALONE, redo=True))
    assert "another plate format" not in of_wells(here, *PAIR, ("P", "P24")).text()


RENUMBERED = "the Metadata_WellNumber of another plate format"


def test_wells_outside_the_table_are_numbered_by_the_format_that_holds_all_of_the_folder(here, committed):
    committed(plan_of_wells(here, *PAIR))
    committed(plan_of_wells(here, ("P", "P24"), session="second"))
    last = plan_of_wells(here, ("P", "A01"), session="third")
    assert last.study.wells == (16, 24) and "all wells of the table and of the output folder" in last.text()
    assert "(B01 is 4 there and 25 in this run); join by Metadata_Well\n" in last.text(), "--redo cannot reach it"
    outcome.summarise(last.images, last.places, last.study.wells, here / "out", 0, GATE)
    rows = [row.cells for row in tables.read(here / "out/images.tsv").rows]
    assert [(row["row"], row["well"], row["well_number"]) for row in rows] == [
        ("0", "A01", "1"), ("", "B01", "25"), ("", "P24", "384")
    ]  # fmt: skip


def test_a_format_that_does_not_hold_what_is_finished_is_refused_unless_that_failed(here, committed):
    committed(plan_of_wells(here, *PAIR, ("P", "P24")), failed=["P_P24_s1_f1"])
    smaller = plan_of_wells(here, *PAIR, plate_format=96)
    assert numbers(smaller)["P", "B01"] == 13
    outcome.summarise(smaller.images, smaller.places, smaller.study.wells, here / "out", 0, GATE)
    assert {row.cells["well_number"] for row in tables.read(here / "out/images.tsv").rows} == {"1", "13", ""}
    for name in ("images.tsv", "failures.tsv"):  # written here by no run
        (here / "out" / name).unlink()
    assert plan_of_wells(here, *PAIR).study.wells == (2, 3), "what failed makes no plate larger"
    committed(plan_of_wells(here, *PAIR, ("P", "P23")))
    (sentence,) = refused(plan_of_wells, here, *PAIR, plate_format=96)
    assert sentence.startswith(
        "--outdir out: it has results of P23 of P, a well that plates of 8 x 12 wells do not have; name a"
    )


def test_numbers_that_a_run_writes_anew_or_that_count_no_more_are_not_said_to_be_kept(here, committed):
    stopped = plan_of_wells(here, *PAIR, ("P", "B02"), stop_after="qc")
    committed(stopped, failed=["P_B02_s1_f1"])
    larger = (*PAIR, ("P", "B02"), ("P", "P24"))
    assert "1 committed image keep the Metadata_WellNumber" in plan_of_wells(here, *larger, stop_after="qc").text(), (
        "what failed has no cells"
    )
    going_on = plan_of_wells(here, *larger)
    assert RENUMBERED not in going_on.text()
    committed(going_on, recover=False)
    assert RENUMBERED not in plan_of_wells(here, *larger).text()
    named = plan_of_wells(here, *larger, plate_format=1536)
    assert "2 committed images keep the Metadata_WellNumber" in named.text(), "an image counts once: B01 and P24"
    assert RENUMBERED not in plan_of_wells(here, *larger, plate_format=1536, redo=True, session="new").text()


def plan_of_wells(here, *wells, **params):
    of_wells(here, *wells, **params)
    return plan_again(here, **ALONE | params)


CONTROLS = "plate,well,site,frame,path,control_type"


@pytest.mark.parametrize("second, words", [("positive control", '"positive control"'), ("", "none")])
def test_a_well_of_two_control_types_is_refused_before_the_start(second, words, here):
    rows = ["P,A01,1,1,a.tif,negative control", "P,A02,1,1,b.tif,", "Q,A01,1,1,c.tif,", f"P,A1,2,1,d.tif,{second}"]
    rows += [f"P,A01,3,1,e.tif,{second}"]
    (sentence,) = refused(sheet, here, *rows, header=CONTROLS)
    place = 'sheet.csv, line 5, column "control_type": the control type of well A01 of plate P'
    assert sentence == f'{place} is {words}, but in line 2 it is "negative control"; give all rows of a well the same'


def test_a_control_type_that_no_well_has_is_said_with_those_there_are(here):
    rows = ["P,A01,1,1,a.tif,DMSO", "P,A02,1,1,b.tif,", "P,A03,1,1,c.tif,drug"]
    (sentence,) = refused(sheet, here, *rows, header=CONTROLS, negative_control="DMS0")
    there = 'no well has this control type; the control types are "DMSO", "drug". Did you mean DMSO?'
    assert sentence == f'--negative_control "DMS0": {there}'
    stages = sheet(here, *rows, header=CONTROLS, negative_control="DMSO", normalize_cells=True).stages
    assert stages["plate_profiles"]["args"] == "--well_profiles plate --profile_by auto --negative_control DMSO"
    assert stages["normalize_cells"]["args"] == "--negative_control DMSO"


def test_a_control_type_reaches_its_command_whole_whatever_is_in_it(here):
    word = 'it\'s $(no) "treatment"'
    (here / "images").mkdir()
    rows = ["P,A01,1,1,a.tif," + '"' + word.replace('"', '""') + '"']
    stages = sheet(here, *rows, header=CONTROLS, negative_control=word, normalize_cells=True).stages
    assert shlex.split(stages["normalize_cells"]["args"]) == ["--negative_control", word]
