"""What a row of the table asks for, against what its files state: a slide as it will be worked on, or what is wrong."""

from __future__ import annotations

import math
import os.path
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from idrstream.base.failures import ImageFailure
from idrstream.base.tables import Problems, Table, shown
from idrstream.tissue import header, markers, npz, searches
from idrstream.tissue.header import Channel, Header
from idrstream.tissue.looking import Looked
from idrstream.tissue.markers import Measured
from idrstream.tissue.region import Area
from idrstream.tissue.run_plan import COMPARTMENTS, Slide
from idrstream.tissue.searches import Networks, Search
from idrstream.tissue.sheet import Request
from idrstream.tissue.tiles import Box

UNSTATED = 64  # pixels, for what surrounds a polygon: of nuclei or cells of which nobody states the diameter
MICROMETRES = re.compile(r"(\d+(?:[.]\d+)?)um")


class Length(NamedTuple):
    """A param that is a length: what messages call it, what has it, its limits in pixels, and what these limit."""

    words: str
    of: str
    least: float
    most: float
    verb: str
    remedy: str = ""


LENGTHS = {
    "diameter": Length("the diameter", "nuclei of", 4, 400, "looked for"),
    "cell_diameter": Length("the diameter", "cells of", 4, 400, "looked for"),
    "expansion": Length("the expansion", "nuclei grown by", 1, 400, "made", ", or choose --cells none"),
}


def make(table: Table, request: Request, looked: Looked, values: Mapping[str, Any], networks: Networks) -> Slide | None:
    """A slide as it will be worked on; None, and problems of the TABLE, for one that cannot be.

    networks  of those params that name one for deep watershed
    """
    check = _Check(request, looked, values, networks)
    slide = check.slide() if looked.header else None
    problems = [table.problem(sentence, request.line, column) for sentence, column in looked.faults + check.faults]
    table.problems += problems + check.sentences
    return None if problems or check.sentences else slide


class _Check:
    """A row, checked; what is wrong is collected.

    faults     (sentence, column of the table of slides)
    sentences  about other tables
    """

    def __init__(self, request: Request, looked: Looked, values: Mapping[str, Any], networks: Networks):
        self.request, self.looked, self.values, self.networks = request, looked, values, networks
        self.name = os.path.basename(request.locations[0])
        self.cells = "labels" if "cells" in request.labels else values["cells"]
        self.planes = [Channel(name, len(request.locations), place, 0) for place, name in enumerate(npz.CHANNELS)]
        self.faults: list[tuple[str, str | None]] = []
        self.sentences: list[str] = []

    def slide(self) -> Slide:
        stated = self._named(self.looked.header)
        own = self.request.pixel_size
        size = (own, own) if own else stated.pixel_size and stated.pixel_size[:2]
        pixel = own or (size and math.sqrt(size[0] * size[1]))
        self._labels_fit(stated)
        nuclear, named = self._nuclear(stated)
        measured = self._measured(stated, named)
        by_network = {"nuclei": "nuclei" not in self.request.labels, "cells": self.cells == "model"}
        wanted = searches.of([layer for layer, yes in by_network.items() if yes], self.networks, self.values)
        lengths = {param: self._length(param, pixel) for param in (searches.DIAMETERS[each.param] for each in wanted)}
        diameter, cell_diameter = lengths.get("diameter"), lengths.get("cell_diameter")
        expansion = self._length("expansion", pixel) if self.cells == "expand" else None
        found = [self._scaled(each, size, lengths[searches.DIAMETERS[each.param]]) for each in wanted]
        diameters = [diameter, cell_diameter] if self.cells in ("model", "labels") else [diameter]
        diameters += [self._expected(search) for search in found if search.scale]
        return Slide(
            request=self.request,
            header=stated,
            channels=nuclear,
            membrane=self._membrane(stated) if self._sees_membrane(wanted) else [],
            diameter=diameter,
            cell_diameter=cell_diameter,
            searches=found,
            cells=self.cells,
            expansion=expansion,
            measured=measured,
            compartments=self._compartments(),
            area=self._area(stated, _surroundings(diameters, expansion)),
            labels=self.looked.labels,
            planes=self.looked.planes,
            notes=self._notes(measured, found),
            warnings=self._warnings(stated, expansion, wanted),
            values=self.values,
        )

    def _fault(self, sentence: str, column: str | None = None) -> None:
        self.faults.append((sentence, column))

    def _named(self, stated: Header) -> Header:
        """The header, with the names that the table of channels gives."""
        if self.looked.markers is None:
            return stated
        try:
            return replace(stated, channels=markers.named(self.looked.markers, stated, self.name))
        except Problems as found:
            self.sentences += found.sentences
            return stated

    def _nuclear(self, stated: Header) -> tuple[list[Channel], list[Channel]]:
        """(channels of the nuclei, those of them that are named as such).

        Where no network looks for anything, none needs to be named: the first is what pictures show.
        """
        if self.request.npz:
            return self.planes[:1], []
        needless = "nuclei" in self.request.labels and self.cells != "model" and not self.request.nuclear.channels
        try:
            found = stated.channels[:1] if needless else header.nuclear(stated, self.request.nuclear, self.name)
        except ImageFailure as failure:
            self._fault(str(failure))
            return [], []
        return found, [] if needless else found

    def _scaled(self, search: Search, size: tuple[float, float] | None, length: float | str | None) -> Search:
        """A search with the scale at which its network, if one for deep watershed, sees the slide of pixels of SIZE."""
        network = self.networks.get(search.param)
        if network is None:
            return search
        scaled, wrong = searches.scaled(search, network, self.values, size, length)
        if wrong:
            self._fault(wrong, None if wrong.startswith("--") else "pixel_size")
        return scaled

    def _expected(self, search: Search) -> float:
        """Pixels of the slide that the objects have, for a network for deep watershed."""
        stated = self.networks[search.param].diameter
        return (stated or UNSTATED) / min(search.scale or (1,))

    def _expectations(self, found: list[Search]) -> Iterator[str]:
        """How large the nuclei are to be for networks for deep watershed, whose scale is that of the slide's pixels."""
        for search in found:
            param = searches.DIAMETERS[search.param]
            if search.scale and self.networks[search.param].diameter and self.values[param] == "auto":
                name = os.path.basename(str(self.values[search.param]))
                what = f"{name} expects nuclei of {self._expected(search):.3g} pixels"
                yield f"slide {self.request.slide}: {what}; if they are larger or smaller, --{param} says how large"

    def _sees_membrane(self, wanted: list[Search]) -> bool:
        """Whether a network is shown the membrane: one that finds cells by it, or takes it where it is named."""
        for search in wanted:
            network = self.networks.get(search.param)
            named = bool(self.request.npz or self.request.membrane.channels)
            needed = "cells" in search.layers or (network and named)
            if needed and (network is None or network.channels > 1):
                return True
        return False

    def _membrane(self, stated: Header) -> list[Channel]:
        if self.request.npz:
            return self.planes[1:]
        if not self.request.membrane.channels:
            which = 'name the channel that shows where cells end by --membrane, or in a column "membrane"'
            self._fault(f"--cells model: {which}")
        try:
            return header.chosen(stated, self.request.membrane, self.name)
        except ImageFailure as failure:
            self._fault(str(failure))
            return []

    def _length(self, param: str, pixel: float | None) -> float | str | None:
        """A length in pixels; PIXEL: the side of one in micrometres. "auto" as it is."""
        text, length = self.values[param], LENGTHS[param]
        if text == "auto":
            return text
        match = MICROMETRES.fullmatch(str(text))
        if match and pixel is None:
            remedy = f'name it in a column "pixel_size", or {length.words} in pixels{length.remedy}'
            self._fault(f"--{param} {text}: the slide states no pixel size; {remedy}", "pixel_size")
            return None
        pixels = round(float(match[1]) / pixel, 3) if match and pixel else float(text)
        if not length.least <= pixels <= length.most:
            scale = f" at {pixel:.4g} µm a pixel" if match else ""
            limits = f"{length.least:g} to {length.most:g} can be {length.verb}"
            self._fault(f"--{param} {text}: {length.of} {pixels:g} pixels{scale}; {limits}")
        return pixels

    def _labels_fit(self, stated: Header) -> None:
        for layer, image in self.looked.labels.items():
            if image.shape != stated.shape:
                (height, width), (tall, wide) = image.shape, stated.shape
                what = f"{height:,} x {width:,} pixels, and the slide has {tall:,} x {wide:,}"
                name = os.path.basename(self.request.labels[layer])
                self._fault(f"{name}: the label image has {what}; they must be of one size", layer)

    def _measured(self, stated: Header, nuclear: list[Channel]) -> list[Measured]:
        if self.sentences or self.values["statistics"] == "none" or {*self.values["outputs"].split(",")} == {"masks"}:
            return []
        try:
            return markers.measured(stated, self.looked.markers, nuclear)
        except Problems as found:
            self.sentences += found.sentences
            return []

    def _notes(self, measured: list[Measured], found: list[Search]) -> list[str]:
        sentences = [
            f'slide {self.request.slide}: another channel is called "{shown(each.channel.name)}" too; '
            f'in the tables channel {each.number} is "{each.name}"'
            for each in markers.repeated(measured)
        ]
        sentences += self._expectations(found)
        if (table := self.looked.markers) and (unused := markers.unused(table)):
            sentences.append(f"{table.name}: columns that are not used: {', '.join(unused)}")
        if self.cells != "model" and "model" not in self.networks and self.request.membrane.channels:
            why = "no network looks for its cells" if "cells" in self.request.labels else "that needs --cells model"
            sentences.append(f"slide {self.request.slide}: {self.request.membrane.where} has no effect; {why}")
        return sentences

    def _warnings(self, stated: Header, expansion: float | str | None, wanted: list[Search]) -> list[str]:
        """What people who use the results should know, beside those who start the run."""
        sentences, size, area = [], stated.pixel_size, self.looked.area
        if wrong := self._unusable(stated):
            sentences.append(f"{wrong} The slide will fail; the others go on.")
        if area and not Box(0, stated.shape[0], 0, stated.shape[1]).holds(area.box):
            sentences.append("its polygons reach beyond the slide, which has nothing there")
        if expansion and size and not self.request.pixel_size and header.differ(size.y, size.x):
            lengths = f"{float(expansion) * size.y:.3g} µm down and {float(expansion) * size.x:.3g} µm across"
            pixels = f"its pixels are {size.y:.4g} µm high and {size.x:.4g} µm wide"
            sentences.append(f"{pixels}; nuclei are grown by {expansion:.3g} pixels either way, {lengths}")
        for search in wanted:
            network = self.networks.get(search.param)
            if network and network.channels > 1 and not self._sees_membrane(wanted):
                sentences.append(
                    "no membrane channel is named (--membrane): the network that finds its nuclei sees none"
                )
        return sentences

    def _unusable(self, stated: Header) -> str | None:
        """Why its NPZ file cannot be used, as a sentence; None if it can, or there is none."""
        planes = self.looked.planes
        name = os.path.basename(self.request.npz or "")
        return self.looked.broken or (planes and npz.misfit(name, planes.shape, stated.shape))

    def _compartments(self) -> list[str]:
        text = self.values["compartments"]
        there = COMPARTMENTS if self.cells != "none" else COMPARTMENTS[:1]
        wanted = text.split(",") if text else there
        if absent := [name for name in wanted if name not in there]:
            what = f"without cells there is no {' and no '.join(absent)}"
            self._fault(f"--compartments {text}: {what}; choose nucleus, or another --cells")
        return [name for name in COMPARTMENTS if name in wanted]

    def _area(self, stated: Header, around: int) -> Area:
        """What of the slide is worked on; AROUND: pixels beside polygons that are read too."""
        (height, width), marked, region = stated.shape, self.looked.area, self.request.region
        whole = Box(0, height, 0, width)
        box = marked.box if marked else region or whole
        common = box.common(whole)
        if min(common.shape) > 0 and (marked or common == box):
            return Area(common.grown(around, stated.shape), marked.rings) if marked else Area(box)
        what = f"not in the slide, which has {height:,} x {width:,} pixels"
        if marked:
            where = f"the polygons, of rows {box.y0:,} to {box.y1:,} and columns {box.x0:,} to {box.x1:,}, are"
            form = "pixels of the full resolution, x first"
        else:
            where = f"the region {box.y0},{box.x0},{box.y1 - box.y0},{box.x1 - box.x0} is"
            form = "first row, first column, height, width"
        named = self.values.get("region") and not marked
        self._fault(f"{where} {what}; it is: {form}", None if named else "region")
        return Area(whole)


def _surroundings(diameters: Sequence[float | str | None], expansion: float | str | None) -> int:
    """Pixels beside a polygon in which nuclei that belong to it, and their cells, may have a part.

    Twice the DIAMETERS of nuclei and cells, UNSTATED where they are found on the way, and twice the EXPANSION.
    """
    largest = max(UNSTATED if size in (None, "auto") else float(size) for size in diameters)
    return math.ceil(2 * largest + 2 * float(expansion or 0))
