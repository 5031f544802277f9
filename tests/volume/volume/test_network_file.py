"""The network in incasem's configuration files."""

import pytest

from idrstream.base.tables import Problems
from idrstream.volume import network_file
from idrstream.volume.unet import Unet

MODEL = """
model:
    type: Unet
    num_fmaps: 16
    num_fmaps_out: 2
    fmap_inc_factor: 2
    downsample_factors: [[1,2,2], [2,2,2]]
    constant_upsample: True
"""
TRAINING = f"""
directories:
    runs: /runs
    data: /data
    db: /db
training:
    pipeline: baseline_with_context
    data:
    iterations: 200000
    input_size_voxels: [204, 204, 204]
    optimizer:
        lr: 0.00003
    reject:
        min_masked: 0.05
        reject_probability: 0.9
    augmentation:
        simple:
            transpose_only: [0, 1, 2]
    precache:
validation:
    validate_every: 1000
data:
    voxel_size: [5, 5, 5]
    downsample_factor: 1
    num_classes: 2
{MODEL}
loss:
    balance_labels:
        clipmin: 0.01
torch:
    device: 0
"""
PREDICTION = """
prediction:
    pipeline: baseline
    checkpoint: model_checkpoint_1
    directories:
        prefix: volumes/predictions
    torch:
        device: 0
"""
NETWORK = Unet(16, factors=((1, 2, 2), (2, 2, 2)))


@pytest.fixture
def read(tmp_path):
    def written(text):
        (tmp_path / "config.yaml").write_text(text)
        return network_file.read(tmp_path / "config.yaml")

    return written


def faults(read, text):
    with pytest.raises(Problems) as raised:
        read(text)
    return raised.value.sentences


def test_a_training_configuration_has_the_network_and_what_is_not_used_is_said(read):
    network, (unused, sizes) = read(TRAINING)
    assert network == NETWORK
    sections = "directories.*, training.*, validation.*, data.*, loss.*, torch.*"
    assert unused == f"config.yaml: read and not used: {sections}."
    assert "--tile" in sizes


def test_the_block_alone_with_and_without_its_name(read):
    assert read(MODEL) == (NETWORK, [])
    assert read("num_fmaps: 16\ndownsample_factors: [[1,2,2], [2,2,2]]\n") == (NETWORK, [])


def test_a_prediction_configuration_has_no_network(read):
    assert read(PREDICTION) == (None, ["config.yaml: read and not used: prediction.*."])


def test_the_readmes_name_of_a_key_is_said_to_have_no_effect(read):
    *_, sentence = read(TRAINING.replace("reject_probability", "probability"))[1]
    assert "training.reject.probability has no effect" in sentence and "reject_probability" in sentence


def test_all_faults_are_said_at_once(read):
    text = TRAINING.replace("num_fmaps:", "num_fmap:").replace("num_fmaps_out: 2", "num_fmaps_out: 1")
    text = text.replace("clipmin", "clip_min").replace("torch:", "tourch:").replace("lr:", "rate:")
    words = [
        'config.yaml, model: unknown key "num_fmap". Did you mean num_fmaps?',
        "config.yaml, model: num_fmaps_out must be a whole number from 2 on, not 1",
        'config.yaml: unknown key "training.optimizer.rate". Did you mean training.optimizer.',
        'config.yaml: unknown key "loss.balance_labels.clip_min". Did you mean loss.balance_labels.clipmin?',
        'config.yaml: unknown key "tourch". Did you mean torch.device?',
    ]
    found = faults(read, text)
    assert len(found) == len(words)
    assert all(any(sentence.startswith(word) for sentence in found) for word in words)


def test_what_contradicts_the_network_is_refused(read):
    text = TRAINING.replace("num_classes: 2", "num_classes: 3").replace("downsample_factor: 1", "downsample_factor: 2")
    classes, factor = faults(read, text)
    assert "data.num_classes is 3, model.num_fmaps_out 2" in classes
    assert "data.downsample_factor 2 is not supported" in factor


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "it has no keys"),
        ("- 1\n- 2\n", "it has no keys"),
        ("a: [1", "not YAML"),
        ("model: 3\n", "config.yaml, model: the model is not"),
        ("training: 3\n", 'unknown key "training"'),
        ("num_fmaps: 3\nnum_fmaps: 4\n", 'duplicate key "num_fmaps", first in line 1'),
        ("fmaps: 3\n", 'unknown key "fmaps". Did you mean num_fmaps?'),
    ],
)
def test_what_is_no_network_is_said(read, text, words):
    assert any(words in sentence for sentence in faults(read, text))


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(Problems, match=r"net\.yaml: there is no such file"):
        network_file.read(tmp_path / "net.yaml")
