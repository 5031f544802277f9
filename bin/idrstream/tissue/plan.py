"""Everything about a run on slides that can be known before it starts: checked, counted, and cut into tiles."""

from __future__ import annotations

import hashlib
import json
import math
import os.path
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from idrstream.base.failures import ImageFailure
from idrstream.base.tables import Problems, Table
from idrstream.runs import digest, ledger, params, targets
from idrstream.runs.types import LedgerEntry, Recipe
from idrstream.sources import staged
from idrstream.tissue import arguments, header, outcome, recipe, sheet, tiles
from idrstream.tissue.header import Header
from idrstream.tissue.run_plan import Plan, Slide
from idrstream.tissue.sheet import Request

BIN = Path(__file__).resolve().parents[2]
DIAMETERS = 4, 400  # pixels
AT_ONCE = 16  # slides whose headers are read at a time
MICROMETRES = re.compile(r"(\d+(?:[.]\d+)?)um")

Params = Mapping[str, Any]


def make(
    values: Params,
    folder: str,
    session: str,
    given: Mapping[str, Path],
    schema: Mapping[str, Any],
    folders: Path | None = None,
) -> Plan:
    """Plan a run.

    values      params by name
    folder      what relative paths in the table are relative to, an absolute path
    session     id of the run, which stays the same when it is resumed
    given       name -> Path, for those of input, model and outdir that exist; and locks, the folder of the
                environments' locks, where it is not this pipeline's own
    schema      nextflow_schema.json, read
    folders     folder of the local folders of the slides, by number, as `sheet.folders` of all has them; None: each
                is where it is

    Raises tables.Problems with everything that is wrong, not just the first thing.
    """
    problems = params.problems(values, schema) + params.no_model(values, given, schema)
    problems += params.no_outdir(values, given)
    if not values["input"]:
        problems.append("--input: name a table of slides, a row each, with the columns slide and image")
    elif "input" not in given:
        problems.append(params.no_file("input", values["input"]))
    if problems:
        raise Problems(problems)
    table, requests = sheet.read(given["input"], values, folder)
    local = sheet.folders([place for request in requests for place in request.locations])
    slides = _looked_at(table, requests, values, staged.places(local, folders))
    if table.problems:
        raise Problems(dict.fromkeys(table.problems))
    return _decide(values, given, slides, local, session)


def _looked_at(table: Table, requests: list[Request], values: Params, places: dict[str, str]) -> list[Slide]:
    """The slides, their headers read; what is wrong with them is added to the table's problems."""

    def look(request: Request) -> Header | ImageFailure:
        try:
            return header.read(request, places)
        except ImageFailure as failure:
            return failure

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(look, requests))
    slides = [_slide(table, *pair, values) for pair in zip(requests, found, strict=True)]
    return [slide for slide in slides if slide]


def _slide(table: Table, request: Request, found: Header | ImageFailure, values: Params) -> Slide | None:
    """A slide as it will be worked on; None, and a problem of the table, for one that cannot be."""
    if isinstance(found, ImageFailure):
        table.problems.append(table.problem(str(found), request.line, "image"))
        return None
    try:
        channels = header.nuclear(found, request, os.path.basename(request.locations[0]))
    except ImageFailure as failure:
        table.problems.append(table.problem(str(failure), request.line))
        return None
    size = request.pixel_size or (found.pixel_size and math.sqrt(found.pixel_size.y * found.pixel_size.x))
    wrong = _wrong_region(request, found, values)
    if match := MICROMETRES.fullmatch(str(values["diameter"])):
        if size is None:
            what = f"--diameter {values['diameter']}: the slide states no pixel size"
            wrong.append((f'{what}; name it in a column "pixel_size", or the diameter in pixels', "pixel_size"))
        diameter = round(float(match[1]) / size, 3) if size else None
    else:
        diameter = values["diameter"] if values["diameter"] == "auto" else float(values["diameter"])
    if isinstance(diameter, float) and not DIAMETERS[0] <= diameter <= DIAMETERS[1]:
        scale = f" at {size:.4g} µm a pixel" if match and size else ""
        what = f"--diameter {values['diameter']}: nuclei of {diameter:g} pixels{scale}"
        wrong.append((f"{what}; {DIAMETERS[0]:g} to {DIAMETERS[1]:g} can be looked for", None))
    table.problems += [table.problem(sentence, request.line, column) for sentence, column in wrong]
    return None if wrong else Slide(request, found, channels, diameter, values)


def _wrong_region(request: Request, found: Header, values: Params) -> list[tuple[str, str | None]]:
    if request.region is None:
        return []
    height, width = found.shape
    box, (tall, wide) = request.region, request.region.shape
    if tall and wide and box.y1 <= height and box.x1 <= width:
        return []
    column = None if values.get("region") else "region"
    what = f"the region {box.y0},{box.x0},{tall},{wide} is not in the slide, which has {height:,} x {width:,} pixels"
    return [(f"{what}; it is: first row, first column, height, width", column)]


def _decide(values: Params, given: Mapping[str, Path], slides: list[Slide], folders: list[str], session: str) -> Plan:
    """The plan of a valid request; what remains to be done depends on the ledger."""
    intact, broken = ledger.read(given["outdir"])
    shown = values["outdir"]
    if any(recipe.BOOK.unknown(entry["recipe"]) for entry in intact + broken):
        raise Problems([f"--outdir {shown}: another version of idrstream wrote its ledger; name another --outdir"])
    libraries = recipe.BOOK.read_locks(given.get("locks", BIN.parent / "containers"))
    wanted = _recipe(values, given, libraries)
    for slide in slides:
        slide.id = _identity(slide, wanted)
    entries = {entry["batch"]: entry for entry in intact}
    stale = [entries[slide.name] for slide in slides if _other(entries.get(slide.name), slide)]
    done = {slide.name for slide in slides if slide.name in entries} - {entry["batch"] for entry in stale}
    if values["redo"]:
        done = {name for name in done if entries[name]["session"] == session}
    todo = [slide for slide in slides if slide.name not in done]
    if conflicts := _conflicts(given["outdir"], values, todo, intact + broken):
        raise Problems(conflicts)
    return Plan(
        slides=slides,
        todo=todo,
        stale=[entry["batch"] for entry in stale],
        broken=[entry["batch"] for entry in broken],
        stamp=f"{datetime.now(timezone.utc):%Y-%m-%d_%H-%M-%S}",
        differs=_differences(stale, wanted),
        recipe=wanted,
        settings=values,
        stages=_stages(values, wanted, libraries),
        folders=folders,
        session=session,
    )


def _recipe(values: Params, given: Mapping[str, Path], libraries: Mapping[str, str]) -> Recipe:
    settings = dict(values) | recipe.BOOK.sums(given)
    return recipe.BOOK.of(settings, recipe.BOOK.read_versions(BIN / "idrstream"), libraries)


def _identity(slide: Slide, wanted: Recipe) -> str:
    """Hash, as 16 hexadecimal digits, of what makes the result of a slide; not how it is cut, nor its metadata."""
    stated = slide.header
    content = [
        *(slide.name, slide.request.locations, stated.bytes, stated.shape, stated.dtype, slide.pixel_size),
        *([[channel.file, channel.channel, channel.frame] for channel in slide.channels], slide.box, slide.diameter),
    ]
    text = json.dumps([content, wanted], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _other(entry: LedgerEntry | None, slide: Slide) -> bool:
    """Is an entry the result of the same slide with other settings, or of other files?"""
    return entry is not None and [row["id"] for row in entry["images"]] != [slide.id]


def _differences(stale: Iterable[LedgerEntry], wanted: Recipe) -> str:
    """How the recipes of stale entries differ from the WANTED one, in words."""
    words = [word for entry in stale for word in recipe.BOOK.differences(entry["recipe"], wanted)]
    return ", ".join(dict.fromkeys(words)) or "another row of the table, or other files"


def _conflicts(outdir: Path, values: Params, todo: list[Slide], entries: list[LedgerEntry]) -> list[str]:
    """Sentences about files in OUTDIR that the run would overwrite and that are not its own."""
    if sentences := targets.of_another_workflow(outdir, values):
        return sentences
    entered = {file["path"] for entry in entries for file in entry["files"]}
    names = [f"slides/{slide.name}/{name}" for slide in todo for name in outcome.results(slide.name)]
    strange = [name for name in names if os.path.lexists(Path(outdir, name)) and not _entered(name, entered)]
    parts = targets.COMMON | {outcome.PART: outcome.FILES}
    return targets.strangers(outdir, values["outdir"], parts) + targets.few(values["outdir"], strange)


def _entered(name: str, entered: set[str]) -> bool:
    return name in entered or any(path.startswith(f"{name}/") for path in entered)


def _stages(values: Params, wanted: Recipe, libraries: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Arguments of each stage's command, with the libraries that it requires, and the digest of its code."""
    stages = {}
    for stage, args in arguments.of(values).items():
        words = f"{args} {recipe.BOOK.option(stage, wanted, libraries)}".strip()
        stages[stage] = {"args": words, "code": digest.of(BIN / f"tissue_{stage}.py", BIN)}
    return stages


def write(plan: Plan, folder: Path) -> None:
    """Write `plan.json` and a JSON for each slide that is left to do, which the pipeline reads, into FOLDER."""
    (folder / "slides").mkdir(parents=True)
    (folder / "plan.json").write_text(json.dumps(_summary(plan), indent=1))
    for number, slide in enumerate(plan.todo):
        packet = _packet(slide, number, plan)
        (folder / "slides" / f"{slide.name}.json").write_text(json.dumps(packet, indent=1))


def _packet(slide: Slide, number: int, plan: Plan) -> dict[str, Any]:
    """What the tasks on a slide need to know of it."""
    region, size = slide.request.region, slide.pixel_size
    return {
        **{"id": slide.name, "slide": slide.name, "number": number, "session": plan.session, "recipe": plan.recipe},
        **{"references": {}, "supersedes": [], "kept": [], "identity": slide.id},
        "locations": slide.request.locations,
        "folders": sheet.folders(slide.request.locations),
        "size": slide.shape,
        "region": region and [region.y0, region.x0, *region.shape],
        "whole_size": slide.header.shape,
        "pixel_size": size and {"y": size.y, "x": size.x, "source": size.source},
        "dtype": slide.header.dtype,
        "channels": [channel.name for channel in slide.header.channels],
        "nuclear": [
            {**channel._asdict(), "number": slide.header.channels.index(channel) + 1} for channel in slide.channels
        ],
        "tile": plan.settings["tile"],
        "groups": tiles.groups(slide.shape, plan.settings["tile"], slide.tiles_a_task),
        "diameter": slide.diameter,
        "tissue": plan.settings["tissue"],
        "model": str(plan.settings["model"]),
        "metadata": slide.request.metadata,
    }


def _summary(plan: Plan) -> dict[str, Any]:
    """What `plan.json` holds: the run as a whole, and what the pipeline needs to know of a slide."""
    left = {slide.name for slide in plan.todo}
    return {
        **{"problems": [], "text": plan.text(), "folders": plan.folders, "stages": plan.stages, "stop": False},
        "batch_bytes": max((slide.need.disk for slide in plan.todo), default=0),
        "slides": [
            {
                "id": slide.name,
                "number": number,
                "parts": len(tiles.groups(slide.shape, plan.settings["tile"], slide.tiles_a_task)),
                "pixels": math.prod(slide.shape),
                "memory": slide.need.memory,
                "work": slide.need.disk,
            }
            for number, slide in enumerate(plan.todo)
        ],
        **{"workflow": plan.settings["workflow"], "stale": plan.stale, "broken": plan.broken, "stamp": plan.stamp},
        **{"differs": plan.differs, "model": plan.recipe["model"]},
        "requested": [
            {"id": slide.id, "key": slide.name, "batch": slide.name if slide.name in left else None, "line": slide.line}
            for slide in plan.slides
        ],
    }
