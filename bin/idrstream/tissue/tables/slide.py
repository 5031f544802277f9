"""What the tables of a slide are about: its names, its coordinates, and the columns that MEASURE filled."""

import os.path
import uuid
from functools import cached_property
from typing import NamedTuple

from idrstream.tissue import tiles
from idrstream.tissue.tables import naming


class Column(NamedTuple):
    """A column of measurements.

    kind         "intensity", "shape" or "ratio"
    measure      a statistic, such as "mean", or a shape, such as "area"
    compartment  "nucleus", "cytoplasm", "membrane" or "cell"; None of a ratio
    channel      index of the channel; None of shapes
    """

    kind: str
    measure: str
    compartment: str | None = None
    channel: int | None = None


class Slide:
    """A slide of the planner, with its columns.

    name        its id
    image       name of its first file
    metadata    the other columns of the user's table
    measured    the measured channels, as the planner has them; none if shapes alone were measured
    channels    their names
    unit        "µm" if the size of a pixel is known, else "px"
    scale       (y, x) that many units an edge of a pixel
    origin      (y, x) of the label image in pixels of the whole slide
    has_cells   are cells looked for, not nuclei alone?
    columns     list of Column
    names       their names in the tables, by --names
    """

    def __init__(self, packet, columns):
        self.name, self.metadata, self.columns = packet["slide"], packet["metadata"], list(columns)
        self.image = os.path.basename(packet["locations"][0].rstrip("/"))
        shapes_alone = all(column.kind != "intensity" for column in self.columns)
        self.measured = [] if shapes_alone else packet["measured"]
        self.channels = [channel["name"] for channel in self.measured]
        size = packet["pixel_size"]
        self.unit, self.scale = ("µm", (size["y"], size["x"])) if size else ("px", (1.0, 1.0))
        self.origin = tiles.corner(packet)
        self.has_cells, self.style = packet["cells"] != "none", packet["names"]
        self.names = naming.names(self.columns, self.channels, self.unit, self.style, self.compartment)

    @cached_property
    def compartment(self):
        """The compartment that stands for an object: its cell, or its nucleus if no cells are looked for."""
        return standing([column.compartment for column in self.columns if column.kind == "intensity"], self.has_cells)

    @cached_property
    def statistic(self):
        """The statistic that stands for the others: the mean, or the first one if that is not measured."""
        measured = [column.measure for column in self.columns if column.kind == "intensity"]
        return "mean" if "mean" in measured or not measured else measured[0]

    @cached_property
    def shapes(self):
        """Numbers of the columns without a channel."""
        return [number for number, column in enumerate(self.columns) if column.kind != "intensity"]

    @cached_property
    def layers(self):
        """(compartment, statistic) -> numbers of its columns, a channel each."""
        layers = {}
        for number, column in enumerate(self.columns):
            if column.kind == "intensity":
                layers.setdefault((column.compartment, column.measure), []).append(number)
        return layers

    def id(self, label):
        """The id of an object: the same in every table and every run, and no other slide's."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.name}/{label}"))


def standing(compartments, has_cells):
    """Which of the COMPARTMENTS stands for an object: its cell, its nucleus if there are no cells; else the first."""
    wanted = "cell" if has_cells else "nucleus"
    return wanted if wanted in compartments or not compartments else compartments[0]
