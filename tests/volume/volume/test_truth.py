"""What labels and masks say of a box."""

import numpy as np
import pytest

from idrstream.volume import truth
from idrstream.volume.box import Box

BOX = Box((10, 20, 30), (4, 5, 6))


def labelled(place, values, kind=np.uint32):
    """An array for a Box, 0 but for VALUES {voxel of the world: value}."""
    array = np.zeros(place.shape, kind)
    for voxel, value in values.items():
        array[tuple(np.subtract(voxel, place.begin))] = value
    return array, place


def at(found, voxel):
    return found[tuple(np.subtract(voxel, BOX.begin))]


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint32, np.uint64, bool])
def test_any_value_but_zero_is_the_class(kind):
    values = {(10, 20, 30): 1, (11, 21, 31): np.iinfo(kind).max if kind is not bool else True}
    found = truth.merged([(2, *labelled(BOX, values, kind))], BOX)
    assert found.dtype == np.int16
    assert {tuple(place + BOX.begin) for place in np.argwhere(found == 2)} == set(values)
    assert (found == 0).sum() == BOX.voxels - 2


def test_voxels_that_two_classes_claim_are_background():
    shared, single = (12, 22, 32), (13, 23, 33)
    first, second = labelled(BOX, {shared: 5, single: 5}), labelled(BOX, {shared: 9})
    for order in (((1, *first), (2, *second)), ((2, *second), (1, *first))):
        found = truth.merged(list(order), BOX)
        assert at(found, shared) == 0
        assert at(found, single) == 1


def test_three_claims_are_no_less_disputed_than_two():
    voxel = (12, 22, 32)
    found = truth.merged([(number, *labelled(BOX, {voxel: 1})) for number in (1, 2, 3)], BOX)
    assert at(found, voxel) == 0


def test_two_arrays_of_one_class_do_not_dispute_it():
    voxel = (12, 22, 32)
    assert at(truth.merged([(1, *labelled(BOX, {voxel: 1}))] * 2, BOX), voxel) == 1


def test_where_an_array_ends_the_class_is_unknown():
    half = Box((0, 20, 30), (12, 5, 6))
    found = truth.merged([(1, *labelled(BOX, {(13, 20, 30): 1})), (2, *labelled(half, {(11, 20, 30): 1}))], BOX)
    assert (found[2:] == -1).all()
    assert at(found, (11, 20, 30)) == 2
    assert (found[:2] >= 0).all()


def test_an_array_elsewhere_leaves_all_unknown():
    assert (truth.merged([(1, *labelled(Box((0, 0, 0), (3, 3, 3)), {}))], BOX) == -1).all()


def test_without_labels_all_is_unknown():
    assert (truth.merged([], BOX) == -1).all()


def test_a_voxel_is_inside_where_all_masks_have_it():
    voxel, other = (12, 22, 32), (12, 22, 33)
    first, second = labelled(BOX, {voxel: 255, other: 255}, np.uint8), labelled(BOX, {voxel: 1}, np.uint8)
    found = truth.inside([first, second], BOX)
    assert at(found, voxel)
    assert found.sum() == 1


def test_what_lies_beyond_a_mask_is_inside_as_without_one():
    half = Box((0, 0, 0), (12, 100, 100))
    found = truth.inside([(np.zeros(half.shape, np.uint8), half)], BOX)
    assert not found[:2].any() and found[2:].all()


def test_without_masks_all_is_inside():
    assert truth.inside([], BOX).all()


@pytest.mark.parametrize("function", [truth.inside, lambda masks, box: truth.merged([(1, *masks[0])], box)])
def test_an_array_that_is_not_of_its_box_is_refused(function):
    with pytest.raises(ValueError, match="voxels for the box"):
        function([(np.ones((2, 2, 2), np.uint8), BOX)], BOX)
