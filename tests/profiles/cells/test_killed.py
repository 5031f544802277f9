"""The processes that measure images end with the command that has begun them, however that ends."""

import signal
import sys

import numpy as np
import pytest

from idrstream.base import files, stage_folder
from idrstream.images.frames import write_frame
from idrstream.images.labels import write_cells, write_labels
from killed import end
from make_labels import crowd
from repository import ROOT

COMMAND = ROOT / "bin/screen_measure.py"
IMAGES = 200  # more than are measured before the command is ended


@pytest.fixture
def batch(tmp_path):
    """Folders of frames and of label images."""
    labels, pixels = crowd()
    rows = [
        {"key": f"P_A01_s1_f{frame}", "plate": "P", "status": "ok", "shape": labels.shape}
        | {"type": "uint8", "bit_depth": 8}
        for frame in range(IMAGES)
    ]
    for folder in "frames", "labels":
        (tmp_path / folder).mkdir()
    stage_folder.write_rows(tmp_path / "frames", rows)
    for row in rows:
        write_frame(tmp_path / "frames", row["key"], (pixels / pixels.max() * 255).astype(np.uint8))
        write_labels(tmp_path / "labels", row["key"], labels)
        write_cells(tmp_path / "labels", row["key"], {"label": np.unique(labels[labels > 0])})
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_that_measures_lives_on_and_told_to_end_no_folder_stays(number, batch):
    measures = batch / "measures"
    command = [sys.executable, COMMAND, batch / "frames", batch / "labels", measures, "--threads", "2"]
    status, living = end(command, number, lambda: list(measures.glob("*.npz")))
    assert (status, living) == (143 if number == signal.SIGTERM else -number, {})
    left = [path.name for path in batch.iterdir() if path.name not in ("frames", "labels")]
    assert left == ["measures"] * (number == signal.SIGKILL)
    if left:
        assert len(list(measures.glob("*.npz"))) < IMAGES and files.read_json(measures / stage_folder.PROVENANCE)
