"""Streams: several named tables in one run, whose frames are fetched once, with illumination corrected or not.

A frame that any of the tables names becomes an image for each of its variants: `ic`, corrected as `--illumination`
says, and `no_ic`, as it is stored. What a stream holds is kept for the export, which makes the streams of the cells.
"""

import os.path
import re

from idrstream.base import strict_yaml, tables
from idrstream.base.tables import CONTROL, Problems
from idrstream.images.frames import VARIANTS, frame_key, image_key

COLUMN = "Illumination"  # of the cell table, after `Metadata_`: the variant
KEYS = ("table", "variants", "outlines")


def read(path):
    """The streams that a file names: list of dicts: name, table (a path), variants, outlines.

    Raises tables.Problems with everything that is wrong with it, by file, stream and key.
    """
    content = strict_yaml.read(path)
    asked = content.get("streams") if isinstance(content, dict) else None
    if not isinstance(asked, dict) or not asked:
        raise Problems([f"{path.name}: it has no streams; begin with streams:, and below it a line a stream"])
    problems = [f'{path.name}: key "{key}" is not known; there is only streams' for key in content if key != "streams"]
    found = [_stream(path, name, given, problems) for name, given in asked.items()]
    if problems:
        raise Problems(problems)
    return found


def union(streams, named):
    """The images of all streams together, and what each stream holds of them.

    streams  as `read` gives them
    named    for each of them, in the same order, the images of its table: request.from_wells, .from_samplesheet
    returns  (images, views): the images of the union in order of first appearance, `row` being its row in that, each
             with its variant; and a dict a stream: name, variants, outlines, rows (frame -> row in its own table)

    Raises tables.Problems where two tables say different things of one frame.
    """
    problems, frames, wanted, rows = [], {}, {}, {}
    columns = list(dict.fromkeys(column for images in named for asked in images for column in asked["metadata"]))
    for stream, images in zip(streams, named, strict=True):
        for asked in images:
            name, where = asked["key"], f"{stream['table'].name}, line {asked['line']}"
            if name not in frames:
                row = rows.setdefault((stream["name"], asked["row"]), len(rows))
                frames[name] = asked | {"row": row, "metadata": dict.fromkeys(columns, "")}
                wanted[name] = {"from": {}, "outlined": set(), "variants": set()}
            wanted[name]["variants"] |= set(stream["variants"])
            wanted[name]["outlined"] |= set(stream["variants"] if stream["outlines"] else ())
            said = {f'column "{column}"': value for column, value in asked["metadata"].items()}
            said |= {"file": asked["file"]}
            for what, value in said.items():
                before, place = wanted[name]["from"].setdefault(what, (value, where)) if value else (value, where)
                if before != value:
                    problems.append(f'{where}, {what}: "{value}" of frame {name}, of which {place} says "{before}"')
            given = {column: value for column, value in asked["metadata"].items() if value}
            frames[name]["metadata"] |= given
    if problems:
        raise Problems(problems)
    made = [
        _variant(asked, variant, variant in wanted[name]["outlined"])
        for name, asked in frames.items()
        for variant in VARIANTS
        if variant in wanted[name]["variants"]
    ]
    views = [
        {name: stream[name] for name in ("name", "variants", "outlines")}
        | {"rows": {asked["key"]: asked["row"] for asked in images}}
        for stream, images in zip(streams, named, strict=True)
    ]
    return made, views


def frames(images):
    """The images without their variants: what lies in the archive, each once. Of a run without streams: the images."""
    if not any(asked.get("variant") for asked in images):
        return images
    stored = {}
    for asked in images:
        plain = {name: value for name, value in asked.items() if name not in ("variant", "outlines")}
        stored.setdefault(frame_key(asked), plain | {"key": frame_key(asked)})
    return list(stored.values())


def text(views):
    """What the user sees of them before anything starts."""
    named = [f"{view['name']} ({', '.join(view['variants'])}, {len(view['rows'])} frames)" for view in views]
    return f"{len(views)} streams: {'; '.join(named)}. No profiles of wells: they would mix the variants"


def _stream(path, name, given, problems):
    """One stream of the file; what is wrong with it joins PROBLEMS."""

    def wrong(key, what):
        problems.append(CONTROL.sub(" ", f'{path.name}, stream "{name}", key "{key}": {what}'))

    if not isinstance(name, str):  # 007 is 7 to YAML
        problems.append(f'{path.name}: the name of stream "{name}" is read as a number, date or flag; put it in quotes')
        name = str(name)
    elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        problems.append(CONTROL.sub(" ", f'{path.name}: "{name}" is no name of a stream: letters, digits, . _ and -'))
    if not isinstance(given, dict):
        return wrong("table", "it is missing; write {table: locations.tsv}")
    for key in [key for key in given if key not in KEYS]:
        wrong(key, f"it is not known; there are {', '.join(KEYS)}.{tables.nearest(key, KEYS)}")
    table, outlines = given.get("table"), given.get("outlines", False)
    variants = given.get("variants", list(VARIANTS))
    if not isinstance(table, str) or not table:
        wrong("table", "it is missing; name its table of wells, relative to this file")
    elif os.path.isabs(table) or ".." in table.split("/"):
        wrong("table", f'"{table}" does not lie in the folder of this file; put them together')
    elif not (path.parent / table).is_file():
        wrong("table", f'there is no file "{table}" beside this one')
    known = isinstance(variants, list) and variants and all(variant in VARIANTS for variant in variants)
    if not known or len(set(variants)) < len(variants):
        wrong("variants", f"{variants} is not a list of variants: [ic, no_ic], [ic] or [no_ic]")
        variants = []
    if not isinstance(outlines, bool):
        wrong("outlines", f"{outlines} is neither true nor false")
    variants = [variant for variant in VARIANTS if variant in variants]
    return {"name": name, "table": path.parent / str(table), "variants": variants, "outlines": outlines is True}


def _variant(asked, variant, outlines):
    named = {"key": image_key(*(asked[name] for name in ("plate", "well", "site", "frame")), variant)}
    more = {"variant": variant, "outlines": outlines, "metadata": asked["metadata"] | {COLUMN: variant}}
    return asked | named | more
