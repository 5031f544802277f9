"""The U-Net of incasem, ready to compute: by OpenVINO on a processor, by torch on a GPU."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from idrstream.base import graph, task
from idrstream.base.task import TransientError, UserError
from idrstream.volume import unet_lean


class Network(NamedTuple):
    """A network for inputs of one shape.

    compute  function of (Z, Y, X) float32 grey levels, -1 to 1, to (outputs, z, y, x) float32 logits
    device   in words
    on_gpu   whether that is a GPU
    """

    compute: Callable
    device: str
    on_gpu: bool


def load(unet, weights, shape, require_gpu=False, threads=1):
    """Network of a Unet, on a GPU if there is one.

    weights  {name: float32 array}, `unet.names()`
    shape    (3) of its inputs, `unet.given(tile)`
    threads  of a processor, all of which compute one input; their number does not change the results

    Raises UserError and TransientError as task.device does; so does `compute`, where the GPU's memory does not suffice:
    UserError, unless other programs have a part of it.
    """
    device, weights = task.device(require_gpu), unet_lean.prepared(unet, weights)
    if device == "cpu":
        lean = partial(unet_lean.logits, unet, weights, layers=graph)
        compute = graph.compiled(lean, (1, 1, *shape), threads)
    else:
        compute = _on_gpu(unet, weights, device)
    return Network(lambda levels: compute(levels[None, None])[0], task.device_name(device, threads), device != "cpu")


def _on_gpu(unet, weights, device):
    import torch

    from idrstream.base import networks
    from idrstream.volume import layers_torch

    weights = {name: torch.from_numpy(array).to(device) for name, array in weights.items()}
    lean = partial(unet_lean.logits, unet, weights, layers=layers_torch)
    compute = networks.by_torch(lean, device, torch.contiguous_format)

    def computed(levels):
        try:
            return compute(levels)
        except networks.OutOfMemory as error:
            sides = " x ".join(map(str, levels.shape[2:]))
            why = f"the GPU's memory does not hold the maps of {sides} voxels"
            if _shared(device):
                raise TransientError(f"{why}: other programs have a part of it ({error})") from error
            raise UserError(f"{why}; give a smaller --tile ({error})") from error

    return computed


def _shared(device):
    """Whether other programs have much of a GPU's memory, so that trying again may help; else it is too small.

    A tenth counts as none: the system, the driver and CUDA itself take some hundred megabytes.
    """
    import torch

    free, whole = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) < 0.9 * whole
