"""An archive study: how (plate, well, frame) becomes a location. One YAML file per study, docs/screen/studies.md."""

from __future__ import annotations  # the head's Python may be older than these annotations

import re
import string
from dataclasses import dataclass, replace

from idrstream.base.tables import Problems

STORED = 16  # bits of a pixel if nothing else is known: cameras write no more

# Placeholders of a location, with a value of each.
EXAMPLE = {
    "plate": "P",
    "long_plate": "P",
    "well": "B03",
    "well_number": 27,
    "row": "B",
    "column": 3,
    "site": 1,
    "site0": 0,
    "frame": 1,
    "store": "P.zarr",
}


# Standard plates: wells -> (rows, columns).
FORMATS = {6: (2, 3), 12: (3, 4), 24: (4, 6), 48: (6, 8), 96: (8, 12), 384: (16, 24), 1536: (32, 48)}


@dataclass(frozen=True, order=True)
class Well:
    """A well by row and column, counted from 0: A01 is row 0, column 0. Wells are ordered row by row."""

    row: int
    column: int

    @classmethod
    def parse(cls, text):
        """``A4``, ``A04`` or ``AB12``; None if the text is not a well."""
        match = re.fullmatch(r"([A-Za-z]{1,2})0*([1-9]\d?)", text)
        if not match:
            return None
        row = 0
        for letter in match[1].upper():
            row = 26 * row + ord(letter) - ord("A") + 1
        return cls(row - 1, int(match[2]) - 1)

    @property
    def name(self):
        """Zero-padded, as image-based profiling writes it: ``A04``."""
        letters = "" if self.row < 26 else chr(ord("A") + self.row // 26 - 1)
        return f"{letters}{chr(ord('A') + self.row % 26)}{self.column + 1:02d}"


@dataclass(frozen=True)
class Study:
    """A study description, checked.

    source     address or folder that locations are relative to; None where the user has to name it
    wells      (rows, columns) of its plates
    locations  patterns tried in this order, relative to the source
    frame      height and width in pixels, bits of a stored pixel; for estimates: bytes fetched for a frame and nuclei
               in it, both about; `seen`: the image that the size is from
    channel    of the nuclei, counted from 0; None where the study does not name it
    """

    name: str
    source: str | None
    wells: tuple
    locations: tuple
    frame: dict
    channel: int | None = None

    def well_number(self, well):
        """Row-major from 1: in 16 x 24 wells, A04 is 4 and B01 is 25."""
        return _number(well, self.wells)

    def holds(self, well):
        """Do its plates have this well?"""
        return _holds(self.wells, well)

    def with_frames_of(self, size):
        """The same study with frames of another size (first_look.size); a samplesheet's are uncompressed."""
        travelling = {} if self.locations else {"bytes": size["height"] * size["width"] * size["bits"] // 8}
        return replace(self, frame=self.frame | size | travelling)

    @property
    def format_text(self):
        """The plate format that was inferred from the wells, in words."""
        rows, columns = self.wells
        which = f"plates of {rows * columns} wells ({rows} x {columns}), the smallest that hold all wells of the table"
        return f"{which} and of the output folder; --plate_format names another size"

    @property
    def stored(self):
        """Its locations in OME-Zarr stores, for which --zarr_index names the stores."""
        return tuple(pattern for pattern in self.locations if "store" in _placeholders(pattern))

    def locate(self, plate, long_plate, well, site, frame, store=None):
        """Candidate locations of a frame, relative to the source, in the order to try them.

        store  the plate's OME-Zarr: an address, or relative to the source; None: without locations in a store
        """
        values = {
            "plate": plate,
            "long_plate": long_plate,
            "well": well.name,
            "well_number": self.well_number(well),
            "row": well.name.rstrip(string.digits),
            "column": well.column + 1,
            "site": site,
            "site0": site - 1,
            "frame": frame,
            "store": store,
        }
        return [pattern.format_map(values) for pattern in self.locations if store or pattern not in self.stored]


# For a samplesheet without a study: it names its files itself, and `fitted` finds the size of its plates.
SAMPLESHEET = Study(
    name="samplesheet",
    source=None,
    wells=FORMATS[1536],
    locations=(),
    frame={"height": 1024, "width": 1344, "bits": STORED, "bytes": 1024 * 1344 * STORED // 8, "nuclei": 250},
)


def fitted(study, wells, size=None):
    """STUDY with the smallest standard plate that holds all WELLS (Well, or None for an invalid one), or that of SIZE.

    One size for all plates, so that wells of a partly filled plate have the same numbers as those of the others.
    """
    wells = [well for well in wells if well]
    rows, columns = (max((getattr(well, side) for well in wells), default=0) + 1 for side in ("row", "column"))
    holding = [shape for shape in FORMATS.values() if shape[0] >= rows and shape[1] >= columns]
    return replace(study, wells=FORMATS.get(size) or [*holding, FORMATS[1536]][0])


def numbered(name, wells):
    """The number of a well by its name, on plates of WELLS (rows, columns); None where they have no such well."""
    well = Well.parse(name)
    return _number(well, wells) if _holds(wells, well) else None


def _holds(wells, well):
    return well.row < wells[0] and well.column < wells[1]


def _number(well, wells):
    return well.row * wells[1] + well.column + 1


def _placeholders(pattern):
    return {name for _, name, _, _ in string.Formatter().parse(pattern)}


def load(path, schema):
    """Read and check a study description.

    path    YAML file
    schema  its JSON schema (`study` of schemas.json)

    Raises Problems with everything that is wrong in it.
    """
    import jsonschema

    from idrstream.base import strict_yaml

    content = strict_yaml.read(path)
    errors = sorted(jsonschema.Draft202012Validator(schema).iter_errors(content), key=str)
    problems = [f"{path.name}, {'.'.join(map(str, error.absolute_path)) or 'top'}: {error.message}" for error in errors]
    if not errors:
        for pattern in content["locations"]:
            try:
                pattern.format_map(EXAMPLE)
            except KeyError as unknown:
                problems.append(f"{path.name}, locations: {{{unknown.args[0]}}} is none of {', '.join(EXAMPLE)}")
            except (ValueError, IndexError, AttributeError) as reason:
                problems.append(f'{path.name}, locations: "{pattern}" is not a valid pattern ({reason})')
    if problems:
        raise Problems(problems)
    return Study(
        name=content["name"],
        source=content.get("source"),
        wells=(content["wells"]["rows"], content["wells"]["columns"]),
        locations=tuple(content["locations"]),
        frame={"bits": STORED} | content["frame"],
        channel=content.get("channel"),
    )
