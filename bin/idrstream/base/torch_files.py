"""The weights in a file that `torch.save` wrote, read without PyTorch.

Since PyTorch 1.6 such a file is a zip: `data.pkl` holds the dict, `data/KEY` the numbers of its tensors. Before, it is
five pickles one behind the other, of which the fourth holds the dict and the fifth the keys, then the numbers by key.
Of what a pickle can name only what builds tensors is taken, so that a file cannot make this process do anything else.
"""

import collections
import os
import pickle
import zipfile

import numpy as np

TYPES = {"FloatStorage": np.float32, "DoubleStorage": np.float64, "HalfStorage": np.float16}
TYPES |= {"LongStorage": np.int64, "IntStorage": np.int32, "ByteStorage": np.uint8, "BoolStorage": np.bool_}
MAGIC = 0x1950A86A20F9469CFC6C  # that the first pickle of an old file holds
COUNT = np.dtype("<i8")  # of the numbers of a key, before them


class NoWeights(ValueError):
    """A file holds no dict of tensors as `torch.save` writes it; the message says what is wrong."""


def read(path):
    """The tensors of the dict in a file: {name: array}. Raises NoWeights, and FileNotFoundError where there is none."""
    return {name: np.array(value) for name, value in contents(path).items() if isinstance(value, np.ndarray)}


def contents(path):
    """The dict in a file, with arrays in place of tensors however deep they are, read only; raises what `read` does."""
    try:
        with open(path, "rb") as file:
            content = _of_zip(file) if zipfile.is_zipfile(file) else _of_pickles(file)
    except FileNotFoundError:
        raise
    except Exception as error:  # whatever a pickle makes of bytes that were not meant for it
        raise NoWeights(f"torch.save did not write it ({type(error).__name__}: {error})") from error
    if not isinstance(content, dict):
        raise NoWeights(f"it holds a {type(content).__name__}, not a dict of tensors")
    return content


def _of_zip(file):
    with zipfile.ZipFile(file) as archive:
        (place,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        with archive.open(place) as pickled:
            unpickler = _Unpickler(pickled, os.path.getsize(file.name))
            content = unpickler.load()
        for key, numbers in unpickler.storages.items():
            stored = archive.getinfo(f"{place.removesuffix('data.pkl')}data/{key}")
            if stored.file_size != numbers.nbytes:  # before it is unpacked
                raise pickle.UnpicklingError(f"{stored.filename} has {stored.file_size} bytes")
            _fill(numbers, archive.read(stored))
    return content


def _of_pickles(file):
    file.seek(0)
    size = os.path.getsize(file.name)
    if _Unpickler(file, size).load() != MAGIC:
        raise pickle.UnpicklingError("its first number is another")
    for _ in ("version of the format", "of the machine"):
        _Unpickler(file, size).load()
    unpickler = _Unpickler(file, size)
    content = unpickler.load()
    for key in _Unpickler(file, size).load():
        numbers = unpickler.storages[key]
        file.seek(COUNT.itemsize, os.SEEK_CUR)
        _fill(numbers, file.read(numbers.nbytes))
    return content


def _fill(numbers, content):
    numbers[:] = np.frombuffer(content, numbers.dtype.newbyteorder("<"), len(numbers))


class _Unpickler(pickle.Unpickler):
    """Arrays in place of tensors, views of `storages`, {key: numbers}, which are yet to be filled.

    size  of the file in bytes, more than which its storages do not have
    """

    def __init__(self, file, size):
        super().__init__(file)
        self._size, self.storages = size, {}

    def find_class(self, module, name):
        known = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
        }
        if module == "torch" and name in TYPES:
            return np.dtype(TYPES[name])
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return known[module, name]

    def persistent_load(self, place):
        _, dtype, key, _, count, *_ = place
        if key not in self.storages:
            self._size -= count * dtype.itemsize
            if count < 0 or self._size < 0:
                raise pickle.UnpicklingError(f"{count} numbers do not fit into the file")
            self.storages[key] = np.zeros(count, dtype)
        return self.storages[key]


def _tensor(numbers, offset, shape, steps, *_):
    """A tensor of a storage; STEPS count numbers."""
    last = offset + sum((length - 1) * step for length, step in zip(shape, steps, strict=True))
    if min((offset, *shape, *steps)) < 0 or (0 not in shape and last >= len(numbers)):
        raise pickle.UnpicklingError("a tensor is larger than its numbers")
    bytes_a_step = [step * numbers.itemsize for step in steps]
    return np.lib.stride_tricks.as_strided(numbers[offset:], shape, bytes_a_step, writeable=False)
