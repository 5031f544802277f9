"""Nuclei of a frame with a Cellpose 3 network: one label image."""

from functools import partial

import cv2
import numpy as np

from idrstream.base import graph
from idrstream.base.gpu import BatchSize
from idrstream.base.task import in_threads
from idrstream.cells import contrast, cpnet, masks, tiles
from idrstream.cells.nuclei import areas

VERSION = 2  # raised when label images change
DIAMETER_VERSION = 2  # raised when the diameter of a plate changes while its label images do not

TILES = 32  # at once on a GPU; a processor's caches hold one
MIN_SIZE = 15  # pixels: smaller masks are dropped, as Cellpose does
PLATE_SHARE = 0.1  # of a plate's nuclear area that is in smaller nuclei than the diameter it is segmented at
DIAMETERS = 5.0, 200.0  # pixels: no estimate leaves this range
ROUNDS = 200  # Euler steps of the pixels along the flows at the network's scale, as Cellpose does


class Segmenter:
    """A loaded model: call it with a frame to get its label image.

    model               path of a Cellpose 3 checkpoint (residual U-Net of any width)
    diameter            nucleus diameter in pixels; the model's own if None
    flow_threshold      masks whose flows differ more from the network's are dropped; 0 keeps all
    cellprob_threshold  pixels above it (a logit) belong to nuclei
    largest             share of an image that one nucleus may take; larger masks are dropped
    device              "cpu", by OpenVINO; or a torch device or its name, by torch
    threads             how many may call it at a time, on a processor

    The network runs on the device; the masks are made on the CPU, where no order of threads can change them.
    Raises cpnet.BadModel if the file is no such checkpoint. Stringer et al. 2021, doi:10.1038/s41592-020-01018-x.
    """

    def __init__(
        self,
        model,
        diameter=None,
        flow_threshold=0.4,
        cellprob_threshold=0.0,
        largest=1.0,
        device="cpu",
        threads=1,
    ):
        cv2.setNumThreads(1)  # it would take every core
        self.checkpoint = cpnet.read(model)
        self.device = device
        self.requested = diameter
        self.flow_threshold = flow_threshold
        self.cellprob_threshold = cellprob_threshold
        self.largest = largest
        self.threads = threads
        if device == "cpu":
            self.at_once = BatchSize(1, "tiles", (), alone=False)
            self._compute = graph.ready(partial(cpnet.cpnet, self.checkpoint.weights), threads)
        else:
            self._compute_on_gpu()

    def _compute_on_gpu(self):
        from idrstream.base import networks
        from idrstream.cells import torch_cpnet

        net = torch_cpnet.network(self.checkpoint).to(self.device)
        self.at_once = BatchSize(TILES, "tiles", networks.OutOfMemory)
        self._compute = networks.by_torch(lambda pixels: net(pixels)[0], self.device)

    @property
    def diameter(self):
        """The model's own diameter in pixels: the median of the images it was trained on."""
        return self.checkpoint.diameter

    def __call__(self, image, diameter=None):
        """Segment one image.

        image     (Y, X) any integer or float type, grey levels
        diameter  nucleus diameter in pixels, instead of the segmenter's
        returns   (Y, X) uint16, or uint32 above 65,535 nuclei: 0 = background, 1 … n in the order of their first pixel
        """
        return self.segment(image, diameter)[0]

    def segment(self, image, diameter=None):
        """Likewise: (label image, how many masks were dropped for being too large)."""
        labels, too_large = self.assemble(*self.predict(image, diameter))
        return masks.in_order(labels), too_large

    def predict(self, image, diameter=None):
        """What the network sees.

        returns  (2, Y, X) float32 flows (y, x); (Y, X) float32 logit of "nucleus"; network pixels per image pixel
        """
        scale = self.checkpoint.trained / (diameter or self.requested or self.diameter)
        normalized = contrast.normalize(image)
        if not normalized.any():  # a constant image: the network's answer to nothing is no answer
            return np.zeros((2, *image.shape), np.float32), np.full(image.shape, -np.inf, np.float32), scale
        y, x = (max(1, int(side * scale)) for side in image.shape)
        channels = np.zeros((self.checkpoint.widths[0], y, x), np.float32)
        channels[0] = cv2.resize(normalized, (x, y), interpolation=cv2.INTER_LINEAR)
        output = self.at_once(lambda count: self._in_tiles(channels, count))
        output = cv2.resize(output.transpose(1, 2, 0), image.shape[::-1], interpolation=cv2.INTER_LINEAR)
        output = np.ascontiguousarray(output.transpose(2, 0, 1))
        return output[:2], output[2], scale

    def _in_tiles(self, channels, count):
        """(3, Y, X) of (channels, Y, X): COUNT tiles at once, averaged where they overlap."""
        cut, where = tiles.cut(channels)
        answers = [self._compute(cut[start : start + count]) for start in range(0, len(cut), count)]
        return tiles.join(np.concatenate(answers), where)

    def see(self, tiles):
        """(n, 3, Y, X) of (n, channels, Y, X) float32: what the network sees in tiles, as many at once as it can."""

        def compute(count):
            groups = (tiles[start : start + count] for start in range(0, len(tiles), count))
            return np.concatenate([self._compute(group) for group in groups])

        return self.at_once(compute)

    def assemble(self, flows, probability, scale):
        """(Y, X) int32 label image from what `predict` returned, border masks included; how many were too large."""
        limits = self.cellprob_threshold, self.flow_threshold
        return masks.from_flows(flows, probability, ROUNDS / scale, *limits, MIN_SIZE, self.largest)

    def estimate_diameter(self, images, choose=np.median):
        """A diameter of the nuclei found at the model's own diameter: what to segment these images with.

        images   iterable of (Y, X), taken as they are needed
        choose   the area to go by, of (n,) areas: the median for one image, `plate_area` for a plate
        returns  diameter in pixels (of the disc of that area, as cellpose.utils.diameters has it), to 0.1; and the
                 number of nuclei it rests on: 0 means that it is the model's own
        """
        found = list(in_threads(lambda image: areas(self(image, diameter=self.diameter)), images, self.threads))
        found = np.concatenate(found) if found else np.empty(0)
        if not found.size:
            return self.diameter, 0
        return diameter_of(choose(found)), found.size


def diameter_of(area):
    """Diameter in pixels of a disc of AREA, to 0.1, within DIAMETERS."""
    return round(float(np.clip(2 * np.sqrt(area / np.pi), *DIAMETERS)), 1)


def plate_area(areas):
    """Of (n,) areas the one below which lies a tenth of all of it: where a plate's small nuclei begin.

    A plate has wells of small and of large nuclei. At the median the small ones of some would be lost, whereas too
    small a diameter only costs time. Debris, many as it may be, has next to none of the area.
    """
    ordered = np.sort(areas).astype(np.float64)
    return np.interp(PLATE_SHARE * ordered.sum(), np.cumsum(ordered) - ordered / 2, ordered)
