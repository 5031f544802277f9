#!/usr/bin/env python3
"""How far a plate's flat-field is from the true one, by the number of frames, and how often it is refused.

Artificial plates of assets/demo/make_screen.py, each with a field of its own, known: frames of wells of nuclei, as an
archive has them. With the camera's offset given, and with it taken for 0.
"""

import sys

import click
import numpy as np
from common import BIN, ROOT

sys.path[:0] = [str(BIN), str(ROOT / "assets/demo")]

from idrstream.screen import illumination  # noqa: E402
from make_screen import CONTROLS, OFFSET, make_movie, vignette  # noqa: E402


@click.command()
@click.option("--plates", default=4, show_default=True, help="Plates of each kind.")
@click.option("--shape", type=(int, int), default=(512, 672), show_default=True, help="(Y, X) in pixels.")
@click.option("--frames", "counts", multiple=True, type=int, default=(4, 8, 24), show_default=True, help="Candidates.")
def main(plates, shape, counts):
    """Fit fields to COUNTS candidate frames of each plate and print their error (RMS of the ratio to the true one)."""
    print(f"{'candidates':>10}{'used':>6}{'offset':>9}{'error, median':>15}{'worst':>8}{'refused':>9}")
    for count in counts:
        movies = [frames(plate, count, shape) for plate in range(plates)]
        for said, offset in (("given", OFFSET), ("0", 0)):
            errors = []
            for field, images in movies:
                try:
                    found = illumination.of_plate(images, offset).field
                    errors.append(rms(found / field))
                except illumination.Refused:
                    continue
            middle, worst = (f"{100 * f(errors):.2f} %" if errors else "" for f in (np.median, np.max))
            refused = f"{plates - len(errors)} of {plates}"
            used = max(illumination.FEWEST, count // illumination.SHARE)
            print(f"{count:10}{used:6}{said:>9}{middle:>15}{worst:>8}{refused:>9}", flush=True)


def rms(ratio):
    return float(np.sqrt(np.mean((ratio - 1) ** 2)))


def frames(plate, count, shape, offset=OFFSET):
    """The true field of a plate, mean 1, and a frame of each of its wells; every fourth is a positive control."""
    field = vignette(shape, plate)
    kinds = list(CONTROLS)
    rng = np.random.default_rng(plate)
    images = [make_movie(rng, field, 1, kinds[0 if well % 4 == 0 else 1], offset)[0][0] for well in range(count)]
    return field / field.mean(), images


if __name__ == "__main__":
    main()
