"""What a label image tells of its nuclei: drawn shapes have known answers."""

import numpy as np
import pytest
from skimage.measure import regionprops

from idrstream import nuclei


@pytest.fixture(scope="module")
def plenty():
    """150 nuclei with waves in their outlines, some cut by the border."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:1024, :1344]
    labels = np.zeros(y.shape, np.uint16)
    for number in range(150):
        cy, cx = number // 15 * 100 + 50 + rng.integers(-10, 10), number % 15 * 94 + rng.integers(-10, 10)
        high, wide = rng.integers(12, 22, 2)
        wave = 1 + 0.4 * np.sin(3 * np.arctan2(y - cy, x - cx))
        labels[((y - cy) / high) ** 2 + ((x - cx) / wide) ** 2 <= wave] = number + 1
    return labels


def test_centroids_and_outlines_of_known_shapes():
    labels = np.zeros((8, 9), np.uint16)
    labels[1:4, 2:7] = 1
    labels[6, 8] = 2  # one pixel
    labels[6:8, 0] = 3  # two
    assert nuclei.areas(labels).tolist() == [15, 1, 2]
    centroids = nuclei.centroids(labels)
    assert centroids.dtype == np.float64
    assert centroids.tolist() == [[2, 4], [6, 8], [6.5, 0]]
    rectangle, dot, pair = nuclei.outlines(labels)
    assert rectangle.dtype == np.int32
    assert len(rectangle) == 12 and rectangle.min(0).tolist() == [1, 2] and rectangle.max(0).tolist() == [3, 6]
    assert dot.tolist() == [[6, 8]]
    assert sorted(pair.tolist()) == [[6, 0], [7, 0]]


def test_without_nuclei_there_are_no_centroids_and_no_outlines():
    labels = np.zeros((5, 6), np.uint16)
    assert nuclei.centroids(labels).shape == (0, 2)
    assert nuclei.outlines(labels) == [] and nuclei.areas(labels).size == 0


def test_area_solidity_and_border_of_known_shapes():
    labels = np.zeros((30, 40), np.uint16)
    labels[5:10, 4:12] = 1  # a rectangle: convex
    labels[15:25, 10:14] = labels[21:25, 14:20] = 2  # an L, whose hull has half of the notch more
    labels[0:3, 20:23] = 3
    labels[12:16, 39] = 4
    labels[26, 30] = labels[28, 33] = 5  # two parts count as one
    table = nuclei.table(labels)
    assert table["label"].tolist() == [1, 2, 3, 4, 5]
    assert table["area"].tolist() == [40, 64, 9, 4, 2] and table["area"].dtype == np.int32
    assert table["touches_border"].tolist() == [False, False, True, True, False]
    solid = table["solidity"]
    assert solid.dtype == np.float32 and solid[[0, 2, 3]].tolist() == [1, 1, 1]
    assert solid[1] == pytest.approx(64 / (64 + 6 * 6 / 2), abs=0.05) and solid[4] < 0.6


def test_nuclei_at_the_border_are_left_out_of_the_table_and_the_others_keep_their_rows(plenty):
    whole, listed = nuclei.table(plenty), nuclei.table(plenty, remove_edge=True)
    border = np.concatenate([plenty[[0, -1]].ravel(), plenty[:, [0, -1]].ravel()])
    assert listed["label"].tolist() == np.setdiff1d(plenty, [0, *border]).tolist()
    assert 0 < len(listed["label"]) < len(whole["label"])
    for name, values in whole.items():
        assert np.array_equal(listed[name], values[listed["label"] - 1]) and listed[name].dtype == values.dtype


def test_solidity_is_cellprofilers_to_the_last_digit(plenty):
    scattered = np.zeros((60, 400), np.uint16)
    rng = np.random.default_rng(1)
    for label in range(1, 40):  # a few pixels each, in any arrangement
        scattered[rng.integers(0, 60, 5), rng.integers(10 * label - 10, 10 * label, 5)] = label
    for labels in plenty, scattered:
        expected = np.array([cell.solidity for cell in regionprops(labels)], np.float32)
        assert len(expected) > 30
        assert np.array_equal(nuclei.solidities(labels), expected)


def test_without_nuclei_the_table_has_its_columns_and_no_row():
    table = nuclei.table(np.zeros((8, 9), np.uint16))
    assert set(table) == {"label", "center_y", "center_x", "area", "solidity", "touches_border"}
    assert all(len(column) == 0 for column in table.values())
