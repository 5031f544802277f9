"""Several tables in one run: a frame is fetched once, whatever wants it, and ordinary runs know nothing of it."""

import hashlib
import json

import numpy as np
import pytest
import yaml

from idrstream.base.tables import Problems
from idrstream.images.calibration import FIELDS, read_corrected, write_field
from idrstream.images.frames import VARIANTS, image_key
from idrstream.runs import params
from idrstream.screen import batches, fetch, plan, recipe, streams
from make_screen import write_cellh5
from planning import DEFAULTS, HEADER, ROOT, ROWS, SCHEMA, given, planned

STREAMS = """streams:
  training:  {table: training.tsv, variants: [ic, no_ic], outlines: true}
  negative:  {table: negative.tsv, variants: [ic]}
  positive:  {table: more/positive.tsv}
"""
TABLES = {"training": (1, 0), "negative": (0, 3), "more/positive": (2, 1)}


@pytest.fixture
def three(here):
    """Three tables that overlap: one shares a movie with each of the others."""
    (here / "more").mkdir()
    for name, rows in TABLES.items():
        (here / f"{name}.tsv").write_text("\n".join((HEADER, *(ROWS[row] for row in rows))) + "\n")
    (here / "streams.yml").write_text(STREAMS)
    return here


def together(folder, **changed):
    params = DEFAULTS | {"input": None, "streams": "streams.yml"} | changed
    found = given(folder, params | {"input": "none"}) | {"streams": folder / "streams.yml"}
    return plan.make(params, str(folder), "first", found, SCHEMA)


def test_the_batches_run_over_the_rows_of_the_union_in_order_of_first_appearance(three):
    made = together(three)
    wells = [[f"{a['plate']} {a['well']} {a['frame']} {a['variant']}" for a in b["images"]] for b in made.batches]
    both = [f"PA {name} {variant}" for name in ("B02 2", "B02 5", "B02 9", "A04 5") for variant in ("ic", "no_ic")]
    assert wells == [both, ["PB A04 1 ic", "PA C01 5 ic", "PA C01 5 no_ic"]]
    assert len({asked["id"] for asked in made.images}) == len({asked["key"] for asked in made.images}) == 11
    assert {a["metadata"]["Illumination"] for a in made.images} == {"ic", "no_ic"}
    outlined = {a["key"] for a in made.images if a["outlines"]}
    assert outlined == {a["key"] for a in made.batches[0]["images"]}
    assert "--outlines" in made.stages["segment"]["args"]


def test_each_stream_keeps_the_rows_of_its_own_table(three, tmp_path):
    made = together(three)
    rows = {view["name"]: view["rows"] for view in made.views}
    assert rows["training"] == {"PA_B02_s1_f2": 0, "PA_B02_s1_f5": 0, "PA_B02_s1_f9": 0, "PA_A04_s1_f5": 1}
    assert rows["negative"] == {"PA_A04_s1_f5": 0, "PB_A04_s1_f1": 1}
    plan.write(made, tmp_path / "plan")
    written = json.loads((tmp_path / "plan/plan.json").read_text())
    assert [view["name"] for view in written["streams"]] == ["training", "negative", "positive"]
    assert all(asked["variant"] for asked in written["requested"])
    assert "9.6 MB to fetch" in written["text"]  # 6 frames of 0.8 MB, and 6 for flat-fields; not 11 images
    assert made.stages["export"]["args"] == "--streams --batch_size 2 --shape DP,CP,merged"
    assert "plate_profiles" not in made.stages


def test_a_plate_is_judged_by_its_frames_not_by_their_variants(three):
    plates = together(three).plates
    assert [asked["key"] for asked in plates["PB"]] == ["PB_A04_s1_f1"]
    assert len(plates["PA"]) == 5 and not any("variant" in asked for asked in plates["PA"])


def test_an_ordinary_run_is_what_it_was(here):
    made = planned(here)
    names = {"id", "key", "plate", "well", "well_number", "site", "frame", "locations", "metadata"}
    assert {frozenset(asked) for batch in made.batches for asked in batch["images"]} == {frozenset(names)}
    for asked in made.images:
        own = [frame["key"] for frame in made.plates[asked["plate"]]]
        content = [asked["key"], asked["file"], asked["metadata"], recipe.of_labels(made.recipe), own]
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        assert asked["id"] == digest[:16] and asked["key"].endswith(f"_s1_f{asked['frame']}")
    assert "streams" not in made.recipe and made.views is None
    assert made.stages["export" if "export" in made.stages else "merge"]["args"] == ""


MISTAKES = {
    "no yaml": ("streams: [", "streams.yml: not YAML"),
    "no streams": ("stream: {}", "streams.yml: no streams"),
    "twice": (
        STREAMS.replace("negative:", "training:"),
        'line 3: duplicate key "training", first in line 2',
    ),
    "number": (STREAMS.replace("negative:", "007:"), 'YAML reads the stream name "7" as a number', "put it in quotes"),
    "name": (STREAMS.replace("training:", "a/b:"), 'streams.yml: "a/b" is not a stream name'),
    "no table": (STREAMS.replace("table: negative.tsv, ", ""), 'stream "negative", key "table": missing'),
    "absent": (STREAMS.replace("negative.tsv", "absent.tsv"), 'stream "negative", key "table": no file'),
    "outside": (STREAMS.replace("negative.tsv", "../n.tsv"), 'key "table": "../n.tsv" is not in the folder'),
    "variant": (STREAMS.replace("[ic]", "[raw]"), 'stream "negative", key "variants": [\'raw\'] is not a list'),
    "key": (STREAMS.replace("outlines", "outline"), 'key "outline": unknown', "Did you mean outlines?"),
    "flag": (STREAMS.replace("true", "maybe"), 'stream "training", key "outlines": maybe is neither true nor false'),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_streams_is_told_with_its_place(mistake, three):
    content, *said = mistake
    (three / "streams.yml").write_text(content)
    with pytest.raises(Problems) as problems:
        together(three)
    (sentence,) = problems.value.sentences
    assert all(part in sentence for part in said)


def test_what_does_not_go_with_streams_is_said(three):
    with pytest.raises(Problems) as problems:
        together(three, illumination="none", normalize_cells=True)
    assert [sentence.split(":")[0] for sentence in problems.value.sentences] == [
        "--illumination none",
        "--normalize_cells",
    ]
    with pytest.raises(Problems, match="its file names the tables, so --input must not be given too"):
        together(three, input="wells.tsv")


@pytest.mark.parametrize("study", ["example", None])
def test_streams_of_a_samplesheet_and_a_table_of_wells_are_refused(study, three):
    (three / "negative.tsv").write_text("plate,well,frame,path\nPA,A04,5,a.tif\n")
    with pytest.raises(Problems) as problems:
        together(three, study=study)
    assert "streams.yml: some of its tables are samplesheets; all must be of one kind" in problems.value.sentences


def test_two_tables_that_say_different_things_of_a_frame_are_told(three):
    (three / "negative.tsv").write_text("\n".join((HEADER, ROWS[0].replace("negative control\t7", "GENE\t7"))) + "\n")
    with pytest.raises(Problems) as problems:
        together(three)
    (sentence,) = problems.value.sentences
    assert sentence.startswith(
        'negative.tsv, line 2, column "Gene": "GENE" for frame PA_A04_s1_f5, but "negative control" in training.tsv'
    )


def test_the_preset_of_mitocheck_names_params_that_there_are():
    preset = yaml.safe_load((ROOT / "assets/presets/mitocheck.yml").read_text())
    assert preset["streams"] and params.problems(preset | {"workflow": "screen"}, SCHEMA) == []


def test_a_finished_variant_is_not_done_again(three):
    made = together(three)
    settled = {asked["id"] for asked in made.images if asked["variant"] == "ic"}
    left = batches.cut(made.images, 2, settled, [], {}, "b")
    assert {asked["variant"] for batch in left for asked in batch["images"]} == {"no_ic"}
    assert len(streams.frames([asked for batch in left for asked in batch["images"]])) == 5


def test_the_variants_of_a_frame_share_one_file_and_its_cost(tmp_path):
    frame = np.random.default_rng(0).integers(0, 255, (1, 24, 32), np.uint8)
    write_cellh5(tmp_path / "a.ch5", "P", 1, frame)
    named = {"plate": "P", "well": "A01", "well_number": 1, "site": 1, "frame": 1, "locations": ["a.ch5"]}
    asked = [named | {"id": v, "variant": v, "key": image_key("P", "A01", 1, 1, v), "metadata": {}} for v in VARIANTS]
    out = tmp_path / "frames"
    rows = fetch.fetch({"source": None, "images": asked}, out, root=str(tmp_path))
    alone = fetch.fetch({"source": None, "images": asked[:1]}, tmp_path / "alone", root=str(tmp_path))
    assert [path.name for path in out.glob("*.tif")] == ["P_A01_s1_f1.tif"]
    assert [(row["key"], row["id"], row["status"]) for row in rows] == [
        ("P_A01_s1_f1__ic", "ic", "ok"),
        ("P_A01_s1_f1__no_ic", "no_ic", "ok"),
    ]
    assert [row["bytes"] for row in rows] == [alone[0]["bytes"] // 2] * 2
    known = tmp_path / "calibration" / "P"
    known.mkdir(parents=True)
    write_field(known, "P", np.full((24, 32), 2, np.float32))
    facts = {"P": {"status": "ok", "kind": "plate", "shape": [24, 32]}}
    (known / FIELDS).write_text(json.dumps({"offset": 1, "lost": None, "fields": facts}))
    even, bare = (read_corrected(out, row, tmp_path / "calibration") for row in rows)
    assert np.array_equal(bare, frame[0])
    assert np.array_equal(even, (frame[0].astype(np.float32) - 1) / 2)
