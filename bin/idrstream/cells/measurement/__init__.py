"""Classical features of every cell, under the names that CellProfiler 4 gives them.

The measurements of cp_measure 0.3.0 (https://github.com/afermg/cp_measure): by cp_measure itself where it is quick,
else by code of ours that is tested to give the same values. docs/screen/features.md lists the columns.
"""

import warnings
from importlib import metadata

import numpy as np
import scipy.ndimage
from cp_measure._sanitize import sanitize_masks
from cp_measure.core.measureobjectintensity import get_intensity
from cp_measure.core.measureobjectsizeshape import get_feret, get_sizeshape, get_zernike

from idrstream.cells.measurement import granularity, neighbors, radial, texture
from idrstream.cells.measurement.sheet import lay_out

# One is raised when features of that name change.
VERSIONS = {"AreaShape": 1, "Granularity": 1, "Intensity": 2, "Neighbors": 2, "RadialDistribution": 1, "Texture": 2}

ENGINE = f"cp_measure-{metadata.version('cp_measure')}"
COMPARTMENT, CHANNEL = "Nuclei", "DNA"
DIRECTIONS = range(len(texture.DIRECTIONS))
ZERNIKE = [(n, m) for n in range(10) for m in range(n % 2, n + 1, 2)]

SHAPE = "Area BoundingBoxArea Compactness ConvexArea Eccentricity EquivalentDiameter EulerNumber Extent FormFactor"
SHAPE += " MajorAxisLength MaxFeretDiameter MaximumRadius MeanRadius MedianRadius MinFeretDiameter MinorAxisLength"
SHAPE += " Perimeter Solidity"
INTENSITY = "IntegratedIntensityEdge IntegratedIntensity LowerQuartileIntensity MADIntensity MassDisplacement"
INTENSITY += " MaxIntensityEdge MaxIntensity MeanIntensityEdge MeanIntensity MedianIntensity MinIntensityEdge"
INTENSITY += " MinIntensity StdIntensityEdge StdIntensity UpperQuartileIntensity"

# Measured too, but not features: where a cell lies in its image, and how it is turned there. The numbers of the
# closest cells, also cp_measure's, are not even measured.
DROPPED = (
    *(f"AreaShape_{name}_{axis}" for name in ("BoundingBoxMaximum", "BoundingBoxMinimum", "Center") for axis in "XY"),
    "AreaShape_Orientation",
    *(f"Location_{name}_{axis}_{CHANNEL}" for name in ("CenterMassIntensity", "MaxIntensity") for axis in "XYZ"),
)


def _ring(name, ring):
    return f"RadialDistribution_{name}_{CHANNEL}_{ring}"


def _texture(name, direction):
    return f"Texture_{name}_{CHANNEL}_{texture.SCALE}_{direction:02d}_{texture.LEVELS}"


NAMES = [
    *(f"AreaShape_{name}" for name in SHAPE.split()),
    *(f"AreaShape_Zernike_{n}_{m}" for n, m in ZERNIKE),
    *(f"Granularity_{step}_{CHANNEL}" for step in range(1, granularity.LENGTH + 1)),
    *(f"Intensity_{name}_{CHANNEL}" for name in INTENSITY.split()),
    *(f"Neighbors_{name}_Adjacent" for name in neighbors.NAMES),
    *(_ring(name, ring) for name in radial.NAMES for ring in radial.RINGS),
    *(_texture(name, direction) for name in texture.NAMES for direction in DIRECTIONS),
]
COLUMNS = [f"{COMPARTMENT}_{name}" for name in NAMES]


def measure(labels, image, cells=None):
    """Measure the cells of one image.

    labels   (Y, X) label image, 0 is background
    image    (Y, X) intensities, of which 1 is full scale; illumination correction may take some beyond
    cells    (n,) the labels that are measured; all if None. Others only count as their neighbours
    returns  (numbers, features): (n,) labels, ascending, and (n, len(COLUMNS)) float32; NaN where a cell is too small
             or too dark for a feature, or has too few grey levels
    """
    measured = labels if cells is None else _only(labels, np.asarray(cells, int))
    others, _ = sanitize_masks(np.where(measured, 0, labels))
    labels, numbers = sanitize_masks(measured)
    if not len(numbers):
        return numbers, np.empty((0, len(COLUMNS)), np.float32)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of a division by 0 in a tiny or black cell: its feature is NaN
        groups = steps(labels.astype(np.int32), np.asarray(image, np.float64), others).values()
        columns = {name: values for group in groups for name, values in group().items()}
    features = np.stack([columns[name] for name in NAMES], axis=1).astype(np.float32)
    return numbers, np.where(np.isfinite(features), features, np.float32(np.nan))


def _only(labels, cells):
    """The label image without the nuclei that are not in CELLS."""
    table = np.zeros(int(labels.max()) + 1, labels.dtype)
    table[cells[cells < len(table)]] = cells[cells < len(table)]
    return table[labels]


def steps(labels, image, others=0):
    """Group of features -> a function that measures it: feature -> (n,) float64.

    labels  (Y, X) int32 label image, 1 ... n without gaps, at least one cell
    image   (Y, X) float64, as in `measure`
    others  (Y, X) label image of nuclei that are neighbours alone, 1 ... m without gaps
    """
    boxes = list(enumerate(scipy.ndimage.find_objects(labels), 1))
    sheet, pixels = lay_out(labels, boxes, image)

    def shape(columns):
        return {f"AreaShape_{name}": values for name, values in columns.items()}

    def spectrum():
        return {f"Granularity_{i}_{CHANNEL}": v for i, v in enumerate(granularity.spectrum(labels, image).T, 1)}

    def intensity():
        return {f"{name}_{CHANNEL}": values for name, values in get_intensity(labels, image, legacy=True).items()}

    def around():
        return {f"Neighbors_{name}_Adjacent": values for name, values in neighbors.adjacent(labels, others).items()}

    def rings():
        by_name = radial.distribution(labels, boxes, sheet, pixels)
        return {_ring(name, ring): by_name[name][:, i] for name in by_name for i, ring in enumerate(radial.RINGS)}

    def textures():
        values = texture.haralick(labels, image)
        return {_texture(name, d): values[:, d, i] for i, name in enumerate(texture.NAMES) for d in DIRECTIONS}

    return {
        "sizeshape": lambda: shape(get_sizeshape(sheet, None, calculate_advanced=False, new_features=False)),
        # Where rounding puts a pixel on the circle around its cell, inside or out, depends on where the cell lies: to
        # be cp_measure's to the last pixel, these alone are measured in place.
        "zernike": lambda: shape(get_zernike(labels, None)),
        "feret": lambda: shape(get_feret(sheet, None)),
        "granularity": spectrum,
        "intensity": intensity,
        "neighbors": around,
        "radial_distribution": rings,
        "texture": textures,
    }
