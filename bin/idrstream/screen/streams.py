"""Streams: several named tables in one run, whose frames are fetched once, with illumination corrected or not.

A frame that any of the tables names becomes an image for each of its variants: `ic`, corrected as `--illumination`
says, and `no_ic`, as it is stored. The plan records which frames each stream has; the export sorts cells by that.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from idrstream.base import strict_yaml, tables
from idrstream.base.tables import CONTROL, Problems
from idrstream.images.frames import VARIANTS, frame_key, image_key
from idrstream.screen.types import PlannedImage, Stream, StreamView

COLUMN = "Illumination"  # of the cell table, after `Metadata_`: the variant
KEYS = ("table", "variants", "outlines")


def read(path: Path) -> list[Stream]:
    """The streams that a file names.

    Raises tables.Problems with everything that is wrong with it, by file, stream and key.
    """
    content = strict_yaml.read(path)
    named = content.get("streams") if isinstance(content, dict) else None
    if not isinstance(named, dict) or not named:
        raise Problems([f"{path.name}: no streams; begin with streams: and add one line per stream below it"])
    problems = [f'{path.name}: unknown key "{key}"; the only one is streams' for key in content if key != "streams"]
    streams = [_stream(path, name, given, problems) for name, given in named.items()]
    if problems:
        raise Problems(problems)
    return streams


def union(
    streams: Sequence[Stream], tables: Sequence[Sequence[PlannedImage]]
) -> tuple[list[PlannedImage], list[StreamView]]:
    """The images of all streams together, and what each stream holds.

    streams  as `read` gives them
    tables   for each of them, in the same order, the images of its table: request.from_wells, .from_samplesheet
    returns  (images, views): the images of the union in order of first appearance, `row` being the row in that, each
             with its variant; and what each stream holds

    Raises tables.Problems where two tables differ about one frame.
    """
    problems, frames, wanted, rows = [], {}, {}, {}
    columns = list(dict.fromkeys(column for images in tables for image in images for column in image["metadata"]))
    for stream, images in zip(streams, tables, strict=True):
        for image in images:
            key, where = image["key"], f"{stream['table'].name}, line {image['line']}"
            if key not in frames:
                row = rows.setdefault((stream["name"], image["row"]), len(rows))
                frames[key] = image | {"row": row, "metadata": dict.fromkeys(columns, "")}
                wanted[key] = {"first": {}, "outlined": set(), "variants": set()}
            wanted[key]["variants"] |= set(stream["variants"])
            wanted[key]["outlined"] |= set(stream["variants"] if stream["outlines"] else ())
            problems += _contradictions(image, where, wanted[key]["first"])
            frames[key]["metadata"] |= {column: value for column, value in image["metadata"].items() if value}
    if problems:
        raise Problems(problems)
    images = [
        _variant(frame, variant, variant in wanted[key]["outlined"])
        for key, frame in frames.items()
        for variant in VARIANTS
        if variant in wanted[key]["variants"]
    ]
    views: list[StreamView] = [
        {
            "name": stream["name"],
            "variants": stream["variants"],
            "outlines": stream["outlines"],
            "rows": {image["key"]: image["row"] for image in table},
        }
        for stream, table in zip(streams, tables, strict=True)
    ]
    return images, views


def frames(images: Sequence[Any]) -> Sequence[Any]:
    """The frames in the archive that IMAGES are variants of, each once; in a run without streams the images."""
    if not any(image.get("variant") for image in images):
        return images
    stored = {}
    for image in images:
        plain = {name: value for name, value in image.items() if name not in ("variant", "outlines")}
        stored.setdefault(frame_key(image), plain | {"key": frame_key(image)})
    return list(stored.values())


def text(views: Sequence[StreamView]) -> str:
    """The streams in a sentence of the plan."""
    named = [f"{view['name']} ({', '.join(view['variants'])}, {len(view['rows'])} frames)" for view in views]
    return f"{len(views)} streams: {'; '.join(named)}. No well profiles, which would mix the variants"


def _contradictions(image, where, first):
    """Sentences about what the table says otherwise than an earlier one; FIRST: what -> (value, where), is extended."""
    values = {f'column "{column}"': value for column, value in image["metadata"].items()} | {"file": image["file"]}
    for what, value in values.items():
        before, place = first.setdefault(what, (value, where)) if value else (value, where)
        if before != value:
            yield f'{where}, {what}: "{value}" for frame {image["key"]}, but "{before}" in {place}'


def _stream(path, name, given, problems):
    """One stream of the file; what is wrong with it is added to PROBLEMS."""

    def wrong(key, what):
        problems.append(CONTROL.sub(" ", f'{path.name}, stream "{name}", key "{key}": {what}'))

    if not isinstance(name, str):  # 007 is 7 to YAML
        problems.append(f'{path.name}: YAML reads the stream name "{name}" as a number, date or flag; put it in quotes')
        name = str(name)
    elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        problems.append(CONTROL.sub(" ", f'{path.name}: "{name}" is not a stream name; use letters, digits, . _ and -'))
    if not isinstance(given, dict):
        return wrong("table", "missing; write {table: locations.tsv}")
    for key in [key for key in given if key not in KEYS]:
        wrong(key, f"unknown; the keys are {', '.join(KEYS)}.{tables.nearest(key, KEYS)}")
    table, outlines = given.get("table"), given.get("outlines", False)
    variants = given.get("variants", list(VARIANTS))
    if not isinstance(table, str) or not table:
        wrong("table", "missing; name its table of wells, relative to this file")
    elif os.path.isabs(table) or ".." in table.split("/"):
        wrong("table", f'"{table}" is not in the folder of this file; move it there')
    elif not (path.parent / table).is_file():
        wrong("table", f'no file "{table}" in the folder of this file')
    valid = isinstance(variants, list) and variants and all(variant in VARIANTS for variant in variants)
    if not valid or len(set(variants)) < len(variants):
        wrong("variants", f"{variants} is not a list of variants; write [ic, no_ic], [ic] or [no_ic]")
        variants = []
    if not isinstance(outlines, bool):
        wrong("outlines", f"{outlines} is neither true nor false")
    variants = [variant for variant in VARIANTS if variant in variants]
    return {"name": name, "table": path.parent / str(table), "variants": variants, "outlines": outlines is True}


def _variant(frame, variant, outlines):
    key = image_key(*(frame[name] for name in ("plate", "well", "site", "frame")), variant)
    metadata = frame["metadata"] | {COLUMN: variant}
    return frame | {"key": key, "variant": variant, "outlines": outlines, "metadata": metadata}
