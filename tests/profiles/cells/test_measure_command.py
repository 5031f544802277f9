"""MEASURE: one table of features an image, the same whatever the type of its file and the number of processes."""

import os

import numpy as np
import pytest
from click.testing import CliRunner

import screen_measure as command
from idrstream.base import files, stage_folder
from idrstream.images.calibration import FIELDS, write_field
from idrstream.images.frames import read_frame, write_frame
from idrstream.images.labels import read_cells, read_labels, write_cells, write_labels
from make_labels import crowd


@pytest.fixture
def stages(tmp_path):
    """Folders as FETCH and SEGMENT leave them: a frame of each type with the same greys, and one without a cell."""
    labels, pixels = crowd(shape=(100, 120), count=9)
    grey = (pixels * 200).astype(np.uint8)
    for folder in "frames", "labels":
        (tmp_path / folder).mkdir()
    rows = []
    for name, frame, depth, found in (
        ("byte", grey, 8, labels),
        ("word", grey.astype(np.uint16) * 257, 16, labels),
        ("camera", np.rint(grey * (4095 / 255)).astype(np.uint16), 12, labels),
        ("float", (grey / 255).astype(np.float32), None, labels),
        ("stated float", grey.astype(np.float32), 8, labels),
        ("long", grey.astype(np.int32) * 257, 16, labels),
        ("empty", grey, 8, labels * 0),
    ):
        facts = {"shape": list(frame.shape), "type": frame.dtype.name, "bit_depth": depth}
        rows.append({"id": name, "key": name, "plate": "P", "status": "ok"} | facts)
        numbers = np.unique(found[found > 0])
        write_frame(tmp_path / "frames", name, frame)
        write_labels(tmp_path / "labels", name, found)
        write_cells(tmp_path / "labels", name, {"label": numbers})
    stage_folder.write_rows(tmp_path / "frames", [*rows, {"id": "x", "key": "x", "status": "failed"}])
    return tmp_path


def run(stages, name, *options):
    """Run the command; returns its result."""
    # In this process only its children may be bound to one thread, and the other tests are not to be.
    before = dict(os.environ)
    try:
        arguments = [str(stages / "frames"), str(stages / "labels"), str(stages / name), *options]
        return CliRunner().invoke(command.main, arguments)
    finally:
        os.environ.clear()
        os.environ.update(before)


def test_intensities_are_shares_of_the_range_of_the_plate_whatever_the_type_of_its_files(stages):
    assert run(stages, "measures").exit_code == 0
    byte, empty = (read_cells(stages / "measures", name) for name in ("byte", "empty"))
    for name, nearly in (("word", 1e-5), ("float", 1e-5), ("stated float", 1e-5), ("long", 1e-5), ("camera", 0.02)):
        found = read_cells(stages / "measures", name)
        np.testing.assert_allclose(byte["features"], found["features"], rtol=nearly, atol=nearly / 10, err_msg=name)
        assert np.array_equal(byte["texture_levels"], found["texture_levels"]), name
    names = files.read_json(stages / "measures/provenance.json")["features"]
    brightest = byte["features"][:, names.index("Nuclei_Intensity_MaxIntensity_DNA")].max()
    seen = read_frame(stages / "frames", "byte")[read_labels(stages / "labels", "byte") > 0].max()
    assert brightest == np.float32(seen / 255)
    assert empty["features"].shape == (0, len(names)) and empty["texture_levels"].shape == (0,)
    assert not (stages / "measures/x.npz").exists()


def test_pixels_of_nuclei_that_even_light_puts_beyond_the_range_are_counted_and_the_others_keep_their_textures(stages):
    (stages / "calibration/P").mkdir(parents=True)
    pixels, labels = (read_frame(stages / folder, "byte") for folder in ("frames", "labels"))
    field = np.ones(pixels.shape, np.float32)
    corner = int(labels.max())
    field[labels == corner] = np.float32(0.25)
    facts = {"status": "ok", "reason": "", "kind": "plate", "shape": list(field.shape)}
    files.write_json(stages / "calibration/P" / FIELDS, {"offset": 0, "fields": {"P": facts}})
    write_field(stages / "calibration/P", "P", field)
    assert (
        run(stages, "plain").exit_code == 0
        and run(stages, "even", "--calibration", str(stages / "calibration")).exit_code == 0
    )
    plain, even = (read_cells(stages / folder, "byte") for folder in ("plain", "even"))
    assert not plain["texture_clipped"].any()
    above = int(((labels == corner) & (pixels > 255 / 4)).sum())
    assert above and even["texture_clipped"].tolist() == [0] * (len(even["label"]) - 1) + [above]
    names = files.read_json(stages / "plain/provenance.json")["features"]
    textures = ["Texture" in name for name in names]
    assert np.array_equal(plain["features"][:-1, textures], even["features"][:-1, textures], equal_nan=True)


def test_the_number_of_processes_changes_no_byte(stages):
    for count in "1", "3":
        assert run(stages, count, "--threads", count).exit_code == 0
    for path in (stages / "1").iterdir():
        assert path.read_bytes() == (stages / "3" / path.name).read_bytes()


def test_labels_that_are_not_the_tables_are_an_error_and_leave_nothing(stages):
    write_cells(stages / "labels", "byte", {"label": np.array([1, 2])})
    result = run(stages, "measures")
    assert "byte: its label image holds" in str(result.exception)
    assert not (stages / "measures").exists()


def test_nuclei_at_the_border_that_are_not_in_the_table_are_not_measured(stages):
    labels = read_labels(stages / "labels", "byte")
    cells = np.setdiff1d(labels, [*labels[[0, -1]].ravel(), *labels[:, [0, -1]].ravel(), 0])
    write_cells(stages / "labels", "byte", {"label": cells})
    assert run(stages, "measures").exit_code == 0
    byte, word = (read_cells(stages / "measures", name) for name in ("byte", "word"))
    assert byte["label"].tolist() == cells.tolist() and len(cells) < len(word["label"])


def test_a_killed_process_is_a_killed_task(stages, monkeypatch):
    monkeypatch.setattr(command, "_measure", _die)
    result = run(stages, "measures")
    assert result.exit_code == 137
    assert "too little memory?" in result.output
    assert not (stages / "measures").exists()


def _die(*_):
    os.kill(os.getpid(), 9)
