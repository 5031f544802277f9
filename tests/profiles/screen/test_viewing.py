"""What napari is given of an image: what is there, each cell with its row; and one clear line where it is not."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from runs import ROOT

from idrstream.base import files, stage_folder
from idrstream.base.tables import Problems
from idrstream.images import ome_zarr, viewer
from idrstream.images.frames import VARIANTS, image_key
from idrstream.images.labels import write_labels
from idrstream.images.outlines import write_outlines
from idrstream.screen import hcs, results, viewing

SHAPE = (60, 80)
CENTERS = {1: (10.0, 12.0), 2: (40.0, 61.5)}  # of two nuclei, y and x
# Their outlines: of the second two parts, which meet at a corner. Corners, y and x, and border pixels.
POLYGONS = [
    [[[(8, 10), (8, 15), (13, 15), (13, 10)]]],
    [[[(38, 60), (38, 64), (43, 64)]], [[(43, 64), (43, 65), (44, 64)]]],
]
BORDERS = [[(8, 10), (12, 14)], [(38, 60), (42, 63)]]
FRAMES = [("PA", "A03", 1, 93), ("PA", "A03", 1, 50), ("PA", "B12", 1, 93), ("PB", "A03", 2, 1)]


def labelled():
    labels = np.zeros(SHAPE, np.uint16)
    labels[8:13, 10:15] = 1
    labels[38:43, 60:64] = 2
    return labels


def made_row(plate, well, site, frame, variant=""):
    place = {"plate": plate, "well": well, "well_number": 1, "site": site, "frame": frame, "status": "ok"}
    row = place | {"key": image_key(plate, well, site, frame, variant), "cells": 2, "reason": ""}
    return (
        row
        | {"id": row["key"], "metadata": {"Control_Type": "", "Gene": ""}}
        | ({"variant": variant} if variant else {})
    )


def table(rows):
    cells = [
        {"Metadata_Plate": row["plate"], "Metadata_Well": row["well"], "Metadata_Site": row["site"]}
        | {"Metadata_Frame": row["frame"], "Metadata_Label": label, "Metadata_Gene": f"gene of {row['key']}"}
        | {"Metadata_Center_Y": y, "Metadata_Center_X": x, "efficientnet_0": label + 0.5}
        | ({"Metadata_Illumination": row["variant"]} if "variant" in row else {})
        for row in rows
        for label, (y, x) in sorted(CENTERS.items(), reverse=True)
    ]
    return pd.DataFrame(cells)


def finished(folder, rows, keep=("images",), recipe=None, tables="profiles/single_cells"):
    """An output folder with the images ROWS and, of them, what is to be kept."""
    merged, saved, labels, out = (folder / name for name in ("tables", "saved", "labels", "out"))
    for row in rows:
        pixels = np.random.default_rng(row["frame"]).integers(0, 255, SHAPE, np.uint8)
        if "images" in keep:
            ome_zarr.write(saved / hcs.field(row), row["key"], pixels, labelled(), {}, 255)
        labels.mkdir(exist_ok=True)
        if "labels" in keep:
            write_labels(labels, row["key"], labelled())
        if "outlines" in keep:
            write_outlines(labels, row["key"], POLYGONS, BORDERS)
    for plate in {row["plate"] for row in rows}:
        path = merged / f"results/{tables}/plate={plate}/b0.parquet"
        path.parent.mkdir(parents=True)
        table([row for row in rows if row["plate"] == plate]).to_parquet(path)
    files.write_json(merged / stage_folder.PROVENANCE, {})
    stage_folder.write_rows(merged, rows)
    packet = {
        "id": "b0",
        "supersedes": [],
        "kept": [],
        "number": 0,
        "session": "",
        "recipe": recipe or {},
        "references": {},
    }
    results.commit(packet, merged, labels, out, save_labels=True, images=saved if "images" in keep else None)
    return out


@pytest.fixture
def outdir(tmp_path):
    return finished(tmp_path, [made_row(*place) for place in FRAMES])


def seen(outdir, **wanted):
    row, *_ = viewing.find(outdir, **({"plate": "PA", "well": "A3"} | wanted))
    layers, notes = viewing.layers(outdir, row)
    return {kind: (data, options) for data, options, kind in layers}, notes


def test_an_image_is_shown_with_its_nuclei_and_each_cell_has_its_row(outdir):
    layers, notes = seen(outdir, frame=93)
    assert list(layers) == ["image", "labels", "points"] and notes == []
    assert np.array_equal(layers["image"][0], np.random.default_rng(93).integers(0, 255, SHAPE, np.uint8))
    assert layers["image"][1]["name"] == "PA_A03_s1_f93"
    labels, options = layers["labels"]
    assert np.array_equal(labels, labelled())
    points, cells = layers["points"][0], layers["points"][1]["features"]
    assert [tuple(point) for point in points] == list(CENTERS.values())
    assert cells["efficientnet_0"].tolist() == [1.5, 2.5]
    assert set(cells["Metadata_Gene"]) == {"gene of PA_A03_s1_f93"}
    for label, (y, x) in CENTERS.items():
        shown = options["features"].set_index("index").loc[labels[int(y), int(x)]]
        assert shown["Metadata_Label"] == label and shown["Metadata_Center_X"] == x
        assert "efficientnet_0" not in shown


def test_an_image_whose_run_stopped_before_features_is_shown_too(tmp_path):
    row = made_row(*FRAMES[0])
    layers, notes = seen(finished(tmp_path, [row], recipe={"features": "none"}, tables="qc/single_cells"))
    assert list(layers) == ["image", "labels", "points"] and notes == []
    assert layers["points"][1]["features"]["Metadata_Label"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "keep, kinds, said",
    [
        (["labels"], ["labels", "points"], ["--redo --save images"]),
        (["outlines"], ["shapes", "points"], ["--redo --save images"]),
        ([], ["points"], ["--redo --save images", "--save labels or --save outlines"]),
    ],
)
def test_what_was_not_kept_is_said_and_the_rest_is_shown(keep, kinds, said, tmp_path):
    layers, notes = seen(finished(tmp_path, [made_row(*FRAMES[0])], keep))
    assert list(layers) == kinds
    assert len(notes) == len(said) and all(part in note for part, note in zip(said, notes, strict=True))
    if "shapes" in layers:
        polygons, options = layers["shapes"]
        assert polygons[0] == [(7.5, 9.5), (7.5, 14.5), (12.5, 14.5), (12.5, 9.5), (7.5, 9.5)], "edges of its pixels"
        assert options["features"]["Metadata_Label"].tolist() == [1, 2, 2]
        assert options["features"]["Metadata_Gene"].notna().all()


def test_the_first_image_of_a_well_is_shown_and_the_others_are_known(outdir):
    assert [row["frame"] for row in viewing.find(outdir, "PA", "a03")] == [50, 93]


def test_a_variant_has_its_own_image_and_cells(tmp_path):
    out = finished(tmp_path, [made_row(*FRAMES[0], variant) for variant in VARIANTS])
    for variant in VARIANTS:
        layers, _ = seen(out, variant=variant)
        assert set(layers["points"][1]["features"]["Metadata_Illumination"]) == {variant}


@pytest.mark.parametrize(
    "wanted, said",
    [
        ({"plate": "PX"}, "no plate PX; it has PA, PB"),
        ({"well": "C3"}, "no well C03; it has A03, B12"),
        ({"well": "three"}, "no well three; it has A03, B12"),
        ({"frame": 1}, "no frame 1; it has 50, 93"),
        ({"variant": "ic"}, "no variant ic; it has none"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(wanted, said, outdir):
    with pytest.raises(Problems, match=said):
        viewing.find(outdir, **({"plate": "PA", "well": "A03"} | wanted))


def test_a_failed_image_is_said_with_its_reason(tmp_path):
    failed = made_row(*FRAMES[0]) | {"status": "failed", "reason": "Truncated: cut"}
    assert viewing.layers(tmp_path, failed) == ([], ["PA_A03_s1_f93 failed: Truncated: cut"])


@pytest.mark.skipif(find_spec("napari") is not None, reason="napari is installed here")
def test_without_napari_one_line_says_how_to_install_it(outdir):
    command = [sys.executable, ROOT / "bin/screen_view.py", outdir, "--plate", "PA", "--well", "A3"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith('Error: napari is not installed here: pip install "napari')


def test_napari_shows_the_layers_and_a_click_the_row(outdir):
    pytest.importorskip("napari", reason="napari is in no environment of the pipeline")
    layers, _ = viewing.layers(outdir, viewing.find(outdir, "PA", "A3")[0])
    window = viewer.opened(layers, "title")
    nuclei = window.layers["nuclei"]
    (clicked,) = nuclei.mouse_drag_callbacks[-1:]
    clicked(nuclei, type("Event", (), {"position": (40, 61)}))
    assert "Label  2\n" in window.canvas.overlays.text.text
    assert window.screenshot(flash=False)[..., :3].any()
    window.close()
