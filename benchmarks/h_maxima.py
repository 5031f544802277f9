#!/usr/bin/env python3
"""The h-maxima of images by ours and by scikit-image: CPU seconds of each, the ratio, and whether they are identical.

    .venvs/cellpose/bin/python benchmarks/h_maxima.py [--repeat 3]

Random cells everywhere, 3000 x 3000 pixels; the inner distance of real nuclei as a network gives it, 4096 x 4096, which
$IDRSTREAM_DATA/tissue/make_slide.py draws. h 0.075, neighbours within 2 pixels, float32; the best of each.
"""

import sys
import time
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "tests")]

import maps  # noqa: E402
from idrstream.images import reconstruction  # noqa: E402

H, RADIUS = 0.075, 2


def ours(image):
    return reconstruction.h_maxima(image, H, RADIUS)


def theirs(image):
    from skimage.morphology import disk, h_maxima

    return h_maxima(image, H, footprint=disk(RADIUS)).astype(bool)


def timed(find, image, times):
    """(CPU seconds of the fastest, what it found)."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        found = find(image)
        seconds.append(time.process_time() - start)
    return min(seconds), found


@click.command(help=__doc__)
@click.option("--repeat", default=3, show_default=True, help="Times that each is run.")
def main(repeat):
    """Print a row an image."""
    click.echo("| image | scikit-image CPU s | ours CPU s | ratio | h-maxima |\n|---|---|---|---|---|")
    for kind, side in ("random", 3000), ("real", 4096):
        image = getattr(maps, kind)((side, side))[0]
        (fast, found), (slow, wanted) = timed(ours, image, repeat), timed(theirs, image, repeat)
        same = "identical" if np.array_equal(found, wanted) else f"{(found != wanted).sum()} pixels differ"
        click.echo(
            f"| {kind} {side} x {side} | {slow:.2f} | {fast:.2f} | {slow / fast:.1f} | {same}, {found.sum():,} |"
        )


if __name__ == "__main__":
    main()
