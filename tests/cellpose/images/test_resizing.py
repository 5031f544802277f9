"""A window of a resized image is that of scikit-image's whole one."""

import numpy as np
import pytest
from skimage import transform

from idrstream.images import resizing

SIZES = (
    ((300, 400), (195, 260)),  # shrinks
    ((300, 400), (390, 521)),  # grows
    ((211, 500), (422, 123)),  # both
    ((700, 600), (101, 87)),  # smoothed over 24 pixels
    ((9, 300), (2, 70)),
    ((1, 40), (1, 52)),
)


@pytest.mark.parametrize("size, to", SIZES)
@pytest.mark.parametrize("ground", [0, 200])
def test_windows_join_into_scikit_images_result(size, to, ground):
    image = (np.random.default_rng(0).random(size) * 1000 + ground).astype(np.float32)
    wanted = transform.resize(image, to, order=1, mode="constant", preserve_range=True, anti_aliasing=True)
    found = np.empty(to, np.float32)
    for y in range(0, to[0], 37):
        for x in range(0, to[1], 50):
            box = y, min(y + 37, to[0]), x, min(x + 50, to[1])
            y0, y1, x0, x1 = resizing.needed(size, to, box)
            seen = resizing.resized(image[y0:y1, x0:x1], (y0, x0), size, to, box)
            found[box[0] : box[1], box[2] : box[3]] = seen
    np.testing.assert_array_equal(found.clip(image.min(), image.max()), wanted)


@pytest.mark.parametrize("size, to", SIZES)
@pytest.mark.parametrize("most", [1, 60, 200, 5000])
def test_parts_are_a_partition_and_need_no_more_than_they_may(size, to, most):
    window = to[0] // 3, to[0], 0, to[1] - to[1] // 4
    parts, seen = resizing.parts(size, to, window, most), np.zeros(to, int)
    for y0, y1, x0, x1 in parts:
        seen[y0:y1, x0:x1] += 1
        low, high, left, right = resizing.needed(size, to, (y0, y1, x0, x1))
        assert (high - low <= most or y1 - y0 == 1) and (right - left <= most or x1 - x0 == 1)
    assert (seen[window[0] : window[1], window[2] : window[3]] == 1).all()
    assert seen.sum() == (window[1] - window[0]) * (window[3] - window[2])
    assert len(parts) == 1 or most < 5000
