"""What people have annotated of a box: the class of each voxel where it is known, and the voxels that masks have."""

import numpy as np

UNKNOWN = -1
BACKGROUND = 0


def merged(labels, box):
    """The classes of the voxels of a box.

    labels   (class, array of any integers, Box of the array) of each, gone through once: any value but 0 is the class;
             boxes are in the same voxels as BOX and may end anywhere
    returns  (z, y, x) int16: the class; BACKGROUND where no array has any, and where several classes have one, as
             incasem does; UNKNOWN where one of the arrays ends: there nobody looked for its class

    Without labels all is UNKNOWN. Raises ValueError for an array that has not its box's shape.
    """
    classes = np.full(box.shape, BACKGROUND, np.int16)
    disputed, places = np.zeros(box.shape, bool), []
    for number, array, place in labels:
        claimed = _part(array, place, box)
        disputed |= claimed & (classes > BACKGROUND) & (classes != number)
        classes[claimed] = number
        places.append(place)
    classes[disputed] = BACKGROUND
    for place in places:
        classes[~_covered(place, box)] = UNKNOWN
    if not places:
        classes[:] = UNKNOWN
    return classes


def inside(masks, box):
    """The voxels of a box that all of some masks have: the sample, or what exclusion zones leave.

    masks    (array of any integers, Box of the array) of each, gone through once: any value but 0 is inside; so is what
             lies beyond an array, as where there is no mask
    returns  (z, y, x) bool; True everywhere without masks

    Raises ValueError for an array that has not its box's shape.
    """
    kept = np.ones(box.shape, bool)
    for array, place in masks:
        kept &= _part(array, place, box) | ~_covered(place, box)
    return kept


def _part(array, place, box):
    """(z, y, x) bool of BOX: where an array that lies at PLACE is not 0."""
    if array.shape != place.shape:
        raise ValueError(f"an array of {array.shape} voxels for the box {place}")
    part, common = np.zeros(box.shape, bool), place.common(box)
    if common:
        part[common.within(box)] = array[common.within(place)] != 0
    return part


def _covered(place, box):
    covered, common = np.zeros(box.shape, bool), place.common(box)
    if common:
        covered[common.within(box)] = True
    return covered
