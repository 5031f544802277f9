"""The end of a run: `images.tsv`, `failures.tsv` and the closing lines. Standard library only, for the head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from idrstream.base import tables
from idrstream.runs import ledger, outcome
from idrstream.runs.types import GateFigures
from idrstream.screen import results, study
from idrstream.screen.types import RequestedImage

COLUMNS = ("row", "plate", "well", "well_number", "site", "frame", "status", "reason", "cells", "flatfield", "bytes")
COLUMNS += ("field_bytes", "seconds", *results.FIGURES)
PART = "summary"  # of the manifest: what the end of a run writes
FILES = ("images.tsv", "failures.tsv", str(outcome.RUN))
STREAMS = "pipeline_info/streams.json"  # written with --streams alone

Row = Mapping[str, Any]  # LedgerRow, or a requested image with status and reason


def summarise(
    requested: Sequence[RequestedImage],
    places: Mapping[str, int],
    wells: Sequence[int],
    outdir: str | Path,
    max_failed: float,
    gate: GateFigures,
    stop: bool = False,
    begun: str = "",
) -> dict[str, str | None]:
    """Write the two tables and word the end of the run.

    requested   the images of this run's selection, from the plan
    places      image id -> place of its row in the input table, from 0, of all images of the table
    wells       (rows, columns) of the plates: committed rows may have well numbers of another format
    max_failed  share of the requested images that may fail
    stop        the run stops at quality control
    begun       when the run began (UTC, ISO 8601): a batch is finished only if it was committed since then
    returns     {"text": closing lines, "error": why the run counts as failed, or None}
    """
    entries, _ = ledger.read(outdir)
    recorded, finished = ledger.rows(entries), ledger.finished(stop)
    final = {id: row for id, row in recorded.items() if row["status"] in (*finished, "failed")}
    rows: dict[str, Any] = {
        id: final.get(id) or {**image, **outcome.unfinished(gate, image["batch"], image["plate"])}
        for id, image in ((image["id"], image) for image in requested)
    }
    _write_tables({**recorded, **rows}, places, wells, Path(outdir))
    failed = [row for row in rows.values() if row["status"] not in finished]
    committed = {entry["batch"] for entry in entries if (entry["committed"] or "") >= begun}
    unfinished = {id for id, row in rows.items() if row["status"] in ("missing", "lost")}
    unfinished |= {image["id"] for image in requested if image.get("batch") and image["batch"] not in committed}
    earlier = sum(rows[id]["status"] in finished for id in unfinished)
    cells = sum(row["cells"] or 0 for row in rows.values() if row["status"] in finished)
    text = [
        f"{len(rows) - len(failed)} of {len(rows)} images done, {cells} cells",
        f"labels     {outdir}/labels"
        if stop
        else f"cells      {outdir}/profiles/single_cells (Parquet, one folder per plate)",
        f"images     {outdir}/images.tsv",
        f"failures   {outdir}/failures.tsv ({len(failed)} of this run's images)",
        f"reports    {outdir}/pipeline_info",
    ]
    text += outcome.stream(gate, "batches")
    counts = len(rows), len(unfinished), earlier
    return {"text": "\n".join(text), "error": outcome.error(failed, *counts, max_failed, gate, "image", place)}


def order(row: Row) -> tuple:
    """What images are sorted by: plate, well row by row, site, frame, variant."""
    return row["plate"], study.Well.parse(row["well"]), row["site"], row["frame"], row.get("variant", "")


def place(row: Row) -> str:
    """Where an image is, for people: ``DM0001_02 B16 frame 1``, with the site where it is not the first."""
    site = f" site {row['site']}" if int(row["site"]) != 1 else ""
    return f"{row['plate']} {row['well']}{site} frame {row['frame']}"


def _write_tables(rows: Mapping[str, Row], places: Mapping[str, int], wells: Sequence[int], outdir: Path) -> None:
    table = [
        {**row, "row": places.get(id), "well_number": study.numbered(row["well"], wells)} for id, row in rows.items()
    ]
    table.sort(key=order)
    columns = COLUMNS + ("variant",) * any(row.get("variant") for row in table)
    failed = [row for row in table if row["status"] not in ledger.finished(True)]
    tables.write(outdir / "images.tsv", columns, table)
    tables.write(outdir / "failures.tsv", columns, failed)
