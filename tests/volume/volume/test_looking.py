"""Pictures of a volume: where its planes lie, and what is drawn over them."""

import numpy as np
from PIL import Image

from idrstream.volume import looking, ome_zarr
from idrstream.volume.box import Box

REGION = Box((10, 20, 30), (9, 12, 15))


class Raw:
    """A raw volume of which a voxel's grey level is its place along x in the world."""

    def read(self, box):
        return np.broadcast_to(np.arange(box.begin[2], box.end[2], dtype=np.uint8), box.shape)


def test_planes_lie_in_the_middle_and_no_side_is_longer_than_a_picture():
    assert looking.planes(REGION) == {
        "z": Box((14, 20, 30), (1, 12, 15)),
        "y": Box((10, 26, 30), (9, 1, 15)),
        "x": Box((10, 20, 37), (9, 12, 1)),
    }
    large = looking.planes(Box((0, 0, 0), (4000, 5000, 7)))["x"]
    assert large == Box((1616, 2116, 3), (768, 768, 1))


def test_a_class_is_drawn_where_it_is_and_voxels_are_as_high_as_they_are(tmp_path):
    store = ome_zarr.Store(tmp_path / "store", REGION, 64)
    classes = np.zeros(REGION.shape, np.uint8)
    classes[4, 2:5, 7:11] = 1
    store.put(ome_zarr.SEGMENTATION, REGION, classes)
    pictures = looking.write(tmp_path / "slices", "cell", REGION, Raw(), store, (10, 5, 5))
    assert [each["file"] for each in pictures if each["plane"] == "z"] == ["cell_z.png", "cell_z_labels.png"]
    grey, labels = (
        np.asarray(Image.open(tmp_path / "slices" / name), int) for name in ("cell_z.png", "cell_z_labels.png")
    )
    assert grey.shape == (12, 15, 3) and (np.diff(grey[0, :, 0]) >= 0).all() and grey[0, 0, 0] == 0
    assert np.array_equal((grey != labels).any(axis=2), classes[4] > 0)
    assert np.asarray(Image.open(tmp_path / "slices/cell_y.png")).shape == (18, 15, 3)
    assert np.asarray(Image.open(tmp_path / "slices/cell_x.png")).shape == (18, 12, 3)
