"""Pictures of the report, as PNG files and in the page, in colours that suit all kinds of colour vision."""

import base64
import io
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt

from idrstream.report import page

# Okabe & Ito 2008, https://jfly.uni-koeln.de/color/
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
FLAGGED, GREY = "#D55E00", "#8A8A8A"
OTHER = "(none)"  # no group
GROUPS = {"negative control": COLOURS[0], "positive control": COLOURS[1], OTHER: GREY}  # the same in every picture
PANEL = (5.2, 3.6)  # inches; two stand side by side
DPI = 110

plt.rcParams.update(
    {
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "figure.constrained_layout.use": True,
        "image.cmap": "viridis",
        "image.interpolation": "nearest",
        "legend.frameon": False,
        "axes.prop_cycle": plt.cycler(color=COLOURS),
    }
)


class Pictures:
    """The folder of the pictures, and those that are embedded in the page.

    addresses  name -> address that holds the picture's data
    """

    def __init__(self, folder):
        self.folder, self.addresses = Path(folder), {}
        self.folder.mkdir(parents=True)

    def add(self, drawn, name, alt, caption=""):
        """Save a matplotlib figure as NAME.png, close it, and return it as HTML; ALT is its alternative text."""
        file = io.BytesIO()
        drawn.savefig(file, dpi=DPI, format="png")
        plt.close(drawn)
        (self.folder / f"{name}.png").write_bytes(file.getvalue())
        return self.embed(file.getvalue(), "png", name, alt, caption)

    def embed(self, content, kind, name, alt, caption=""):
        """Embed the bytes of a picture (png or jpeg) in the page only; returns HTML."""
        self.addresses[name] = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
        return page.figure(name, alt, caption)


def panel(figsize=PANEL):
    """(figure, axes) of one panel."""
    return plt.subplots(figsize=figsize)


def colours(names):
    """Group -> its colour: of NAMES those in GROUPS first, then the others in their order."""
    free = iter(COLOURS[2:] if GROUPS.keys() & set(names) else COLOURS)
    controls = [name for name in GROUPS if name in names]
    others = [name for name in names if name not in GROUPS]
    return {name: GROUPS.get(name) or next(free, GREY) for name in controls + others}


def limits(values, low=1, high=99):
    """(from, to) of a scale: percentiles LOW and HIGH of the finite VALUES, so that outliers do not stretch it."""
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return 0.0, 1.0
    start, stop = np.percentile(finite, [low, high])
    if stop <= start:  # all but a few are the same
        start, stop = finite.min(), finite.max()
    return (start, stop) if stop > start else (start, start + max(abs(start) * 1e-3, 1e-6))
