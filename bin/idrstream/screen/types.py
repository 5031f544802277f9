"""The dicts of the screen that travel between stages, field by field. Standard library only, for the head.

An image becomes a row that each stage extends: the planner (`PlannedImage`, in a packet `Image`), FETCH (`FrameRow`),
MERGE (`MergedRow`), the ledger (`LedgerRow`). The JSON on disk has the same fields.
"""

from __future__ import annotations  # the head's Python may be older than these annotations

from pathlib import Path
from typing import Any, Literal, TypedDict

from idrstream.runs import types as runs
from idrstream.runs.types import Unit, UnitRow


class Reference(TypedDict):
    """A frame of a plate that its calibration is made from."""

    key: str  # PLATE_WELL_sSITE_fFRAME, with a variant ...__VARIANT; the name of its files
    plate: str
    well: str  # zero-padded: A04
    well_number: int  # row by row from 1, by the format of the plates
    site: int  # from 1
    frame: int  # time point of the movie, from 1
    locations: list[str]  # addresses, or paths relative to the source, in the order to try them
    metadata: dict[str, str]  # column after `Metadata_` -> text; always has Control_Type and Gene


class _Image(Reference):
    id: str  # 16 hexadecimal digits: hash of key, file, metadata, what shapes its labels, its plate's references


class Image(_Image, total=False):
    """An image as packets and stages have it."""

    file_frame: int  # frame in its file, from 1, if it is another than its time point
    variant: Literal["ic", "no_ic"]  # in runs with streams: illumination corrected, or as stored
    outlines: bool  # in runs with streams: some stream wants its outlines


class PlannedImage(Image):
    """An image while the planner has it."""

    row: int  # place of its row in the input table, from 0
    line: int  # its line in the file of that table
    file: str  # its locations whatever the source is, one a line


class Channel(TypedDict):
    """A channel of an image file."""

    number: int  # counted from 1
    name: str  # in the file; "" without one


class FrameRow(Image):
    """An image after FETCH (a Reference has no id); what the pixels tell is None where it failed."""

    status: Literal["ok", "failed"]
    reason: str  # "CLASS: sentence" (failures.py); "" if it is ok
    retryable: bool  # it failed, and a later run may succeed
    bytes: int  # that travelled for it
    seconds: float  # that reading took
    camera_offset: float  # grey levels without light, as given; 0 where it is to be estimated
    shape: list[int] | None  # height and width in pixels
    type: str | None  # of a stored pixel: uint16
    focus: float | None  # slope of the power spectrum; lower is blurrier
    saturation: float | None  # share of the pixels at full scale
    background: float | None  # median grey level
    highest: float | None  # grey level
    significant_bits: int | None  # of a grey level, as the file states
    bit_depth: int | None  # of a grey level, as used; None for floats from 0 to 1
    out_of_range: float | None  # share of the pixels beyond that range
    unwritten: float | None  # share of the pixels that were never written
    channels: list[Channel]  # of the frame, in its order: one, the nuclei's; none if it could not be read


class WindowRow(FrameRow, total=False):
    """An image after FETCH with --illumination frames, which fetches its neighbours in time too."""

    window: list[str]  # keys of the frames that its flat-field is fitted to; only where it is ok
    field_bytes: int | None  # that travelled for the neighbours


class MergedRow(WindowRow):
    """An image after MERGE; None where it failed, or where that was not asked for."""

    cells: int | None
    texture_clipped: float | None  # share of the cells' pixels that texture features clip
    flatfield: str | None  # plate, frames, none, or "refused: " and why
    too_large: int | None  # nuclei dropped for their size
    offset_state: Literal["sure", "rough", "none"] | None  # of an estimated camera offset
    offset_low: float | None  # grey levels: its 95 % interval
    offset_high: float | None
    offset_bound: float | None  # RMS error that the interval leaves in the field


class _Place(TypedDict, total=False):
    plate: str
    well: str
    well_number: int
    site: int
    frame: int
    variant: str


class LedgerRow(UnitRow, _Place, total=False):
    """What the ledger keeps of an image (results.KEPT); the rest can be read from the input table."""

    control_type: str
    gene: str
    bytes: int
    field_bytes: int | None
    seconds: float
    flatfield: str | None
    focus: float | None
    saturation: float | None
    background: float | None
    bit_depth: int | None
    out_of_range: float | None
    unwritten: float | None
    too_large: int | None
    texture_clipped: float | None
    camera_offset: float | None  # grey levels that were subtracted
    offset_state: str | None
    offset_low: float | None
    offset_high: float | None
    offset_bound: float | None


class Reading(TypedDict):
    """How the files of a run are read."""

    reader: str  # --reader
    nuclear: str | int | None  # channel of the nuclei: its name, or its number from 1
    z: str | int | None  # max, middle, or the number of a plane from 1


class Source(Reading):
    """Where the images of a packet come from, and how they are read: the same in all packets of a run."""

    source: str | None  # address that locations are relative to
    root: str | None  # local folder that they are relative to
    session: str  # id of the Nextflow run
    window: bool  # fetch each image's neighbours in time too
    bit_depth: int | str  # of grey levels, or "auto"
    camera_offset: float  # grey levels; 0 where it is to be estimated


class Batch(TypedDict):
    """A batch as batches.cut makes it."""

    id: str  # letter (q: stops at quality control), number and 10 hexadecimal digits
    number: int  # from 0: rows of the input table, in batches
    images: list[Image]
    supersedes: list[str]  # committed batches that it replaces
    kept: list[str]  # files in the output folder that it takes: label images, outlines, saved images


class BatchPacket(Unit, Source):
    """The planner's JSON of a batch, `batches/ID.json`."""

    images: list[Image]
    folders: list[str]  # on this machine, that hold its images


class PlatePacket(Source):
    """The planner's JSON of a plate's reference frames, `plates/PLATE.json`."""

    id: str  # the plate
    identity: str  # 16 hexadecimal digits: hash of its references and the recipe
    images: list[Reference]
    all: bool  # every image is needed: one that cannot be reached is tried again
    folders: list[str]


class RequestedImage(_Place, total=False):
    """An image of the selection in plan.json."""

    id: str
    key: str
    batch: str | None  # that it is computed in; None where it is done


class _Size(TypedDict):
    pixels: int  # of a frame
    bytes: int  # of a frame as it is stored


class BatchSummary(_Size):
    """What the pipeline needs of a batch before it starts."""

    id: str
    number: int
    images: int
    plates: list[str]  # whose calibration it waits for
    fields: bool  # a flat-field an image is fitted
    kept: bool  # its label images are taken from the output folder
    work: int  # bytes of the work folder, estimated


class PlateSummary(_Size):
    """What the pipeline needs of a plate before it starts."""

    id: str
    images: int
    diameter: bool  # is estimated


class Stream(TypedDict):
    """A stream as the file of --streams describes it."""

    name: str
    table: Path  # of its wells, or its samplesheet
    variants: list[str]  # in the order of images.frames.VARIANTS
    outlines: bool  # of its cells are kept


class StreamView(TypedDict):
    """What a stream holds, for the export."""

    name: str
    variants: list[str]
    outlines: bool
    rows: dict[str, int]  # key of a frame -> place of its row in the stream's own table


class RunRecord(runs.RunRecord):
    """What the last run was asked for: `pipeline_info/plan.json` in the output folder."""

    wells: list[int]  # rows and columns of the plates


class _PlanSummary(runs.RunPlan):
    problems: list[str]  # what the user must mend; then there is nothing else
    text: str  # what the user sees before anything starts
    batches: list[BatchSummary]
    batch_bytes: int  # of the largest batch in the work folder, estimated
    plates: list[PlateSummary]  # without those of settled_plates
    settled_plates: list[str]  # whose calibration the output folder has
    folders: list[str]  # on this machine, that hold images
    stages: dict[str, dict[str, str]]  # stage -> args of its command, code: digest of its source
    model: str | None  # sha256
    places: dict[str, int]  # image id -> place of its row in the input table, of the whole table


class PlanSummary(_PlanSummary, total=False):
    """The planner's plan.json."""

    streams: list[StreamView]


class OffsetEstimate(TypedDict, total=False):
    """What a plate's nuclei tell of its camera's offset."""

    state: Literal["sure", "rough", "none"]
    offset: float  # grey levels; 0 with state none
    reason: str  # with state none
    low: float  # grey levels: 95 % interval
    high: float
    bound: float  # RMS error that the interval leaves in the field
    nuclei: int  # that it rests on


class FieldFacts(TypedDict, total=False):
    """What FLATFIELD records of a flat-field, of a plate or of an image."""

    status: Literal["ok", "refused"]
    reason: str  # why it is refused
    kind: Literal["plate", "frames"]
    shape: list[int]  # height and width in pixels
    low: float  # its range; the mean is 1
    high: float
    candidates: list[str]  # keys of the frames that were fetched
    used: list[str]  # keys of those that it is fitted to
    left_out: dict[str, str]  # key of an unsuitable candidate -> why
    halves_rms: float  # RMS difference of the fields from two halves of the frames
    bytes: int  # that travelled for its frames
    camera_offset: OffsetEstimate  # only where it was estimated


class GreyRange(TypedDict):
    """What the reference frames of a plate tell of its grey levels and size (bit_depth.of_plate)."""

    bits: int | None
    significant: int | None  # bits that a file states
    highest: float  # grey level
    pixels: int  # of the largest frame
    bytes: int


class _Fields(TypedDict):
    offset: float  # grey levels that are subtracted, given or estimated
    lost: str | None  # why a frame could not be fetched
    frames: GreyRange | None  # None without a readable frame
    fields: dict[str, FieldFacts]  # plate or frame key ->


class Fields(_Fields, total=False):
    """A folder of flat-fields, `fields.json`; the optional fields are of a plate in the output folder."""

    plate: str
    id: str | None  # the packet's identity; None: to be made again


class Provenance(TypedDict, total=False):
    """By what a batch was made, in the ledger."""

    segment: dict[str, Any]  # model, device, diameter by plate
    embed: dict[str, Any]
    measure: dict[str, Any]
    fields: dict[str, FieldFacts]
