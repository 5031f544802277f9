"""Everything about a run on volumes that can be known before it starts: checked, counted, and cut into slabs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from idrstream.base import files
from idrstream.base.tables import Problems
from idrstream.runs import ledger, params, planning, targets
from idrstream.runs.types import LedgerEntry, Recipe
from idrstream.sources import staged
from idrstream.volume import (
    arguments,
    data_file,
    entries,
    grid,
    models,
    outcome,
    packets,
    prediction,
    recipe,
    results,
)
from idrstream.volume.entries import Entry, Source
from idrstream.volume.models import Model
from idrstream.volume.results import Result
from idrstream.volume.run_plan import Plan, Region

TILES = {False: 128, True: 256}  # --tile where it is not given, by --require_gpu

Params = Mapping[str, Any]


def make(
    values: Params,
    folder: str,
    session: str,
    given: Mapping[str, Path],
    checkpoints: Sequence[Path],
    schema: Mapping[str, Any],
    folders: Path | None = None,
) -> Plan:
    """Plan a run.

    values       params by name
    folder       what the containers' paths in the data JSONs are relative to: an absolute path, or an address
    session      id of the run, which stays the same when it is resumed
    given        name -> Path, for those of data, validation, network and outdir that exist; and locks, the folder of
                 the environments' locks, where it is not this pipeline's own
    checkpoints  files of --checkpoint
    schema       nextflow_schema.json, read
    folders      folder of the local folders of the containers, by number; None: each is where it is

    Raises tables.Problems with everything that is wrong, not just the first thing.
    """
    problems = params.problems(values, schema) + _named(values, given, checkpoints)
    if problems:
        raise Problems(problems)
    found, faults, notes = models.read(checkpoints, given.get("network"))
    evaluated = "evaluate" in values["task"].split(",")
    compared = evaluated or (len(found) > 1 and "validation" not in given)
    places = staged.places(_folders(given, folder), folders)
    data, wrong = _entries(values, given, folder, places, "data", compared)
    validation, also = _entries(values, given, folder, places, "validation", True)
    problems = faults + wrong + also
    if not problems:
        problems = _contradictions(values, data, validation, found)
    tile = values["tile"] or TILES[bool(values["require_gpu"])]
    unet = found[0].unet if found else None
    if unet and any(tile % step for step in unet.step):
        problems.append(f"--tile {tile}: this network takes tiles that are a multiple of {max(unet.step)} voxels")
    if problems:
        raise Problems(dict.fromkeys(problems))
    regions = [
        _region(entry, ("maps", "labels") + ("counts",) * _scored(entry, evaluated), tile, values, found, session)
        for entry in data
    ]
    by_these = validation or [entry for entry in data if entry.labels and len(found) > 1]
    candidates = [_region(entry, ("counts",), tile, values, found, session) for entry in by_these]
    return _decide(values, given, regions, candidates, found, folder, session, notes)


def _named(values: Params, given: Mapping[str, Path], checkpoints: Sequence[Path]) -> list[str]:
    """What is wrong with the files that params name, a sentence each."""
    problems = params.no_outdir(values, given)
    if values["input"]:
        problems.append("--input: the regions of --workflow volume are named by --data, a data JSON")
    if not values["data"]:
        problems.append("--data: name a data JSON, with the regions to work on")
    if not values["checkpoint"]:
        problems.append("--checkpoint: name the file of a trained network, or a folder of such files to choose from")
    elif not checkpoints:
        problems.append(
            f"--checkpoint {values['checkpoint']}: there is no such file, and no folder with model_checkpoint_* in it"
        )
    problems += [
        params.no_file(name, values[name])
        for name in ("data", "validation", "network")
        if values[name] and name not in given
    ]
    return problems


def _entries(
    values: Params, given: Mapping[str, Path], folder: str, places: Mapping[str, str], name: str, compared: bool
) -> tuple[list[Entry], list[str]]:
    """The entries of a data JSON and what is wrong with it; none where it is not given. COMPARED: with labels."""
    if name not in given:
        return [], []
    offset = values["label_offset"] and tuple(map(float, values["label_offset"].split(",")))
    return entries.read(given[name], folder, places, offset, compared, name == "validation")


def _folders(given: Mapping[str, Path], folder: str) -> list[str]:
    """Local folders of the containers of all data JSONs, as `volume_folders.py` lists them."""
    jsons = [given[name] for name in ("data", "validation") if name in given]
    return staged.folders(place for path in jsons for place in data_file.named(path, folder))


def _contradictions(values: Params, data: list[Entry], validation: list[Entry], found: Sequence[Model]) -> list[str]:
    """What of the params and files does not go together, a sentence each."""
    problems = []
    evaluated = "evaluate" in values["task"].split(",")
    labelled = [entry for entry in data + validation if entry.labels]
    if (evaluated or len(found) > 1) and not labelled:
        why = "--task evaluate" if evaluated else f"--checkpoint: {len(found)} files, of which one is to be chosen"
        problems.append(f"{why}: no entry of --data, nor of --validation, has labels to compare with")
    if validation and len(found) == 1 and not evaluated:
        problems.append(
            f"--validation {values['validation']}: it goes with several checkpoints, or with --task evaluate"
        )
    classes = found[0].unet.outputs - 1
    high = {label.class_id for entry in labelled for label in entry.labels if label.class_id > classes}
    if high:
        problems.append(
            f"labels of class {max(high)}: the network tells {classes} apart; take a checkpoint that knows it"
        )
    names = {entry.name.casefold() for entry in data}
    twice = [entry.name for entry in validation if entry.name.casefold() in names and entry not in data]
    if twice:
        problems.append(f"--validation: {', '.join(sorted(twice))} is another region in --data; rename one")
    sizes = {entry.voxel_size for entry in data + validation}
    if len(sizes) > 1:
        listed = " and ".join(" x ".join(f"{edge:g}" for edge in size) for size in sorted(sizes))
        problems.append(f"--validation: its voxels are of another size than those of --data ({listed} nm)")
    return problems


def _scored(entry: Entry, evaluated: bool) -> bool:
    return evaluated and bool(entry.labels)


def _region(
    entry: Entry, kinds: tuple[str, ...], tile: int, values: Params, found: Sequence[Model], session: str
) -> Region:
    unet = found[0].unet
    kept = prediction.tile(tile, entry.raw.box.shape, unet)
    return Region(entry, kinds, kept, unet.given(kept), values["slab"], found[0], values["threshold"], session)


def _decide(
    values: Params,
    given: Mapping[str, Path],
    regions: list[Region],
    candidates: list[Region],
    found: list[Model],
    folder: str,
    session: str,
    notes: list[str],
) -> Plan:
    """The plan of a valid request; what remains to be done depends on the ledger."""
    intact, broken = ledger.read(given["outdir"])
    shown = values["outdir"]
    if sentences := targets.of_another_workflow(given["outdir"], values):
        raise Problems(sentences)
    if any(recipe.BOOK.unknown(entry["recipe"]) for entry in intact + broken):
        raise Problems([f"--outdir {shown}: another version of idrstream wrote its ledger; name another --outdir"])
    if conflicts := _conflicts(given["outdir"], shown, regions + candidates, intact + broken):
        raise Problems(conflicts)
    versions = recipe.BOOK.read_versions(planning.BIN / "idrstream")
    libraries = recipe.BOOK.read_locks(given.get("locks", planning.BIN.parent / "containers"))
    again = {entry["batch"] for entry in intact if values["redo"] and entry["session"] != session}
    for region in regions + candidates:
        rows = results.committed(intact, region.name)
        for model in found:
            settings = _settings(values, region, model)
            recipes = {kind: recipe.of(kind, settings, versions, libraries) for kind in recipe.KINDS}
            names = _identities(region, model, recipes, folder)
            region.wanted[model.name] = {
                kind: _result(kind, names[kind], recipes[kind], rows, again) for kind in region.all_kinds
            }
            region.comparable[model.name] = names["counts"] if region.entry.labels else None
    stale, differs = _stale(intact, regions + candidates)
    whole = recipe.BOOK.of(_settings(values, regions[0], found[0]), versions, libraries)
    plan = Plan(
        regions=regions,
        candidates=candidates,
        models=found,
        stale=stale,
        broken=[entry["batch"] for entry in broken],
        stamp=f"{datetime.now(timezone.utc):%Y-%m-%d_%H-%M-%S}",
        differs=differs,
        settings=values,
        stages=planning.stages("volume", arguments.of(values), recipe.BOOK, whole, libraries),
        folders=staged.folders(region.entry.location for region in regions + candidates),
        session=session,
        notes=notes,
    )
    return plan


def _settings(values: Params, region: Region, model: Model) -> dict[str, Any]:
    """The params as a recipe takes them."""
    tile = ",".join(map(str, region.tile))
    return {**values, "checkpoint": model.sha256, "network": model.unet.to_keys(), "tile": tile}


def _identities(region: Region, model: Model, recipes: Mapping[str, Any], folder: str) -> dict[str, str]:
    """Kind -> identity of the results of a region by one checkpoint. FOLDER: that of all containers."""
    entry = region.entry
    place = entry.location.removeprefix(f"{folder.rstrip('/')}/")
    source = [place, entry.roi, entry.voxel_size, grid.shard(region.edge), _stated(entry, [entry.raw])]
    mask = _stated(entry, [entry.mask] if entry.mask else [])
    truth = _stated(entry, entry.labels), _stated(entry, entry.metric_masks)
    content = {"maps": source, "labels": [source, mask], "volume": [source, mask]}
    content["counts"] = [source, mask, truth, model.name]  # which tables call them by
    return {kind: results.identity([kind, content[kind], recipes[kind]]) for kind in recipe.KINDS}


def _result(kind: str, name: str, made: Recipe, rows: Mapping[str, Any], again: set[str]) -> Result:
    """What is wanted of a kind, by its identity; AGAIN: units that are to be made anew."""
    found = results.matching(rows, kind, name)
    done = {unit: box for unit, box in found.items() if unit not in again}
    return Result(kind, name, made, done, {unit: box for unit, box in found.items() if unit in again})


def _stated(entry: Entry, arrays: Sequence[Source]) -> list[Any]:
    """What is known of arrays of an entry without reading them."""
    paths = {array.path for array in arrays}
    return [*map(asdict, arrays), [text for text in entry.versions if text.rpartition(" ")[0] in paths]]


def _stale(intact: Sequence[LedgerEntry], regions: list[Region]) -> tuple[list[str], str]:
    """Units of the run's regions that none of its checkpoints makes; how their recipes differ, in words.

    Counts are of one checkpoint each: those of others are as good as before. They are looked at also where nothing is
    compared now, because tables show them beside what is there.
    """
    stale, words = {}, []
    for region in regions:
        for entry in intact:
            row = entry["images"][0]
            if row["kind"] == "volume" and region.predicted:
                continue  # CHOOSE closes it
            if row["entry"] == region.name and row["identity"] not in (valid := region.valid(row)) and valid:
                stale[entry["batch"]] = None
                made = next((each[row["kind"]] for each in region.wanted.values() if row["kind"] in each), None)
                words += recipe.BOOK.differences(entry["recipe"], made.recipe) if made else []
    return [*stale], ", ".join(dict.fromkeys(words)) or "another region, other files, or files of other slabs"


def _conflicts(outdir: Path, shown: str, regions: Sequence[Region], entries: Sequence[LedgerEntry]) -> list[str]:
    """Sentences about files in OUTDIR that the run would overwrite and that are not its own."""
    names = [results.store(region.name) for region in regions if "maps" in region.kinds]
    names += [f"{results.COUNTS}/{region.name}" for region in regions if "counts" in region.kinds]
    parts = targets.COMMON | {outcome.PART: outcome.FILES}
    return targets.strangers(outdir, shown, parts) + targets.unentered(outdir, shown, names, entries)


def write(plan: Plan, folder: Path) -> None:
    """Write what the pipeline reads into FOLDER: plan.json; regions.json, for CHOOSE; JSONs a slab that is compared."""
    (folder / "candidates").mkdir(parents=True)
    listed, candidates = [_model(model) for model in plan.models], []
    for model in listed:
        for region in plan.candidates:
            left = region.todo(model["name"])
            candidates += packets.write(region.description, model, left, len(candidates), folder, "candidates")
    described = {
        name: [region.description for region in regions]
        for name, regions in (("regions", plan.regions), ("candidates", plan.candidates))
    }
    files.write_json(folder / "regions.json", described | {"models": listed, "stamp": plan.stamp})
    disk = max(
        (region.need(slab).disk for region in plan.regions + plan.candidates for slab in region.slabs), default=0
    )
    content = {
        **{"problems": [], "text": plan.text(), "folders": plan.folders, "stages": plan.stages, "stop": False},
        **{"workflow": plan.settings["workflow"], "stale": plan.stale, "broken": plan.broken, "stamp": plan.stamp},
        **{"differs": plan.differs, "model": [model["sha256"] for model in listed], "batch_bytes": disk},
        **{"candidates": candidates, "requested": _requested(described | {"models": listed}, plan.sweep)},
    }
    files.write_json(folder / "plan.json", content)


def _requested(described: Mapping[str, Any], sweep: bool) -> list[dict[str, Any]]:
    """What is asked for as far as it is known: of the regions to predict nothing before a checkpoint is chosen."""
    regions = [] if sweep else described["regions"]
    first = described["models"][0]
    made = [
        each for region in regions for each in packets.requested(region, first, packets.todo(region, first["name"]))
    ]
    return packets.compared(described) + made


def _model(model: Model) -> dict[str, Any]:
    return {name: getattr(model, name) for name in ("name", "file", "number", "sha256", "iteration")}
