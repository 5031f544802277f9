"""A run's plan: what it holds, what it costs, and what the user sees of it before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from idrstream.base import units
from idrstream.images.calibration import REFERENCES, WINDOW
from idrstream.readers import bit_depth, planes
from idrstream.runs.housekeeping import SHEET
from idrstream.runs.types import Recipe
from idrstream.screen import arguments, batches, first_look, places, streams
from idrstream.screen.folder_input import Sheet
from idrstream.screen.study import Study
from idrstream.screen.types import Batch, PlannedImage, Reference, StreamView


@dataclass
class Plan:
    """A run's plan, made by plan.make.

    workflow        that the output folder belongs to
    images          every image of the selection
    places          image id -> place of its row in the input table, of all images of the table
    batches         what remains to be done (batches.cut)
    plates          plate -> reference frames for its flat-field, diameter and range of grey levels; empty if unneeded
    identities      plate -> hash of those frames and the recipe
    settled_plates  plates whose calibration the output folder has
    stale           ids of committed batches that used other settings, which are moved to stale/STAMP
    broken          ids of committed batches with files changed or deleted since, which are moved there too
    stamp           time of this plan, in UTC
    differs         how the settings of the stale batches differ, in words
    moved           what happens to the stale batches, in a sentence; "" without any
    renumbered      which committed images keep other well numbers, in a sentence; "" if none do
    recipe          what makes a result what it is (runs.recipe)
    settings        all params by name; the recipe leaves out those with their default
    stages          stage -> {"args": its command's arguments, "code": digest of its code}
    source          address that locations are relative to, or None
    root            local folder that they are relative to, or None
    folders         local folders that hold the images
    session         id of the run
    done            how many images of the selection need no work
    study           its frames are as large as the first readable image, its plates hold all wells
    outdir          output folder, as the user names it
    stop            the run stops at quality control
    views           what each stream holds (streams.union); None without streams
    sheet           samplesheet made of a folder of images; None if a table was given
    warnings        possible mistakes in the input, a sentence each; they stop nothing
    """

    workflow: str
    images: list[PlannedImage]
    places: dict[str, int]
    batches: list[Batch]
    plates: dict[str, list[Reference]]
    identities: dict[str, str]
    settled_plates: set[str]
    stale: list[str]
    broken: list[str]
    stamp: str
    differs: str
    moved: str
    renumbered: str
    recipe: Recipe
    settings: dict[str, Any]
    stages: dict[str, dict[str, str]]
    source: str | None
    root: str | None
    folders: list[str]
    session: str
    done: int
    study: Study
    outdir: str
    stop: bool
    views: list[StreamView] | None = None
    sheet: Sheet | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def saved(self) -> int:
        """Bytes of the saved image, per image; 0 if none are saved."""
        return batches.saved(self.study) if "images" in arguments.saved(self.settings) else 0

    def text(self) -> str:
        """What the user sees before anything starts."""
        lines = [self._selection()]
        if not (self.settings["study"] or self.settings.get("plate_format")):
            lines.append(self.study.format_text)
        lines += [*self.sheet.notes, f"its samplesheet: {self.outdir}/{SHEET}"] if self.sheet else []
        lines += [f"warning: {sentence}" for sentence in self.warnings]
        lines += filter(None, [self.moved, self.renumbered])
        if self.broken:
            count = units.count(len(self.broken), "committed batch")
            lines.append(f"files of {count} were changed or deleted; the remaining ones will be moved to stale/")
        if not self.batches:
            return "\n".join([*lines, f"Nothing to do: all selected images are already in {self.outdir}"])
        if self.views:
            lines.append(streams.text(self.views))
        return "\n".join(lines + self._work())

    def _selection(self) -> str:
        wells = {(image["plate"], image["well"]) for image in self.images}
        plates = sorted({plate for plate, _ in wells})
        listed = f"{', '.join(plates[:4])}{', ...' * (len(plates) > 4)}"
        images, over = units.count(len(self.images), "image"), units.count(len(plates), "plate")
        return f"{images} of {units.count(len(wells), 'well')} on {over} ({listed}), {self.done:,} already done"

    def _work(self) -> list[str]:
        """What will be computed, from what, at which cost and how: lines."""
        todo = sum(len(batch["images"]) for batch in self.batches)
        count = f"{units.count(todo, 'image')} to do in {units.count(len(self.batches), 'batch')}"
        download, work, results = map(units.size, self._cost())
        saved = f"saved images take {units.size(todo * self.saved)} of the results, {units.size(self.saved)} each"
        diameter = f"diameter {self.settings['diameter']}"
        auto = self.settings["diameter"] == "auto"
        lines = [
            f"{count}, from {self.source or places.text(self.folders)}",
            f"estimated sizes: {download} to fetch, at most {work} in the work folder, {results} of results "
            f"(from {first_look.text(self.study.frame)})",
            *[saved] * bool(self.saved),
            *planes.in_words(self.settings),
            f"model sha256 {self.recipe['model'][:12]}, {diameter}"
            + (f" (estimated from {REFERENCES} frames per plate)" if auto else " pixels"),
            _illumination(self.settings, self.study),
            bit_depth.text(self.settings["bit_depth"]),
        ]
        if reused := batches.reused(self.batches):
            lines.append(
                f"{units.count(reused, 'label image')} of a run that stopped at quality control: reused from labels/"
            )
        if self.stop:
            lines.append("this run stops at quality control, before features; run it without --stop_after to continue")
        return lines

    def _cost(self) -> tuple[int, int, int]:
        """Estimated bytes: what is fetched, what the work folder holds at most, and what the results take."""
        todo = [image for batch in self.batches for image in batch["images"]]
        frames = len(streams.frames(todo))
        new = sum(len(images) for plate, images in self.plates.items() if plate not in self.settled_plates)
        fetched = (frames + new) * (WINDOW if self.settings["illumination"] == "frames" else 1)
        total = batches.estimate(fetched + len(todo) - frames, self.study, self.stop)
        saved = len(todo) * self.saved
        download = batches.estimate(fetched, self.study)["fetch"]
        return download, total["work"] + saved, total["results"] + saved


def _illumination(values: Mapping[str, Any], described: Study) -> str:
    """How illumination is corrected, in words."""
    if values["illumination"] == "none":
        return "illumination is not corrected"
    if values["illumination"] == "frames":
        return f"one flat-field per image, fitted to {WINDOW} frames of its movie"
    count = batches.candidates(values, described)
    words = f"one flat-field per plate, fitted to the sparsest of at most {count} of its frames"
    return f"{words}; the camera's offset is estimated" if values["camera_offset"] == "auto" else words
