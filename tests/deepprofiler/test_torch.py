"""DeepProfiler's network in torch: the same checkpoint and the same cells give the numbers that DeepProfiler gives."""

import subprocess

import numpy as np
import pytest
from nuclei import NUCLEI, ROOT, a_row

from idrstream.base import files, stage_folder
from idrstream.images.labels import read_cells

TORCH = ROOT / ".venvs/cellpose/bin/python"


@pytest.mark.skipif(not TORCH.exists(), reason="no environment with torch (make setup)")
def test_torch_gives_every_cell_what_deepprofiler_gives(batch, embedded, trained, tmp_path):
    frames, labels, known = batch
    command = [
        TORCH,
        ROOT / "bin/screen_embed.py",
        frames,
        labels,
        tmp_path / "features",
        "--calibration",
        known,
        "--threads",
        "2",
    ]
    command += ["--embedder", "efficientnet-b0", "--embed_model", trained[1], "--crop_rule", "deepprofiler"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made, theirs = (files.read_json(folder / stage_folder.PROVENANCE) for folder in (tmp_path / "features", embedded))
    assert made["features"] == theirs["features"]
    assert made["model"] == f"efficientnet-b0-{files.sha256(trained[1])[:12]}-128px-deepprofiler"
    for well, centers in NUCLEI.items():
        ours, truth = (read_cells(folder, a_row(well)["key"]) for folder in (tmp_path / "features", embedded))
        assert np.array_equal(ours["label"], truth["label"]) and np.array_equal(ours["padded"], truth["padded"])
        assert len(ours["padded"]) == len(centers) and (ours["padded"] < 0.75).all()
        ours, truth = (cells["features"].astype(float) for cells in (ours, truth))
        norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(truth, axis=1)
        cosines = (ours * truth).sum(axis=1) / norms
        furthest = np.abs(ours - truth).max(axis=1, initial=0) / np.abs(truth).max(axis=1, initial=0)

        assert (cosines >= 0.99999).all() and (furthest < 1e-3).all()
