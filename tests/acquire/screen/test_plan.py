"""The plan of a run: what remains to be done is exactly that, and depends on nothing else."""

import json
import random
import shutil
from collections import Counter

import pytest
import yaml

from idrstream.readers import bit_depth
from idrstream.runs import digest
from idrstream.screen import batches, plan
from planning import HEADER, ROOT, ROWS, SCHEMA, keys, planned
from support import http_server

FAMILIES = ("deep,cp", "cp,deep", "deep", "cp")


def test_images_that_are_kept_are_counted_into_the_disk_that_is_needed(here):
    without, kept = planned(here), planned(here, save="images")
    each = batches.saved(kept.study)
    assert 1.0e6 < each < 1.4e6, "1.19 MB was measured"
    assert "saved images" not in without.text()
    assert f"saved images take {8 * each / 1e6:.3g} MB of the results, {each / 1e6:.3g} MB each" in kept.text()
    for number, made in enumerate((without, kept)):
        plan.write(made, here / f"plan-{number}")
    sizes = [json.loads((here / f"plan-{number}/plan.json").read_text())["batch_bytes"] for number in range(2)]
    assert sizes[1] - sizes[0] == 4 * each, "of the largest batch"
    assert [asked["id"] for asked in kept.images] == [asked["id"] for asked in without.images], "no result differs"


def test_network_rule_and_mask_are_part_of_what_makes_a_result(here):
    (here / "net.pt").write_text("network")
    mine = {"embedder": "torchscript", "embed_model": "net.pt"}
    made = [planned(here, **mine, **more) for more in ({}, {"crop_rule": "deepprofiler"}, {"crop_mask": True})]
    (here / "net.pt").write_text("another")
    made.append(planned(here, **mine))
    assert len({json.dumps(plan.recipe) for plan in made}) == 4
    assert len({plan.images[0]["id"] for plan in made}) == 1  # its nuclei are the same
    arguments = ["--embedder torchscript", "--embed_input 128", "--crop_rule idrstream", "--crop_mask"]
    arguments += ["--libraries torch=2.15"]  # which computes such a network, on a processor too
    assert made[2].stages["embed"]["args"] == " ".join(arguments)


def test_a_run_over_http_asks_the_server_once_before_it_starts(here):
    with http_server(here / "source") as server:
        made = planned(here, source=server.url)
        assert len(server.log) == 1
    assert (made.source, made.root) == (server.url, None)


def test_an_image_is_another_where_any_of_its_locations_is(here):
    example, found = yaml.safe_load((ROOT / "assets/studies/example.yml").read_text()), []
    for fallback in ("{well_number}.ch5", "{row}.ch5"):
        (here / "mine.yml").write_text(yaml.safe_dump(example | {"locations": ["{plate}/{well}.ch5", fallback]}))
        found.append({asked["id"] for asked in planned(here, study="mine.yml").images})
    assert len(found[0]) == 8 and not found[0] & found[1]


def test_batches_are_counted_from_0_over_the_rows_of_the_table(here):
    one, two, three = ["PA_A04_s1_f5", *(f"PA_B02_s1_f{f}" for f in (2, 5, 9))], ["PA_C01_s1_f5", "PB_A04_s1_f1"], []
    three = ["PB_P24_s1_f1", "PB_P24_s1_f2"]
    assert keys(planned(here)) == [one, two, three]
    assert keys(planned(here, batches="1-")) == [two, three]
    assert keys(planned(here, batches="0,2")) == [one, three]
    assert keys(planned(here, batches="0-1,2-2")) == [one, two, three]
    assert keys(planned(here, batch_size=5)) == [one + two + three]


def test_an_image_has_the_same_id_in_any_order_batch_or_selection(here):
    ids = {asked["key"]: asked["id"] for asked in planned(here).images}
    rows = list(ROWS)
    random.Random(1).shuffle(rows)
    (here / "wells.tsv").write_text("\n".join((HEADER, *rows)))
    assert {asked["key"]: asked["id"] for asked in planned(here, batch_size=3).images} == ids
    assert {asked["key"]: asked["id"] for asked in planned(here, batches="2-").images}.items() <= ids.items()


@pytest.mark.parametrize(
    "changed",
    [
        {"diameter": 20},
        {"illumination": "none"},
        {"camera_offset": 6},
        {"flow_threshold": 0.5},
        {"largest_nucleus": 0.4},
        "model",
        "row",
    ],
)
def test_what_changes_a_result_changes_its_id(changed, here):
    before = {asked["id"] for asked in planned(here).images}
    if changed == "model":
        (here / "model.pth").write_bytes(b"other weights")
    elif changed == "row":
        (here / "wells.tsv").write_text(
            "\n".join((HEADER, *ROWS)).replace("ENSG", "ENST").replace("negative c", "Negative c")
        )
    after = {asked["id"] for asked in planned(here, **(changed if isinstance(changed, dict) else {})).images}
    assert not before & after


def test_a_plate_is_judged_by_frames_spread_over_its_wells_whatever_is_selected(here):
    wells = [(row.split("\t")[1], row.split("\t")[2]) for row in ROWS]
    assert wells[0] == ("PA", "A4")
    found = planned(here, batches="2-").plates
    assert [asked["key"] for asked in found["PB"]] == ["PB_A04_s1_f1", "PB_P24_s1_f1", "PB_P24_s1_f2"]
    three = planned(here, illumination="none").plates["PA"]
    assert [asked["key"] for asked in three] == ["PA_A04_s1_f5", "PA_B02_s1_f5", "PA_C01_s1_f5"]
    assert planned(here, illumination="none", diameter=20).plates["PA"] == three, "they tell the range of grey levels"
    assert planned(here, illumination="none", diameter=20, bit_depth=12).plates == {}
    assert [len(frames) for frames in planned(here, diameter=20).plates.values()] == [5, 3]


@pytest.mark.parametrize("asked, carried", [(6, 6), (0, 0), ("auto", 0)])
def test_batches_and_plates_carry_the_offset_that_was_given(asked, carried, here):
    for number, params in enumerate(
        ({"illumination": "none", "diameter": 20, "bit_depth": 8}, {"illumination": "plate"})
    ):
        plan.write(planned(here, camera_offset=asked, **params), here / f"plan-{number}")
        packets = [json.loads(path.read_text()) for path in (here / f"plan-{number}").glob("*/*.json")]
        assert len(packets) == 3 + 2 * number and {packet["camera_offset"] for packet in packets} == {carried}


def test_a_flat_field_has_frames_of_different_wells_first_and_of_different_times(here):
    wells = [f"{i}\tPA\tA{i + 1}\t1,2,3,4\t{i + 1}\t\t\t" for i in range(10)]
    (here / "wells.tsv").write_text("\n".join((HEADER, *wells)) + "\n")
    frames = planned(here, camera_offset=6).plates["PA"]
    assert len({asked["key"] for asked in frames}) == batches.CANDIDATES == 24
    assert Counter(Counter(asked["well"] for asked in frames).values()) == {2: 6, 3: 4}
    assert {asked["frame"] for asked in frames} == {1, 2, 3, 4}


@pytest.mark.parametrize("nuclei, count", [(83, 48), (84, 24)])
def test_where_the_offset_is_unknown_and_nuclei_are_few_twice_as_many_frames_are_fetched(nuclei, count, here):
    wells = [f"{i}\tPA\tA{i + 1}\t1,2,3,4\t{i + 1}\t\t\t" for i in range(16)]
    (here / "wells.tsv").write_text("\n".join((HEADER, *wells)) + "\n")
    mine = yaml.safe_load((ROOT / "assets/studies/example.yml").read_text())
    mine["frame"]["nuclei"] = nuclei
    (here / "mine.yml").write_text(yaml.safe_dump(mine))
    made, given = planned(here, study="mine.yml"), planned(here, study="mine.yml", camera_offset=6)
    assert [len(found.plates["PA"]) for found in (made, given)] == [count, 24]
    assert f"fitted to the sparsest of at most {count} of its frames; the camera's offset is estimated" in made.text()
    assert "fitted to the sparsest of at most 24 of its frames\n" in given.text() + "\n"


def test_another_channel_is_another_image(here):
    before = {asked["id"] for asked in planned(here).images}
    mine = yaml.safe_load((ROOT / "assets/studies/example.yml").read_text()) | {"channel": 1}
    (here / "mine.yml").write_text(yaml.safe_dump(mine))
    assert not before & {asked["id"] for asked in planned(here, study="mine.yml").images}


def test_the_channel_of_a_study_is_that_of_the_nuclei_and_the_param_goes_first(here):
    mine = yaml.safe_load((ROOT / "assets/studies/example.yml").read_text()) | {"channel": 1}
    (here / "mine.yml").write_text(yaml.safe_dump(mine))
    assert planned(here, study="mine.yml").recipe["nuclear"] == 2
    assert planned(here, study="mine.yml", nuclear="DAPI").recipe["nuclear"] == "DAPI"
    made = planned(here, study="mine.yml", z="max")
    assert (made.recipe["nuclear"], made.recipe["z"]) == (2, "max")
    assert "the nuclei are in channel 2; of several z planes: max" in made.text()
    plan.write(made, here / "plan")
    for path in (here / "plan").glob("*/*.json"):
        content = json.loads(path.read_text())
        assert (content["nuclear"], content["z"]) == (2, "max")
    assert "nuclear" not in planned(here).recipe and "of several z planes" not in planned(here).text()


def test_what_is_given_to_a_stage_follows_from_the_params(here):
    stages = planned(here, diameter=20, remove_edge_masks=True, connections=2).stages
    wanted = "--diameter 20 --flow_threshold 0.4 --cellprob_threshold 0.0 --largest_nucleus 1.0 --remove_edge_masks"
    assert stages["segment"]["args"].split(" --libraries ")[0] == wanted
    assert stages["fetch"]["args"] == "--connections 2"
    assert planned(here).stages["segment"]["args"].startswith("--flow_threshold")


def test_a_result_without_a_family_of_features_is_not_the_one_that_a_run_with_it_wants(here):
    recipes = {features: planned(here, features=features).recipe for features in FAMILIES}
    assert recipes["deep,cp"] == recipes["cp,deep"]
    assert len({json.dumps(recipe) for recipe in recipes.values()}) == 3


def test_the_depths_that_may_be_stated_are_those_that_reference_frames_are_told_by():
    assert SCHEMA["$defs"]["fetch"]["properties"]["bit_depth"]["enum"] == [bit_depth.AUTO, *bit_depth.DEPTHS]


def test_a_digest_changes_with_what_a_command_imports_and_with_nothing_else(tmp_path):
    code = shutil.copytree(plan.BIN, tmp_path / "bin", ignore=shutil.ignore_patterns("__pycache__"))
    before = digests(code)
    with open(code / "idrstream/cells/segmentation.py", "a") as module:
        module.write("# a comment\n")
    with open(code / "idrstream/sources/https.py", "a") as module:
        module.write("# loaded by name\n")
    changed = {command for command, value in digests(code).items() if value != before[command]}
    assert changed == {"screen_plan", "screen_fetch", "screen_diameter", "screen_segment"}  # not screen_take_labels


def digests(code):
    """Command -> digest, of every command of the workflow."""
    return {path.stem: digest.of(path, code) for path in code.glob("screen_*.py")}


SHEET = "plate,well,frame,path,gene,site,dose\nP1,B3,1,images/a.tif,GeneA,1,0.5\nP1,B3,1,{far},,2,\n"


def test_a_samplesheet_names_its_files_itself(here):
    (here / "sheet.csv").write_text(SHEET.format(far=here / "images/b.tif"))
    made = planned(here, input="sheet.csv", screens=None, study=None, source=None)
    (batch,) = made.batches
    assert (made.root, made.folders) == (None, [str(here / "images")])
    assert [asked["locations"] for asked in batch["images"]] == [[str(here / f"images/{name}.tif")] for name in "ab"]
    assert batch["images"][0]["metadata"] == {"Control_Type": "", "Gene": "GeneA", "dose": "0.5"}
    assert (batch["images"][0]["well"], batch["images"][0]["well_number"]) == ("B03", 6)


def test_a_samplesheet_may_name_addresses(here):
    with http_server(here) as server:
        (here / "sheet.csv").write_text(SHEET.format(far=f"{server.url}/b.tif"))
        made = planned(here, input="sheet.csv", screens=None, study=None, source=server.url)
    locations = [asked["locations"] for asked in made.batches[0]["images"]]
    assert locations == [[f"{server.url}/images/a.tif"], [f"{server.url}/b.tif"]]
