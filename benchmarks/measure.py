#!/usr/bin/env python3
"""Seconds that MEASURE takes for an image, beside a plain loop of cp_measure over the same images in the same run.

In the environment of `profiles`: `.venvs/profiles/bin/python benchmarks/measure.py`, on three images of the demo's kind
(1344 x 1024), or on a folder of NAME.tif with NAME_labels.tif. One process, one thread.
"""

import argparse
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "bin"), str(ROOT / "assets/demo")]
os.environ |= dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)  # before numpy is there

import numpy as np  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="folder of NAME.tif and NAME_labels.tif")
    parser.add_argument("--repeat", type=int, default=5, help="times each image is measured (5)")
    given = parser.parse_args()
    images = list(read(given.folder) if given.folder else generated())

    started = time.perf_counter()
    from idrstream.base import memory
    from idrstream.cells import measurement

    print(f"to import takes {time.perf_counter() - started:.1f} s, to compile 0: nothing is compiled", flush=True)
    measurement.measure(*images[0][1:])
    print(f"peak memory of ours: {memory.peak() / 2**20:.0f} MB")
    import plain_cp_measure

    print(f"seconds an image, and seconds of the processor: medians of {given.repeat}, in turns")
    print(f"{'image':28}{'cells':>6}{'plain':>8}{'':6}{'ours':>9}")
    found = []
    for name, labels, image in images:
        both = plain_cp_measure.measure, measurement.measure
        found.append(times([partial(one, labels, image) for one in both], given.repeat))
        print(f"{name:28}{len(np.unique(labels[labels > 0])):6}" + row(*found[-1]), flush=True)
    print(f"{'all':34}" + row(*np.median(found, axis=0)))

    _, labels, image = images[0]
    labels = measurement.sanitize_masks(labels)[0].astype(np.int32)
    own, plain = measurement.steps(labels, image), plain_cp_measure.steps(labels, image)
    print(f"\n{images[0][0]:24}{'plain':>8}{'':6}{'ours':>9}")
    for group in plain:
        print(f"{group:24}" + row(*times((plain[group], own[group]), given.repeat)))


def row(plain, ours):
    """Seconds and processor's seconds of both, and how many times less ours are, by the processor's."""
    return "".join(f"{wall:8.3f} {cpu:6.3f}" for wall, cpu in (plain, ours)) + f"{plain[1] / ours[1]:6.1f} x"


def times(functions, repeat):
    """Medians of (seconds, processor's seconds) for each of FUNCTIONS, called in turns: others may use the machine."""
    found = []
    for _ in range(repeat):
        for function in functions:
            started, before = time.perf_counter(), time.process_time()
            with np.errstate(all="ignore"):
                function()
            found.append((time.perf_counter() - started, time.process_time() - before))
    return np.median(np.reshape(found, (repeat, len(functions), 2)), axis=0)


def read(folder):
    import tifffile

    for path in sorted(folder.glob("*_labels.tif")):
        frame = tifffile.imread(path.with_name(path.name.replace("_labels", "")))
        yield path.name.removesuffix("_labels.tif"), tifffile.imread(path), frame / np.iinfo(frame.dtype).max


def generated():
    import h5py

    from make_screen import make_screen

    with tempfile.TemporaryDirectory() as folder:
        make_screen(folder, plates=["DM0001_01"], wells=[3, 17, 40], frames=1)
        for path in sorted(Path(folder).glob("truth/*_labels.npz")):
            well = int(path.name.split("_")[2])
            (movie,) = Path(folder).rglob(f"{well:05}_01.ch5")
            with h5py.File(movie) as file:
                found = []
                file.visititems(lambda _, part: found.append(part) if getattr(part, "ndim", 0) == 5 else None)  # noqa: B023
                frame = found[0][0, 0, 0]
            yield path.name.removesuffix("_labels.npz"), np.load(path)["labels"], frame / np.iinfo(frame.dtype).max


if __name__ == "__main__":
    main()
