"""What tasks need to know of a slab and of a volume. Standard library only, for the head.

A description is of a region: the planner's JSON of it, with what is wanted by each checkpoint and what of that is done.
Packets are made of it once the checkpoint is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from idrstream.base import files
from idrstream.volume import grid, needs, results
from idrstream.volume.box import Box

Description = Mapping[str, Any]
OF_TASKS = ("entry", "location", "locations", "root", "folders", "voxel_size", "raw", "labels", "mask", "metric_masks")
OF_TASKS += ("tile", "input", "shard", "network", "classes", "threshold")


class Left(NamedTuple):
    """What is to be done of a slab.

    replaced  kind of result -> units that it replaces
    predict   whether its probabilities have to be computed, be it to compare them alone
    """

    slab: Box
    replaced: dict[str, list[str]]
    predict: bool


def todo(region: Description, checkpoint: str) -> list[Left]:
    """What is not done of a region for a checkpoint, slab by slab."""
    wanted, left = region["wanted"][checkpoint], {}
    for kind in results.OF_SLABS:
        for slab, replaced in _remaining(region, wanted.get(kind)).items():
            left.setdefault(slab, {})[kind] = replaced
    whatever = "maps" not in wanted  # then probabilities are computed to be compared
    return [Left(slab, replaced, whatever or "maps" in replaced) for slab, replaced in sorted(left.items())]


def incomplete(left: Iterable[Left]) -> int:
    """How many slabs lack something of which the volume is made."""
    return sum(bool({*each.replaced} & {*results.SHOWN}) for each in left)


def of_prediction(region: Description, model: Mapping[str, Any], left: Left) -> dict[str, Any]:
    """The packet of a slab for PREDICT: nothing of what else was done, so that a resumed run finds its results again.

    model  a checkpoint: name, file, number, sha256, iteration
    """
    name = grid.name(left.slab, Box.of(region["roi"]), region["edge"])
    place = {"slab": name, "box": left.slab, "roi": region["roi"], "checkpoint": model}
    return {**{key: region[key] for key in OF_TASKS}, "id": _task(region, model, name), **place}


def of_slab(region: Description, model: Mapping[str, Any], left: Left, number: int) -> dict[str, Any]:
    """The packet of a slab for LABEL and COMMIT."""
    packet = of_prediction(region, model, left)
    units = {
        kind: _unit(region, model, row, replaced, number)
        for (kind, replaced), row in zip(left.replaced.items(), _rows(region, model, left), strict=True)
    }
    return {**packet, "number": number, "todo": [*left.replaced], "units": units}


def of_volume(region: Description, model: Mapping[str, Any], number: int, left: int) -> dict[str, Any]:
    """The packet of a region's volume; LEFT: how many slabs are to be done before."""
    whole = Left(Box.of(region["roi"]), {"volume": []}, False)
    (row,) = _rows(region, model, whole)
    kept = {"id": region["entry"], "number": number, "roi": region["roi"], "checkpoint": model, "left": left}
    unit = _unit(region, model, row, [], number)
    return {**{key: region[key] for key in OF_TASKS}, **kept, "units": {"volume": unit}}


def meta(packet: Mapping[str, Any], region: Description, left: Left) -> dict[str, Any]:
    """What the pipeline itself needs to know of a slab."""
    need = needs.of(region, left.slab)
    facts = {"id": packet["id"], "entry": packet["entry"], "model": packet["checkpoint"]["number"]}
    facts |= {"predict": left.predict, "label": {*left.replaced} != {"maps"}, "shown": bool(incomplete([left]))}
    return facts | {"memory": need.memory, "work": need.disk, "seconds": need.seconds, "voxels": left.slab.voxels}


def write(
    region: Description, model: Mapping[str, Any], left: Sequence[Left], first: int, folder: Path, kind: str
) -> list[dict[str, Any]]:
    """Write the packets of what is LEFT of a region into FOLDER, by number from FIRST; returns what the pipeline needs.

    kind  folder in it of the packets for LABEL and COMMIT; those for PREDICT go into `predict`
    """
    metas = []
    (folder / "predict").mkdir(exist_ok=True)
    for number, each in enumerate(left, first):
        packet = of_slab(region, model, each, number)
        files.write_json(folder / kind / f"{packet['id']}.json", packet)
        if each.predict:
            files.write_json(folder / "predict" / f"{packet['id']}.json", of_prediction(region, model, each))
        metas.append(meta(packet, region, each))
    return metas


def requested(region: Description, model: Mapping[str, Any], left: Sequence[Left]) -> list[dict[str, Any]]:
    """The results that are asked for of a region: rows as of the ledger, and of each `batch`, the unit that is to be
    committed, or None where it is, and `task`, the id by which its tasks are known. LEFT: of `todo`."""
    wanted = region["wanted"][model["name"]]
    replaced = {unit for each in left for units in each.replaced.values() for unit in units}
    there = [
        {"id": results.row_id(made["identity"], Box.of(place)), "key": unit, "batch": None, "task": None, "kind": kind}
        for kind, made in wanted.items()
        for unit, place in made["done"].items()
        if unit not in replaced and (kind != "volume" or not incomplete(left))
    ]
    rows = [
        row | {"batch": _named(region, model, row), "task": _task(region, model, row["slab"])}
        for each in left
        for row in _rows(region, model, each)
    ]
    if "volume" in wanted and not any(each["kind"] == "volume" for each in there):
        (row,) = _rows(region, model, Left(Box.of(region["roi"]), {"volume": []}, False))
        rows.append(row | {"batch": region["entry"], "task": region["entry"]})
    return there + rows


def compared(plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Likewise of the regions that are only compared with labels, by all checkpoints of a PLAN."""
    return [
        each
        for model in plan["models"]
        for region in plan["candidates"]
        for each in requested(region, model, todo(region, model["name"]))
    ]


def _remaining(region: Description, result: Mapping[str, Any] | None) -> dict[Box, list[str]]:
    """Of a kind of result, slab -> units that it replaces; of none nothing."""
    if result is None:
        return {}
    done, former = ({unit: Box.of(place) for unit, place in result[kind].items()} for kind in ("done", "former"))
    return grid.remaining(Box.of(region["roi"]), region["edge"], done, former)


def _rows(region: Description, model: Mapping[str, Any], left: Left) -> list[dict[str, Any]]:
    """The rows of the ledger that a slab will have, or the volume, one a kind of result."""
    rows = []
    for kind in left.replaced:
        made = region["wanted"][model["name"]][kind]
        slab = "" if kind == "volume" else grid.name(left.slab, Box.of(region["roi"]), region["edge"])
        words = (region["entry"], slab, kind, model["name"] if kind == "counts" else "")
        row = {"id": results.row_id(made["identity"], left.slab), "key": " ".join(filter(None, words))}
        row |= {"status": "ok", "reason": "", "retryable": False, "cells": None, "kind": kind, "slab": slab}
        row |= {"entry": region["entry"], "checkpoint": model["name"], "identity": made["identity"]}
        row |= {"threshold": region["threshold"]} if kind in ("labels", "volume") else {}
        rows.append(row | {"box": left.slab, "roi": region["roi"]})
    return rows


def _task(region: Description, model: Mapping[str, Any], slab: str) -> str:
    """The id by which the tasks of a slab are known: of what is committed of it first."""
    kind = "maps" if "maps" in region["wanted"][model["name"]] else "counts"
    return results.unit(kind, region["entry"], slab, model["name"])


def _named(region: Description, model: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """The unit of a row."""
    return results.unit(row["kind"], region["entry"], row["slab"], model["name"])


def _unit(
    region: Description, model: Mapping[str, Any], row: dict[str, Any], replaced: list[str], number: int
) -> dict[str, Any]:
    """What is committed at once: runs.types.Unit, with its row in the ledger."""
    unit = {"id": _named(region, model, row), "number": number, "session": region["session"], "references": {}}
    recipe = region["wanted"][model["name"]][row["kind"]]["recipe"]
    return {**unit, "recipe": recipe, "supersedes": replaced, "kept": [], "row": row}
