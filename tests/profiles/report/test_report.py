"""The report: what it shows is so, it says why something is not there, and a browser shows it without a network."""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from idrstream.base import traces
from idrstream.report import build, throughput
from idrstream.report.pictures import Pictures, limits
from idrstream.runs import run_warnings
from idrstream.screen import report, study
from idrstream.screen.report import cells, images, montage, plate_maps, summary, well_map
from idrstream.screen.report.results import Results
from make_output import BRIGHT, EMPTY, FAILED, FAILURES, REFUSED, make_output
from report_pages import listed, sections, text
from repository import ROOT
from support import http_server

COMMAND = ROOT / "bin/report.py"
WIDTHS = (1280, 400)  # pixels: a desk, a phone
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LARGEST = 15_000_000  # bytes of the page


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """The output folder of a run of 2 plates with 20 wells each, and its images."""
    folder = tmp_path_factory.mktemp("output")
    return folder, make_output(folder)


@pytest.fixture(scope="module")
def made(output, tmp_path_factory):
    """Folder of the report on it, made where every way to a network is watched."""
    folder, target = output[0], tmp_path_factory.mktemp("report") / "report"
    before = listed(folder)
    with http_server(target.parent) as proxy:
        env = os.environ | {name: proxy.url for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
        done = subprocess.run([sys.executable, COMMAND, folder, target], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert proxy.most == 0, "a network was asked"
    assert listed(folder) == before, "the output folder is read only"
    return target


def on(folder, target):
    """Id -> text of each section on an output folder, before it is a page."""
    made = build.sections(report.SECTIONS, Results(folder), Pictures(target))
    return {section.id: text(" ".join(section.html)) for section in made}


def test_the_page_tells_the_faults_that_are_in_the_output(made, output):
    images = output[1]
    page = (made / "multiqc_report.html").read_text()
    said = sections(page)
    short = said["summary"]
    done = images[images["status"] == "ok"]
    assert f"images done {len(done)} of {len(images)}" in short
    assert f"cells {done['cells'].sum():,}" in short
    assert "flat-fields refused and not applied: 1 of 2." in short.lower()
    assert "segmented on a GPU 50%" in short
    assert "peak disk use of batches in flight 210 MB" in short
    assert f"LT0001_02 {REFUSED}" in said["flatfields"]
    assert "LT0001_01_A05_s1_f2 is dark: its median is 3, that of the others 22" in said["flatfields"]
    assert "well for 0 plates, roughly for 1 (" in said["flatfields"]
    assert re.search(r"LT0001_01 .* 6\.3\d* 5\.1\d* 7\.2\d* 2\.34\d* 812 roughly", said["flatfields"])
    for place, reason in zip(FAILED, FAILURES, strict=True):
        assert f"{images['well'][place]} 1 2 {reason}" in said["failures"]
    assert "the next run tries it again" in said["failures"]
    assert f"{images['key'][BRIGHT]} saturated" in said["images"]
    assert f"{images['key'][EMPTY]}: 0 cells" in said["montage"]
    assert "SEGMENT 4 0" in said["throughput"] and "3.1" in said["throughput"]
    assert "cellpose 3.1.1.3" in said["provenance"] and "a" * 64 in said["provenance"]
    assert "38 profiles of profiles/wells/selected" in said["well_profiles"]


def test_the_page_is_small_holds_its_pictures_and_words_for_each(made):
    page = (made / "multiqc_report.html").read_text()
    pictures = re.findall(r'<figure><img src="([^"]+)" alt="([^"]*)"', page)
    assert len(page) < LARGEST
    assert len(pictures) > 30
    assert all(source.startswith("data:image/") and len(alt) > 20 for source, alt in pictures)
    kinds = {re.split(r"_(?=LT|Nuclei|wells)|\.", path.name)[0] for path in (made / "qc/pictures").iterdir()}
    assert {"plate_map_cells", "plate_map_focus", "flatfields", "montage", "distribution", "wells_by_type"} <= kinds


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM:
        pytest.skip("no chromium on PATH (.ci/browser installs it)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="./setup.sh tests installs playwright")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_browser_shows_it_whole_at_two_widths_and_asks_no_network(made, width, browser):
    page = made / "multiqc_report.html"
    asked, errors = [], []
    view = browser.new_page(viewport={"width": width, "height": 900})
    view.on("request", lambda request: asked.append(request.url))
    view.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    view.on("pageerror", lambda error: errors.append(str(error)))
    view.goto(page.as_uri())
    view.locator("#images_plot").scroll_into_view_if_needed()
    view.wait_for_selector(".js-plotly-plot", state="attached")
    whole, seen = view.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    empty = view.evaluate("[...document.images].filter(i => !i.complete || !i.naturalWidth).length")
    count = view.evaluate("document.images.length")
    silent = view.evaluate("[...document.querySelectorAll('figure img')].filter(i => !i.alt).length")
    view.close()
    assert [url for url in asked if not url.startswith("data:")] == [page.as_uri()]
    assert errors == []
    assert whole <= seen == width
    assert count > 30 and empty == 0 and silent == 0


def test_a_section_without_data_says_why(tmp_path):
    make_output(tmp_path / "out", plates=1, wells=8, cells=False, views=False)
    for name in ("qc", "flatfields"):
        shutil.rmtree(tmp_path / "out" / name)
    for path in (tmp_path / "out/pipeline_info").glob("[rt]*"):
        path.unlink()
    ledger = sorted((tmp_path / "out/ledger").iterdir())
    ledger[0].write_text(ledger[0].read_text().replace('"plate", "candidates"', '"frames", "candidates"'))
    said = on(tmp_path / "out", tmp_path / "pictures")
    assert "there is no qc/images.parquet, which is written when a run ends" in said["images"]
    assert "the folder qc/thumbnails is empty" in said["montage"]
    assert "there is no qc/cells.parquet, which is written when a run ends" in said["cells"]
    assert "There are no tables of cells yet" in said["distributions"]
    assert "There are no well profiles to draw: no well has cells with features" in said["well_profiles"]
    assert "No task has ended yet" in said["throughput"]
    assert "There is no pipeline_info/run.json, which is written when a run ends" in said["provenance"]


def test_a_run_that_has_done_nothing_yet_has_a_page_too(tmp_path):
    make_output(tmp_path / "out", plates=1, wells=8, cells=False, views=False)
    for name in ("ledger", "qc", "flatfields"):
        shutil.rmtree(tmp_path / "out" / name)
    said = on(tmp_path / "out", tmp_path / "pictures")
    assert "images done 0 of 8" in said["summary"]
    assert "Images remaining: 8. The run is going or was stopped" in said["summary"]
    assert "No image is finished yet" in said["plate_maps"]


def test_what_the_last_run_warned_of_is_said_and_nothing_of_the_run_before_it(output, tmp_path):
    folder = shutil.copytree(output[0], tmp_path / "out")
    run_warnings.write(folder, ["EXPORT ended with exit code 1: why; csv is of an earlier run"])
    assert "Warning: EXPORT ended with exit code 1: why; csv is of" in " ".join(
        summary.section(Results(folder), None).html
    )
    plan = json.loads((folder / "pipeline_info/plan.json").read_text())
    (folder / "pipeline_info/plan.json").write_text(json.dumps(plan | {"begun": "2026-11-02T10:00:00+00:00"}))
    assert Results(folder).warnings == []


def test_flags_are_those_of_the_image_and_of_its_variant(tmp_path):
    images = make_output(tmp_path, plates=1, wells=8, cells=False, views=False)
    results = Results(tmp_path)
    assert results.rules == {"blurred": "why blurred", "saturated": "why saturated"}
    assert results.images.loc[results.marks["saturated"], "key"].tolist() == [images["key"][BRIGHT]]
    assert len(results.images) == len(images) == 8


def test_a_rule_may_have_the_name_of_a_column_of_the_images(tmp_path):
    make_output(tmp_path, plates=1, wells=8, cells=False, views=False)
    before, path = Results(tmp_path), tmp_path / "qc/images.parquet"
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.rename_columns([name.replace("blurred", "focus") for name in table.schema.names]), path)
    after = Results(tmp_path)
    assert after.rules.keys() == {"focus", "saturated"}
    assert after.images["focus"].equals(before.images["focus"]) and after.flagged.equals(before.flagged)
    section = images.section(after, Pictures(tmp_path / "pictures"))
    assert "focus" in " ".join(section.html)


def test_maps_are_of_the_format_of_the_run_whatever_numbers_the_batches_gave(tmp_path):
    folder, images = tmp_path / "out", make_output(tmp_path / "out", plates=1, wells=8)
    path = folder / "pipeline_info/plan.json"
    for plates in ((16, 24), (32, 48)):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"wells": plates}))
        results = Results(folder)
        assert plate_maps.geometry(plate_maps.by_well(results.images), results.wells) == plates
        expected = [study.numbered(well, plates) for well in results.images["well"]]
        assert results.images["well_number"].tolist() == expected
    assert expected != images["well_number"].tolist()


@pytest.mark.parametrize("wells, shape", [(["A01", "B03"], (8, 12)), (["A01", "A13"], (8, 13)), (["AF48"], (32, 48))])
def test_a_well_outside_the_plates_which_failed_has_its_place_on_the_map(wells, shape):
    images = pd.DataFrame({"plate": "P", "well": wells, "failed": True})
    images[["cells", "focus", "saturation", "background"]] = 1.0
    assert plate_maps.geometry(plate_maps.by_well(images), (8, 12)) == shape


@pytest.mark.parametrize(
    "values, scale",
    [
        ([*range(100), 10_000], (1, 99)),
        ([0] * 500 + [1], (0, 1)),
        ([np.nan, 2, 3], (2.01, 2.99)),
        ([np.nan], (0, 1)),
    ],
)
def test_a_scale_of_colours_holds_all_but_outliers(values, scale):
    assert limits(values) == pytest.approx(scale)


def test_a_well_lies_where_its_name_says():
    assert [plate_maps.place(well) for well in ("A01", "P24", "AB12")] == [(0, 0), (15, 23), (27, 11)]
    assert [plate_maps.row_name(row) for row in (0, 15, 27)] == ["A", "P", "AB"]


def test_an_image_counts_as_worst_median_or_best_by_its_figures(output):
    folder, images = output
    chosen = montage.chosen(Results(folder).done)
    assert set(images["key"][[5, 6]]) <= set(chosen["Blurriest"]["key"])
    assert chosen["No cells"]["key"].tolist() == [images["key"][EMPTY]]
    assert all(images["key"][EMPTY] not in set(some["key"]) for title, some in chosen.items() if title != "No cells")
    assert chosen["Most cells"]["cells"].max() == images["cells"].max()
    few = montage.chosen(Results(folder).done[lambda images: images["cells"] > 0][:7])
    assert [len(some) for some in few.values()] == [2] * 6
    for kind in montage.KINDS.values():
        assert len(set.union(*(set(few[title]["key"]) for title in kind))) == 6


def test_nuclei_are_counted_by_rule_over_all_row_groups(output):
    folder, images = output
    total, flagged, sample = cells.read(folder / "qc/cells.parquet")
    table = pd.read_parquet(folder / "qc/cells.parquet")
    assert total == len(table) == images["cells"].sum()
    assert flagged["large_nucleus", "why large_nucleus"] == (table["Metadata_Area"] > 600).sum() > 0
    assert np.array_equal(np.sort(sample["Metadata_Area"]), np.sort(table["Metadata_Area"]))


def test_seconds_an_image_are_those_of_finished_tasks_over_the_images_of_their_batches():
    tasks = pd.DataFrame(
        [("SEGMENT", "b1", "COMPLETED", 30.0), ("SEGMENT", "b2", "FAILED", 99.0), ("SEGMENT", "b2", "COMPLETED", 10.0)],
        columns=["process", "tag", "status", "seconds"],
    ).assign(memory=1.0)
    stage = throughput.by_stage(tasks, {"b1": 10, "b2": 6}).loc["SEGMENT"]
    assert stage["an_image"] == 40 / 16
    assert (stage["tasks"], stage["failed"]) == (3, 1)


@pytest.mark.parametrize("text, value", [("871ms", 0.871), ("4.8s", 4.8), ("1h 2m 3s", 3723), ("1d", 86400), ("-", 0)])
def test_times_of_a_trace_are_read(text, value):
    assert traces.seconds(text) == pytest.approx(value)


def test_components_find_the_direction_in_which_wells_differ():
    rng = np.random.default_rng(0)
    hidden = rng.normal(0, 1, 200)
    profiles = np.outer(hidden, np.ones(10)) + rng.normal(0, 0.1, (200, 10))
    constant, missing = np.ones((200, 1)), np.full((200, 1), np.nan)
    places, shares = well_map.components(np.hstack([profiles, constant, missing]))
    assert abs(np.corrcoef(places[:, 0], hidden)[0, 1]) > 0.99
    assert shares[0] > 0.95


@pytest.mark.full
def test_the_report_on_a_screen_of_510_plates_is_small_and_says_the_same(tmp_path):
    images = make_output(tmp_path / "out", plates=510, wells=384, batch=384, cells=False)
    subprocess.run([sys.executable, COMMAND, tmp_path / "out", tmp_path / "report"], check=True)
    page = (tmp_path / "report/multiqc_report.html").read_text()
    assert len(page) < LARGEST
    assert f"images done {len(images) - 2:,} of {len(images):,}" in sections(page)["summary"]
    assert page.count("<figure>") < 50, "pictures of all plates together, not of each"
