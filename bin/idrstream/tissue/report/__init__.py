"""What the report on slides has, a module a section; and what it reads of an output folder."""

from idrstream.report import provenance, throughput
from idrstream.tissue.report import cells, failures, overlays, slides, steps, summary
from idrstream.tissue.report.results import Results

__all__ = ["SECTIONS", "Results"]

SECTIONS = (summary, slides, cells, overlays, steps, failures, throughput, provenance)
