"""The plan of a run: every mistake is found before anything starts, and what is left to do is exactly that."""

import json
import random
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml

from idrstream import batches, deepprofiler, digest, plan, request, strict_yaml, study
from idrstream.tables import Problems
from support import http_server

ROOT = Path(plan.BIN).parent
SCHEMA = json.loads((ROOT / "nextflow_schema.json").read_text())
DEFAULTS = {"workflow": "screen", "study": "example", "batch_size": 2, "start_batch": 0, "batch_nums": "all"}
DEFAULTS |= {"redo": False, "connections": 4, "model": "idrstream", "diameter": "auto", "flow_threshold": 0.4}
DEFAULTS |= {"cellprob_threshold": 0.0, "remove_edge_masks": False, "embedder": "efficientnet", "embed_input": 128}
DEFAULTS |= {"well_profiles": "plate", "profile_by": "auto", "negative_control": None, "plate_format": None}
DEFAULTS |= {"normalize_cells": False, "h5ad": False}
DEFAULTS |= {"illumination": "plate", "camera_offset": "auto", "csv": None, "dp_config": None, "dp_checkpoint": None}
DEFAULTS |= {"phenotypes": None, "outlines": False}
DEFAULTS |= {"embed_model": None, "crop_rule": "idrstream", "crop_mask": False}
DEFAULTS |= {"bit_depth": "auto", "largest_nucleus": 1.0}
DEFAULTS |= {"reader": "auto", "features": "deep,cp", "stop_after": None, "qc_rules": None, "save_images": False}
DEFAULTS |= {"outdir": "out", "input": "wells.tsv", "screens": "screens.tsv", "source": "source", "max_failed": 0.05}

HEADER = "\tPlate\tWell\tFrames\tWell Number\tControl Type\tOriginal Gene Target\tBatch Of Cells"
FAMILIES = ("deep,cp", "cp,deep", "deep", "cp")
ROWS = (
    "0\tPA\tA4\t5\t4\tnegative control\tnegative control\t7",
    "1\tPA\tB2\t2,5,9\t26\tpositive control\tENSG01\t7",
    "2\tPA\tC1\t5\t49\tpositive control\tENSG02\t8",
    "3\tPB\tA4\t1\t4\tnegative control\tnegative control\t8",
    "4\tPB\tP24\t1,2\t384\tpositive control\tENSG03\t8",
)


@pytest.fixture
def here(tmp_path):
    """A folder with everything a run names."""
    (tmp_path / "wells.tsv").write_text("\n".join((HEADER, *ROWS)) + "\n")
    (tmp_path / "screens.tsv").write_text("PA\t../screens/PA--long.screen\nPB\t../screens/PB--long.screen\n")
    (tmp_path / "model.pth").write_bytes(b"weights")
    for folder in "source", "out":
        (tmp_path / folder).mkdir()
    return tmp_path


def given(here, params):
    """What the head finds of the files that params name."""
    shipped = {"model": here / "model.pth", "study": ROOT / f"assets/studies/{params['study']}.yml"}
    names = ("input", "screens", "source", "outdir", "study", "model", "dp_config", "dp_checkpoint", "embed_model")
    names += ("phenotypes",)
    named = {name: here / str(params[name]) for name in names}
    found = {name: path if path.exists() else shipped.get(name, path) for name, path in named.items() if params[name]}
    if params["model"] not in ("idrstream", None) and not named["model"].exists():
        del found["model"]
    return {name: path for name, path in found.items() if path.exists()}


def planned(here, session="first", **changed):
    params = DEFAULTS | changed
    return plan.make(params, str(here), session, given(here, params), SCHEMA)


def test_images_that_are_kept_are_counted_into_the_disk_that_is_needed(here):
    without, kept = planned(here), planned(here, save_images=True)
    each = batches.saved(kept.study)
    assert 1.0e6 < each < 1.4e6, "1.19 MB was measured"
    assert "images to look at" not in without.text()
    assert f"of these {8 * each / 1e6:.3g} MB are images to look at, {each / 1e6:.3g} MB each" in kept.text()
    for number, made in enumerate((without, kept)):
        plan.write(made, here / f"plan-{number}")
    sizes = [json.loads((here / f"plan-{number}/plan.json").read_text())["batch_bytes"] for number in range(2)]
    assert sizes[1] - sizes[0] == 4 * each, "of the largest batch"
    assert [asked["id"] for asked in kept.images] == [asked["id"] for asked in without.images], "no result differs"


def keys(made):
    return [[asked["key"] for asked in batch["images"]] for batch in made.batches]


def swap(old, new):
    """A row of the table with a mistake in it."""
    return "\n".join((HEADER, *ROWS)).replace(old, new, 1) + "\n"


TABLE_MISTAKES = {
    "missing column": (swap("Frames", "Frame"), "line 1: this is neither", '"Frames" is missing. Is it Frame?'),
    "frame 0": (swap("2,5,9", "2,0,9"), 'line 3, column "Frames": "0" is not a frame; frames are counted from 1'),
    "no frame": (swap("2,5,9", "two"), 'line 3, column "Frames": "two" is not a list of frames'),
    "no commas": (swap("2,5,9", "2 5 9"), 'line 3, column "Frames": "2 5 9" is not a list of frames'),
    "bad well": (
        swap("P24\t1,2\t384", "Q24\t1,2\t384"),
        'line 6, column "Well": "Q24" is not a well of a plate of 16 x 24',
    ),
    "wrong number": (swap("A4\t5\t4", "A4\t5\t5"), 'line 2, column "Well Number": well A4 is number 4, not 5'),
    "unknown plate": (swap("3\tPB", "3\tPX"), 'line 5, column "Plate": "PX" is not in the table of screens'),
    "twice": (
        swap("B2\t2,5,9\t26\tposi", "A4\t3,5\t4\tnega"),
        "line 3: plate PA well A04 site 1 frame 5 stands already in line 2",
    ),
    "ragged": (swap("\tENSG02\t8", "\tENSG02"), "line 4: 7 columns where 8 are expected"),
    "our name": (swap("Batch Of Cells", "Label"), 'line 1, column "Label": reserved', "rename the column"),
    "empty": ("", "the table has no rows"),
}


@pytest.mark.parametrize("mistake", TABLE_MISTAKES.values(), ids=TABLE_MISTAKES)
def test_a_mistake_in_the_table_is_told_with_its_place(mistake, here):
    content, *said = mistake
    (here / "wells.tsv").write_text(content)
    with pytest.raises(Problems) as problems:
        planned(here)
    (sentence,) = problems.value.sentences
    assert sentence.startswith("wells.tsv")
    assert all(part in sentence for part in said)


PARAM_MISTAKES = {
    "unknown": ({"diametre": 20}, "--diametre: there is no such param. Did you mean diameter?"),
    "wrong type": ({"batch_size": "ten"}, "--batch_size ten: is not a number of rows"),
    "not auto": ({"diameter": "big"}, "--diameter big: is neither 'auto' nor a diameter"),
    "no such features": ({"features": "cp,dp"}, "--features cp,dp: is none of deep, cp, or both: deep,cp"),
    "wrong flag": ({"redo": "maybe"}, "--redo maybe: is neither true nor false"),
    "no such model": ({"model": "nuclie"}, "--model nuclie: neither a file nor a model", "Did you mean nuclei?"),
    "no such file": ({"input": "absent.tsv"}, "--input absent.tsv: there is no such file"),
    "no such folder": ({"source": "absent"}, "--source absent: there is no such folder"),
    "no such study": ({"study": "idr0031"}, "--study idr0031: no such study", "Did you mean idr0013?"),
    "not writable": ({"outdir": "wells.tsv/out"}, "--outdir wells.tsv/out: this folder cannot be written"),
    "no screens": ({"screens": None}, "--screens: a table of wells needs"),
    "no source": ({"source": None}, "--source: study example has no address of its own"),
    "nothing left": ({"batch_nums": "0,1", "start_batch": 2}, "--start_batch 2: none of --batch_nums 0,1 is left"),
    "no batch": ({"batch_nums": "0,3"}, "--batch_nums 3: there are 3 batches of 2 rows, 0 to 2"),
    "unreachable": ({"source": "http://127.0.0.1:9"}, "--source http://127.0.0.1:9: ", "refused the connection"),
    "unknown scheme": ({"source": "gopher://x"}, "--source gopher://x", "known are"),
}


@pytest.mark.parametrize("mistake", PARAM_MISTAKES.values(), ids=PARAM_MISTAKES)
def test_a_mistake_in_the_params_is_told_with_a_remedy(mistake, here):
    changed, *said = mistake
    with pytest.raises(Problems) as problems:
        planned(here, **changed)
    assert all(part in " ".join(problems.value.sentences) for part in said)
    assert len(problems.value.sentences) == 1


def test_deepprofiler_needs_a_config_and_a_checkpoint_that_it_can_run(here):
    mine = {"embedder": "deepprofiler", "dp_config": "config.json"}
    with pytest.raises(Problems) as problems:
        planned(here, **mine)
    assert problems.value.sentences == [
        "--dp_config config.json: there is no such file",
        "--dp_checkpoint: --embedder deepprofiler needs it",
    ]
    (here / "config.json").write_text(json.dumps({"profile": {"use_pretrained_input_size": 224}}))
    (here / "weights.h5").write_text("none")
    with pytest.raises(Problems, match=r"profile\.use_pretrained_input_size: 224; 0\.5\.1 would download"):
        planned(here, **mine, dp_checkpoint="weights.h5")


NETWORKS = {
    "none given": ({"embedder": "torchscript"}, "--embed_model: --embedder torchscript needs it"),
    "none wanted": ({"embed_model": "net.pt"}, "--embed_model net.pt: --embedder efficientnet takes its own"),
    "not there": ({"embedder": "torchscript", "embed_model": "no.pt"}, "--embed_model no.pt: there is no such file"),
    "no checkpoint": (
        {"embedder": "efficientnet-b0", "embed_model": "net.pt"},
        "--embed_model net.pt: is not a whole HDF5 file",
    ),
    "no such rule": ({"crop_rule": "idr"}, "--crop_rule idr: is none of idrstream, deepprofiler"),
}


@pytest.mark.parametrize("mistake", NETWORKS.values(), ids=NETWORKS.keys())
def test_a_network_is_given_exactly_where_it_is_used_and_can_be(mistake, here):
    (here / "net.pt").write_text("network")
    changed, said = mistake
    with pytest.raises(Problems) as problems:
        planned(here, **changed)
    (sentence,) = problems.value.sentences
    assert sentence.startswith(said)


def test_deepprofiler_does_not_mask(here):
    with pytest.raises(Problems, match="--crop_mask: DeepProfiler cuts its crops itself"):
        planned(here, embedder="deepprofiler", crop_mask=True)


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


def test_all_mistakes_are_told_at_once(here):
    (here / "wells.tsv").write_text(swap("2,5,9", "0").replace("384", "383"))
    (here / "screens.tsv").write_text("PA\t../screens/PA--long.screen\nPB\tPB--long\n")
    with pytest.raises(Problems) as problems:
        planned(here, diametre=3, embed_input=100, model="nothing")
    assert [s.split(":")[0].split(",")[0] for s in problems.value.sentences] == [
        "--embed_input 100",
        "--diametre",
        "--model nothing",
        "screens.tsv",
        "wells.tsv",
        "wells.tsv",
    ]


def test_a_run_over_http_asks_the_server_once_before_it_starts(here):
    with http_server(here / "source") as server:
        made = planned(here, source=server.url)
        assert len(server.log) == 1
    assert (made.source, made.root) == (server.url, None)


def test_batches_are_counted_from_0_over_the_rows_of_the_table(here):
    one, two, three = ["PA_A04_s1_f5", *(f"PA_B02_s1_f{f}" for f in (2, 5, 9))], ["PA_C01_s1_f5", "PB_A04_s1_f1"], []
    three = ["PB_P24_s1_f1", "PB_P24_s1_f2"]
    assert keys(planned(here)) == [one, two, three]
    assert keys(planned(here, start_batch=1)) == [two, three]
    assert keys(planned(here, start_batch=1, batch_nums="0,2")) == [three]
    assert keys(planned(here, batch_size=5)) == [one + two + three]


def test_an_image_has_the_same_id_in_any_order_batch_or_selection(here):
    ids = {asked["key"]: asked["id"] for asked in planned(here).images}
    rows = list(ROWS)
    random.Random(1).shuffle(rows)
    (here / "wells.tsv").write_text("\n".join((HEADER, *rows)))
    assert {asked["key"]: asked["id"] for asked in planned(here, batch_size=3).images} == ids
    assert {asked["key"]: asked["id"] for asked in planned(here, start_batch=2).images}.items() <= ids.items()


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
    found = planned(here, start_batch=2).plates
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
    assert f"fitted to the sparsest of at most {count} frames of it, and the camera's offset estimated" in made.text()
    assert "fitted to the sparsest of at most 24 frames of it\n" in given.text() + "\n"


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


PLANES = {
    "unsaid": ({}, "a.ome.tif: it has 2 channels (1 GFP, 2 DAPI); name the one of the nuclei by --nuclear"),
    "wrong": ({"nuclear": "RFP"}, 'it has no channel "RFP" (--nuclear); its channels: 1 GFP, 2 DAPI'),
    "zero": ({"nuclear": 0}, "--nuclear 0: is neither the number of a channel, counted from 1, nor its name"),
    "some z": ({"nuclear": 1, "z": "mean"}, "--z mean: is neither max, middle nor the number of a z plane"),
}


@pytest.mark.parametrize("params, said", PLANES.values(), ids=PLANES)
def test_a_channel_that_nobody_chose_is_asked_for_before_the_start(params, said, here):
    with tifffile.TiffWriter(here / "a.ome.tif") as file:
        pixels = np.arange(2 * 32 * 40, dtype=np.uint16).reshape(2, 32, 40)
        file.write(pixels, photometric="minisblack", metadata={"axes": "CYX", "Channel": {"Name": ["GFP", "DAPI"]}})
    (here / "sheet.csv").write_text("plate,well,frame,path\nP,A1,1,a.ome.tif\nP,A2,1,gone.tif\n")
    samplesheet = {"input": "sheet.csv", "study": None, "screens": None, "source": None}
    with pytest.raises(Problems) as problems:
        planned(here, **samplesheet | params)
    assert said in problems.value.sentences[0]
    assert len(planned(here, **samplesheet, nuclear="dapi").images) == 2
    (here / "sheet.csv").write_text("plate,well,frame,path,Channel\nP,A1,1,a.ome.tif,DAPI\nP,A2,1,gone.tif,\n")
    (first, _) = planned(here, **samplesheet).images
    assert first["metadata"]["Channel"] == "DAPI", "it stays a column of the results"


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


def test_idr_streams_files_need_deep_features(here):
    assert planned(here, csv="DP").stages["export"]["args"]
    with pytest.raises(Problems) as problems:
        planned(here, csv="DP", features="cp")
    assert problems.value.sentences == ["--csv DP: its files hold deep features; add them: --features deep,cp"]


def test_a_table_of_phenotypes_is_looked_at_before_anything_starts(here):
    lines = ["plate\twell\tframe\tx\ty\tclass", "PA\tA4\t5\t10\t20.5\tInterphase", "PA\t26\t2\t3\t4\tApoptosis"]
    (here / "points.tsv").write_text("\n".join(lines))
    assert planned(here, phenotypes="points.tsv", outlines=True).stages["mark_phenotypes"]["args"] == ""
    assert "mark_phenotypes" not in planned(here).stages
    (here / "points.tsv").write_text("\n".join((*lines, "PA\tA04\t0\t-3\t4\tApoptosis")))
    with pytest.raises(Problems) as problems:
        planned(here, phenotypes="points.tsv")
    assert problems.value.sentences == [
        "--phenotypes: a point lies in a nucleus's outline; add --outlines",
        'points.tsv, line 4, column "frame": "0" is not a frame; frames are whole numbers from 1 to 999999999',
        'points.tsv, line 4, column "x": "-3" is not a place in pixels from the left, with a decimal point',
    ]


def test_a_digest_changes_with_what_a_command_imports_and_with_nothing_else(tmp_path):
    code = shutil.copytree(plan.BIN, tmp_path / "bin", ignore=shutil.ignore_patterns("__pycache__"))
    before = {stage: digest.of(code / f"{stage}.py", code) for stage in plan.STAGES}
    with open(code / "idrstream/segmentation.py", "a") as module:
        module.write("# a comment\n")
    with open(code / "idrstream/sources/https.py", "a") as module:
        module.write("# loaded by name\n")
    after = {stage: digest.of(code / f"{stage}.py", code) for stage in plan.STAGES}
    assert {stage for stage in plan.STAGES if before[stage] != after[stage]} == {
        "fetch",
        "diameter",
        "segment",
    }  # not take_labels


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


def test_idr0013_is_where_the_archive_has_it():
    idr0013 = study.load(ROOT / "assets/studies/idr0013.yml", request.SCHEMAS["study"])
    well = study.Well.parse("O10")
    first, second = idr0013.locate("LT0001_02", "LT0001_02--ex2005_11_16--sp2005_02_17--tt17--c3", well, 1, 50)
    movie = "mitocheck/LT0001_02--ex2005_11_16--sp2005_02_17--tt17--c3/hdf5/00346_01.ch5"
    assert first == f"20150916-mitocheck-analysis/{movie}"
    assert second == f"20150916-mitocheck-analysis/analysis/{movie}"
    assert idr0013.source.startswith("https://")


STUDY_MISTAKES = [
    ({"wells": None}, "wells"),
    ({"locatoins": []}, "locatoins"),
    ({"locations": ["{plat}.ch5"]}, "{plat} is none of"),
    ({"locations": ["{plate/x.ch5"]}, "is no pattern"),
    ({"locations": ["{}"]}, "is no pattern"),
]
TWICE = "name: mine\nlocations: ['{well}.tif']\nwells: {rows: 8, columns: 12}\nlocations: ['b/{well}.tif']\n"


@pytest.mark.parametrize("change, said", STUDY_MISTAKES)
def test_a_study_description_is_checked(change, said, tmp_path):
    content = yaml.safe_load((ROOT / "assets/studies/example.yml").read_text()) | change
    (tmp_path / "mine.yml").write_text(yaml.safe_dump(content))
    with pytest.raises(Problems, match=r"mine\.yml") as problems:
        study.load(tmp_path / "mine.yml", request.SCHEMAS["study"])
    assert any(said in sentence for sentence in problems.value.sentences)


def test_a_key_that_stands_twice_in_a_study_is_told_with_both_lines(tmp_path):
    (tmp_path / "mine.yml").write_text(TWICE + "frame: {height: 9, width: 9, bytes: 9, nuclei: 1}\n")
    with pytest.raises(Problems) as problems:
        study.load(tmp_path / "mine.yml", request.SCHEMAS["study"])
    assert problems.value.sentences == ['mine.yml, line 4: duplicate key "locations", first in line 2']


def test_a_key_that_stands_twice_in_deepprofilers_config_is_told(tmp_path):
    (tmp_path / "config.json").write_text('{"dataset": {"box_size": 96, "box_size": 128}}')
    (sentence,) = deepprofiler.problems(tmp_path / "config.json", tmp_path / "none.hdf5")
    assert sentence.startswith("--dp_config config.json: ") and 'duplicate key "box_size"' in sentence


@pytest.mark.parametrize("path", sorted((ROOT / "assets").rglob("*.yml")), ids=lambda path: path.name)
def test_the_yaml_files_that_ship_have_no_key_twice(path):
    assert strict_yaml.read(path)


def test_keys_that_a_merge_replaces_are_not_twice(tmp_path):
    (tmp_path / "a.yml").write_text("base: &b {x: 1, y: 2}\nown: {<<: *b, x: 3}\n")
    assert strict_yaml.read(tmp_path / "a.yml")["own"] == {"x": 3, "y": 2}
