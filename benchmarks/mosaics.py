"""Frames of the real plate XD0001_01, whose flat-field is known."""

import h5py

WELLS, EMPTY = (3, 17, 40, 88, 200), 384


def read_mosaic(data, well, frame):
    """(Y, X) uint8 of one frame, as stored; DATA: the folder of the shared data."""
    (path,) = data.glob(f"screen/pub/databases/IDR/*/*/*/XD0001_01--*/hdf5/{well:05d}_01.ch5")
    with h5py.File(path) as file:
        (plate,) = file["sample/0/plate"].values()
        return plate[f"experiment/{well:05d}/position/01/image/channel"][0, frame - 1, 0]
