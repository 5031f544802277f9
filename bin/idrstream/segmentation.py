"""Nuclei of a frame with a Cellpose 3 network: one label image."""

import logging
import pickle
from pathlib import Path

import cv2
import numpy as np
import torch
from cellpose.resnet_torch import CPnet

from cellpose import core, dynamics, transforms
from idrstream.gpu import AtOnce
from idrstream.nuclei import areas
from idrstream.task import MustMend

logging.getLogger("cellpose").setLevel(logging.ERROR)  # an image without nuclei is no reason to warn

TILE = 224  # pixels, Cellpose's own; the network looks at tiles of this size
TILES = 8  # at once
STYLE = 256  # length of the style vector that cellpose.core.run_net expects of any network
MIN_SIZE = 15  # pixels: smaller masks are dropped, as Cellpose does
PLATE_QUANTILE = 0.25  # a plate has wells of small and of large nuclei; at the median the small ones of some are lost
DIAMETERS = 5.0, 200.0  # pixels: no estimate leaves this range
ROUNDS = 200  # Euler steps of the pixels along the flows at the network's scale, as Cellpose does


class BadModel(MustMend):
    """The file is not a Cellpose 3 checkpoint."""


class _Net(CPnet):
    """Cellpose's network at any width: channels last, which is faster, and the style as long as run_net expects it."""

    def forward(self, tiles):
        output, style, _ = super().forward(tiles.contiguous(memory_format=torch.channels_last))
        return output, torch.nn.functional.pad(style, (0, STYLE - style.shape[1]))


class Segmenter:
    """A loaded model: call it with a frame to get its label image.

    model               path of a Cellpose 3 checkpoint (residual U-Net of any width)
    diameter            nucleus diameter in pixels; the model's own if None
    flow_threshold      masks whose flows differ more from the network's are dropped; 0 keeps all
    cellprob_threshold  pixels above it (a logit) belong to nuclei
    remove_edge         drop the masks that touch the border of the image
    device              "cpu", "cuda" or "cuda:N"; a GPU if torch sees one when None

    The network runs on the device; the masks are made on the CPU, where no order of threads can change them.
    Raises BadModel if the file is no such checkpoint. Stringer et al. 2021, doi:10.1038/s41592-020-01018-x.
    """

    def __init__(
        self, model, diameter=None, flow_threshold=0.4, cellprob_threshold=0.0, remove_edge=False, device=None
    ):
        cv2.setNumThreads(torch.get_num_threads())  # OpenCV would take every core
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.net = load_network(model).to(self.device)
        self.requested = diameter
        self.flow_threshold = flow_threshold
        self.cellprob_threshold = cellprob_threshold
        self.remove_edge = remove_edge
        self.at_once = AtOnce(TILES, "tiles", torch.cuda.OutOfMemoryError)

    @property
    def diameter(self):
        """The model's own diameter in pixels: the median of the images it was trained on."""
        return round(self.net.diam_labels.item(), 3)

    def __call__(self, image, diameter=None):
        """Segment one image.

        image     (Y, X) any integer or float type, grey levels
        diameter  nucleus diameter in pixels, instead of the segmenter's
        returns   (Y, X) uint16, or uint32 above 65,535 nuclei: 0 = background, 1 … n in the order of their first pixel
        """
        return in_order(self.assemble(*self.predict(image, diameter)), self.remove_edge)

    def predict(self, image, diameter=None):
        """What the network sees.

        returns  (2, Y, X) float32 flows (y, x); (Y, X) float32 logit of "nucleus"; network pixels per image pixel
        """
        scale = self.net.diam_mean.item() / (diameter or self.requested or self.diameter)
        normalized = normalize(image)
        if not normalized.any():  # a constant image: the network's answer to nothing is no answer
            return np.zeros((2, *image.shape), np.float32), np.full(image.shape, -np.inf, np.float32), scale
        y, x = (max(1, int(side * scale)) for side in image.shape)
        tiles = np.zeros((1, y, x, self.net.nchan), np.float32)
        tiles[0, ..., 0] = cv2.resize(normalized, (x, y), interpolation=cv2.INTER_LINEAR)
        output = self.at_once(lambda count: core.run_net(self.net, tiles, batch_size=count, bsize=TILE))[0][0]
        output = np.ascontiguousarray(transforms.resize_image(output, *image.shape).transpose(2, 0, 1))
        return output[:2], output[2], scale

    def assemble(self, flows, probability, scale):
        """(Y, X) unsigned label image from what `predict` returned: in Cellpose's order, border masks included."""
        return dynamics.compute_masks(
            flows,
            probability,
            niter=ROUNDS / scale,
            cellprob_threshold=self.cellprob_threshold,
            flow_threshold=self.flow_threshold,
            min_size=MIN_SIZE,
        )

    def estimate_diameter(self, images, quantile=0.5):
        """A diameter of the nuclei found at the model's own diameter: what to segment these images with.

        images    iterable of (Y, X), taken one at a time
        quantile  which one: the median for one image; less where images of small and of large nuclei are to be
                  segmented alike, for too large a diameter loses small nuclei, whereas too small a one only costs time
        returns   diameter in pixels (of the disc of equal area, as cellpose.utils.diameters has it), to 0.1; and the
                  number of nuclei it rests on: 0 means that it is the model's own
        """
        found = [areas(self(image, diameter=self.diameter)) for image in images]
        found = np.concatenate(found) if found else np.empty(0)
        if not found.size:
            return self.diameter, 0
        return round(float(np.clip(2 * np.sqrt(np.quantile(found, quantile) / np.pi), *DIAMETERS)), 1), found.size


def normalize(image):
    """Grey levels from the 1st (0) to the 99th percentile (1), Cellpose's convention; zeros if the image is constant.

    image    (Y, X) any integer or float type
    returns  (Y, X) float32. Where the percentiles are equal (a few nuclei on an even ground), the extremes stand in.
    """
    image = np.asarray(image)
    low, high = np.percentile(image, (1, 99))
    if high <= low:
        low, high = float(image.min()), float(image.max())
    if not high > low:
        return np.zeros(image.shape, np.float32)
    return ((image.astype(np.float32) - np.float32(low)) / np.float32(high - low)).astype(np.float32)


def in_order(labels, remove_edge=False):
    """Labels renumbered 1 … n in the order of their first pixels, row by row; without those at the border if asked."""
    found, first = np.unique(labels, return_index=True)
    keep = found > 0
    if remove_edge:
        border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
        keep &= ~np.isin(found, border)
    found = found[keep][np.argsort(first[keep])]
    table = np.zeros(int(labels.max()) + 1, np.uint16 if len(found) <= np.iinfo(np.uint16).max else np.uint32)
    table[found] = np.arange(1, len(found) + 1)
    return table[labels]


def load_network(path):
    """Cellpose network of the widths that the checkpoint has, ready to predict. Raises BadModel."""
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise BadModel(f"{path}: there is no such file; give a Cellpose 3 checkpoint.") from None
    except (pickle.UnpicklingError, EOFError, RuntimeError, ValueError, OSError, KeyError) as error:
        raise BadModel(f"{path}: not a Cellpose 3 checkpoint: torch cannot read it.") from error
    if not isinstance(weights, dict) or "output.2.weight" not in weights:
        raise BadModel(f"{path}: not a Cellpose 3 checkpoint (Cellpose 4 and transformer networks are others).")
    try:
        levels = [key for key in weights if key.startswith("downsample.") and key.endswith(".conv.conv_0.2.weight")]
        first = [weights[key].shape for key in sorted(levels)]
        widths = [first[0][1], *(shape[0] for shape in first)]
        net = _Net(widths, weights["output.2.weight"].shape[0], 3)  # of diameter 30 where a checkpoint says none
        missing = net.load_state_dict(weights, strict=False).missing_keys
        missing = [key for key in missing if not key.startswith("diam_") and not key.endswith("num_batches_tracked")]
        if missing:
            raise ValueError(f"{len(missing)} layers are missing")
        if net.nout != 3 or widths[-1] > STYLE:
            raise ValueError(f"{net.nout} outputs, widths {widths}")
    except (RuntimeError, ValueError, IndexError, AttributeError, TypeError) as error:
        raise BadModel(f"{path}: not a Cellpose 3 checkpoint: its layers are those of another network.") from error
    if Path(path).name == "nucleitorch_0":  # trained at 17 pixels, which Cellpose knows by this name only
        net.diam_mean.data.fill_(17)
        if "diam_labels" not in weights:
            net.diam_labels.data.fill_(17)
    return net.to(memory_format=torch.channels_last).eval()
