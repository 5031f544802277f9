"""The report on slides: its figures are those of the run, and it says why something is not there."""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from idrstream.report import build
from idrstream.report.pictures import Pictures
from idrstream.tissue import report
from idrstream.tissue.report import cells, steps
from idrstream.tissue.report.results import Results
from report_pages import listed, sections, text
from repository import BIN

COMMAND = BIN / "report.py"
SIZED = {"y": 0.325, "x": 0.325, "source": "OME-XML"}
WORK = {"read": (1, 12.0, 3.0, 250.5), "predict": (4, 60.0, 16.0, 1100.25), "seeds": (1, 2.0, 1.5, 300.0)}
REASON = "NotReadable: B2: tile 3 of DNA1 cannot be decoded <b>"


def cost(step, tasks, seconds, processor, peak, pixels=12_000_000):
    named = {"step": step, "tasks": tasks, "pixels": pixels, "seconds": seconds, "cpu_seconds": processor}
    return named | {"cpu_seconds_per_mpx": round(processor / pixels * 1e6, 4), "peak_rss_mb": peak}


def facts(slide, **changed):
    """slide.json of 3000 x 4000 pixels: 12 megapixels, 1.2675 square millimetres."""
    nuclear = [{"file": 0, "channel": 0, "number": 1, "name": "DNA1", "low": 180, "high": 4000}]
    boxes = [0, 512, 1024, 1536], [1000, 1512, 0, 512], [2000, 2512, 3000, 3512]
    about = {"slide": slide, "image": [f"{slide}.ome.tif"], "size": [3000, 4000], "whole_size": [3000, 4000]}
    about |= {"region": None, "pixel_size": SIZED, "dtype": "uint16", "channels": ["DNA1", "CD3"], "nuclear": nuclear}
    about |= {"diameter": 21.54, "diameter_um": 7.0005, "diameter_source": "estimated from 9 windows, 812 nuclei"}
    about |= {"tissue": {"rule": "all", "share": 1.0}, "model": {"name": "idrstream", "sha256": "a" * 64}}
    about |= {"settings": {}, "tile": 2048, "nuclei": 5000, "uncertified": 0, "read_alone": 3, "network_tiles": 99}
    about |= {"warnings": [], "steps": [cost(step, *work) for step, work in WORK.items()], "device": "CPU (2 threads)"}
    overlays = [{"file": f"overlay_{place}.png", "box": box} for place, box in enumerate(boxes, 1)]
    return about | {"overlays": overlays, "metadata": {}} | changed


def counts(**changed):
    """counts.json of 5,100 objects in two channels."""
    percentiles = dict(zip(("5", "25", "50", "75", "95"), (0, 20.5, 333, 1000, 9000), strict=True))
    found = {"objects": 5100, "nuclei": 5000, "cells": 4900, "nuclei_alone": 200, "cells_alone": 100, "sampled": 5100}
    areas = [("nucleus", 25.5), ("cell", 140)]
    found["areas"] = [
        {"compartment": part, "unit": "µm²", "median": median, "edges": [1, 2, 3], "counts": [4, 5]}
        for part, median in areas
    ]
    names = {"statistic": "mean", "compartment": "cell", "percentiles": percentiles}
    found["intensities"] = [{"channel": "DNA1"} | names, {"channel": "$CD3 <b>"} | names]
    return found | changed


def commit(outdir, about, number=0):
    """Leave a slide as COMMIT does: its folder, and its entry in the ledger."""
    folder = outdir / "slides" / about["slide"]
    folder.mkdir(parents=True)
    (folder / "slide.json").write_text(json.dumps(about))
    for overlay in about["overlays"]:
        noise = np.random.default_rng(number).integers(0, 255, (512, 512, 3), np.uint8)
        Image.fromarray(noise).save(folder / overlay["file"])
    row = {"id": f"{number:016x}", "key": about["slide"], "slide": about["slide"], "status": "ok", "reason": ""}
    row |= {"retryable": False, "cells": about["nuclei"], "size": about["size"], "uncertified": 0, "seconds": 74.0}
    paths = [str(path.relative_to(outdir)) for path in sorted(folder.iterdir())]
    entry = {"provenance": {}, "work_folders": [], "batch": about["slide"], "number": number, "session": "s"}
    entry |= {"committed": f"2026-06-01T10:0{number}:00+00:00", "recipe": {"model": "a" * 64}, "references": {}}
    entry |= {
        "files": [{"path": path, "bytes": 1000} for path in paths],
        "images": [row],
        "supersedes": [],
        "former": [],
    }
    (outdir / "ledger").mkdir(exist_ok=True)
    (outdir / f"ledger/{about['slide']}.json").write_text(json.dumps(entry))


def begin(outdir, *slides):
    """Leave what a run that begins leaves: which slides it was asked for."""
    (outdir / "manifest").mkdir(parents=True)
    (outdir / "manifest/outdir.json").write_text(json.dumps({"part": "outdir", "workflow": "tissue"}))
    (outdir / "pipeline_info").mkdir()
    requested = [{"id": f"{number:016x}", "key": slide, "batch": slide} for number, slide in enumerate(slides)]
    plan = {"begun": "2026-06-01T10:00:00+00:00", "stop": False, "wells": [], "images": requested}
    (outdir / "pipeline_info/plan.json").write_text(json.dumps(plan))


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """The output folder of a run of three slides: one in micrometres, one without, one that failed."""
    outdir = tmp_path_factory.mktemp("output")
    begin(outdir, "A1", "A2", "B2")
    cells = {"counts": counts(), "cells_from": "model", "membrane": [{"name": "NaK", "number": 3}], "expansion": None}
    commit(outdir, facts("A1", **cells))
    part = {"region": [100, 200, 3000, 4000], "whole_size": [9000, 9500], "tissue": {"rule": "auto", "share": 0.41}}
    bare = {"pixel_size": None, "diameter_um": None, "nuclei": 1200, "warnings": ["2 tiles were never written"]}
    commit(outdir, facts("A2", **part, **bare), number=1)
    (outdir / "failures.tsv").write_text(f"slide\tstatus\treason\nB2\tfailed\t{REASON}\n")
    rows = [
        "READ (A1)",
        "NUCLEI:PREDICT (A1 1)",
        "NUCLEI:PREDICT (A1 2)",
        "NUCLEI:PREDICT (A2 1)",
        "NUCLEI:PREDICT (B2 1)",
    ]
    trace = "name\tstatus\trealtime\tsubmit\tduration\n" + "".join(
        f"{row}\t{'FAILED' if 'B2' in row else 'COMPLETED'}\t10s\t2026-06-01 10:00:00.000\t20s\n" for row in rows
    )
    (outdir / "pipeline_info/trace_1.tsv").write_text(trace)
    run = {"params": {"workflow": "tissue", "nuclear": "DNA1"}, "nextflow": "25.04.4", "versions": {"PLAN": "numpy 2"}}
    (outdir / "pipeline_info/run.json").write_text(json.dumps(run))
    return outdir


@pytest.fixture
def said(output, tmp_path):
    """Id -> text of each section."""
    return on(output, tmp_path / "pictures")


def on(outdir, target):
    made = build.sections(report.SECTIONS, Results(outdir), Pictures(target))
    return {section.id: text(" ".join(section.html)) for section in made}


def test_the_summary_counts_slides_and_nuclei_and_names_what_needs_attention(said):
    assert "slides done 2 of 3" in said["summary"] and "slides failed 1" in said["summary"]
    assert (
        "nuclei 6,200 cells 4,900 without a partner 300 uncertified nuclei 0 nuclei read alone 6 megapixels 24"
        in said["summary"]
    )
    assert "Slides with warnings (see Slides): A2." in said["summary"]


def test_a_slide_has_its_density_where_the_size_of_a_pixel_is_known(said):
    assert "3,000 x 4,000 px 0.325 µm (OME-XML) DNA1 (1) 21.5 px = 7 µm (estimated from 9 windows" in said["slides"]
    assert f"5,000 {5000 / (3000 * 4000 * 0.325**2 / 1e6):,.0f} 100% 0" in said["slides"]
    assert "region at row 100, column 200 of 9,000 x 9,500 not known DNA1 (1) 21.5 px (est" in said["slides"]
    assert "1,200 - 41% 0" in said["slides"]
    assert "A2 2 tiles were never written" in said["slides"]


def test_objects_are_counted_with_those_that_found_no_partner(said):
    assert "A1 a network, NaK 5,100 5,000 4,900 200 100 25.5 µm² 140 µm²" in said["cells"]
    assert "A2" not in said["cells"]  # of which nothing was measured


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"cells_from": "expand", "expansion": 9.23}, "nuclei grown by 9.23 px"),
        ({"cells_from": "labels"}, "a label image"),
        ({"cells_from": "none"}, "not looked for"),
    ],
)
def test_the_report_says_where_cells_come_from(about, words):
    assert cells.source(facts("A1", **about)) == words


def test_without_any_value_there_are_no_pictures_of_objects(tmp_path):
    none = [{"compartment": "nucleus", "unit": "px²", "median": None, "edges": [], "counts": []}]
    begin(tmp_path / "out", "A1")
    empty = counts(objects=0, sampled=0, areas=none, intensities=[])
    commit(tmp_path / "out", facts("A1", counts=empty, cells_from="none"))
    said = on(tmp_path / "out", tmp_path / "pictures")
    assert "A1 not looked for 0" in said["cells"] and "- px² -" in said["cells"]
    assert not list((tmp_path / "pictures").glob("A1_*"))


def test_nuclei_that_were_given_have_neither_diameter_nor_search(tmp_path):
    begin(tmp_path / "out", "A1")
    commit(tmp_path / "out", facts("A1", diameter=None, diameter_um=None, diameter_source=None, tissue=None))
    said = on(tmp_path / "out", tmp_path / "pictures")
    assert "a label image - 5,000" in said["slides"] and "- 0 " in f"{said['slides']} "


def test_nuclei_of_a_deep_watershed_have_the_scale_at_which_they_were_seen(tmp_path):
    begin(tmp_path / "out", "A1")
    scales = {"nuclei": [0.65, 0.65]}
    commit(
        tmp_path / "out", facts("A1", diameter=None, diameter_um=None, diameter_source="the network's", scales=scales)
    )
    assert "DNA1 (1) seen at 0.65 times its size 5,000" in on(tmp_path / "out", tmp_path / "pictures")["slides"]


@pytest.mark.parametrize("alone", [2600, 2500])
def test_most_objects_without_a_partner_need_attention(alone, tmp_path):
    begin(tmp_path / "out", "A1")
    commit(tmp_path / "out", facts("A1", counts=counts(nuclei_alone=alone, cells_alone=0), cells_from="labels"))
    said = on(tmp_path / "out", tmp_path / "pictures")
    assert ("most nuclei or cells have no partner: A1" in said["summary"]) == (alone > 2550)


def test_pictures_say_where_they_lie(said):
    assert "A1: rows 0-512, columns 1,024-1,536 px (0-166, 333-499 µm)" in said["overlays"]
    assert "A2: rows 2,000-2,512, columns 3,000-3,512 px A" not in said["overlays"]
    assert said["overlays"].count("A2: rows") == 3 and said["overlays"].count("µm)") == 3


def test_steps_are_summed_over_slides_and_their_memory_is_the_largest(output):
    every = [step for slide in Results(output).slides for step in slide.facts["steps"]]
    table = {row[0]: row[1:] for row in steps.rows(every, 24)}
    assert table["all"] == pytest.approx((12, 148, 41, 41 / 24, 1100.25))


def test_the_cost_of_all_slides_and_of_each_is_told_by_step(said):
    assert "All slides, 24 Mpx" in said["steps"]
    assert "predict 8 120 32 1.33 1,100 seeds 2" in said["steps"]
    assert "A1, 12 Mpx, CPU (2 threads)" in said["steps"]
    assert "predict 4 60 16 1.33 1,100 seeds 1 2 1.5 0.125 300 all 6 74 20.5 1.71 1,100" in said["steps"]


def test_time_and_memory_of_each_step_are_drawn_against_the_pixels_of_the_slides(output, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(Pictures, "add", lambda self, figure, name, *_: drawn.setdefault(name, figure))
    steps._by_pixels(Results(output).slides, [{"step": "read"}, {"step": "predict"}], Pictures(tmp_path / "pictures"))
    for name, values in ("pixels_time", {"read": 12, "predict": 60}), ("pixels_memory", {"predict": 1100.25}):
        (axes,) = drawn[name].axes
        lines = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
        for step, value in values.items():
            assert lines[step] == [[12, value], [12, value]]


def test_seconds_a_slide_are_those_of_all_tasks_of_its_parts(said):
    assert "stage tasks failed total time s per slide" in said["throughput"]
    assert "READ 1 0 10 s 10" in said["throughput"] and "PREDICT 4 1 40 s 15" in said["throughput"]


def test_a_failed_slide_has_its_reason_and_what_to_do(said):
    assert f"B2 failed {REASON}" in said["failures"]
    assert "mend the file" in said["failures"]


def test_provenance_speaks_of_slides(said):
    assert "Recipe of 2 slides (models by sha256)" in said["provenance"] and "a" * 64 in said["provenance"]
    assert "2 slides, 8 result files, 8 kB." in said["provenance"]


def test_a_run_that_goes_on_shows_what_is_done(output, tmp_path):
    folder = shutil.copytree(output, tmp_path / "out")
    (folder / "failures.tsv").unlink()
    (folder / "pipeline_info/run.json").unlink()
    shutil.rmtree(folder / "slides/A2")  # it is just being replaced
    said = on(folder, tmp_path / "pictures")
    assert "slides done 1 of 2" in said["summary"]
    assert "Slides remaining: 1. The run is going or was stopped" in said["summary"]
    assert "A1: rows" in said["overlays"] and "No slide failed." in said["failures"]


def test_failures_of_an_earlier_run_are_not_told(output, tmp_path):
    folder = shutil.copytree(output, tmp_path / "out")
    os.utime(folder / "failures.tsv", (0, 0))
    said = on(folder, tmp_path / "pictures")
    assert "No slide failed." in said["failures"] and "Slides remaining: 1." in said["summary"]


def test_a_run_without_a_slide_yet_has_a_page_too(tmp_path):
    begin(tmp_path / "out", "A1", "A2")
    said = on(tmp_path / "out", tmp_path / "pictures")
    assert "slides done 0 of 2" in said["summary"]
    assert all("No slide is finished yet." in said[name] for name in ("slides", "overlays", "steps"))
    assert "No task has ended yet" in said["throughput"]


def test_the_command_makes_a_page_that_holds_its_pictures_and_changes_nothing(output, tmp_path):
    before = listed(output)
    done = subprocess.run([sys.executable, COMMAND, output, tmp_path / "report"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert listed(output) == before
    page = (tmp_path / "report/multiqc_report.html").read_text()
    pictures = re.findall(r'<figure><img src="([^"]+)" alt="([^"]*)"', page)
    assert len(pictures) == 11 and all(source.startswith("data:image/") and alt for source, alt in pictures)
    names = {path.name for path in (tmp_path / "report/qc/pictures").iterdir()}
    assert names == {"steps.png", "pixels_time.png", "pixels_memory.png", "A1_areas.png", "A1_intensities.png"}
    assert sections(page).keys() >= {"summary", "slides", "overlays", "steps", "failures", "throughput", "provenance"}
