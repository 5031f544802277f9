#!/usr/bin/env python3
"""How well a camera's unknown offset is estimated, and how far the plate's flat-field is then from the true one.

Artificial plates of assets/demo/make_screen.py, each with an offset and a field of its own, known, by the number of
their frames and their size; the same with nuclei that are dimmer towards the corners, which no estimate can tell from
the lamp; and the real plate of known field, where there is one.
"""

import sys

import click
import numpy as np
from common import BIN, DATA, ROOT
from flatfield import frames, rms

sys.path[:0] = [str(BIN), str(ROOT / "assets/demo"), str(ROOT / "benchmarks")]

from idrstream.screen import illumination  # noqa: E402
from make_screen import BACKGROUND, OFFSET, REFERENCE_SHAPE  # noqa: E402
from mosaics import EMPTY, WELLS, read_mosaic  # noqa: E402

OFFSETS = 0, 6, 13, 40  # grey levels
SMALL = 512, 672  # pixels
KINDS = ((24, REFERENCE_SHAPE), (8, REFERENCE_SHAPE), (4, REFERENCE_SHAPE))
KINDS += ((48, SMALL), (24, SMALL), (8, SMALL), (4, SMALL))
DIMMER = 0.2  # of the nuclei's light, in the corners
HEADS = ("nuclei", "given", "worst", "0", "worst", "estimated", "worst", "bound", "sure", "rough", "none", "worst sure")


@click.command()
@click.option(
    "--plates", default=4, show_default=True, help="Plates of each kind, whose offsets are 0, 6, 13, 40 in turn."
)
def main(plates):
    """Print the RMS error in % of the fields, with the offset given, taken for 0 and estimated: median and worst."""
    print(f"{'':32}" + "".join(f"{head:>11}" for head in HEADS))
    for count, shape in KINDS:
        show(f"{count} frames of {shape[1]} x {shape[0]}", (plate(k, count, shape) for k in range(plates)))
    show("24 large, corners 20 % dimmer", (plate(k, 24, REFERENCE_SHAPE, DIMMER) for k in range(plates)))
    if (DATA / "screen").exists():
        keys = [(well, frame) for well in (*WELLS, EMPTY) for frame in (1, 2)]
        real = np.load(DATA / "screen/truth/XD0001_01_flatfield.npy")
        show("real plate, 12 frames", [(real, [read_mosaic(DATA, *key) for key in keys], OFFSET, keys)])


def plate(number, count, shape, dimmer=0.0):
    """True field, frames, offset and origins of a plate."""
    offset = OFFSETS[number % len(OFFSETS)]
    field, images = frames(number, count, shape, offset)
    if dimmer:
        y, x = (np.linspace(-1, 1, side) for side in shape)
        place = 1 - dimmer * (y[:, None] ** 2 + x**2) / 2
        ground = offset + BACKGROUND * field
        images = [np.rint(ground + (image - ground) * place).clip(0, 255).astype(np.uint8) for image in images]
    return field, images, offset, [(well, 1) for well in range(count)]


def show(words, plates):
    """A row of the table: TRUTH, FRAMES, OFFSET, ORIGINS of each of PLATES."""
    errors, states, bounds, counts, sure = [], [], [], [], []
    for truth, images, offset, origins in plates:
        given, found = illumination.of_plate(images, offset), illumination.of_plate(images, "auto", origins)
        estimate = found.estimate
        ratio = estimate.ratio if estimate else 0.0
        zero = found.field * (1 - ratio) + ratio
        errors.append([rms(field / truth) for field in (given.field, zero, found.field)])
        states.append("none" if estimate is None else "sure" if estimate.sure else "rough")
        counts.append(estimate.nuclei if estimate else np.nan)
        bounds.append(estimate.bound if estimate else np.nan)
        sure += [errors[-1][2]] if states[-1] == "sure" else []
    columns = [value for column in np.transpose(errors) for value in (np.median(column), column.max())]
    cells = [f"{np.nanmedian(counts):.0f}", *(f"{100 * value:.2f}" for value in (*columns, np.nanmedian(bounds)))]
    cells += [str(states.count(state)) for state in ("sure", "rough", "none")]
    cells.append(f"{100 * max(sure):.2f}" if sure else "")
    print(f"{words:32}" + "".join(f"{cell:>11}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
