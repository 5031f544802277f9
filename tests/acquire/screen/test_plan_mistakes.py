"""Every mistake of the params and of what they name is found before anything starts, and said with its remedy."""

import json

import numpy as np
import pytest
import tifffile

from idrstream.base.tables import Problems
from idrstream.screen import deepprofiler
from planning import HEADER, ROWS, planned


def swap(old, new):
    """A row of the table with a mistake in it."""
    return "\n".join((HEADER, *ROWS)).replace(old, new, 1) + "\n"


TABLE_MISTAKES = {
    "missing column": (swap("Frames", "Frame"), "line 1: neither", '"Frames" is missing. Is it Frame?'),
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
        "line 3: duplicate plate PA well A04 site 1 frame 5, first in line 2",
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
    "no batch from there on": ({"batches": "3-"}, "--batches 3-: no such batch; the batches of 2 rows are 0 to 2"),
    "backwards": ({"batches": "2-1"}, "--batches 2-1: a range begins with its lower number"),
    "nothing to keep": ({"save": "labels,masks"}, "--save labels,masks: is none of labels, images, outlines"),
    "no batch": ({"batches": "0,3"}, "--batches 3: no such batch; the batches of 2 rows are 0 to 2"),
    "unreachable": ({"source": "http://127.0.0.1:9"}, "--source http://127.0.0.1:9: ", "refused the connection"),
    "unknown scheme": ({"source": "gopher://x"}, "--source gopher://x", "cannot be fetched; paths and "),
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
    "none given": ({"embedder": "torchscript"}, "--embed_model: --embedder torchscript needs the file of its network"),
    "none wanted": ({"embed_model": "net.pt"}, "--embed_model net.pt: --embedder efficientnet uses its own network"),
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


def test_idr_streams_files_need_deep_features(here):
    assert planned(here, csv="DP").stages["export"]["args"]
    with pytest.raises(Problems) as problems:
        planned(here, csv="DP", features="cp")
    assert problems.value.sentences == ["--csv DP: its files hold deep features; add them: --features deep,cp"]


def test_a_table_of_phenotypes_is_looked_at_before_anything_starts(here):
    lines = ["plate\twell\tframe\tx\ty\tclass", "PA\tA4\t5\t10\t20.5\tInterphase", "PA\t26\t2\t3\t4\tApoptosis"]
    (here / "points.tsv").write_text("\n".join(lines))
    assert planned(here, phenotypes="points.tsv", save="outlines").stages["mark_phenotypes"]["args"] == ""
    assert "mark_phenotypes" not in planned(here).stages
    (here / "points.tsv").write_text("\n".join((*lines, "PA\tA04\t0\t-3\t4\tApoptosis")))
    with pytest.raises(Problems) as problems:
        planned(here, phenotypes="points.tsv")
    assert problems.value.sentences == [
        "--phenotypes: a point lies in a nucleus's outline; add --save outlines",
        'points.tsv, line 4, column "frame": "0" is not a frame; frames are whole numbers from 1 to 999999999',
        'points.tsv, line 4, column "x": "-3" is not a place in pixels from the left, with a decimal point',
    ]


def test_a_key_that_stands_twice_in_deepprofilers_config_is_told(tmp_path):
    (tmp_path / "config.json").write_text('{"dataset": {"box_size": 96, "box_size": 128}}')
    (sentence,) = deepprofiler.problems(tmp_path / "config.json", tmp_path / "none.hdf5")
    assert sentence.startswith("--dp_config config.json: ") and 'duplicate key "box_size"' in sentence
