"""A network that finds the nuclei of slides, or their cells, on the device that there is."""

from collections.abc import Callable
from typing import NamedTuple

from idrstream.base import task
from idrstream.cells import segmentation
from idrstream.tissue.prediction import Field


class Model(NamedTuple):
    """A network, ready to be shown tiles.

    network   function of (n, channels, Y, X) float32 to (n, 3, Y, X): flows y and x, logit of "nucleus"
    channels  that it takes
    trained   diameter of the nuclei that it was trained on, in its own pixels
    diameter  of the nuclei of the images that it was trained on, in theirs: the model's own
    at_once   tiles that it is given together
    device    in words
    on_gpu    whether that is a GPU
    threads   that may call it at a time
    """

    network: Callable
    channels: int
    trained: float
    diameter: float
    at_once: int
    device: str
    on_gpu: bool
    threads: int

    def field(self, planes, shape, diameter, squares=None):
        """Field of a slide, PLANES and SHAPE as it takes them, with objects of DIAMETER in pixels."""
        scale = self.trained / diameter
        return Field(self.network, self.channels, planes, shape, scale, self.at_once, squares, self.threads)

    def rounds(self, diameter):
        """Steps that a pixel goes at most on a slide with nuclei of DIAMETER in pixels."""
        return segmentation.ROUNDS / (self.trained / diameter)


def load(path, require_gpu=False, threads=1):
    """Model of a Cellpose checkpoint, on a GPU if there is one; raises what Segmenter and task.device do."""
    device = task.device(require_gpu)
    segmenter, on_gpu = segmentation.Segmenter(path, device=device, threads=threads), device != "cpu"
    checkpoint = segmenter.checkpoint
    return Model(
        segmenter.see,
        checkpoint.widths[0],
        checkpoint.trained,
        segmenter.diameter,
        segmenter.at_once.size,
        task.device_name(device, threads),
        on_gpu,
        1 if on_gpu else threads,
    )
