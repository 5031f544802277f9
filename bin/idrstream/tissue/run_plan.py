"""A run on slides: what it will work on, what that costs, and what the user sees of it before anything starts."""

from __future__ import annotations

import math
import os.path
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from idrstream.base import tables, units
from idrstream.readers.image import PixelSize
from idrstream.runs.types import Recipe
from idrstream.tissue import needs, npz, tiles, watershed_settings
from idrstream.tissue.header import Channel, Header, LabelImage
from idrstream.tissue.markers import Measured
from idrstream.tissue.region import Area
from idrstream.tissue.searches import DIAMETERS, Search
from idrstream.tissue.sheet import Request
from idrstream.tissue.tiles import Box

LISTED = 8  # slides that are described one by one, and notes
STATISTICS = ("mean", "median", "min", "max", "sd", "variance")  # in the order of the tables
COMPARTMENTS = ("nucleus", "cytoplasm", "membrane", "cell")
OUTPUTS = ("masks", "quant", "geojson", "parquet", "h5ad", "spatialdata")


@dataclass
class Slide:
    """A slide that is asked for.

    request        its row of the table
    header         what its files state
    channels       those of the nuclei
    membrane       those that show where cells end, for the network of the cells
    diameter       of the nuclei in pixels; "auto": estimated; None: no network looks for them
    cell_diameter  likewise, of the cells
    searches       what networks look for, and by which
    cells          how cells are made: expand, model, none, or labels
    expansion      of the nuclei in pixels, for expand
    measured       channels that are measured
    compartments   in which
    area           what of the slide is worked on
    labels         "nuclei", "cells" -> header of the label image that exists
    planes         of its NPZ file, which networks see; None without one, and for one that cannot be used
    notes          sentences for the user, and
    warnings       for those who use its results too
    values         params by name
    recipe         what makes its result, set by the planner
    id             hash of that and of the slide, set by the planner
    """

    request: Request
    header: Header
    channels: list[Channel]
    membrane: list[Channel]
    diameter: float | str | None
    cell_diameter: float | str | None
    searches: list[Search]
    cells: str
    expansion: float | str | None
    measured: list[Measured]
    compartments: list[str]
    area: Area
    labels: dict[str, LabelImage]
    planes: LabelImage | None
    notes: list[str]
    warnings: list[str]
    values: Mapping[str, Any]
    recipe: Recipe = field(default_factory=dict)
    id: str = ""

    @property
    def name(self) -> str:
        return self.request.slide

    @property
    def line(self) -> int:
        return self.request.line

    @property
    def box(self) -> Box:
        """What of the slide is read, in its own pixels."""
        return self.area.box

    @property
    def region(self) -> bool:
        """Whether that is a part of it."""
        return bool(self.request.region or self.request.polygons)

    @property
    def shape(self) -> tuple[int, int]:
        return self.box.shape

    @property
    def pixel_size(self) -> PixelSize | None:
        if self.request.pixel_size:
            return PixelSize(self.request.pixel_size, self.request.pixel_size, "the table of slides")
        return self.header.pixel_size

    @property
    def layers(self) -> list[str]:
        """What networks look for: "nuclei", "cells"."""
        return [layer for search in self.searches for layer in search.layers]

    @property
    def watershed(self) -> list[str]:
        """Those of them that networks for deep watershed look for."""
        return [layer for search in self.searches for layer in search.layers if search.scale]

    @property
    def copied_type(self) -> str:
        """Name of the type of the channels that networks see."""
        return self.planes.dtype if self.planes else self.header.dtype

    def number(self, channel: Channel) -> int:
        """The number of a channel, from 1; those of an NPZ file come after the image's."""
        return self._all.index(channel) + 1

    @cached_property
    def _all(self) -> list[Channel]:
        of_npz = [Channel(name, len(self.request.locations), place, 0) for place, name in enumerate(npz.CHANNELS)]
        return self.header.channels + of_npz

    @property
    def statistics(self) -> list[str]:
        return chosen(self.values["statistics"], STATISTICS) if self.measured else []

    @property
    def outputs(self) -> list[str]:
        return chosen(self.values["outputs"], OUTPUTS)

    @property
    def measures(self) -> bool:
        """Whether its objects are measured: there are cells, which MEASURE makes final, or tables are wanted."""
        return self.cells != "none" or self.outputs != ["masks"]

    @property
    def settings(self) -> dict[str, Any]:
        """The params as they are for this slide."""
        kept = {"statistics": self.statistics, "compartments": self.compartments, "outputs": self.outputs}
        how = {"nuclei": "model" if "nuclei" in self.layers else "labels", "cells": self.cells}
        how |= {layer: "watershed" for layer in self.watershed}
        flood = {
            name: watershed_settings.canonical(name, self.values[name], self.watershed)
            for name in watershed_settings.NAMES
        }
        return {**self.values, **how, **flood} | {k: ",".join(v) for k, v in kept.items()}

    @property
    def networks(self) -> set[str]:
        """The params that name networks which look at it: "model", "cell_model"."""
        return {search.param for search in self.searches}

    @property
    def tiles_a_task(self) -> int:
        count = math.prod(math.ceil(side / self.values["tile"]) for side in self.shape)
        return needs.tiles_a_task(self.values["tiles_per_task"], count)

    @cached_property
    def need(self) -> needs.Need:
        work = needs.Work(
            layers=[layer for layer in self.layers if layer not in self.watershed],
            resized=[math.prod(search.scale) for search in self.searches if search.scale],
            copied=len(self.channels) + len(self.membrane),
            itemsize=np.dtype(self.copied_type).itemsize,
            channels=len(self.measured),
            columns=len(self.measured) * len(self.statistics) * len(self.compartments),
            outputs=self.outputs,
            cells=self.cells != "none",
        )
        flooded = {DIAMETERS[search.param] for search in self.searches if search.scale}
        sizes = {"diameter": self.diameter, "cell_diameter": self.cell_diameter}
        lengths = [size for name, size in sizes.items() if size is not None and name not in flooded]
        return needs.of(self.shape, self.values["tile"], self.tiles_a_task, work, lengths)

    def text(self) -> str:
        """What the user is told of it, in three lines or, of a part of it, four."""
        stated, size = self.header, self.pixel_size
        facts = [
            _size(stated.shape),
            f"{size.y:.4g} µm a pixel (from {size.source})" if size else "of an unknown pixel size",
            f"{units.count(len(stated.channels), 'channel')} of {stated.dtype}",
            units.count(stated.levels, "resolution"),
        ]
        lines = [f"slide {self.name}: {', '.join(facts)}; nuclei from {self._nuclei()}"]
        if self.region:
            inside = ", of which what is in polygons" if self.area.rings else ""
            lines.append(f"  of it {_size(self.shape)}, from row {self.box.y0:,} and column {self.box.x0:,}{inside}")
        lines.append(f"  {self._cells()}; {self._measures()}")
        count = len(tiles.grid(Box(0, self.shape[0], 0, self.shape[1]), self.values["tile"]))
        memory, disk = units.size(self.need.memory), units.size(self.need.disk)
        lines.append(
            f"  {units.count(count, 'tile')}; {memory} of memory a task, about {disk} in the work folder, "
            f"about {units.minutes(self.need.seconds)} of one processor"
        )
        return "\n".join(lines)

    def _nuclei(self) -> str:
        if self.request.npz:
            return os.path.basename(self.request.npz)
        if "nuclei" not in self.layers:
            return self._file("nuclei")
        scales = [search.scale for search in self.searches if "nuclei" in search.layers and search.scale]
        return self._listed(self.channels) + "".join(f", seen at {scale[0]:.3g} times its size" for scale in scales)

    def _cells(self) -> str:
        if self.cells == "none":
            return "no cells around them"
        if self.cells == "expand":
            text = str(self.values["expansion"])
            stated = f"{text.replace('um', ' µm')}, " if "um" in text else ""
            return f"cells: the nuclei grown by {stated}{self.expansion:.3g} pixels"
        if self.request.npz and self.cells == "model":
            return f"cells from {os.path.basename(self.request.npz)}"
        return f"cells from {self._file('cells') if self.cells == 'labels' else self._listed(self.membrane)}"

    def _measures(self) -> str:
        """What is measured, in words."""
        if not self.measured:
            return "no channel is measured"
        lessened = sum(each.background is not None for each in self.measured)
        background = f", background subtracted from {lessened}" if lessened else ""
        what = f"{', '.join(self.statistics)} of {', '.join(self.compartments)}"
        return f"{units.count(len(self.measured), 'channel')} measured{background}: {what}"

    def _file(self, layer: str) -> str:
        return os.path.basename(self.request.labels[layer])

    def _listed(self, channels: list[Channel]) -> str:
        return " and ".join(map(self._named, channels))

    def _named(self, channel: Channel) -> str:
        return f'"{tables.shown(channel.name)}"' if channel.name else f"channel {self.number(channel)}"


@dataclass
class Plan:
    """A run's plan, made by plan.make.

    slides    all of the table
    todo      those that remain to be done
    stale     names of committed slides whose settings or files were others, which are moved to stale/STAMP
    broken    names of committed slides with files changed or deleted since, which are moved there too
    stamp     time of this plan, in UTC
    differs   how the settings of the stale ones differ, in words
    recipe    what makes a result what it is (runs.recipe)
    settings  all params by name
    stages    stage -> {"args": its command's arguments, "code": digest of its code}
    folders   local folders that hold the slides
    session   id of the run
    notes     sentences for the user, and
    unmatched sample of a workspace -> why it is no slide of the run
    workspace folder of a workspace -> its path, of those that slides are written to; None without one
    project   folder of the workspace's QuPath project, if any
    """

    slides: list[Slide]
    todo: list[Slide]
    stale: list[str]
    broken: list[str]
    stamp: str
    differs: str
    recipe: Recipe
    settings: Mapping[str, Any]
    stages: dict[str, dict[str, str]]
    folders: list[str] = field(default_factory=list)
    session: str = ""
    notes: list[str] = field(default_factory=list)
    unmatched: dict[str, str] = field(default_factory=dict)
    workspace: dict[str, str] | None = None
    project: str | None = None

    def text(self) -> str:
        """What the user sees before anything starts."""
        count, done = len(self.slides), len(self.slides) - len(self.todo)
        lines = [f"{units.count(count, 'slide')}, {done:,} already done", *self.notes, *self._left_out()]
        if self.stale:
            moved = f"{units.count(len(self.stale), 'committed slide')} used other settings ({self.differs})"
            lines.append(f"{moved}: they will be moved to stale/")
        if self.broken:
            moved = units.count(len(self.broken), "committed slide")
            lines.append(f"files of {moved} were changed or deleted; the remaining ones will be moved to stale/")
        if not self.todo:
            return "\n".join([*lines, f"Nothing to do: all slides are already in {self.settings['outdir']}"])
        lines += [slide.text() for slide in self.todo[:LISTED]]
        notes = [
            note
            for slide in self.todo
            for note in [*slide.notes, *(f"slide {slide.name}: {text}" for text in slide.warnings)]
        ]
        lines += list(dict.fromkeys(notes))[:LISTED]
        more = self.todo[LISTED:]
        if more:
            megapixels = sum(math.prod(slide.shape) for slide in more) / 1e6
            lines.append(f"and {units.count(len(more), 'more slide')} of {megapixels:,.0f} megapixels in all")
        return "\n".join(lines + self._networks())

    def _left_out(self) -> list[str]:
        """Lines about the images of a workspace that cannot be worked on."""
        if not self.unmatched:
            return []
        more = [f"  and {len(self.unmatched) - LISTED:,} more"] * (len(self.unmatched) > LISTED)
        head = f"{units.count(len(self.unmatched), 'image')} without what networks see, which failures.tsv lists:"
        return [head, *(f"  {name}: {why}" for name, why in [*self.unmatched.items()][:LISTED]), *more]

    def _networks(self) -> list[str]:
        """A line for each network that looks for anything."""
        flooding = {search.param: search for slide in self.todo for search in slide.searches if search.scale}
        layers = {layer for slide in self.todo for layer in slide.layers if layer not in slide.watershed}
        where = "where there is tissue" if self.settings["tissue"] == "auto" else "everywhere"
        lines = [
            f"{search.param} sha256 {self.recipe[search.param][:12]}, for deep watershed: {' and '.join(search.layers)}"
            for search in flooding.values()
        ]
        if "nuclei" in layers:
            model, size = self.recipe["model"][:12], _length(self.settings["diameter"])
            lines.append(f"model sha256 {model}, {size}; nuclei are looked for {where}")
        if "cells" in layers:
            model, size = self.recipe["cell_model"][:12], _length(self.settings["cell_diameter"])
            lines.append(f"model of cells sha256 {model}, {size}")
        return lines


def _length(wanted: str | float) -> str:
    return "diameter estimated for each slide" if wanted == "auto" else f"diameter {wanted}".replace("um", " µm")


def chosen(text: str, names: tuple[str, ...]) -> list[str]:
    """Those of NAMES that a param lists, in their own order."""
    return [name for name in names if name in text.split(",")]


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[0]:,} x {shape[1]:,} pixels"
