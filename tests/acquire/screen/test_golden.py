"""Pixels out of files, and what is looked at in a frame, are what they were."""

import numpy as np
import pytest
import tifffile

from golden import assert_golden, nuclei
from idrstream import sources
from idrstream.screen import fetch
from make_screen import write_cellh5
from make_zarr import write
from support import read_frames


def in_tiff(folder, frames):
    tifffile.imwrite(folder / "movie.tif", frames, photometric="minisblack", metadata={"axes": "TYX"})
    return "movie.tif"


def in_cellh5(folder, frames):
    write_cellh5(folder / "movie.ch5", "P", 1, frames.astype(np.uint8))
    return "movie.ch5"


def in_zarr(folder, frames):
    write(folder / "movie.zarr", frames, axes="tyx", chunks=(1, 64, 100))
    return "movie.zarr"


@pytest.mark.parametrize("stored", [in_tiff, in_cellh5, in_zarr])
def test_pixels(stored, tmp_path):
    frame, _ = nuclei()
    name = stored(tmp_path, np.stack([frame, frame[::-1]]))
    opened = sources.open_store if sources.is_store(name) else sources.open_location
    with opened(str(tmp_path / name)) as file:
        ((_, found),) = read_frames(file, name, [2])
    assert_golden("readers", [*found.shape, *found[30::50, 30::46].ravel()], rtol=0, atol=0)


def test_focus_saturation_and_background(tmp_path):
    frame, _ = nuclei()
    frame[:10, :10] = 65535
    row = fetch._row({"key": "frame"}, frame, tmp_path)
    assert_golden("figures", [row[name] for name in ("focus", "saturation", "background")], rtol=1e-3)
