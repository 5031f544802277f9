"""DeepProfiler 0.5.1 as a stage: what it gives here is what it gives by hand, and nothing that it drops goes unsaid."""

import csv
import json
import os
import shutil
import subprocess
import sys

import h5py
import make_checkpoint
import numpy as np
import pytest
import skimage.io
import tifffile
from nuclei import FIELD, NUCLEI, ROOT, a_row, draw, embed, its_cells

from idrstream.base import files, stage_folder
from idrstream.cells.crops import NotFinite
from idrstream.images.frames import read_frame
from idrstream.images.labels import read_cells
from idrstream.screen import deepprofiler as dp
from idrstream.screen.deepprofiler_project import DeepProfilerFailed, Killed, Project


def write_weights(path, layers, stem=1):
    """A checkpoint in form: names and shapes, no numbers."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for name, (_, shapes) in layers.items():
            shapes = [(3, 3, stem, 32)] if name == "stem_conv" else shapes
            file.create_group(name).attrs["weight_names"] = [f"{i}".encode() for i in range(len(shapes))]
            for i, shape in enumerate(shapes):
                file[name].create_dataset(f"{i}", shape, "f4", chunks=shape, compression="gzip")
    return path


@pytest.fixture
def fine(tmp_path):
    """A config and weights without fault."""
    (tmp_path / "config.json").write_text(json.dumps(make_checkpoint.CONFIG))
    return tmp_path / "config.json", write_weights(tmp_path / "weights.h5", dp.layers(0))


def test_every_nucleus_has_its_vector_by_label(batch, embedded):
    made = files.read_json(embedded / "provenance.json")
    assert made["features"] == [f"efficientnet_{i}" for i in range(1280)]
    for well, centers in NUCLEI.items():
        cells = read_cells(embedded, a_row(well)["key"])
        assert cells["label"].tolist() == list(range(1, len(centers) + 1))
        assert cells["features"].shape == (len(centers), 1280) and cells["features"].dtype == np.float32
    assert len(list(embedded.glob("*.npz"))) == len(NUCLEI)


def test_features_tell_nuclei_apart(embedded):
    cells = np.concatenate([read_cells(embedded, a_row(well)["key"])["features"] for well in NUCLEI])
    assert (cells.std(axis=0) > 1e-3).mean() > 0.9


def test_features_are_bit_by_bit_those_of_deepprofiler_run_by_hand_on_one_image(batch, embedded, trained, tmp_path):
    config, checkpoint = trained
    for folder in ("config", "metadata", "images/P1", "locations/P1"):
        (tmp_path / "inputs" / folder).mkdir(parents=True)
    (tmp_path / "outputs/run/checkpoint").mkdir(parents=True)
    shutil.copy(checkpoint, tmp_path / "outputs/run/checkpoint/weights.hdf5")
    wanted = json.loads(config.read_text())
    wanted["dataset"] |= {"metadata": {"label_field": "Gene"}}
    wanted["dataset"] |= {"images": {"channels": ["DNA"], "width": 400, "height": 300}}
    wanted["prepare"] = {"compression": {"implement": False}}
    wanted["train"] |= {"partition": {"targets": ["Gene"]}, "validation": {"batch_size": 32}}
    wanted["profile"]["checkpoint"] = "weights.hdf5"
    (tmp_path / "inputs/config/config.json").write_text(json.dumps(wanted))
    (tmp_path / "inputs/metadata/index.csv").write_text(
        "Metadata_Plate,Metadata_Well,Metadata_Site,Plate_Map_Name,DNA,Gene,Gene_Replicate\n"
        "P1,1_50,1,P1,P1/P1_1_50.tif,CDK1,1\n"
    )
    even = (read_frame(batch[0], a_row("A1")["key"]).astype(np.float32) - 6) / FIELD
    tifffile.imwrite(tmp_path / "inputs/images/P1/P1_1_50.tif", even)
    lines = [f"{x},{y}" for y, x in NUCLEI["A1"]]
    header = "Nuclei_Location_Center_X,Nuclei_Location_Center_Y"
    (tmp_path / "inputs/locations/P1/1_50-1-Nuclei.csv").write_text("\n".join([header, *lines]))
    command = [sys.executable, "-m", "deepprofiler", f"--root={tmp_path}", "--config=config.json"]
    subprocess.run([*command, "--exp=run", "--gpu=-1", "profile"], check=True, capture_output=True)
    with np.load(tmp_path / "outputs/run/features/P1/1_50/1.npz") as by_hand:
        assert np.array_equal(read_cells(embedded, a_row("A1")["key"])["features"], by_hand["features"])


def test_the_project_stays_as_pycytominer_reads_it_and_the_images_go(embedded):
    project = embedded / "project"
    with open(project / "inputs/metadata/index.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["Metadata_Well"] for line in lines] == ["1_50", "3_50", "4_50"]
    assert lines[1]["DNA"] == "P1/P1_3_50.tif" and lines[0]["Gene"] == "CDK1"
    for line in lines:
        path = "{Metadata_Plate}/{Metadata_Well}/{Metadata_Site}.npz".format(**line)
        with np.load(project / "outputs/results/features" / path, allow_pickle=True) as made:
            assert made["metadata"].item()["Metadata_Model"] == "efficientnet"
    assert not list(project.rglob("*.tif")) and not list(project.rglob("*.hdf5"))


def test_the_model_is_named_by_weights_and_settings(embedded, trained, tmp_path):
    config, checkpoint = trained
    model = files.read_json(embedded / "provenance.json")["model"]
    assert model.startswith(f"deepprofiler-{files.sha256(checkpoint)[:12]}-")
    wanted = json.loads(config.read_text())
    others = {}
    for name, batch_size in (("other", 16), ("same", 32)):
        wanted["profile"] = {"batch_size": batch_size, "feature_layer": "pool5", "checkpoint": "mine.h5"}
        (tmp_path / f"{name}.json").write_text(json.dumps(wanted, indent=4))
        others[name] = Project(tmp_path / name, tmp_path / f"{name}.json", checkpoint).model
    assert others["same"] == model != others["other"]


def test_a_dropped_image_and_a_vector_that_is_no_number_are_told_by_name_and_others_stand(trained, tmp_path):
    project = Project(tmp_path / "project", *trained)
    cells = its_cells([(60, 70), (150, 220)])
    rows = [a_row(well, plate="0012") for well in ("A1", "A2", "A3")]  # a plate that DeepProfiler takes for 12
    for row in rows:
        pixels = draw([(60, 70), (150, 220)], (200, 300), 0).astype(np.float32)
        if row["well"] == "A03":
            pixels[150, 220] = np.nan
        project.add(row, pixels, cells)
    (project.folder / "inputs/locations/0012/2_50-1-Nuclei.csv").unlink()
    project.run()
    assert np.ptp(project.read(rows[0], cells), axis=0).max() > 1e-3
    with pytest.raises(DeepProfilerFailed, match="0012_A02_s1_f50: DeepProfiler skipped this image"):
        project.read(rows[1], cells)
    with pytest.raises(NotFinite, match="0012_A03_s1_f50: cell 2 has features that are no numbers"):
        project.read(rows[2], cells)
    with pytest.raises(DeepProfilerFailed, match="not at the positions of the label image"):
        project.read(rows[0], its_cells([(60, 70), (150, 221)]))
    with pytest.raises(DeepProfilerFailed, match="3 cells with 1280 features were requested"):
        project.read(rows[0], its_cells([(60, 70), (150, 220), (1, 1)]))
    assert not (project.folder / "inputs/locations/12").exists()


def test_a_deepprofiler_that_fails_is_told_in_its_own_words(trained, tmp_path):
    project = Project(tmp_path / "project", *trained)
    project.add(a_row("A1"), draw([], (90, 80), 0), its_cells([(20, 30)]))
    (project.folder / "inputs/images/P1/P1_1_50.tif").write_bytes(b"II*\0")
    with pytest.raises(DeepProfilerFailed, match=r"exit code 1: .*(TiffFileError|TIFF|struct)"):
        project.run()


def test_a_deepprofiler_that_is_killed_ends_the_command_as_memory_that_ran_out_does(fine, tmp_path, monkeypatch):
    (tmp_path / "python").write_text("#!/bin/sh\nkill -9 $$\n")
    (tmp_path / "python").chmod(0o755)
    project = Project(tmp_path / "project", *fine)
    project.add(a_row("A1"), draw([], (90, 80), 0), its_cells([(20, 30)]))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(Killed, match="was killed") as killed:
        project.run()
    assert killed.value.exit_code == 137


def test_a_gpu_that_does_not_hold_the_crops_is_given_half_of_them(fine, tmp_path, monkeypatch):
    (tmp_path / "python").write_text(
        f"""#!{sys.executable}
import json, pathlib, subprocess, sys
root, config = (word.split("=")[1] for word in sys.argv[4:6])
if json.loads(pathlib.Path(root, "inputs/config", config).read_text())["profile"]["batch_size"] > 16:
    sys.exit("errors_impl.ResourceExhaustedError: OOM when allocating tensor")
sys.exit(subprocess.run([{sys.executable!r}, *sys.argv[1:]]).returncode)
"""
    )
    (tmp_path / "python").chmod(0o755)
    project = Project(tmp_path / "project", *fine)
    project.add(a_row("A1"), draw([], (90, 80), 0), its_cells([(20, 30)]))
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(tmp_path / "python"))
        project.run()
    assert project.at_once.size == 16
    assert project.read(a_row("A1"), its_cells([(20, 30)])).shape == (1, 1280)


def test_a_batch_without_nuclei_is_done_without_deepprofiler(batch, fine, tmp_path):
    frames, _, _ = batch
    (tmp_path / "frames").mkdir()
    stage_folder.write_rows(tmp_path / "frames", [a_row("A2")])
    shutil.copy(frames / f"{a_row('A2')['key']}.tif", tmp_path / "frames")
    done = embed(tmp_path / "frames", batch[1], tmp_path / "features", "--config", fine[0], "--checkpoint", fine[1])
    assert done.returncode == 0, done.stderr
    assert read_cells(tmp_path / "features", a_row("A2")["key"])["features"].shape == (0, 1280)
    assert files.read_json(tmp_path / "features/provenance.json")["model"].startswith("deepprofiler-")


def test_a_project_is_never_laid_over_another(fine, tmp_path):
    project = Project(tmp_path / "project", *fine)
    project.add(a_row("A1"), draw([], (90, 80), 0), its_cells([(20, 30)]))
    with pytest.raises(FileExistsError):
        project.add(a_row("A1"), draw([], (90, 80), 0), its_cells([(20, 30)]))
    with pytest.raises(FileExistsError):
        Project(tmp_path / "project", *fine)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_pixels_reach_deepprofiler_as_they_are(fine, tmp_path, dtype):
    pixels = (np.random.default_rng(0).uniform(0, 250, (50, 60)) - (3.3 if dtype == np.float32 else 0)).astype(dtype)
    project = Project(tmp_path / "project", *fine)
    project.add(a_row("A1", site=2), pixels, its_cells([(20, 30)]))
    read = skimage.io.imread(project.folder / "inputs/images/P1/P1_1_50_s2.tif")
    assert read.dtype == dtype and np.array_equal(read, pixels)


# What is found out beforehand


def test_nothing_is_found_wrong_with_what_runs(fine, trained):
    assert dp.problems(*fine) == []
    assert dp.problems(*trained) == []


def test_the_layers_are_those_that_deepprofiler_builds():
    script = """
from deepprofiler.profiling import build_model
import json, sys
config = {"dataset": {"locations": {"box_size": 96}, "images": {"channels": ["DNA"]}}, "profile": {}, "num_classes": 2}
model = build_model({**config, "train": {"model": {"params": {"conv_blocks": 2}}}})
found = [(x.name, int(x.output_shape[-1]), [w.shape.as_list() for w in x.weights]) for x in model.layers[1:-1]]
json.dump(found, open(sys.argv[1], "w"))
"""
    built = subprocess.run([sys.executable, "-c", script, "/dev/stderr"], capture_output=True, text=True, check=True)
    truth = {name: (channels, shapes) for name, channels, shapes in json.loads(built.stderr.splitlines()[-1])}
    known = {name: (channels, [list(shape) for shape in shapes]) for name, (channels, shapes) in dp.layers(2).items()}
    assert known == {name: truth[name] for name in known}
    assert {name for name, (_, shapes) in truth.items() if shapes} <= set(known)


FAULTS = {
    "dataset.locations.mode": "full_image",
    "dataset.locations.box_size": 0,
    "dataset.locations.mask_objects": True,
    "dataset.images.channels": ["DNA", "ER"],
    "train.model.params.conv_blocks": 8,
    "train.model.crop_generator": "repeat_channel_crop_generator",
    "profile.batch_size": "32",
    "profile.feature_layer": "avg_pool",
    "profile.use_pretrained_input_size": 224,
}


def with_setting(config, key, value):
    content = inner = json.loads(config.read_text())
    *parents, last = key.split(".")
    for name in parents:
        inner = inner.setdefault(name, {})
    inner[last] = value
    config.write_text(json.dumps(content))


@pytest.mark.parametrize("key", FAULTS)
def test_a_setting_that_cannot_run_is_told_by_its_place_and_value(fine, key):
    with_setting(fine[0], key, FAULTS[key])
    (sentence,) = dp.problems(*fine)
    assert sentence.startswith(f"--dp_config config.json, {key}: {json.dumps(FAULTS[key])}; ")


@pytest.mark.parametrize("key", [*dp.NEEDED, "profile.feature_layer"])
def test_a_setting_that_is_missing_is_told(fine, key):
    with_setting(fine[0], key, None)
    (sentence,) = dp.problems(*fine)
    assert f"{key}: is missing; " in sentence


def test_the_config_and_weights_of_idr_stream_are_told_with_the_way_out(tmp_path):
    config = tmp_path / "idrstream.json"
    locations = {"mode": "single_cells", "box_size": 128, "area_coverage": 0.75, "mask_objects": False}
    images = {"file_format": "tif", "channels": ["DNA"], "bits": 8, "width": 1344, "height": 1024}
    model = {"name": "efficientnet", "crop_generator": "repeat_channel_crop_generator", "initialization": "ImageNet"}
    model["params"] = {"learning_rate": 0.005, "conv_blocks": 0, "pooling": "avg"}
    profile = {"feature_layer": "avg_pool", "checkpoint": "imagenet.h5", "batch_size": 1024}
    content = {
        "dataset": {"metadata": {"label_field": "Gene"}, "images": images, "locations": locations},
        "prepare": {"compression": {"implement": False, "scaling_factor": 1.0}},
        "train": {"partition": {"targets": ["Gene"]}, "model": model, "validation": {"batch_size": 32}},
        "profile": {**profile, "use_pretrained_input_size": 224},
    }
    config.write_text(json.dumps(content))
    found = dp.problems(config, write_weights(tmp_path / "imagenet.h5", dp.layers(0), stem=3))
    places = ("model.crop_generator", "profile.use_pretrained_input_size", "profile.feature_layer", "--dp_checkpoint")
    assert len(found) == len(places)
    for sentence, place in zip(found, places, strict=True):
        assert place in sentence
    assert "3 channels (as the public ImageNet weights that IDR_stream used)" in found[-1]
    assert "--embedder efficientnet" in found[0] and "--embedder efficientnet" in found[-1]


def test_weights_of_another_network_are_told_for_deepprofiler_would_run_random_ones(fine, tmp_path):
    some = {name: layer for name, layer in dp.layers(0).items() if name != "block3a_bn"}
    (sentence,) = dp.problems(fine[0], write_weights(tmp_path / "some.h5", some))
    assert "1 of 130 layers of EfficientNet-B0 are not in it, the first block3a_bn" in sentence
    (sentence,) = dp.problems(fine[0], write_weights(tmp_path / "b2.h5", dp.layers(2)))
    assert "layers of EfficientNet-B0 are not in it" in sentence and "conv_blocks" in sentence


def test_files_that_are_no_config_and_no_checkpoint_are_told(fine, tmp_path):
    config, weights = fine
    assert "no such file" in dp.problems(config, tmp_path / "nowhere.h5")[0]
    (tmp_path / "cut.h5").write_bytes(weights.read_bytes()[:5000])
    assert "not a whole HDF5 file" in dp.problems(config, tmp_path / "cut.h5")[0]
    h5py.File(tmp_path / "table.h5", "w").close()
    assert "not weights as Keras 2 saves them" in dp.problems(config, tmp_path / "table.h5")[0]
    assert "cannot be read (No such file" in dp.problems(tmp_path / "nowhere.json", weights)[0]
    for content in ("{", "[]", "\xff"):
        config.write_text(content, encoding="latin-1")
        (sentence,) = dp.problems(config, weights)
        assert sentence.startswith("--dp_config config.json: is not ")


def test_the_command_stops_the_run_for_what_the_user_must_mend(batch, fine, tmp_path):
    config, weights = fine
    wanted = ("--config", config, "--checkpoint", weights)
    blind = embed(*batch[:2], tmp_path / "features", *wanted, "--require_gpu", CUDA_VISIBLE_DEVICES="-1")
    assert blind.returncode == 64 and "--require_gpu: TensorFlow finds no GPU" in blind.stderr
    with_setting(config, "profile.feature_layer", "avg_pool")
    wrong = embed(*batch[:2], tmp_path / "features", *wanted)
    assert wrong.returncode == 64 and "avg_pool" in wrong.stderr
    assert not (tmp_path / "features").exists()


def test_planning_needs_neither_tensorflow_nor_pandas(fine):
    script = "import sys; from idrstream.screen import deepprofiler as d; d.problems(*sys.argv[1:]);"
    script += "sys.exit(any(name in sys.modules for name in ('tensorflow', 'pandas')))"
    done = subprocess.run([sys.executable, "-c", script, *fine], env={**os.environ, "PYTHONPATH": str(ROOT / "bin")})
    assert done.returncode == 0
