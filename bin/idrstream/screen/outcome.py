"""The end of a run: `images.tsv`, `failures.tsv` and the closing lines. Standard library only: it runs on the head."""

from pathlib import Path

from idrstream.base import tables
from idrstream.runs import ledger
from idrstream.screen import results, study

COLUMNS = ("row", "plate", "well", "well_number", "site", "frame", "status", "reason", "cells", "flatfield", "bytes")
COLUMNS += ("field_bytes", "seconds", *results.FIGURES)
PART = "summary"  # of the manifest: what the end of a run writes
FILES = ("images.tsv", "failures.tsv", "pipeline_info/run.json")
STREAMS = "pipeline_info/streams.json"  # written with --streams alone
SHOWN = 10  # failures named in the closing lines; all are in failures.tsv


def summarise(requested, places, wells, outdir, max_failed, gate, stop=False, begun=""):
    """Write the two tables and word the end of the run.

    requested   the images of this run's selection, from the plan
    places      image id -> place of its row in the input table, from 0, of all images of the table
    wells       (rows, columns) of the plates: a committed row may have its well's number by another format
    outdir      the output folder
    max_failed  share of the requested images that may fail
    gate        what became of the batches: lost (id of a batch or plate -> process, exit, log), stopped, and what the
                stream came to: inflight (batches at most), slots, disk (bytes at most)
    stop        the run stops at quality control
    begun       when the run began (UTC, ISO 8601): only a batch that was committed since then is finished
    returns     {"text": closing lines, "error": why the run counts as failed, or None}
    """
    entries, _ = ledger.read(outdir)
    known, done = ledger.rows(entries), ledger.finished(stop)
    settled = {id: row for id, row in known.items() if row["status"] in (*done, "failed")}
    asked = {image["id"]: settled.get(image["id"]) or image | _unfinished(image, gate) for image in requested}
    table = [
        row | {"row": places.get(id), "well_number": study.numbered(row["well"], wells)}
        for id, row in (known | asked).items()
    ]
    table.sort(key=order)
    columns = COLUMNS + ("variant",) * any(row.get("variant") for row in table)
    tables.write(Path(outdir) / "images.tsv", columns, table)
    tables.write(
        Path(outdir) / "failures.tsv", columns, [row for row in table if row["status"] not in ledger.finished(True)]
    )
    failed = [row for row in asked.values() if row["status"] not in done]
    committed = {entry["batch"] for entry in entries if entry["committed"] >= begun}
    unfinished = {id for id, row in asked.items() if row["status"] in ("missing", "lost")}
    unfinished |= {image["id"] for image in requested if image.get("batch") and image["batch"] not in committed}
    earlier = sum(asked[id]["status"] in done for id in unfinished)
    cells = sum(row["cells"] for row in asked.values() if row["status"] in done)
    text = [
        f"{len(asked) - len(failed)} of {len(asked)} images done, {cells} cells",
        f"labels     {outdir}/labels"
        if stop
        else f"cells      {outdir}/profiles/single_cells (Parquet, a folder a plate)",
        f"images     {outdir}/images.tsv",
        f"failures   {outdir}/failures.tsv ({len(failed)} of this run's images)",
        f"reports    {outdir}/pipeline_info",
    ]
    if gate["inflight"]:
        used = f"peak disk use of batches in flight: {gate['disk'] / 1e9:.2f} GB"
        text.append(f"stream     {used} ({gate['inflight']} of {gate['slots']} at a time)")
    counts = len(asked), len(unfinished), earlier
    return {"text": "\n".join(text), "error": _error(failed, *counts, max_failed, gate)}


def order(row):
    """What images are sorted by: plate, well row by row, site, frame, variant."""
    return row["plate"], study.Well.parse(row["well"]), row["site"], row["frame"], row.get("variant", "")


def place(row):
    """Where an image is, for people: ``DM0001_02 B16 frame 1``, with the site where it is not the first."""
    site = f" site {row['site']}" if int(row["site"]) != 1 else ""
    return f"{row['plate']} {row['well']}{site} frame {row['frame']}"


def _unfinished(asked, gate):
    """Status and reason of an image that is in no ledger entry; the next run takes it up."""
    lost = gate["lost"].get(asked["batch"]) or gate["lost"].get(asked["plate"])
    if lost:
        last = next((line.strip() for line in reversed(lost["log"]) if line.strip()), "it said nothing")
        return {"status": "lost", "reason": f"{lost['process']} ended with exit code {lost['exit']}: {last}"}
    why = "the run was stopped before its batch began" if gate["stopped"] else "its batch was not finished"
    return {"status": "missing", "reason": why}


def _error(failed, asked, unfinished, earlier, max_failed, gate):
    """Why the run counts as failed. EARLIER: of the unfinished images, those with a result of an earlier run."""
    if not unfinished and not gate["lost"] and len(failed) <= max_failed * asked:
        return None
    lines = [f"{len(failed)} of {asked} images failed, more than --max_failed {max_failed:g} allows"]
    if unfinished or gate["lost"]:
        lines = [f"{unfinished} of {asked} images were not finished; the next run takes them up"]
        lines = lines if unfinished else ["all results are kept, but a step after that failed"]
        lines += [f"  {earlier} of them keep an earlier run's result; --redo computes them again"] * bool(earlier)
        given_up = gate["lost"].items()
        lines += [f"  {id}: {lost['process']} ended with exit code {lost['exit']}" for id, lost in given_up]
    lines += [f"  {place(row)}: {row['reason']}" for row in failed[:SHOWN]]
    if len(failed) > SHOWN:
        lines.append(f"  and {len(failed) - SHOWN} more, in failures.tsv")
    return "\n".join(lines)
