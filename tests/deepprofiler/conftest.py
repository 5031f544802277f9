import subprocess
import sys

import make_checkpoint
import pytest
from nuclei import FIELD, NUCLEI, a_row, draw, embed, its_cells

from idrstream.base import files, stage_folder
from idrstream.images.calibration import FIELDS, write_field
from idrstream.images.frames import write_frame
from idrstream.images.labels import write_cells


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """(config, checkpoint), made in a process of its own: TensorFlow stays out of this one."""
    folder = tmp_path_factory.mktemp("trained")
    subprocess.run([sys.executable, make_checkpoint.__file__, folder], check=True, capture_output=True)
    return folder / "config.json", folder / "checkpoint.hdf5"


@pytest.fixture(scope="session")
def batch(tmp_path_factory):
    """Folders of frames and labels and of the plate's flat-field: four wells, and one whose frame could not be had."""
    frames, labels, known = (tmp_path_factory.mktemp(name) for name in ("frames", "labels", "known"))
    rows = [a_row(well) for well in NUCLEI]
    for seed, (row, centers) in enumerate(zip(rows, NUCLEI.values(), strict=True)):
        write_frame(frames, row["key"], draw(centers, row["shape"], seed))
        write_cells(labels, row["key"], its_cells(centers))
    stage_folder.write_rows(frames, [*rows, {**a_row("A5"), "status": "Truncated"}])
    (known / "P1").mkdir()
    write_field(known / "P1", "P1", FIELD)
    facts = {"status": "ok", "kind": "plate", "shape": [300, 400]}
    files.write_json(known / "P1" / FIELDS, {"offset": 6, "lost": None, "fields": {"P1": facts}})
    return frames, labels, known


@pytest.fixture(scope="session")
def embedded(batch, trained, tmp_path_factory):
    """The folder that the command made of the batch."""
    folder = tmp_path_factory.mktemp("embedded") / "features"
    config, checkpoint = trained
    frames, labels, known = batch
    wanted = ("--config", config, "--checkpoint", checkpoint, "--calibration", known, "--threads", "2")
    done = embed(frames, labels, folder, *wanted)
    assert done.returncode == 0, done.stderr
    assert "Extracting output from layer: pool5" in done.stderr
    return folder
