"""A run on slides: what it will work on, what that costs, and what the user sees of it before anything starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from idrstream.base import units
from idrstream.readers.image import PixelSize
from idrstream.runs.types import Recipe
from idrstream.tissue import needs, tiles
from idrstream.tissue.header import Channel, Header
from idrstream.tissue.sheet import Request
from idrstream.tissue.tiles import Box

LISTED = 8  # slides that are described one by one


@dataclass
class Slide:
    """A slide that is asked for.

    request   its row of the table
    header    what its files state
    channels  those of the nuclei
    diameter  of the nuclei in pixels; "auto": estimated
    values    params by name
    id        hash of all that makes its result, set by the planner
    """

    request: Request
    header: Header
    channels: list[Channel]
    diameter: float | str | None
    values: Mapping[str, Any]
    id: str = ""

    @property
    def name(self) -> str:
        return self.request.slide

    @property
    def line(self) -> int:
        return self.request.line

    @property
    def box(self) -> Box:
        """What of the slide is worked on, in its own pixels."""
        return self.request.region or Box(0, self.header.shape[0], 0, self.header.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        return self.box.shape

    @property
    def pixel_size(self) -> PixelSize | None:
        if self.request.pixel_size:
            return PixelSize(self.request.pixel_size, self.request.pixel_size, "the table of slides")
        return self.header.pixel_size

    @property
    def tiles_a_task(self) -> int:
        count = math.prod(math.ceil(side / self.values["tile"]) for side in self.shape)
        return needs.tiles_a_task(self.values["tiles_per_task"], count)

    @cached_property
    def need(self) -> needs.Need:
        itemsize = np.dtype(self.header.dtype).itemsize
        return needs.of(self.shape, self.values["tile"], len(self.channels), itemsize, self.diameter)

    def text(self) -> str:
        """What the user is told of it, in two lines or, of a part of it, three."""
        stated, size = self.header, self.pixel_size
        facts = [
            _size(stated.shape),
            f"{size.y:.4g} µm a pixel (from {size.source})" if size else "of an unknown pixel size",
            f"{units.count(len(stated.channels), 'channel')} of {stated.dtype}",
            units.count(stated.levels, "resolution"),
        ]
        lines = [f"slide {self.name}: {', '.join(facts)}; nuclei from {' and '.join(map(self._named, self.channels))}"]
        if self.request.region:
            lines.append(f"  of it {_size(self.shape)}, from row {self.box.y0:,} and column {self.box.x0:,}")
        count = len(tiles.grid(Box(0, self.shape[0], 0, self.shape[1]), self.values["tile"]))
        memory, disk = units.size(self.need.memory), units.size(self.need.disk)
        lines.append(
            f"  {units.count(count, 'tile')}; {memory} of memory a task, about {disk} in the work folder, "
            f"about {_minutes(self.need.seconds)} of one processor"
        )
        return "\n".join(lines)

    def _named(self, channel: Channel) -> str:
        return f'"{channel.name}"' if channel.name else f"channel {self.header.channels.index(channel) + 1}"


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

    def text(self) -> str:
        """What the user sees before anything starts."""
        count, done = len(self.slides), len(self.slides) - len(self.todo)
        lines = [f"{units.count(count, 'slide')}, {done:,} already done"]
        if self.stale:
            moved = f"{units.count(len(self.stale), 'committed slide')} used other settings ({self.differs})"
            lines.append(f"{moved}: they will be moved to stale/")
        if self.broken:
            moved = units.count(len(self.broken), "committed slide")
            lines.append(f"files of {moved} were changed or deleted; the remaining ones will be moved to stale/")
        if not self.todo:
            return "\n".join([*lines, f"Nothing to do: all slides are already in {self.settings['outdir']}"])
        lines += [slide.text() for slide in self.todo[:LISTED]]
        more = self.todo[LISTED:]
        if more:
            megapixels = sum(math.prod(slide.shape) for slide in more) / 1e6
            lines.append(f"and {units.count(len(more), 'more slide')} of {megapixels:,.0f} megapixels in all")
        lines.append(f"model sha256 {self.recipe['model'][:12]}, {self._diameter()}; {self._tissue()}")
        return "\n".join(lines)

    def _diameter(self) -> str:
        wanted = self.settings["diameter"]
        return "diameter estimated for each slide" if wanted == "auto" else f"diameter {wanted}".replace("um", " µm")

    def _tissue(self) -> str:
        where = "where there is tissue" if self.settings["tissue"] == "auto" else "everywhere"
        return f"nuclei are looked for {where}"


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[0]:,} x {shape[1]:,} pixels"


def _minutes(seconds: float) -> str:
    return f"{max(1, round(seconds / 60)):,} min" if seconds < 6000 else f"{seconds / 3600:,.1f} h"
