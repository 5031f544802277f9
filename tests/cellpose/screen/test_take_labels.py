"""Label images that a run which stopped has left, taken in place of segmenting."""

import numpy as np
import pytest
from click.testing import CliRunner

import screen_segment
import screen_take_labels
from drawn_nuclei import CENTRES, draw_nuclei
from idrstream.base import files, stage_folder
from idrstream.images.frames import write_frame
from idrstream.images.labels import read_cells, read_labels
from repository import MODEL

NAME = "PA_A01_s1_f1"


@pytest.fixture(params=[[], ["--remove_edge_masks"]], ids=["all", "whole ones"])
def options(request):
    """Those that SEGMENT and TAKE_LABELS have in common."""
    return request.param


@pytest.fixture
def segmented(tmp_path, options):
    """Folders of frames and of what SEGMENT made of them: an image whose border cuts nuclei, and one that failed."""
    frame, _ = draw_nuclei(CENTRES)
    frame = frame[30:]
    row = {"key": NAME, "plate": "PA", "status": "ok", "shape": list(frame.shape)}
    (tmp_path / "frames").mkdir()
    write_frame(tmp_path / "frames", NAME, frame)
    stage_folder.write_rows(tmp_path / "frames", [row, row | {"key": "PA_A02_s1_f1", "status": "failed"}])
    words = [
        str(tmp_path / "frames"),
        str(tmp_path / "labels"),
        "--model",
        str(MODEL),
        "--diameter",
        "22",
        "--outlines",
        *options,
    ]
    done = CliRunner().invoke(screen_segment.main, words)
    assert done.exit_code == 0, done.output
    return tmp_path


def take(folder, *options):
    words = [str(folder / name) for name in ("frames", "labels", "taken")]
    return CliRunner().invoke(screen_take_labels.main, [*words, *options])


def test_what_is_taken_is_what_segmenting_gave(segmented, options):
    done = take(segmented, "--outlines", *options)
    assert done.exit_code == 0, done.output
    for suffix in "tif", "geojson":
        own, there = (segmented / folder / f"{NAME}.{suffix}" for folder in ("taken", "labels"))
        assert own.read_bytes() == there.read_bytes()
    own, there = (read_cells(segmented / folder, NAME) for folder in ("taken", "labels"))
    assert own.keys() == there.keys() and len(own["label"]) > 0
    assert all(np.array_equal(own[name], there[name]) and own[name].dtype == there[name].dtype for name in own)
    assert files.read_json(segmented / "taken" / stage_folder.PROVENANCE) == {"taken": "labels"}


def test_a_nucleus_at_the_border_stays_in_the_label_image_and_is_a_cell_unless_it_is_to_be_dropped(segmented, options):
    labels, cells = read_labels(segmented / "labels", NAME), read_cells(segmented / "labels", NAME)
    outlines = files.read_json(segmented / "labels" / f"{NAME}.geojson")["features"]
    at_border, everywhere = np.unique(labels[0])[1:], np.unique(labels)[1:]
    assert 0 < len(at_border) < len(everywhere)
    assert cells["label"].tolist() == (np.setdiff1d(everywhere, at_border) if options else everywhere).tolist()
    assert [outline["properties"]["label"] for outline in outlines] == cells["label"].tolist()
    for outline in outlines:
        x, y = outline["geometry"]["coordinates"][0][0]
        assert labels[y, x] == outline["properties"]["label"]


def test_outlines_are_drawn_only_if_they_are_asked_for(segmented):
    assert take(segmented).exit_code == 0
    assert not list((segmented / "taken").glob("*.geojson"))


def test_a_frame_that_is_no_longer_of_the_label_images_size_is_not_measured_by_it(segmented):
    rows = stage_folder.read_rows(segmented / "frames")
    stage_folder.write_rows(segmented / "frames", [rows[0] | {"shape": [9, 9]}])
    done = take(segmented)
    assert done.exit_code == 1
    assert f"{NAME}: frame and label image differ in size: 9x9 and 162x224; --redo segments it anew" in done.output
    assert not (segmented / "taken").exists()
