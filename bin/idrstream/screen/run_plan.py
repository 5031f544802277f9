"""A run's plan: what it holds, what it costs, and what the user sees of it before anything starts."""

from idrstream.base import units
from idrstream.images.image import REFERENCES, WINDOW
from idrstream.readers import bit_depth, planes
from idrstream.runs.housekeeping import SHEET
from idrstream.screen import arguments, batches, first_look, places, streams


class Plan:
    """A run's plan, made by plan.make.

    images    every image of the selection
    places    image id -> place of its row in the input table, of all images of the table
    batches   what is left to do (batches.cut)
    plates    plate -> images that tell its flat-field, diameter and range of grey levels; empty if none is wanted
    identities      plate -> what that is made of
    settled_plates  those of which the output folder holds it
    workflow  that the output folder belongs to
    stale     ids of committed batches that used other settings, which are moved to stale/STAMP
    broken    ids of committed batches whose files were changed or deleted since, which are moved there too
    stamp     the time of this plan, in UTC
    differs   in what their settings differ, in words
    moved     what becomes of those that used other settings, in a sentence; "" without any
    renumbered  which committed images keep other numbers of wells, in a sentence; "" if none do
    recipe    what makes a result what it is (recipe.of)
    settings  the params by name, what a recipe leaves out because it has its default too
    stages    stage -> {"args": its command's arguments, "code": digest of its code}
    source    address that locations are relative to, or None
    root      local folder that they are relative to, or None
    folders   local folders that hold the images
    session   id of the run
    settled   how many images of the selection need no work
    views     what each stream holds (streams.union); None in a run without
    sheet     folder_input.Sheet, the samplesheet that was made of a folder of images; None if a table was given
    warnings  what may be a mistake in the input, a sentence each; nothing is stopped by it
    stop      the run stops at quality control
    study     study.Study, with frames as large as the first images that can be looked at; its plates hold all wells
    outdir    output folder, as the user names it
    """

    def __init__(self, **parts):
        self.__dict__.update(parts)

    @property
    def saved(self):
        """Bytes an image that are kept for looking at; 0 if none are."""
        return batches.saved(self.study) if "images" in arguments.saved(self.settings) else 0

    def text(self):
        """What the user sees before anything starts."""
        wells = {(asked["plate"], asked["well"]) for asked in self.images}
        plates = sorted({plate for plate, _ in wells})
        over = f"{len(wells)} well{'s' * (len(wells) > 1)} on {len(plates)} plate{'s' * (len(plates) > 1)}"
        todo = sum(len(batch["images"]) for batch in self.batches)
        lines = [
            f"{len(self.images)} images of {over} ({', '.join(plates[:4])}{', ...' * (len(plates) > 4)}), "
            f"{self.settled} of them settled"
        ]
        if not (self.settings["study"] or self.settings.get("plate_format")):
            lines.append(self.study.format_text)
        lines += [*self.sheet.notes, f"its samplesheet: {self.outdir}/{SHEET}"] if self.sheet else []
        lines += [f"warning: {sentence}" for sentence in self.warnings]
        lines += filter(None, [self.moved, self.renumbered])
        if self.broken:
            lines.append(
                f"{len(self.broken)} committed batches have files that were changed or deleted since; "
                "what is left of them will be moved to stale/"
            )
        if not todo:
            return "\n".join([*lines, f"Nothing to do: every image of the selection is settled in {self.outdir}"])
        if self.views:
            lines.append(streams.text(self.views))
        place = self.source or places.text(self.folders)
        fetched, worked, kept = map(units.size, self._cost())
        lines += [
            f"{todo} images to do in {len(self.batches)} batches, from {place}",
            f"to fetch about {fetched}; at most about {worked} in the work folder, and {kept} of results "
            f"(an estimate from {first_look.text(self.study.frame)})",
            *[f"of these {units.size(todo * self.saved)} are images to look at, {units.size(self.saved)} each"]
            * bool(self.saved),
            *planes.in_words(self.settings),
            f"model sha256 {self.recipe['model'][:12]}, diameter {self.settings['diameter']}"
            + (f" (estimated from {REFERENCES} frames a plate)" if self.settings["diameter"] == "auto" else " pixels"),
            _illumination(self.settings, self.study),
            bit_depth.text(self.settings["bit_depth"]),
        ]
        if taken := batches.taken(self.batches):
            lines.append(f"{taken} label images are taken from labels/, where --stop_after qc left them")
        if self.stop:
            lines.append("it stops at quality control, before features; without --stop_after it goes on from there")
        return "\n".join(lines)

    def _cost(self):
        """Bytes, about: what is fetched, what lies in the work folder at most, and what the results take."""
        todo = [asked for batch in self.batches for asked in batch["images"]]
        frames = len(streams.frames(todo))
        new = sum(len(own) for plate, own in self.plates.items() if plate not in self.settled_plates)
        fetched = (frames + new) * (WINDOW if self.settings["illumination"] == "frames" else 1)
        whole = batches.estimate(fetched + len(todo) - frames, self.study, self.stop)
        saved = len(todo) * self.saved
        travel = batches.estimate(fetched, self.study)["fetch"]
        return travel, whole["work"] + saved, whole["results"] + saved


def _illumination(values, described):
    """What is done about it, in words."""
    if values["illumination"] == "none":
        return "no flat-field"
    if values["illumination"] == "frames":
        return f"a flat-field an image, fitted to {WINDOW} frames of its movie"
    words = (
        f"a flat-field a plate, fitted to the sparsest of at most {batches.candidates(values, described)} frames of it"
    )
    return f"{words}, and the camera's offset estimated" if values["camera_offset"] == "auto" else words
