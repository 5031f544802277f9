"""Deep watershed as Mesmer's users have it, of whole images and by scikit-image: what ours is held against."""

import cv2
import numpy as np
import openvino
from scipy import ndimage
from skimage.exposure import equalize_adapthist
from skimage.measure import label
from skimage.morphology import disk, h_maxima, remove_small_holes, remove_small_objects
from skimage.segmentation import watershed

TILE = 256  # pixels, the side of Mesmer's tiles
KERNEL = 128  # pixels of a CLAHE region


class Network:
    """A network for nuclei in an ONNX file: call it with an image to get its label image. On one thread."""

    def __init__(self, path):
        core = openvino.Core()
        model = core.read_model(path)
        self.diameter = float(model.get_rt_info(["framework", "diameter"]).astype(str))
        settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        self._compiled = core.compile_model(model, "CPU", settings)

    def maps(self, pixels):
        """Inner distance and interior, (n, 1, Y, X) each, of (n, 1, Y, X) float32 whose sides 8 divides."""
        answers = self._compiled(pixels)
        return answers[0], answers[1]

    def __call__(self, image, diameter):
        """(Y, X) int32 label image of an image whose nuclei have that DIAMETER in pixels."""
        grey = preprocess(resized(image, self.diameter / diameter))
        beyond = [(0, -side % 8) for side in grey.shape]
        maps = self.maps(np.pad(grey, beyond, mode="reflect")[None, None])
        y, x = grey.shape
        labels = flood(*(each[0, 0, :y, :x] for each in maps))
        return cv2.resize(labels, image.shape[::-1], interpolation=cv2.INTER_NEAREST)


def preprocess(image):
    """(Y, X) float32 of 0 to 1: as Mesmer is shown an image, once it is resized."""
    image = image.astype(np.float32)
    if image.min() == image.max():
        return np.zeros_like(image)
    image = np.minimum(image, np.percentile(image[image != 0], 99.9))
    image = (image - image.min()) / (image.max() - image.min())
    return equalize_adapthist(image, kernel_size=KERNEL).astype(np.float32)


def resized(image, scale, how=cv2.INTER_LINEAR):
    return cv2.resize(image, [max(1, round(side * scale)) for side in image.shape[::-1]], interpolation=how)


def flood(distance, interior):
    """(Y, X) int32 label image of two maps, with Mesmer's settings for nuclei."""
    interior = ndimage.gaussian_filter(interior, 2)
    markers = label(h_maxima(distance, 0.1, disk(2)))
    labels = watershed(-interior, markers, mask=interior > 0.2)
    labels = remove_small_objects(labels, max_size=14)
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        if box is not None:
            labels[box][remove_small_holes(labels[box] == number, max_size=14)] = number
    return labels.astype(np.int32)
