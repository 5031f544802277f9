"""Parameters that turn the maps of a network for deep watershed into objects, by compartment. Standard library."""

from typing import NamedTuple


class Settings(NamedTuple):
    """Of one compartment. Pixels are those that the network sees.

    maxima_threshold    how far the inner distance falls between two objects (h_maxima), or its least at the middle of
                        one (peak_local_max)
    maxima_smooth       sigma in pixels of the Gaussian by which the inner distance is smoothed first; 0: it is not
    maxima_algorithm    how the middles of objects are found, of ALGORITHMS
    interior_threshold  pixels whose interior is above belong to objects
    interior_smooth     sigma in pixels of the Gaussian by which the interior is smoothed first; 0: it is not
    radius              pixels within which a middle is compared with others
    small_objects       pixels: objects that have fewer go
    fill_holes          pixels: what an object encloses is filled where it has fewer
    label_erosion       pixels that objects lose at their borders
    pixel_expansion     pixels by which the interior is dilated, once it is smoothed
    """

    maxima_threshold: float
    maxima_smooth: float = 0.0
    maxima_algorithm: str = "h_maxima"
    interior_threshold: float = 0.2
    interior_smooth: float = 2.0
    radius: int = 2
    small_objects: int = 15
    fill_holes: int = 15
    label_erosion: int = 0
    pixel_expansion: int = 0


ALGORITHMS = ("h_maxima", "peak_local_max")
DEFAULTS = {"nuclei": Settings(0.1), "cells": Settings(0.075)}  # by layer
