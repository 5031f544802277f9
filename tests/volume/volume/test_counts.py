"""Counts of voxels by class and grey level."""

import numpy as np
import pytest

from idrstream.volume import counts, scores
from idrstream.volume.box import Box

SHAPE = (23, 31, 29)
WHOLE = Box((0, 0, 0), SHAPE)


@pytest.fixture(scope="module")
def volume():
    """Probabilities of two classes that follow the truth roughly, and what count takes beside them."""
    rng = np.random.default_rng(3)
    truth = rng.integers(-1, 3, SHAPE).astype(np.int16)
    shifted = [rng.normal(100 + 60 * (truth == number), 60) for number in (1, 2)]
    probabilities = np.clip(shifted, 0, 255).astype(np.uint8)
    inside = rng.random(SHAPE) < 0.9
    return probabilities, truth, inside, inside & (rng.random(SHAPE) < 0.8)


def confusion(probability, is_class, counted, level):
    """tp, fp, fn, tn of a whole volume, by definition."""
    taken, there = (probability >= level)[counted], is_class[counted]
    return [int(each.sum()) for each in (taken & there, taken & ~there, ~taken & there, ~taken & ~there)]


@pytest.mark.parametrize("edge", [(7, 9, 11), (16, 16, 16), (1, 31, 29), SHAPE])
def test_counts_of_blocks_give_the_whole_volumes_confusion_matrix_at_every_threshold(volume, edge):
    probabilities, truth, inside, scored = volume
    parts = []
    for part in WHOLE.parts(edge):
        place = part.within(WHOLE)
        found = counts.count(probabilities[(slice(None), *place)], truth[place], inside[place], scored[place])
        parts.append(scores.named(found))
    total = scores.add(parts)
    for number, probability in enumerate(probabilities, 1):
        for kind, kept in (("all", inside), ("scored", scored)):
            counted = kept & (truth >= 0)
            for score in scores.of(total[str(number)][kind]):
                expected = confusion(probability, truth == number, counted, score.level)
                assert list(score[1:]) == expected, (number, kind, score.level)


def test_classes_are_counted_by_their_numbers(volume):
    probabilities, *others = volume
    expected = scores.named(counts.count(*volume))
    found = counts.count(probabilities[1:], *others, [2])
    assert scores.named(found, [2]) == {"2": expected["2"]}


def test_how_a_block_is_worked_on_does_not_matter(volume, monkeypatch):
    expected = counts.count(*volume)
    for piece in (1, 2000, 10**9):
        monkeypatch.setattr(counts, "PIECE", piece)
        assert np.array_equal(counts.count(*volume), expected)


def test_views_of_other_arrays_count_like_copies(volume):
    turned = [array.swapaxes(-1, -2) for array in volume]
    assert np.array_equal(counts.count(*turned), counts.count(*volume))


def test_a_scored_voxel_outside_of_the_sample_does_not_count():
    block = np.ones((1, 1, 1), bool)
    found = counts.count(np.zeros((1, 1, 1, 1), np.uint8), np.ones((1, 1, 1), np.int16), ~block, block)
    assert not found.any()


def test_shapes_that_differ_are_refused(volume):
    probabilities, truth, inside, scored = volume
    with pytest.raises(ValueError, match="shapes"):
        counts.count(probabilities, truth[:-1], inside, scored)
