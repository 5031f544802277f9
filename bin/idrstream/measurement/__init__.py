"""Classical features of every cell, under the names that CellProfiler 4 gives them.

What cp_measure 0.3.0 measures (https://github.com/afermg/cp_measure): by cp_measure itself where that is quick, and
where it is slow by code of our own that is tested equal to it. docs/features.md lists the columns.
"""

import warnings
from importlib import metadata

import numpy as np
import scipy.ndimage
from cp_measure._sanitize import sanitize_masks
from cp_measure.core.measureobjectintensity import get_intensity
from cp_measure.core.measureobjectsizeshape import get_feret, get_sizeshape, get_zernike

from idrstream.measurement import granularity, neighbors, radial, texture
from idrstream.measurement.sheet import lay_out

ENGINE = f"cp_measure-{metadata.version('cp_measure')}"
COMPARTMENT, CHANNEL = "Nuclei", "DNA"
ZERNIKE = [(n, m) for n in range(10) for m in range(n % 2, n + 1, 2)]

SHAPE = "Area BoundingBoxArea Compactness ConvexArea Eccentricity EquivalentDiameter EulerNumber Extent FormFactor"
SHAPE += " MajorAxisLength MaxFeretDiameter MaximumRadius MeanRadius MedianRadius MinFeretDiameter MinorAxisLength"
SHAPE += " Perimeter Solidity"
INTENSITY = "IntegratedIntensityEdge IntegratedIntensity LowerQuartileIntensity MADIntensity MassDisplacement"
INTENSITY += " MaxIntensityEdge MaxIntensity MeanIntensityEdge MeanIntensity MedianIntensity MinIntensityEdge"
INTENSITY += " MinIntensity StdIntensityEdge StdIntensity UpperQuartileIntensity"

# Also measured, but not features: where a cell lies in its image, and how it is turned there.
DROPPED = (
    *(f"AreaShape_{name}_{axis}" for name in ("BoundingBoxMaximum", "BoundingBoxMinimum", "Center") for axis in "XY"),
    "AreaShape_Orientation",
    *(f"Location_{name}_{axis}" for name in ("CenterMassIntensity", "MaxIntensity") for axis in "XYZ"),
)

NAMES = [
    *(f"AreaShape_{name}" for name in SHAPE.split()),
    *(f"AreaShape_Zernike_{n}_{m}" for n, m in ZERNIKE),
    *(f"Granularity_{step}_{CHANNEL}" for step in range(1, granularity.LENGTH + 1)),
    *(f"Intensity_{name}_{CHANNEL}" for name in INTENSITY.split()),
    *(f"Neighbors_{name}_Adjacent" for name in neighbors.NAMES),
    *(f"RadialDistribution_{name}_{CHANNEL}_{ring}" for name in radial.NAMES for ring in radial.RINGS),
    *(
        f"Texture_{name}_{CHANNEL}_{texture.SCALE}_{direction:02d}_{texture.LEVELS}"
        for name in texture.NAMES
        for direction in range(len(texture.DIRECTIONS))
    ),
]
COLUMNS = [f"{COMPARTMENT}_{name}" for name in NAMES]


def measure(labels, image):
    """Measure the cells of one image.

    labels   (Y, X) label image, 0 is background
    image    (Y, X) intensities, of which 1 is full scale; an evened one may go beyond
    returns  (numbers, features): (n,) labels, ascending, and (n, len(COLUMNS)) float32; NaN where a cell is too small
             or too dark for a feature
    """
    labels, numbers = sanitize_masks(labels)
    if not len(numbers):
        return numbers, np.empty((0, len(COLUMNS)), np.float32)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of a division by 0 in a tiny or black cell: its feature is NaN
        found = _measured(labels.astype(np.int32), np.asarray(image, np.float64))
    features = np.stack([found[name] for name in NAMES], axis=1).astype(np.float32)
    return numbers, np.where(np.isfinite(features), features, np.float32(np.nan))


def _measured(labels, image):
    boxes = list(enumerate(scipy.ndimage.find_objects(labels), 1))
    sheet, pixels = lay_out(labels, boxes, image)
    shape = get_sizeshape(sheet, None, calculate_advanced=False, new_features=False)
    shape |= get_zernike(labels, None) | get_feret(sheet, None)  # a Zernike moment knows where its cell lies, see _measured
    intensity = get_intensity(labels, image, legacy=True)
    textures = texture.haralick(labels, image)
    spectrum = granularity.spectrum(labels, image)
    found = {f"AreaShape_{name}": values for name, values in shape.items()}
    found |= {f"Granularity_{step}_{CHANNEL}": values for step, values in enumerate(spectrum.T, 1)}
    found |= {f"{name}_{CHANNEL}": values for name, values in intensity.items()}
    found |= {f"Neighbors_{name}_Adjacent": values for name, values in neighbors.adjacent(labels).items()}
    for name, values in radial.distribution(labels, boxes, sheet, pixels).items():
        found |= {f"RadialDistribution_{name}_{CHANNEL}_{ring}": values[:, i] for i, ring in enumerate(radial.RINGS)}
    for direction in range(len(texture.DIRECTIONS)):
        place = f"{CHANNEL}_{texture.SCALE}_{direction:02d}_{texture.LEVELS}"
        found |= {f"Texture_{name}_{place}": textures[:, direction, i] for i, name in enumerate(texture.NAMES)}
    return found
