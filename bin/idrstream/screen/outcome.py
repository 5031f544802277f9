"""The end of a run: `images.tsv`, `failures.tsv` and the closing lines. Standard library only, for the head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from idrstream.base import tables
from idrstream.runs import ledger
from idrstream.screen import results, study
from idrstream.screen.types import GateFigures, RequestedImage

COLUMNS = ("row", "plate", "well", "well_number", "site", "frame", "status", "reason", "cells", "flatfield", "bytes")
COLUMNS += ("field_bytes", "seconds", *results.FIGURES)
PART = "summary"  # of the manifest: what the end of a run writes
FILES = ("images.tsv", "failures.tsv", "pipeline_info/run.json")
STREAMS = "pipeline_info/streams.json"  # written with --streams alone
SHOWN = 10  # failures named in the closing lines; all are in failures.tsv

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
        image["id"]: final.get(image["id"]) or {**image, **_unfinished(image, gate)} for image in requested
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
    if gate["inflight"]:
        peak = f"peak disk use of batches in flight: {gate['disk'] / 1e9:.2f} GB"
        text.append(f"stream     {peak} (at most {gate['inflight']} at a time; limit {gate['slots']})")
    counts = len(rows), len(unfinished), earlier
    return {"text": "\n".join(text), "error": _error(failed, *counts, max_failed, gate)}


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


def _unfinished(image: RequestedImage, gate: GateFigures) -> dict[str, str]:
    """Status and reason of an image that is in no ledger entry; the next run computes it."""
    lost = gate["lost"].get(image["batch"] or "") or gate["lost"].get(image["plate"])
    if lost:
        last = next((line.strip() for line in reversed(lost["log"]) if line.strip()), "no output")
        return {"status": "lost", "reason": f"{lost['process']} ended with exit code {lost['exit']}: {last}"}
    why = "the run was stopped before its batch began" if gate["stopped"] else "its batch was not finished"
    return {"status": "missing", "reason": why}


def _error(
    failed: Sequence[Row], requested: int, unfinished: int, earlier: int, max_failed: float, gate: GateFigures
) -> str | None:
    """Why the run counts as failed. EARLIER: of the unfinished images, those with a result of an earlier run."""
    if not unfinished and not gate["lost"] and len(failed) <= max_failed * requested:
        return None
    lines = [f"{len(failed)} of {requested} images failed, more than --max_failed {max_failed:g} allows"]
    if unfinished or gate["lost"]:
        lines = [f"{unfinished} of {requested} images were not finished; the next run computes them"]
        lines = lines if unfinished else ["all results are committed, but a later step failed"]
        lines += [f"  {earlier} of them have an earlier run's result; --redo computes them again"] * bool(earlier)
        lost = gate["lost"].items()
        lines += [f"  {id}: {unit['process']} ended with exit code {unit['exit']}" for id, unit in lost]
    lines += [f"  {place(row)}: {row['reason']}" for row in failed[:SHOWN]]
    if len(failed) > SHOWN:
        lines.append(f"  and {len(failed) - SHOWN} more, in failures.tsv")
    return "\n".join(lines)
