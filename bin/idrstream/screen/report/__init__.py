"""What the report on screens has, a module a section; and what it reads of an output folder."""

from idrstream.report import provenance, throughput
from idrstream.screen.report import (
    cells,
    distributions,
    failures,
    flatfields,
    images,
    montage,
    plate_maps,
    plates,
    summary,
    well_map,
)
from idrstream.screen.report.results import Results

__all__ = ["SECTIONS", "Results"]

SECTIONS = (
    summary,
    plates,
    plate_maps,
    flatfields,
    images,
    montage,
    cells,
    distributions,
    well_map,
    failures,
    throughput,
    provenance,
)
