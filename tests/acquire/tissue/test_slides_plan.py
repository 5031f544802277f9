"""What the planner of tissue makes of a table of slides, and of slides as they are in the wild."""

import functools
import json
import operator

import numpy as np
import pytest
import tifffile

from idrstream.base import files
from idrstream.tissue import needs, plan


def packet(made, folder, name):
    plan.write(made, folder)
    return files.read_json(folder / "slides" / f"{name}.json")


def test_a_slide_is_described_before_anything_starts(planned):
    text = planned("A1,a.ome.tif,DNA1,,").text()
    assert "1 slide, 0 already done" in text
    assert "slide A1: 300 x 400 pixels, 0.5 µm a pixel (from OME-XML), 3 channels of uint16, 1 resolution" in text
    assert 'nuclei from "DNA1"' in text and "1 tile;" in text


def test_a_slide_is_told_to_its_tasks(planned, tmp_path):
    told = packet(planned("A1,a.ome.tif,DNA1+cd8,0.4,", tile=256, diameter="8um"), tmp_path / "plan", "A1")
    assert told["locations"] == [str(tmp_path / "a.ome.tif")] and told["folders"] == [str(tmp_path)]
    assert told["size"] == told["whole_size"] == [300, 400] and told["dtype"] == "uint16"
    assert told["nuclear"] == [
        {"name": "DNA1", "file": 0, "channel": 0, "frame": 0, "number": 1},
        {"name": "CD8", "file": 0, "channel": 2, "frame": 0, "number": 3},
    ]
    assert told["pixel_size"] == {"y": 0.4, "x": 0.4, "source": "the table of slides"}
    assert told["diameter"] == 20
    assert sorted(map(tuple, functools.reduce(operator.iadd, told["groups"], []))) == [
        (0, 256, 0, 256),
        (0, 256, 256, 400),
        (256, 300, 0, 256),
        (256, 300, 256, 400),
    ]


def test_everything_that_is_wrong_with_a_table_is_said_at_once(here, refused):
    rgb = np.zeros((64, 64, 3), np.uint8)
    tifffile.imwrite(here / "he.tif", rgb, photometric="rgb")
    (here / "cut.ome.tif").write_bytes((here / "a.ome.tif").read_bytes()[:100])
    found = refused(
        "A1,a.ome.tif,DNA9,,",
        "A2,missing.ome.tif,1,,",
        "A3,he.tif,1,,",
        "A4,cut.ome.tif,1,,",
        "a1,a.ome.tif,1,,",
        "../x,a.ome.tif,1,,",
        "A6,a.ome.tif,,,",
        'A7,a.ome.tif,1,,"0,0,301,10"',
        "A8,slide.svs,1,,",
        "A9,a.ome.tif,1,0,",
        "B1,grey.tif,,,",
        diameter="8um",
    )
    text = "\n".join(found)
    wanted = [
        ('line 2: a.ome.tif: it has no channel "DNA9" (column "nuclear"); its channels: 1 DNA1, 2 CD3, 3 CD8'),
        'line 3, column "image": ',
        'line 4, column "image": he.tif: this is a picture in red, green and blue',
        'line 5, column "image": cut.ome.tif',
        'line 6, column "slide": duplicate slide "a1", first in line 2',
        'line 7, column "slide": "../x" is not a slide\'s name',
        "line 8: a.ome.tif: it has 3 channels (1 DNA1, 2 CD3, 3 CD8); name that of the nuclei by --nuclear",
        'line 9, column "region": the region 0,0,301,10 is not in the slide, which has 300 x 400 pixels',
        'line 10, column "image": slide.svs: slides are read from TIFF, OME-TIFF and OME-Zarr; convert it: bfconvert',
        'line 11, column "pixel_size": a pixel is larger than 0',
        'line 12, column "pixel_size": --diameter 8um: the slide states no pixel size',
    ]
    assert [part for part in wanted if part not in text] == [], text


def test_channels_in_files_of_their_own_are_one_slide(planned, here, refused):
    tifffile.imwrite(here / "second.tif", np.zeros((300, 400), np.uint16))
    tifffile.imwrite(here / "small.tif", np.zeros((300, 399), np.uint16))
    made = planned("A1,grey.tif; second.tif,2,,", cells="none")
    assert [(channel.file, channel.channel) for channel in made.slides[0].channels] == [(1, 0)]
    (sentence,) = refused("A1,grey.tif;small.tif,2,,", cells="none")
    assert "small.tif has 300 x 399 pixels" in sentence and "have the same size and type" in sentence


@pytest.mark.parametrize("axis", "XY")
def test_files_of_one_slide_have_pixels_of_one_size_either_way(here, refused, axis):
    sizes = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5} | {f"PhysicalSize{axis}": 0.6}
    tifffile.imwrite(here / "wide.ome.tif", np.zeros((300, 400), np.uint16), metadata=sizes)
    (sentence,) = refused("A1,a.ome.tif;wide.ome.tif,1,,")
    assert "a.ome.tif and wide.ome.tif state pixels of 0.5 x 0.5 and " in sentence


def test_pages_of_which_a_file_says_nothing_are_channels(planned, here):
    with tifffile.TiffWriter(here / "pages.tif") as writer:
        for _ in range(3):
            writer.write(np.zeros((300, 400), np.uint16), metadata=None)
    made = planned("A1,pages.tif,3,,", cells="none")
    assert made.slides[0].channels == [("", 0, 0, 2)]


def test_a_region_is_what_is_worked_on(planned, tmp_path):
    told = packet(planned("A1,a.ome.tif,1,,", region="10,20,100,200"), tmp_path / "plan", "A1")
    assert (told["region"], told["size"], told["whole_size"]) == ([10, 20, 100, 200], [100, 200], [300, 400])
    own = packet(planned('A1,a.ome.tif,1,,"1,2,3,4"', region="10,20,100,200"), tmp_path / "other", "A1")
    assert own["region"] == [1, 2, 3, 4]


def test_what_makes_another_result_makes_another_id_and_tiles_do_not(planned):
    row = "A1,a.ome.tif,1,,"
    (first,) = planned(row).slides
    for changed in {"tile": 512}, {"tiles_per_task": 7}, {"max_inflight": 5}, {"connections": 1}:
        assert planned(row, **changed).slides[0].id == first.id, changed
    others = [planned(row, **changed) for changed in ({"diameter": 20}, {"tissue": "auto"}, {"flow_threshold": 0.5})]
    others += [planned("A1,a.ome.tif,2,,"), planned("A1,a.ome.tif,1,0.4,"), planned('A1,a.ome.tif,1,,"0,0,9,9"')]
    assert len({made.slides[0].id for made in others} | {first.id}) == len(others) + 1


def test_params_that_are_wrong_are_said(refused):
    found = "\n".join(refused("A1,a.ome.tif,1,,", diameter="8 mm", illumination="none", tile=10))
    assert (
        "--diameter 8 mm: is neither 'auto' nor a diameter above 0: in pixels (21.5), or in micrometres (7um)" in found
    )
    assert "--illumination: a param of --workflow screen; tissue has none of this name" in found
    assert "--tile 10: is not the side of a tile" in found


def test_a_header_that_states_any_size_is_refused_before_memory_is_taken(here, refused):
    with tifffile.TiffWriter(here / "huge.tif", bigtiff=True) as writer:
        writer.write(np.zeros((64, 64), np.uint8), metadata=None)
    content = bytearray((here / "huge.tif").read_bytes())
    for tag in (256, 257):  # width and length, as LONG8 or what they are
        place = content.find(tag.to_bytes(2, "little"), 16)
        content[place + 2 : place + 4] = (16).to_bytes(2, "little")
        content[place + 12 : place + 20] = (10**9).to_bytes(8, "little")
    (here / "huge.tif").write_bytes(content)
    found = refused("A1,huge.tif,1,,")
    assert len(found) == 1 and 'line 2, column "image": huge.tif' in found[0]


def test_files_that_the_run_did_not_write_are_in_the_way_of_a_slide(here, refused):
    (here / "out/slides/A1").mkdir(parents=True)
    (here / "out/slides/A1/slide.json").write_text("mine")
    (sentence,) = refused("A1,a.ome.tif,1,,")
    assert sentence.startswith("out/slides/A1/slide.json was not written by idrstream and would be overwritten")


def test_the_plan_has_what_the_pipeline_reads(planned, tmp_path):
    plan.write(planned("A1,a.ome.tif,1,,"), tmp_path / "plan")
    summary = json.loads((tmp_path / "plan/plan.json").read_text())
    (slide,) = summary["slides"]
    assert (slide["id"], slide["parts"], slide["pixels"]) == ("A1", 1, 120_000)
    assert summary["batch_bytes"] == slide["work"] > 120_000 * 2
    assert set(summary["stages"]) == {
        *("read", "take", "prepare", "predict", "seeds", "label", "number", "pair", "measure"),
        *("normalize", "flood", "count", "finish"),
        *("tables", "assemble", "commit", "summary"),
    }


@pytest.mark.parametrize("side, took", ((4096, 45e6), (8192, 179e6)))
def test_the_disk_that_is_planned_is_what_was_measured_and_no_threefold_of_it(side, took):
    """The work folder of docs/performance.md, of slides of which a tenth is in nuclei."""
    work = needs.Work(["nuclei"], [], 1, 2, 0, 0, ["masks"], False)
    assert took < needs.of((side, side), 4096, 4, work, ["auto"]).disk < 3 * took


def test_what_measures_is_given_memory_for_all_tiles_that_it_takes_and_for_all_objects_of_the_slide():
    def memory(side, group):
        return needs.of((side, side), 4096, group, needs.Work([], [], 1, 2, 5, 120, ["quant"], True), []).memory

    pixels = 4096**2
    assert memory(16384, 16) - memory(16384, 12) == 4 * 12 * pixels
    assert memory(4096, 16) == memory(4096, 1) < 2e9
    assert memory(65536, 16) - memory(16384, 16) > 200 * 256 * pixels / 2000  # a nucleus in 2,000 pixels at least


def test_folders_of_all_tasks_of_a_slide_fit_into_a_command_line():
    """COMMIT names up to five folders a task, each in a work folder of its own; Linux takes 2 MiB in all."""
    tiles, folder = (
        100_000,
        len("'/scratch/some/group/of/a/laboratory/and/a/project/work/ab/") + 30 + len("/predicted_1234' "),
    )
    tasks = -(-tiles // needs.tiles_a_task(1, tiles))
    assert tasks * 5 * folder < 2**20 < tasks * 20 * folder
