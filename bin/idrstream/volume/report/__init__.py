"""What the report on volumes has, a module a section; and what it reads of an output folder."""

from idrstream.report import provenance, throughput
from idrstream.volume.report import checkpoints, failures, scores, slices, steps, summary, volumes
from idrstream.volume.report.results import Results

__all__ = ["SECTIONS", "Results"]

SECTIONS = (summary, volumes, slices, scores, checkpoints, steps, failures, throughput, provenance)
