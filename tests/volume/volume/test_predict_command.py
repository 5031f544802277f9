"""The command that predicts a slab, before it computes anything."""

import json

import torch
from click.testing import CliRunner

import volume_predict
from idrstream.base import files
from unets import SMALL, weights


def test_a_checkpoint_that_was_changed_since_the_run_began_is_said(tmp_path):
    path = tmp_path / "net.pt"
    torch.save({"model_state_dict": {name: torch.from_numpy(array) for name, array in weights(SMALL).items()}}, path)
    packet = tmp_path / "packet.json"
    packet.write_text(json.dumps({"checkpoint": {"sha256": files.sha256(path)}}))
    arguments = [str(packet), str(path), str(tmp_path / "predicted")]
    begun = CliRunner().invoke(volume_predict.main, arguments)
    assert isinstance(begun.exception, KeyError)  # of what the packet lacks: the file is that of the run
    torch.save({name: torch.from_numpy(array) for name, array in weights(SMALL, seed=1).items()}, path)
    ended = CliRunner().invoke(volume_predict.main, arguments)
    assert ended.exit_code == 64
    assert "net.pt was changed since the run began; start the run again" in ended.output
