"""The contents of an output folder of slides, read once for all sections of the report, even while a run is going."""

from dataclasses import dataclass
from pathlib import Path

from idrstream.base import files
from idrstream.report.output import Output
from idrstream.tissue import recipe

FACTS = "slide.json"
SQUARE_MM = 1e6  # square micrometres


@dataclass
class Slide:
    """A slide with a result.

    name    its id
    folder  of its results
    facts   its slide.json
    """

    name: str
    folder: Path
    facts: dict

    @property
    def counts(self):
        """What TABLES counted; None if nothing was measured."""
        return self.facts.get("counts")

    @property
    def megapixels(self):
        height, width = self.facts["size"]
        return height * width / 1e6

    @property
    def density(self):
        """Nuclei per square millimetre of the whole slide or region; None where the size of a pixel is not known."""
        size = self.facts["pixel_size"]
        if not size:
            return None
        return self.facts["nuclei"] / (self.megapixels * 1e6 * size["y"] * size["x"]) * SQUARE_MM


class Results(Output):
    """An output folder of slides; beside what `Output` has:

    slides  list of Slide, by name
    failed  rows of failures.tsv: texts slide, status and reason
    """

    book, unit, item = recipe.BOOK, "slide", "slide"

    def __init__(self, outdir):
        super().__init__(outdir)
        names = [name for batch in self.batches for name in batch.names if Path(name).name == FACTS]
        self.slides = sorted(filter(None, map(self._slide, names)), key=lambda slide: slide.name)
        done = {slide.name for slide in self.slides}
        self.failed = [row for row in self.failures() if row["slide"] not in done]

    def _slide(self, name):
        """The slide of a slide.json; None if a run is just replacing it."""
        path = self.outdir / name
        try:
            facts = files.read_json(path)
        except FileNotFoundError:
            return None
        return Slide(facts["slide"], path.parent, facts)
