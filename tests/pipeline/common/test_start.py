"""What is said, and what runs, before hours are spent; wiring by stubs."""

import hashlib
import json
import re
import shutil
import subprocess
import sys

from runs import ROOT, Run, screen_options

from support import http_server


def test_every_process_is_wired_under_the_stricter_parser(demo, tmp_path):
    views = {"well_profiles": "screen", "normalize_cells": "true", "h5ad": "true", "csv": "DP"}
    options = screen_options(demo, batch_size=12, illumination="frames", **views)
    run = Run(tmp_path / "run", *options, "-stub")
    assert run.code == 0, run.said
    assert run.tasks == {
        **dict.fromkeys(("PLAN", "BEGIN", "SUMMARY"), 1),
        **dict.fromkeys(("FETCH_REFERENCES", "FLATFIELD", "DIAMETER", "COMMIT_PLATE"), 2),
        **dict.fromkeys(("FETCH", "FLATFIELD_FRAMES", "SEGMENT", "EMBED", "MEASURE", "MERGE", "COMMIT"), 2),
        **dict.fromkeys(("PLATE_PROFILES", "NORMALIZE_CELLS", "TO_ANNDATA", "EXPORT", "QC"), 1),
        **{"KEEP": 6, "REPORT": 1, "KEEP_REPORT": 2},
    }
    assert "20 images of 20 wells on 2 plates (DM0001_01, DM0001_02), 0 already done" in run.said


def test_what_is_wrong_is_said_in_one_line_each_before_anything_starts(demo, tmp_path):
    table = (demo / "data_to_process.tsv").read_text().replace("\tA3\t1\t", "\tA3\t0\t", 1)
    (demo / "wrong.tsv").write_text(table)
    run = Run(tmp_path / "run", *screen_options(demo, table="wrong.tsv", diametre=3, model="cyt3"), parser="v1")
    assert run.code == 1
    said = run.said[run.said.index("nothing was started, because of") :].splitlines()
    assert [line.strip().split(":")[0] for line in said[1:4]] == [
        "--diametre",
        "--model cyt3",
        'wrong.tsv, line 2, column "Frames"',
    ]
    assert run.tasks == {"PLAN": 1}
    assert {path.name for path in run.out.iterdir()} == {".running", "pipeline_info"}


def test_params_that_are_a_number_or_have_no_value_where_a_text_belongs_are_refused_in_one_line_each(demo, tmp_path):
    texts = ("embedder", "embed_model", "screens", "study", "phenotypes", "qc_rules", "zarr_index", "save")
    options = [word for name in texts for word in (f"--{name}", 7)]
    run = Run(tmp_path / "run", "--input", demo / "data_to_process.tsv", *options, "--model")
    assert run.code == 1
    said = run.said[run.said.index("nothing was started, because of") :].splitlines()
    refused = {re.sub("true$", "True", line.split(":")[0].strip()) for line in said if line.startswith("  --")}
    assert {f"--{name} 7" for name in texts} | {"--model True"} <= refused, run.said
    assert run.tasks == {"PLAN": 1}


def named(text):
    """The params that a help lists."""
    return re.findall(r"^  --(\w+) ", text, re.MULTILINE)


def test_help_names_the_usual_params_and_help_all_the_others_too(tmp_path):
    usual = Run(tmp_path / "run", "--help", parser="v1").said
    every = Run(tmp_path / "run", "--help", "all", parser="v2").said
    schema = json.loads((ROOT / "nextflow_schema.json").read_text())
    rules = {name: rule for group in schema["$defs"].values() for name, rule in group["properties"].items()}
    rules = {name: rule for name, rule in rules.items() if "screen" in rule["x-workflows"]}
    assert "--workflow          Workflow to run: screen, tissue, volume. [screen]" in usual
    assert named(every) == list(rules)
    assert named(usual) == [name for name, rule in rules.items() if not rule.get("hidden")]
    assert f"{len(rules) - len(named(usual))} more" in usual
    assert re.search(r"--batch_size +Rows of the table a batch. \[24\]\n", usual)
    assert re.search(r"--connections .*\n? +.*\[4\]\n", every)  # its default stands in nextflow.config


def test_help_is_of_the_chosen_workflow_and_where_tasks_queue_of_their_defaults(tmp_path):
    other = tmp_path / "pipeline"
    for part in ("lib", "modules", "workflows", "conf", "assets/params"):
        shutil.copytree(ROOT / part, other / part, ignore=shutil.ignore_patterns("tissue.json", "volume.json"))
    for part in ("main.nf", "nextflow.config"):
        shutil.copy(ROOT / part, other)
    own = {"title": "Tiles", "properties": {"tile": {"type": "integer", "default": 4096, "description": "Side."}}}
    inflight = {"title": "Running", "properties": {"max_inflight": {"default": 2, "description": "Slides at a time."}}}
    made_up = {"description": "Slides.", "example": "nextflow run . --input slides.csv"}
    (other / "assets/params/made_up.json").write_text(json.dumps(made_up | {"$defs": {"tiles": own, "run": inflight}}))
    subprocess.run([sys.executable, other / "assets/params/make_schema.py"], check=True)
    run = Run(tmp_path / "run", "--help", "all", "--workflow", "made_up", pipeline=other, profile="slurm")
    screen = Run(tmp_path / "run", "--help", pipeline=other, profile="slurm").said
    assert re.search(r"--tile +Side. \[4096\]\n", run.said) and "tile" not in named(screen)
    assert "batch_size" not in named(run.said) and re.search(r"--batch_size +.* \[50\]\n", screen)
    assert re.search(r"--max_inflight +Slides at a time. \[2\]\n", run.said) and "[auto]" in screen


def test_a_workflow_that_there_is_not_is_refused_with_the_names_of_those_that_there_are(demo, tmp_path):
    run = Run(tmp_path / "run", *screen_options(demo, workflow="scren"))
    assert run.code == 1
    assert "--workflow scren: there is no such workflow; --workflow is one of screen" in run.said
    assert not (run.out / ".running").exists()


def test_an_output_folder_that_cannot_be_written_is_said(demo, tmp_path):
    (tmp_path / "file").write_text("")
    run = Run(tmp_path / "run", *screen_options(demo, outdir=tmp_path / "file/out"))
    assert run.code == 1
    assert f"{tmp_path}/file/out" in run.said


def test_a_model_that_cellpose_knows_is_fetched_once_and_another_file_is_refused(demo, plain, tmp_path, monkeypatch):
    weights = tmp_path / "models"
    weights.mkdir()
    shutil.copy(ROOT / "assets/models/nuclei/nuclei.pth", weights / "nucleitorch_0")
    (weights / "cyto3").write_text("<html>no weights here</html>")
    quick = {"illumination": "none", "diameter": 22, "stop_after": "qc"}
    one = [*screen_options(demo, batches=0, batch_size=1, **quick), "--model"]
    with http_server(weights) as server:
        monkeypatch.setenv("CELLPOSE_MODELS", server.url)
        known = Run(tmp_path / "known", *one, "nuclei", pipeline=plain)
        other = Run(tmp_path / "other", *one, "cyto3", pipeline=plain)
        assert sorted({request.path for request in server.log}) == ["/cyto3", "/nucleitorch_0"]
        assert sum(request.method == "GET" for request in server.log) == 2
    assert known.code == 0, known.said
    assert known.images["cells"].min() > 10
    sum256 = hashlib.sha256((weights / "nucleitorch_0").read_bytes()).hexdigest()
    assert f"model nucleitorch_0: {(weights / 'nucleitorch_0').stat().st_size} bytes, sha256 {sum256}" in known.said
    assert other.code == 1
    assert "not a Cellpose 3 checkpoint" in other.said
    assert not (other.out / "labels").exists()
