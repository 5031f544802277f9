"""The segmentation of a volume is a function of its stored probabilities."""

import numpy as np
import pytest

from idrstream.volume import scores, segmentation


def maps(classes, seed=0):
    """(classes, z, y, x) uint8 of probabilities that add up to 1 with the background's."""
    shares = np.random.default_rng(seed).dirichlet([0.7] * (classes + 1), (9, 20, 30))
    return np.moveaxis(np.rint(255 * shares[..., 1:]).astype(np.uint8), -1, 0)


def test_of_one_class_it_is_what_scores_at_a_half_take_for_the_class():
    (levels,) = probabilities = maps(1)
    assert np.array_equal(segmentation.segment(probabilities) > 0, levels >= scores.HALF)
    assert np.array_equal(segmentation.segment(probabilities, 0.5) > 0, levels >= scores.HALF)


@pytest.mark.parametrize("threshold", [0, 0.3, 0.5, 0.501, 1])
def test_a_threshold_is_a_probability(threshold):
    (levels,) = probabilities = maps(1)
    assert np.array_equal(segmentation.segment(probabilities, threshold) > 0, levels / 255 >= threshold)


def test_of_several_classes_the_likeliest_counts_if_it_is_likelier_than_the_background():
    probabilities = maps(3)
    found = segmentation.segment(probabilities)
    for place in np.ndindex(found.shape):
        levels = [
            255 - int(probabilities[(slice(None), *place)].sum()),
            *map(int, probabilities[(slice(None), *place)]),
        ]
        highest = max(levels)
        assert found[place] == (0 if levels[0] == highest else levels.index(highest))


def test_outside_of_the_sample_all_is_background():
    probabilities = np.full((1, 2, 3, 4), 255, np.uint8)
    inside = np.zeros((2, 3, 4), bool)
    inside[0, 1] = True
    assert np.array_equal(segmentation.segment(probabilities, inside=inside), inside.astype(np.uint8))
