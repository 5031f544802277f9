"""What an archive study is: how (plate, well, frame) becomes a location. One YAML file a study, `docs/studies.md`."""

from __future__ import annotations  # the head's Python may be older than its types

import re
import string
from dataclasses import dataclass, replace

from idrstream.base.tables import Problems

STORED = 16  # bits of a pixel where nothing else is known: cameras write no more

# What a location may contain, and of which kind it is.
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
    """A well by its place, both counted from 0: A01 is row 0, column 0. Wells are ordered row by row."""

    row: int
    column: int

    @classmethod
    def parse(cls, text):
        """``A4``, ``A04`` or ``AB12``; None where the text is no well."""
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

    source     address or folder under which the locations lie; None where only the user knows it
    wells      (rows, columns) of its plates
    locations  patterns tried in this order, relative to the source
    frame      height and width in pixels, bits of a stored pixel, and what the planner needs to say beforehand: bytes
               that travel for a frame and nuclei in it, both about; `seen`: the image that tells the size
    channel    that of the nuclei, counted from 0; None where it does not say
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
        """Does the plate have this well?"""
        return _holds(self.wells, well)

    def with_frames_of(self, size):
        """The same study with frames of another size (first_look.size); a samplesheet's travel as they are."""
        travelling = {} if self.locations else {"bytes": size["height"] * size["width"] * size["bits"] // 8}
        return replace(self, frame=self.frame | size | travelling)

    @property
    def format_text(self):
        """What is said of plates whose format is inferred from their wells."""
        rows, columns = self.wells
        which = f"plates of {rows * columns} wells ({rows} x {columns}), the smallest that hold all wells of the table"
        return f"{which} and of the output folder; --plate_format names another size"

    @property
    def stored(self):
        """Its locations in OME-Zarr stores, which only a table of plates and stores can name."""
        return tuple(pattern for pattern in self.locations if "store" in _placeholders(pattern))

    def locate(self, plate, long_plate, well, site, frame, store=None):
        """Candidate locations of a frame, relative to the source, in the order to try them.

        store  the plate's OME-Zarr: an address, or relative to the source; None: locations in one are left out
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


# What a samplesheet needs no study for: it names its files itself. Its plates are as large as `fitted` finds them.
SAMPLESHEET = Study(
    name="samplesheet",
    source=None,
    wells=FORMATS[1536],
    locations=(),
    frame={"height": 1024, "width": 1344, "bits": STORED, "bytes": 1024 * 1344 * STORED // 8, "nuclei": 250},
)


def fitted(study, wells, size=None):
    """STUDY with the smallest standard plate that holds all WELLS (Well, or None for what is no well), or that of SIZE.

    Of all plates together: one that is only partly filled then has the same numbers for its wells as the others.
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
                problems.append(f'{path.name}, locations: "{pattern}" is no pattern ({reason})')
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
