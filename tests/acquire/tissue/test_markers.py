"""The table of a slide's channels, as mcmicro has it: which are measured, under which names, less which background."""

import numpy as np
import pytest
import tifffile

from idrstream.base import files
from idrstream.tissue import plan

ROW = "A1,a.ome.tif,DNA1,,"


@pytest.fixture
def markers(here):
    """A function that writes the table of channels, and gives its name."""

    def markers(*lines, header="marker_name,background,exposure,remove"):
        (here / "markers.csv").write_text("\n".join([header, *lines]) + "\n")
        return "markers.csv"

    return markers


def measured(made, folder):
    plan.write(made, folder)
    return files.read_json(folder / "slides/A1.json")["measured"]


def test_a_background_is_scaled_by_the_exposure_times_and_removed_channels_are_not_measured(planned, markers, tmp_path):
    table = markers("dna1,,20,", "CD3,,200,true", "CD8,cd3,50,FALSE")
    made = planned(ROW, markers=table)
    assert measured(made, tmp_path / "plan") == [
        {"file": 0, "channel": 0, "frame": 0, "number": 1, "name": "DNA1", "background": None},
        {"file": 0, "channel": 2, "frame": 0, "number": 3, "name": "CD8"}
        | {"background": {"name": "CD3", "file": 0, "channel": 1, "frame": 0, "scale": 0.25}},
    ]
    assert "2 channels measured, background subtracted from 1" in made.text()


def test_a_row_may_have_a_table_of_its_own(planned, markers, here, tmp_path):
    markers("DNA1,", "CD3,TRUE", "CD8,TRUE", header="marker_name,remove")
    (here / "markers.csv").rename(here / "own.csv")
    table = markers("DNA1", "CD3", "CD8", header="marker_name")
    made = planned(ROW + ",own.csv", header="slide,image,nuclear,pixel_size,region,markers", markers=table)
    assert [each["name"] for each in measured(made, tmp_path / "plan")] == ["DNA1"]


def test_channels_without_a_name_get_it_from_the_table(planned, markers, here, tmp_path):
    tifffile.imwrite(here / "bare.tif", np.zeros((3, 300, 400), np.uint16), photometric="minisblack", metadata=None)
    table = markers("Hoechst,1", "CD4,2", "CD20,3", header="marker_name,cycle_number")
    made = planned("A1,bare.tif,hoechst,0.5,", markers=table)
    assert [each["name"] for each in measured(made, tmp_path / "plan")] == ["Hoechst", "CD4", "CD20"]
    assert 'nuclei from "Hoechst"' in made.text()
    assert "markers.csv: columns that are not used: cycle_number" in made.text()


def test_two_channels_of_one_name_are_told_apart_and_said(planned, here, tmp_path):
    names = {"axes": "CYX", "Channel": {"Name": ["DNA", "CD45", "CD45 (2)", "CD45"]}}
    tifffile.imwrite(here / "a.ome.tif", np.zeros((4, 300, 400), np.uint16), metadata=names, photometric="minisblack")
    made = planned("A1,a.ome.tif,1,0.5,")
    assert [each["name"] for each in measured(made, tmp_path / "plan")] == ["DNA", "CD45", "CD45 (2)", "CD45 (3)"]
    said = 'slide A1: another channel is called "CD45" too; in the tables channel 4 is "CD45 (3)"'
    assert said in made.text()


def test_a_name_is_one_line_whatever_a_file_holds(planned, here, tmp_path):
    names = {"axes": "CYX", "Channel": {"Name": ["DNA", "CD\t45\u2028", "CD 45"]}}
    tifffile.imwrite(here / "a.ome.tif", np.zeros((3, 300, 400), np.uint16), metadata=names, photometric="minisblack")
    made = planned("A1,a.ome.tif,2,0.5,")
    assert [each["name"] for each in measured(made, tmp_path / "plan")] == ["DNA", "CD 45", "CD 45 (2)"]
    assert "\t" not in made.text() and "\u2028" not in made.text()


@pytest.mark.parametrize(
    "lines, said",
    [
        (("DNA1", "CD8"), '2 rows, and a.ome.tif has 3 channels; they differ first where line 3 has "CD8" and'),
        (("DNA1", "CD3"), 'they differ first where no row is left and channel 3 is "CD8"'),
        (("DNA1", "CD3", "CD8", "CD4"), 'they differ first where line 5 has "CD4" and no channel is left'),
        (
            ("DNA1", "CD8", "CD3"),
            'line 3, column "marker_name": "CD8", where channel 2 of a.ome.tif is "CD3" (1 more differ)',
        ),
    ],
)
def test_a_table_of_another_slide_is_refused_by_its_first_difference(refused, markers, lines, said):
    (sentence,) = refused(ROW, markers=markers(*lines, header="marker_name"))
    assert said in sentence


def test_a_table_that_is_not_there_is_said(refused):
    assert refused(ROW, markers="nothing.csv") == ["--markers nothing.csv: there is no such file"]
    (said,) = refused(ROW + ",nothing.csv", header="slide,image,nuclear,pixel_size,region,markers")
    assert said.startswith('slides.csv, line 2, column "markers": ') and "nothing.csv: it cannot be read" in said


def test_numbers_of_channels_agree_with_the_order_of_the_rows(planned, refused, markers):
    header = "channel_number,cycle_number,marker_name"
    made = planned(ROW, markers=markers("1,1,DNA1", "2,1,CD3", "3,1,CD8", header=header))
    assert "columns that are not used: cycle_number" in made.text()
    (said,) = refused(ROW, markers=markers("1,1,DNA1", "3,1,CD3", "2,1,CD8", header=header))
    assert said.startswith('markers.csv, line 3, column "channel_number": "3", where channel 2 is due: rows are 1 to 3')
    (said,) = refused(ROW, markers=markers("1,1,DNA1", "two,1,CD3", "3,1,CD8", header=header))
    assert said.startswith('markers.csv, line 3, column "channel_number": "two" is not the number of a channel')


def test_everything_that_is_wrong_with_backgrounds_is_said_at_once(refused, markers):
    table = markers("DNA1,CD3,20,", "CD3,CD45,200,", "CD8,CD8,50,")
    text = "\n".join(refused(ROW, markers=table))
    assert 'line 2, column "background": nothing is subtracted from "DNA1", which shows the nuclei' in text
    assert 'line 3, column "background": no channel is called "CD45"; a background is the marker_name' in text
    assert 'line 4, column "background": the channel itself; a background is' in text
    text = "\n".join(refused(ROW, markers=markers("DNA1,,20,", "CD3,,0,", "CD8,CD3,,")))
    why = 'to subtract "CD3" from "CD8", both need an exposure time above 0'
    assert f'line 3, column "exposure": {why}' in text and f'line 4, column "exposure": {why}' in text
    text = "\n".join(refused(ROW, markers=markers("DNA1,,20 ms,", "CD3,,,maybe", ",,,")))
    assert 'line 2, column "exposure": "20 ms" is not an exposure time' in text
    assert 'line 3, column "remove": "maybe" is neither TRUE' in text
    (said,) = refused(ROW, markers=markers("DNA1,,,TRUE", "CD3,,,TRUE", "CD8,,,TRUE"))
    assert said == "markers.csv: all channels are removed; leave one, or measure none by --statistics none"


def test_another_background_makes_another_result_and_another_unused_column_does_not(planned, markers):
    first = planned(ROW, markers=markers("DNA1,,1,", "CD3,,2,", "CD8,CD3,4,")).slides[0].id
    assert planned(ROW, markers=markers("DNA1,,1,", "CD3,,1,", "CD8,CD3,4,")).slides[0].id != first
    lines = "DNA1,,1,,x", "CD3,,2,,y", "CD8,CD3,4,,z"
    table = markers(*lines, header="marker_name,background,exposure,remove,filter")
    assert planned(ROW, markers=table).slides[0].id == first
