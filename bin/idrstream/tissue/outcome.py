"""The end of a run on slides: its tables and the closing lines. Standard library only, for the head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from idrstream.base import tables
from idrstream.runs import ledger, outcome
from idrstream.runs.types import GateFigures
from idrstream.tissue import benchmarks

FOLDER = "slides"  # in the output folder, with a folder for each slide
PART = "summary"  # of the manifest: what the end of a run writes
FILES = ("slides.tsv", "failures.tsv", benchmarks.TABLE, benchmarks.RECORDS, str(outcome.RUN))
COLUMNS = ("slide", "status", "reason", "nuclei", "cells", "unmatched", "height", "width", "pixel_size_um", "diameter")
COLUMNS += ("uncertified", "seconds")
TABLES = ("cells.parquet", "QUANT.tsv", "cells.geojson")  # and SLIDE.h5ad


def results(slide: str) -> list[str]:
    """What a slide's folder holds: files, and the folder of its store."""
    overlays = (f"overlay_{number}.png" for number in (1, 2, 3))
    return [f"{slide}.zarr", "nuclei.ome.tif", "cells.ome.tif", *TABLES, f"{slide}.h5ad", "slide.json", *overlays]


def summarise(
    requested: Sequence[Mapping[str, Any]],
    outdir: str | Path,
    max_failed: float,
    gate: GateFigures,
    begun: str = "",
) -> dict[str, str | None]:
    """Write the tables and word the end of the run.

    requested   the slides of this run, from the plan
    max_failed  share of them that may fail
    begun       when the run began (UTC, ISO 8601): a slide is finished only if it was committed since then
    returns     {"text": closing lines, "error": why the run counts as failed, or None}
    """
    entries, _ = ledger.read(outdir)
    recorded = ledger.rows(entries)
    rows = {slide["key"]: recorded.get(slide["id"]) or {**slide, **_without_result(slide, gate)} for slide in requested}
    others = {row["key"]: row for row in recorded.values()}
    every = [row for _, row in sorted({**others, **rows}.items())]
    _write_tables(every, Path(outdir))
    benchmarks.write(Path(outdir), every, {entry["batch"]: entry["committed"] for entry in entries})
    failed = [row for row in rows.values() if row["status"] != "ok"]
    committed = {entry["batch"] for entry in entries if (entry["committed"] or "") >= begun}
    unfinished = {name for name, row in rows.items() if row["status"] in ("missing", "lost")}
    again = {slide["key"] for slide in requested if slide["batch"] and rows[slide["key"]]["status"] == "ok"}
    unfinished |= again - committed
    earlier = sum(rows[name]["status"] == "ok" for name in unfinished)
    nuclei = sum(row["cells"] or 0 for row in rows.values() if row["status"] == "ok")
    cells = sum(row["counts"]["cells"] for row in rows.values() if row.get("counts"))
    uncertified = sum(row.get("uncertified") or 0 for row in rows.values())
    found = f"{nuclei:,} nuclei, {cells:,} cells"
    text = [
        f"{len(rows) - len(failed)} of {len(rows)} slides done, {found}, {uncertified} uncertified",
        f"slides     {outdir}/{FOLDER}",
        f"table      {outdir}/slides.tsv",
        f"failures   {outdir}/failures.tsv ({len(failed)} of this run's slides)",
        f"benchmarks {outdir}/{benchmarks.TABLE}",
        f"reports    {outdir}/pipeline_info",
        *outcome.stream(gate, "slides"),
    ]
    counts = len(rows), len(unfinished), earlier
    place = lambda row: row["key"]  # noqa: E731
    return {"text": "\n".join(text), "error": outcome.error(failed, *counts, max_failed, gate, "slide", place)}


def _without_result(slide: Mapping[str, Any], gate: GateFigures) -> dict[str, str]:
    """Status and reason of a slide that is in no ledger entry."""
    if "why" in slide:
        return {"status": "unmatched", "reason": slide["why"]}
    return outcome.unfinished(gate, slide["key"])


def _write_tables(rows: Sequence[Mapping[str, Any]], outdir: Path) -> None:
    table = [_cells(row) for row in rows]
    tables.write(outdir / "slides.tsv", COLUMNS, table)
    tables.write(outdir / "failures.tsv", COLUMNS, [row for row in table if row["status"] != "ok"])


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    height, width = row.get("size") or (None, None)
    size = row.get("pixel_size")
    facts = {"slide": row["key"], "nuclei": row.get("cells"), "height": height, "width": width, "pixel_size_um": size}
    counts = row.get("counts")  # None where nothing was measured
    found = {
        "cells": counts and counts["cells"],
        "unmatched": counts and counts["nuclei_alone"] + counts["cells_alone"],
    }
    return {**row, **facts, **found}
