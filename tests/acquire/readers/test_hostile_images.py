"""Image files made to do harm: refused in one line, before memory is asked for, and no other file is read."""

import struct
import tracemalloc
import zlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import h5py
import numpy as np
import pytest

from idrstream.base.failures import ImageFailure, NotReadable, Truncated
from idrstream.readers.movie import open_movie
from reading import assert_says
from support import one_line

IMAGES = "sample/0/plate/P/experiment/W/position/S/image/channel"
LIMIT = 20_000_000  # bytes that refusing a file may take


def refusal(path):
    """What reading the first frame of a file gives, and the most bytes that Python held meanwhile."""
    tracemalloc.start()
    with open(path, "rb") as file, open_movie(file, path.name) as movie:
        found = movie.read(1)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found, held


@pytest.fixture(scope="module")
def refused():
    """What is said of the first frame of a file, which must cost next to nothing.

    It is read in a process of one thread: where Java's threads call into Python, stopping tracemalloc may crash.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as alone:

        def refused(path):
            found, held = alone.submit(refusal, path).result()
            assert held < LIMIT
            assert isinstance(found, ImageFailure)
            assert one_line(str(found))
            return found

        yield refused


def dataset(shape, dtype="u1", **how):
    return lambda file: file.create_dataset(IMAGES, shape, dtype, **how)


HDF5 = {
    "large images": (dataset((1, 1, 1, 10**6, 10**6), chunks=(1, 1, 1, 99, 99)), "1,000,000 x 1,000,000 pixels"),
    "large without blocks": (dataset((1, 1, 1, 10**5, 10**5)), "100,000 x 100,000 pixels"),
    "large blocks": (
        dataset((1, 1, 1, 9, 9), maxshape=(None,) * 5, chunks=(1, 1, 1, 60000, 60000)),
        "a block: .* 60,000 x 60,000 pixels",
    ),
    "deep blocks": (dataset((1, 900, 900, 64, 64), chunks=(1, 900, 900, 64, 64)), "a block: .* pixels"),
    "many blocks": (dataset((1, 1, 1, 10**4, 10**4), chunks=(1, 1, 1, 1, 1)), "cut into 100,000,000 blocks"),
    "large values": (dataset((1, 1, 1, 9, 9), "S100000000", chunks=(1, 1, 1, 1, 1)), "no images of grey levels"),
    "nested values": (dataset((1, 1, 1, 9, 9), np.dtype(("u1", (9999, 9999)))), "no images of grey levels"),
    "no planes": (dataset((1, 1, 0, 9, 9)), "it states 0 z planes"),
}


@pytest.mark.parametrize(("make", "said"), HDF5.values(), ids=HDF5)
def test_hdf5_that_declares_too_much_is_refused_before_memory_is_asked_for(make, said, refused, tmp_path):
    with h5py.File(tmp_path / "a.ch5", "w") as file:
        make(file)
    assert_says(refused(tmp_path / "a.ch5"), said, NotReadable)


@pytest.mark.parametrize("how", ["external", "virtual", "link", "link to a group"])
def test_hdf5_whose_images_lie_in_another_file_is_refused(how, refused, tmp_path):
    secret = np.arange(256, dtype="u1").reshape(1, 1, 1, 16, 16)
    (tmp_path / "secret").write_bytes(secret.tobytes())
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file[IMAGES] = secret
    with h5py.File(tmp_path / "a.ch5", "w") as file:
        if how == "external":
            file.create_dataset(IMAGES, secret.shape, "u1", external=[(tmp_path / "secret", 0, 256)])
        elif how == "virtual":
            layout = h5py.VirtualLayout(secret.shape, "u1")
            layout[...] = h5py.VirtualSource(tmp_path / "secret.h5", IMAGES, secret.shape)
            file.create_virtual_dataset(IMAGES, layout)
        else:
            path = IMAGES if how == "link" else "sample"
            file[path] = h5py.ExternalLink(tmp_path / "secret.h5", path)
    assert_says(refused(tmp_path / "a.ch5"), "lie in another file|this is not CellH5", NotReadable)


@pytest.mark.parametrize("names", [["P\n\t\x1b[31m=1+1", "Q"], [f"P{number}" for number in range(3000)]])
def test_what_groups_are_called_does_not_spoil_the_line(names, refused, tmp_path):
    with h5py.File(tmp_path / "a.ch5", "w") as file:
        for name in names:
            file.create_group(f"sample/0/plate/{name}")
    said = str(refused(tmp_path / "a.ch5"))
    assert "\t" not in said
    assert "\x1b" not in said
    assert len(said) < 300


def tiff(width=10, height=10, **tags):
    """A TIFF of one strip; tags by number, as (type, count, value)."""
    known = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1)}
    known |= {273: (4, 1, 300), 277: (3, 1, 1), 278: (4, 1, height), 279: (4, 1, 100)}
    known |= {int(name[1:]): value for name, value in tags.items()}
    rows = [struct.pack("<HHII", number, *value) for number, value in sorted(known.items()) if value]
    directory = struct.pack("<H", len(rows)) + b"".join(rows) + bytes(4)
    return b"II*\0\x08\0\0\0" + directory + bytes(range(1, 251)) * 4


TILED = {"_273": None, "_278": None, "_279": None, "_324": (4, 1, 300), "_325": (4, 1, 100)}
TIFF = {
    "large": (tiff(10**5, 10**5), "100,000 x 100,000 pixels"),
    "largest": (tiff(2**32 - 1, 2**32 - 1), "4,294,967,295 x 4,294,967,295 pixels"),
    "wide": (tiff(2**32 - 1, 1), "1 x 4,294,967,295 pixels"),
    "tiles": (tiff(_322=(4, 1, 65536), _323=(4, 1, 65536), **TILED), "65,536 x 65,536 pixels"),
    "samples": (tiff(10**4, 10**4, _277=(3, 1, 65535)), "65,535 channels"),
    "strip": (tiff(_279=(4, 1, 2**32 - 1)), "the file ends before its pixels do"),
    "strips": (tiff(_273=(4, 2**31 - 1, 300), _279=(4, 2**31 - 1, 300)), "only 0 of its 1 pieces are listed"),
    "empty": (tiff(0, 0), "no image of grey levels|cannot be read"),
}


@pytest.mark.parametrize(("content", "said"), TIFF.values(), ids=TIFF)
def test_a_tiff_that_declares_too_much_is_refused_before_memory_is_asked_for(content, said, refused, tmp_path):
    (tmp_path / "a.tif").write_bytes(content)
    assert_says(refused(tmp_path / "a.tif"), said, (NotReadable, Truncated))


@pytest.mark.parametrize("content", [b"no zlib", zlib.compress(bytes(64 * 64))[:-4], bytes(range(256))])
def test_a_block_that_cannot_be_unpacked_is_refused(content, refused, tmp_path):
    with h5py.File(tmp_path / "a.ch5", "w") as file:
        images = file.create_dataset(IMAGES, (1, 1, 1, 64, 64), "u1", chunks=(1, 1, 1, 64, 64), compression="gzip")
        images.id.write_direct_chunk((0, 0, 0, 0, 0), content)
    assert_says(refused(tmp_path / "a.ch5"), "a.ch5", NotReadable)
