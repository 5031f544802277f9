#!/usr/bin/env python3
"""Seconds that MEASURE takes for an image, beside a plain loop of cp_measure over the same images in the same run.

In the environment of `profiles`: `.venvs/profiles/bin/python benchmarks/measure.py`, on three images of the demo's kind
(1344 x 1024), or on a folder of NAME.tif with NAME_labels.tif. One process, one thread.
"""

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
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
    from idrstream import measurement

    print(f"to import takes {time.perf_counter() - started:.1f} s, to compile 0: nothing is compiled", flush=True)
    ours = [times(lambda: measurement.measure(*image), given.repeat) for _, *image in images]  # noqa: B023
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    import plain_cp_measure

    plain = [times(lambda: plain_cp_measure.measure(*image), given.repeat) for _, *image in images]  # noqa: B023
    print(f"seconds an image, and of the processor: medians of {given.repeat}")
    print(f"{'image':28}{'cells':>6}{'plain':>14}{'ours':>14}{'times':>7}")
    for (name, labels, _), *both in zip(images, plain, ours, strict=True):
        print(f"{name:28}{len(np.unique(labels[labels > 0])):6}" + row(*both))
    print(f"{'all':34}" + row(*(list(map(statistics.median, zip(*kind, strict=True))) for kind in (plain, ours))))
    print(f"peak memory of ours: {memory:.0f} MB")
    groups(*images[0][1:], given.repeat)


def row(plain, ours):
    return "".join(f"{wall:7.2f}{cpu:7.2f}" for wall, cpu in (plain, ours)) + f"{plain[0] / ours[0]:7.1f}"


def groups(labels, image, repeat):
    """Print what each group takes on one image."""
    import plain_cp_measure
    from idrstream import measurement

    own, plain = measurement.steps(labels, image), plain_cp_measure.steps(labels, image)
    print(f"\n{'group':24}{'plain':>9}{'ours':>9}")
    for group in plain:
        print(f"{group:24}" + "".join(f"{times(steps[group], repeat)[0]:9.3f}" for steps in (plain, own)))


def times(function, repeat):
    """Medians: (seconds, seconds of the processor)."""
    found = []
    for _ in range(repeat):
        started, before = time.perf_counter(), time.process_time()
        with np.errstate(all="ignore"):
            function()
        found.append((time.perf_counter() - started, time.process_time() - before))
    return tuple(map(statistics.median, zip(*found, strict=True)))


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
