"""Where an array of voxels begins and how large a voxel is, in nanometres z, y, x, by what its attributes state."""

import math
from typing import NamedTuple

from idrstream.base.failures import NotReadable
from idrstream.readers.pixel_sizes import MICROMETRES, NAMES

AXES = ("z", "y", "x")


class Placement(NamedTuple):
    """(z, y, x) nanometres, each None where nothing is stated; OFFSET is that of the first voxel."""

    resolution: tuple | None
    offset: tuple | None


def of_attributes(attributes, name):
    """The Placement by incasem's attributes of a Zarr array, `resolution` and `offset`, which are nanometres.

    Raises NotReadable for attributes that are no such numbers; NAME is what messages call the array.
    """
    return Placement(
        _three(attributes, "resolution", name, above=0),
        _three(attributes, "offset", name),
    )


def of_n5(attributes, name):
    """The Placement by the attributes of an N5 dataset, the axes of which are x, y, z.

    `transform` (COSEM: axes with scale, translate and units), or else `pixelResolution` (n5-viewer; times
    `downsamplingFactors`), or else `resolution` with `units`, in nanometres without; and `offset` in the same unit.
    """
    if "transform" in attributes:
        return _of_transform(attributes["transform"], name)
    if "pixelResolution" in attributes:
        stated = attributes["pixelResolution"]
        stated = stated if isinstance(stated, dict) else {"dimensions": stated}
        factors = [nanometres(stated.get("unit"))] * 3
        edges = _three(stated, "dimensions", name, above=0)
        steps = _three(attributes, "downsamplingFactors", name, above=0)
        edges = _times(edges, steps) if edges and steps else edges
    else:
        units = attributes.get("units", ["nm"] * 3)
        units = [units] * 3 if isinstance(units, str) else units
        if not isinstance(units, list) or len(units) != 3:
            raise NotReadable(f"{name}: its attribute units is {units!r}; three units are expected, x, y, z.")
        factors = [nanometres(unit) for unit in units]
        edges = _three(attributes, "resolution", name, above=0)
    if edges is None or None in factors:
        return Placement(None, None)
    offset = _three(attributes, "offset", name)
    return Placement(_times(edges, factors)[::-1], offset and _times(offset, factors)[::-1])


def of_multiscale(multiscale, number, name):
    """The Placement of a resolution of an OME-Zarr image, by its scales and translations in their order.

    Raises NotReadable for transformations of other kinds.
    """
    axes = multiscale["axes"]
    stated = [part.get("coordinateTransformations") for part in (multiscale["datasets"][number], multiscale)]
    steps = [step for part in stated if part is not None for step in (part if isinstance(part, list) else [part])]
    scale, offset = [1.0] * len(axes), [0.0] * len(axes)
    scaled = False
    for step in steps:
        kind = step.get("type") if isinstance(step, dict) else None
        if kind == "scale":
            factors = _numbers(step, "scale", name, len(axes), above=0)
            scale, offset, scaled = _times(scale, factors), _times(offset, factors), True
        elif kind == "translation":
            moved = _numbers(step, "translation", name, len(axes))
            offset = tuple(map(sum, zip(offset, moved, strict=True)))
        elif kind != "identity":
            raise NotReadable(f"{name}: a coordinate transformation of type {kind!r}; scale and translation are read.")
    units = [nanometres(axis.get("unit")) for axis in axes[-3:]]
    if not scaled or None in units:
        return Placement(None, None)
    return Placement(_times(scale[-3:], units), _times(offset[-3:], units))


def nanometres(unit):
    """Nanometres of a unit as files name it; None of one that is no length."""
    name = str(unit).strip()
    length = MICROMETRES.get(NAMES.get(name.lower(), name))
    return None if length is None else length * 1000


def _of_transform(transform, name):
    """The Placement by COSEM's attribute `transform`, which names its axes."""
    axes = transform.get("axes") if isinstance(transform, dict) else None
    if not isinstance(axes, list) or sorted(map(str, axes)) != sorted(AXES):
        raise NotReadable(f"{name}: its attribute transform does not name the axes z, y, x.")
    places = [axes.index(axis) for axis in AXES]
    units = transform.get("units")
    scale = _three(transform, "scale", name, above=0)
    factors = [nanometres(unit) for unit in units] if isinstance(units, list) and len(units) == 3 else [None]
    if scale is None or None in factors:
        return Placement(None, None)
    offset = _three(transform, "translate", name)
    ordered = [tuple(values[place] for place in places) for values in (scale, factors, offset or (0, 0, 0))]
    return Placement(_times(ordered[0], ordered[1]), offset and _times(ordered[2], ordered[1]))


def _three(attributes, key, name, above=-math.inf):
    return None if attributes.get(key) is None else _numbers(attributes, key, name, 3, above)


def _numbers(attributes, key, name, count, above=-math.inf):
    """An attribute of so many finite numbers, each larger than ABOVE."""
    values = attributes.get(key)
    usable = isinstance(values, list) and len(values) == count
    usable = usable and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if not usable or not all(above < value < math.inf for value in values):
        kind = "numbers above 0" if above == 0 else "numbers"
        raise NotReadable(f"{name}: its attribute {key} is {str(values)[:80]}; {count} {kind} are expected.")
    return tuple(map(float, values))


def _times(values, factors):
    return tuple(value * factor for value, factor in zip(values, factors, strict=True))
