"""The end of a run on volumes: its tables and the closing lines. Standard library only, for the head."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from idrstream.base import tables
from idrstream.runs import ledger, outcome
from idrstream.runs.types import GateFigures, LedgerEntry
from idrstream.volume import choosing, counted, grid, results, scores
from idrstream.volume.box import Box

PART = "summary"  # of the manifest: what the end of a run writes
FILES = ("volumes.tsv", "slabs.tsv", "scores.tsv", "checkpoints.tsv", "failures.tsv", str(outcome.RUN))
SLABS = (
    "result",
    "status",
    "reason",
    "kind",
    "volume",
    "checkpoint",
    "begin",
    "shape",
    "seconds",
    "cpu_seconds",
    "peak_rss_mb",
)
VOLUMES = (
    "volume",
    "status",
    "checkpoint",
    "threshold",
    "begin",
    "shape",
    "voxel_size_nm",
    "slabs",
    "seconds",
    "cpu_seconds",
)
SCORES = (
    "volume",
    "checkpoint",
    "class",
    "label",
    "voxels_of",
    "at",
    "threshold",
    "f1",
    "jaccard",
    "precision",
    "recall",
    "tp",
    "fp",
    "fn",
    "tn",
)


class Compared(NamedTuple):
    """A volume that was compared with labels by a checkpoint.

    counts  {class: {kind: ...}} (`scores.add`)
    labels  class -> names of its data sets
    """

    name: str
    checkpoint: str
    counts: dict[str, Any]
    labels: dict[str, Any]


def summarise(
    plan: Mapping[str, Any], outdir: str | Path, max_failed: float, gate: GateFigures
) -> dict[str, str | None]:
    """Write the tables and word the end of the run.

    plan        plan.json of CHOOSE
    max_failed  share of the slabs' results that may fail
    returns     {"text": closing lines, "error": why the run counts as failed, or None}
    """
    entries, _ = ledger.read(outdir)
    recorded = ledger.rows(entries)
    rows = _rows(plan["requested"], recorded, gate)
    failed = [row for row in rows if row["status"] != "ok"]
    every = [*recorded.values(), *(row for row in failed if row["id"] not in recorded)]
    names = {*plan["candidates"], *plan["regions"]}
    known = compared(entries, outdir)
    tables.write(Path(outdir) / "slabs.tsv", SLABS, [_slab(row) for row in every if row["kind"] != "volume"])
    tables.write(Path(outdir) / "failures.tsv", SLABS, [_slab(row) for row in failed])
    finished = [row for row in every if row["kind"] == "volume" and row["status"] == "ok"]
    tables.write(Path(outdir) / "volumes.tsv", VOLUMES, [_volume(row, recorded) for row in finished])
    thresholds = {row["entry"]: row["threshold"] for row in finished}
    lines = [line for each in known for line in _scores(each, thresholds.get(each.name, plan["threshold"]))]
    tables.write(Path(outdir) / "scores.tsv", SCORES, lines)
    if len(plan["models"]) > 1:  # what an earlier run chose by stays
        tables.write(Path(outdir) / "checkpoints.tsv", choosing.COLUMNS, plan["checkpoints"])
    volumes = [row for row in rows if row["kind"] == "volume" and row["status"] == "ok"]
    slabs = [row for row in rows if row["kind"] != "volume"]
    done = sum(row["status"] == "ok" for row in slabs)
    text = [
        f"{len(volumes)} of {len(plan['regions'])} volumes done, {done:,} of {len(slabs):,} slab results",
        *[f"volume     {outdir}/{results.store(row['entry'])}" for row in volumes],
        *_best(plan, known, names),
        f"tables     {outdir}/volumes.tsv, slabs.tsv" + ", scores.tsv" * bool(known),
        f"failures   {outdir}/failures.tsv ({len(failed)} of this run)",
        f"reports    {outdir}/pipeline_info",
        *outcome.stream(gate, "slabs"),
    ]
    unfinished = sum(row["status"] in ("missing", "lost") for row in rows)
    error = outcome.error(failed, len(rows), unfinished, 0, max_failed, gate, "result", itemgetter("key"))
    return {"text": "\n".join(text), "error": plan["problem"] or error}


def _rows(
    requested: Sequence[Mapping[str, Any]], recorded: Mapping[str, Mapping[str, Any]], gate: GateFigures
) -> list[Mapping[str, Any]]:
    """What became of each result: its row in the ledger, or the status and reason of one that is not there."""
    rows = [recorded.get(each["id"]) or {**each, **outcome.unfinished(gate, each["task"])} for each in requested]
    slabs = [row for row in rows if row["kind"] in results.OF_SLABS and row["kind"] in results.SHOWN]
    failed = {row["entry"] for row in slabs if row["status"] == "failed"}
    why = {"status": "failed", "reason": "slabs of it failed, as stands above"}
    return [
        {**row, **why} if row["kind"] == "volume" and row["status"] == "missing" and row["entry"] in failed else row
        for row in rows
    ]


def compared(entries: Sequence[LedgerEntry], outdir: str | Path) -> list[Compared]:
    """Of every region whose slabs all have counts of one identity."""
    groups: dict[tuple, list] = {}
    for entry in entries:
        row = entry["images"][0]
        if (row["kind"], row["status"]) == ("counts", "ok"):
            groups.setdefault((row["entry"], row["checkpoint"], row["identity"]), []).append((row, entry))
    found = []
    for (name, checkpoint, _), members in sorted(groups.items(), key=lambda item: item[0]):
        if grid.whole(Box.of(members[0][0]["roi"]), (Box.of(row["box"]) for row, _ in members)):
            found.append(Compared(name, checkpoint, *counted.of_files([entry for _, entry in members], outdir)))
    return found


def _scores(compared: Compared, threshold: float | None) -> list[dict[str, Any]]:
    """Rows of scores.tsv: of each class and kind of voxels, at the thresholds that are told."""
    rows = []
    for number, kinds in compared.counts.items():
        about = {"volume": compared.name, "checkpoint": compared.checkpoint, "class": number}
        about["label"] = ",".join(compared.labels[number])
        for kind, levels in kinds.items():
            for at, score in scores.told(scores.of(levels), threshold).items():
                rows.append(about | {"voxels_of": kind, "at": at} | score.facts())
    return rows


def _best(plan: Mapping[str, Any], known: Sequence[Compared], names: Collection[str]) -> list[str]:
    """A line for each class of each region that was compared by the chosen checkpoint."""
    lines = []
    for each in known:
        if plan["chosen"] and each.checkpoint == plan["chosen"]["name"] and each.name in names:
            for number, kinds in each.counts.items():
                found = scores.told(scores.of(kinds["scored"]), plan["threshold"])
                words = [f"{_number(score.f1)} at {at}" for at, score in found.items() if at != "best"]
                if best := found.get("best"):
                    words.append(f"at best {best.f1:.3f}, at {best.threshold:.3f}")
                outside = " outside of exclusion zones" if kinds["all"] != kinds["scored"] else ""
                lines.append(f"scores     {each.name} class {number}: F1{outside} {', '.join(words)}")
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _slab(row: Mapping[str, Any]) -> dict[str, Any]:
    begin, shape = row.get("box") or (None, None)
    place = {"begin": begin and ",".join(map(str, begin)), "shape": shape and ",".join(map(str, shape))}
    return {**row, **row.get("cost", {}), **place, "result": row["key"], "volume": row.get("entry")}


def _volume(row: Mapping[str, Any], recorded: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    own = [each for each in recorded.values() if each["entry"] == row["entry"] and each["kind"] in ("maps", "labels")]
    sums = {name: round(sum(each["cost"][name] for each in own), 1) for name in ("seconds", "cpu_seconds")}
    slabs = sum(each["kind"] == "maps" for each in own)
    size = ",".join(f"{edge:g}" for edge in row["voxel_size"])
    threshold = "likeliest class" if row["threshold"] is None else row["threshold"]
    return {**_slab(row), **sums, "slabs": slabs, "voxel_size_nm": size, "threshold": threshold}
