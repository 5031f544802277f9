"""The dicts that the ledger holds and that commands pass to it, field by field. Standard library only, for the head.

A unit is what is committed at once: a batch of images. The JSON on disk has the same fields.
"""

from __future__ import annotations  # the head's Python may be older than these annotations

from typing import Any, TypedDict

Recipe = dict[str, Any]  # param, checksum, version.STAGE or library.TOOL.PACKAGE -> value, see runs.recipe


class FileFacts(TypedDict):
    """What is recorded of a file when it is written, to tell later whether it was changed (files.stage)."""

    bytes: int
    sha256: str  # 64 hexadecimal digits
    mtime_ns: int


class LedgerFile(TypedDict, total=False):
    """A file of a ledger entry; all but its path is absent until it has been copied."""

    path: str  # relative to the output folder
    bytes: int
    sha256: str
    mtime_ns: int


class UnitRow(TypedDict, total=False):
    """An image of a ledger entry. A workflow adds fields (screen/types.py: LedgerRow)."""

    id: str  # hash of the image, its metadata and what shapes its label image
    key: str  # its name
    status: str  # "ok" or "failed"; read back (ledger.rows) also ledger.SEGMENTED
    reason: str  # why it failed; "" if it did not
    retryable: bool  # it failed, and a later run may succeed
    cells: int | None  # None where it failed
    batch: str  # only when read back: the unit whose result counts


class Unit(TypedDict):
    """What committing reads from the planner's JSON of a unit."""

    id: str
    number: int
    session: str  # id of the Nextflow run, which stays the same when it is resumed
    recipe: Recipe
    references: dict[str, list]  # plate -> images that its flat-field and diameter come from
    supersedes: list[str]  # units that it replaces
    kept: list[str]  # files in the output folder that it reads and that stay another unit's


class _Entry(TypedDict):
    batch: str  # id of the unit
    number: int
    session: str
    recipe: Recipe
    references: dict[str, list]
    provenance: dict[str, Any]  # stage -> its model, device and settings
    committed: str | None  # ISO 8601, UTC; None while its files are being written
    files: list[LedgerFile]
    images: list[Any]  # UnitRow with the fields of the workflow
    supersedes: list[str]  # units whose entries are deleted when this one is committed
    former: list[str]  # files of those units that this one does not write again, which are deleted too
    work_folders: list[str]  # deleted once it is committed


class LedgerEntry(_Entry, total=False):
    """The record of a committed unit: `ledger/BATCH.json`, or `ledger/pending/BATCH.json` during its commit."""

    stale_folder: str  # name of the folder in stale/ that it is being moved to


class RunRecord(TypedDict):
    """What the last run was asked for: `pipeline_info/plan.json` in the output folder, with what its workflow adds."""

    begun: str  # ISO 8601, UTC
    stop: bool  # it stops at quality control
    images: list[dict[str, str]]  # id, key and batch of each requested image


class _RunPlan(TypedDict):
    workflow: str  # that the output folder belongs to
    stale: list[str]  # units with other settings
    broken: list[str]  # units with files that were changed or deleted
    stamp: str  # time of the plan in UTC, YYYY-MM-DD_hh-mm-ss: the folder in stale/
    differs: str  # how the settings of the stale units differ, in words
    requested: list[Any]  # the images of the selection: dicts with at least id, key and batch
    stop: bool


class RunPlan(_RunPlan, total=False):
    """What the start of a run reads from the planner's plan.json."""

    record: dict[str, Any]  # what the workflow adds to the record of the run


class LostUnit(TypedDict):
    """A unit, or a plate, that was given up."""

    process: str
    exit: int
    log: list[str]  # its last lines


class GateFigures(TypedDict, total=False):
    """What the gate reports when a run has ended."""

    lost: dict[str, LostUnit]  # its id ->
    stopped: bool  # the run was stopped
    inflight: int  # most units at a time; 0 where none was admitted
    slots: int  # allowed at a time
    disk: int  # bytes: peak of the files in the work folders of the units in flight
