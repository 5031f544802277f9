"""Boxes of voxels."""

import numpy as np

from idrstream.volume.box import Box


def test_parts_cover_a_box_once():
    box = Box((5, -3, 7), (10, 4, 9))
    found = np.zeros(box.shape, int)
    for part in box.parts((4, 4, 2)):
        assert box.contains(part)
        found[part.within(box)] += 1
    assert (found == 1).all()


def test_what_two_boxes_have_in_common():
    assert Box((0, 0, 0), (4, 4, 4)).common(Box((2, -1, 3), (9, 3, 1))) == Box((2, 0, 3), (2, 2, 1))
    assert Box((0, 0, 0), (4, 4, 4)).common(Box((4, 0, 0), (1, 1, 1))) is None
