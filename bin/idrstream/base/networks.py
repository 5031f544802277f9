"""A torch network as a function of arrays, in float32: on a GPU, or a user's own on a processor."""

import torch

OutOfMemory = torch.cuda.OutOfMemoryError


def layout(device):
    """How a network with depthwise convolutions, and what it is given, lie in the memory of a torch device.

    A GPU's "channels last" ones torch leaves to cuDNN, whose depthwise convolutions in float32 are slow; of the other
    layout it has its own.
    """
    return torch.contiguous_format if torch.device(device).type == "cuda" else torch.channels_last


def by_torch(network, device, layout=torch.channels_last):
    """NETWORK, a function of one tensor to one, as a function of one float32 array to another.

    device  a torch device, or its name, where the network's weights are
    layout  how arrays are to lie there: torch.channels_last or torch.contiguous_format
    """
    if torch.device(device).type == "cuda":
        _compute_exactly()

    def compute(array):
        with torch.inference_mode():
            given = torch.from_numpy(array).to(device).contiguous(memory_format=layout)
            return network(given).cpu().numpy()

    return compute


def _compute_exactly():
    """Have GPUs of all kinds compute in float32, and each alike at every run.

    Left alone, cuDNN rounds what it multiplies to TF32 (10 bits of float32's 23) on the GPUs that have it, which moves
    the borders of nuclei; and it may take sums in any order.
    """
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
