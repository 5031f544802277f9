"""CHOOSE: which checkpoint the volumes of a run are made by, and so what is to be done of them. Standard library only.

Of one checkpoint there is nothing to choose. Of several, each was compared with the labels of the run's candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from idrstream.base import files
from idrstream.runs import housekeeping, ledger
from idrstream.runs.types import LedgerEntry
from idrstream.volume import choosing, counted, packets, results, scores
from idrstream.volume.packets import Description


def close(plan: Mapping[str, Any], outdir: str | Path, folder: Path) -> None:
    """Write what is to be done into FOLDER: `plan.json`, and `slabs/` and `volumes/` with a JSON for each.

    plan  regions.json of the planner: regions, candidates, models, stamp

    Results of the regions by other checkpoints move to stale/ in OUTDIR. What makes an image of a volume is deleted
    where that is incomplete from now on.
    """
    models, entries = plan["models"], ledger.read(outdir)[0]
    found, table = _compared(plan, outdir, entries) if len(models) > 1 else ([], [])
    chosen, lines = _chosen(plan, found)
    slabs, volumes, requested = [], [], packets.compared(plan)
    for kind in ("slabs", "volumes"):
        (folder / kind).mkdir(parents=True)
    for number, region in enumerate(plan["regions"] if chosen else []):
        left = packets.todo(region, chosen["name"])
        lines += _set_aside(region, chosen, entries, bool(packets.incomplete(left)), outdir, plan["stamp"])
        slabs += packets.write(region, chosen, left, len(slabs), folder, "slabs")
        made = packets.requested(region, chosen, left)
        if any(each["kind"] == "volume" and each["batch"] for each in made):
            packet = packets.of_volume(region, chosen, number, packets.incomplete(left))
            files.write_json(folder / "volumes" / f"{packet['id']}.json", packet)
            volumes.append({"id": packet["id"], "left": packet["left"]})
        requested += made
    content = {"chosen": chosen, "lines": lines, "slabs": slabs, "volumes": volumes, "models": models}
    content |= {"checkpoints": table}
    content |= {kind: [region["entry"] for region in plan[kind]] for kind in ("regions", "candidates")}
    requested = [*{each["id"]: each for each in requested}.values()]  # a region may be compared and predicted
    content |= {"threshold": plan["regions"][0]["threshold"]}
    content |= {"problem": None if chosen else lines[-1], "requested": requested}
    files.write_json(folder / "plan.json", content)
    record = Path(outdir) / housekeeping.PLAN
    files.write_json(record, files.read_json(record) | {"images": requested})


def _compared(
    plan: Mapping[str, Any], outdir: str | Path, entries: Sequence[LedgerEntry]
) -> tuple[list[choosing.Candidate], list[dict[str, Any]]]:
    """The checkpoints that were compared on all candidates, and their table (`choosing.rows`)."""
    found, labels = [], {}
    for model in plan["models"]:
        sums = [counted.of_region(region, model["name"], outdir, entries) for region in plan["candidates"]]
        if None not in sums:
            found.append(choosing.Candidate(model["name"], model["iteration"], scores.add(each for each, _ in sums)))
            labels |= {number: ",".join(paths) for _, names in sums for number, paths in names.items()}
    return found, choosing.rows(found, labels)


def _chosen(plan: Mapping[str, Any], found: Sequence[choosing.Candidate]) -> tuple[dict | None, list[str]]:
    """The checkpoint with the best scores, None if there is none; lines for the log, why at last."""
    models = {model["name"]: model for model in plan["models"]}
    if len(models) == 1:
        return plan["models"][0], []
    lacking = models.keys() - {candidate.name for candidate in found}
    lines = [f"not compared, because slabs failed (failures.tsv): {', '.join(sorted(lacking))}"] if lacking else []
    if not found:
        return None, [*lines, "no checkpoint was compared on all regions, because slabs failed: see failures.tsv"]
    best = choosing.chosen(found)
    if best is None:
        return None, [*lines, "no voxel of the regions to compare with is of any class, so no checkpoint can be chosen"]
    why = f"the highest mean F1 of {len(found)} checkpoints (checkpoints.tsv)"
    return models[best.name], [*lines, f"checkpoint {models[best.name]['file']} is chosen: {why}"]


def _set_aside(
    region: Description,
    chosen: Mapping[str, Any],
    entries: Sequence[LedgerEntry],
    incomplete: bool,
    outdir: str | Path,
    stamp: str,
) -> list[str]:
    """Move what is not of the volume as it will be; of one that is INCOMPLETE, delete what makes an image of it.

    returns  lines for the log
    """
    made = region["wanted"][chosen["name"]]
    valid = {(kind, made[kind]["identity"]) for kind in results.SHOWN if kind in made}
    committed = results.committed(entries, region["entry"])
    rows = {unit: row for unit, row in committed.items() if row["kind"] in results.SHOWN}
    other = [unit for unit, row in rows.items() if (row["kind"], row["identity"]) not in valid]
    kept = any(row["kind"] == "maps" and unit not in other for unit, row in rows.items())
    closed = [unit for unit, row in rows.items() if row["kind"] == "volume" and (incomplete or unit in other) and kept]
    for unit in closed:
        _delete(unit, outdir)
    moved = [unit for unit in other if unit not in closed]
    for unit in moved:
        housekeeping.set_aside(unit, outdir, stamp)
    folder = Path(outdir, housekeeping.STALE, stamp)
    lines = [f"{region['entry']}: moved results with other settings to {folder}"] if moved else []
    return lines + [f"{region['entry']}: it is no image until all of its slabs are there again"] * bool(closed)


def _delete(unit: str, outdir: str | Path) -> None:
    """Delete what makes an image of a volume of which probabilities stay: moved away, it would show zeros."""
    path = ledger.path_of(outdir, unit)
    for file in ledger.read_entry(outdir, path)["files"]:
        files.remove(outdir, file["path"])
    path.unlink()
