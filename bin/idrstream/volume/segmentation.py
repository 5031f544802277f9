"""The segmentation of a volume: a function of its stored probabilities, so that their scores are its own."""

import numpy as np

from idrstream.volume import scores

VERSION = 1


def segment(probabilities, threshold=None, inside=None):
    """The class of every voxel, (z, y, x) uint8; 0 is the background.

    probabilities  (classes, z, y, x) uint8: of 255, of class 1, 2, ...
    threshold      from 0 to 1 that the probability of the likeliest class has to reach; None: that of the background,
                   which is 255 less the others. Of one class that is 0.5
    inside         (z, y, x) bool of the sample: outside of it all is background; None: everywhere

    Of two classes as likely the first is taken.
    """
    likeliest, highest = np.ones(probabilities.shape[1:], np.uint8), probabilities[0].copy()
    for number, probability in enumerate(probabilities[1:], 2):  # numpy's argmax takes 8 bytes a voxel
        likeliest[probability > highest] = number
        np.maximum(highest, probability, out=highest)
    if threshold is None:
        sums = probabilities.sum(axis=0, dtype=np.uint16)
        sums += highest
        found = sums > 255  # highest > 255 - the sum of all; which rounding may make more than 255
    else:
        found = highest >= scores.level(threshold)
    if inside is not None:
        found &= inside
    likeliest *= found
    return likeliest
