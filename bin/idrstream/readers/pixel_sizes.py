"""How large a pixel is, in micrometres, by what a file states; where it states nothing, nobody knows."""

import math
from contextlib import suppress

from idrstream.readers.image import PixelSize

# Micrometres of the units that files name; of any other (pixel, reference frame) there is no length.
MICROMETRES = {"m": 1e6, "dm": 1e5, "cm": 1e4, "mm": 1e3, "µm": 1, "nm": 1e-3, "pm": 1e-6, "Å": 1e-4, "in": 25400}
NAMES = {"um": "µm", "μm": "µm", "micron": "µm", "microns": "µm", "micrometer": "µm", "micrometre": "µm"}
NAMES |= {r"\u00b5m": "µm", "millimeter": "mm", "millimetre": "mm", "nanometer": "nm", "nanometre": "nm", "inch": "in"}
NAMES |= {"centimeter": "cm", "centimetre": "cm", "meter": "m", "metre": "m", "picometer": "pm", "angstrom": "Å"}
RESOLUTION_UNITS = {2: "in", 3: "cm", 4: "mm", 5: "µm"}  # values of TIFF's tag ResolutionUnit
LARGEST_BY_TAGS = 20  # micrometres; 72 or 300 dots per inch are a printer's resolution, which many programs write


def of(y, x, unit, source):
    """The PixelSize of edges in a unit as a file names it; None where they are no lengths."""
    with suppress(TypeError, ValueError, OverflowError):
        unit = str(unit).strip()
        factor = MICROMETRES.get(NAMES.get(unit.lower(), unit), 0)
        y, x = float(y) * factor, float(x) * factor
        if min(y, x) > 0 and max(y, x) < math.inf:
            return PixelSize(y, x, source)
    return None


def of_ome(image):
    """The PixelSize of an Image element of OME-XML; None where it states none, or there is no element."""
    pixels = None if image is None else image.find("{*}Pixels")
    if pixels is None:
        return None
    edges = [(pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")) for axis in "YX"]
    y, x = (of(size, size, unit, "OME-XML") for size, unit in edges)
    return y and x and PixelSize(y.y, x.x, "OME-XML")


def of_tiff(tiff, ome):
    """The PixelSize of a tifffile.TiffFile by its OME-XML, ImageJ's description or the tags of its first page."""
    if stated := of_ome(ome):
        return stated
    page = tiff.pages.first
    per_unit = [_edge(page, tag) for tag in ("YResolution", "XResolution")]
    if tiff.is_imagej and "unit" in (tiff.imagej_metadata or {}):
        return of(*per_unit, tiff.imagej_metadata["unit"], "ImageJ")
    stated = of(*per_unit, RESOLUTION_UNITS.get(page.tags.valueof("ResolutionUnit", default=2)), "resolution tags")
    return stated if stated and max(stated.y, stated.x) <= LARGEST_BY_TAGS else None


def _edge(page, tag):
    """The length of a pixel in the unit of a resolution tag, which holds pixels a unit as a fraction; 0 without."""
    pixels, units = page.tags.valueof(tag, default=(0, 0))
    return units / pixels if pixels else 0


def of_zarr(axes, transformations):
    """The PixelSize of a level of OME-Zarr.

    axes             its list of axes, each with a name and perhaps a unit
    transformations  lists of coordinateTransformations, of the level and of the whole image
    """
    with suppress(KeyError, TypeError, IndexError, AttributeError, ValueError):  # descriptions may lack anything
        places = {axis["name"]: place for place, axis in enumerate(axes)}
        units = {axes[places[name]]["unit"] for name in "yx"}
        scales = [step["scale"] for steps in transformations for step in steps or () if step["type"] == "scale"]
        if scales and len(units) == 1:
            y, x = (math.prod(float(scale[places[name]]) for scale in scales) for name in "yx")
            return of(y, x, units.pop(), "OME-Zarr")
    return None
