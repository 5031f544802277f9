"""The files of a run in its output folder that belong to no batch, listed by part.

A part is what one step writes, such as a plate's flat-field, the well profiles or the report. `manifest/PART.json`
lists its files before the first of them is written and until the last is deleted. Only files that the manifest or the
ledger lists are ever overwritten or deleted, so the user may keep other files in the folder.
Standard library only, because it runs on the head.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from idrstream.base import files
from idrstream.base.tables import Problems
from idrstream.runs.types import FileFacts

FOLDER = "manifest"
OUTDIR = "outdir"  # a part without files, which records the workflow of the folder, and a number of its own

Files = dict[str, Any]  # path -> FileFacts; None while the file is being written


def put(
    outdir: str | Path, part: str, sources: Mapping[str, Path | bytes], record: Mapping[str, Any] | None = None
) -> None:
    """Write files to OUTDIR in place of the former files of PART.

    sources  path relative to OUTDIR -> the file to copy (a Path), or its content (bytes)
    record   what the manifest is to say of them (`about`)

    Files that are already the same are not written again. The others are written under hidden names first, so that a
    full disk leaves the former ones as they are. Raises Problems, as `claim`.
    """
    with files.locked(Path(outdir, FOLDER)):
        described = about(outdir, part)
        former = claim(outdir, part, sources, record)
        facts = {name: former[name] for name, source in sources.items() if _same(outdir, name, source, former)}
        for name in facts:
            files.part(Path(outdir, name)).unlink(missing_ok=True)  # of a run that was killed
        new = files.deepest_first(sources.keys() - facts.keys())
        try:
            for name in new:
                facts[name] = files.stage(sources[name], Path(outdir, name))
        except OSError:
            for name in new:
                files.remove_part(outdir, name)
            _write(outdir, part, former, described)
            raise
        if new:  # after a kill they are neither the former files nor somebody else's
            _write(outdir, part, former | dict.fromkeys(new), record)
        for name in reversed(files.deepest_first(former.keys() - sources.keys())):
            files.remove(outdir, name)
        for name in new:
            files.publish(Path(outdir, name))
        _write(outdir, part, facts, record)


def claim(outdir: str | Path, part: str, names: Collection[str], record: Mapping[str, Any] | None = None) -> Files:
    """Add NAMES, relative to OUTDIR, to the files of PART before it writes them; returns its former files.

    Raises Problems for a name where another file lies, or that a link leads out of OUTDIR.
    """
    former = read(outdir, part)
    problems = [foreign(outdir, name) for name in _strangers(outdir, former, names)]
    problems += [linked_out(outdir, name) for name in files.outside(outdir, names)]
    if problems:
        raise Problems(problems)
    if set(names) - former.keys():
        _write(outdir, part, dict.fromkeys(names, None) | former, record)
    return former


def read(outdir: str | Path, part: str) -> Files:
    """The files of PART in OUTDIR."""
    return _content(outdir, part).get("files", {})


def about(outdir: str | Path, part: str) -> dict[str, Any]:
    """What was recorded of the files of PART in OUTDIR; empty where nothing was."""
    return _content(outdir, part).get("about", {})


def changed(outdir: str | Path, part: str) -> list[str]:
    """Those of the files of PART in OUTDIR that somebody has changed since they were written; not deleted ones."""
    there = {name: facts for name, facts in read(outdir, part).items() if facts and os.path.lexists(Path(outdir, name))}
    return [name for name, facts in there.items() if not files.unchanged(Path(outdir, name), facts)]


def intact(outdir: str | Path, part: str) -> bool:
    """Does PART have files in OUTDIR, all complete and unchanged?"""
    own = read(outdir, part)
    return bool(own) and all(facts and files.unchanged(Path(outdir, name), facts) for name, facts in own.items())


def strangers(outdir: str | Path, part: str, names: Iterable[str]) -> list[str]:
    """Those of NAMES that exist in OUTDIR and that PART did not write."""
    return _strangers(outdir, read(outdir, part), names)


def foreign(outdir: str | Path, name: str) -> str:
    """The problem with a file of somebody else in the place of one of ours, in a sentence."""
    return f"{outdir}/{name} was not written by idrstream and would be overwritten: move it, or name another --outdir"


def linked_out(outdir: str | Path, name: str) -> str:
    """The problem with a path that a link leads out of the output folder, in a sentence."""
    return f"{outdir}/{name}: a link leads out of the output folder; link the whole folder"


def workflow(outdir: str | Path) -> str | None:
    """The workflow that OUTDIR belongs to; None before its first run."""
    return _content(outdir, OUTDIR).get("workflow")


def mark(outdir: str | Path, workflow: str) -> None:
    """Record that OUTDIR belongs to a workflow; it gets its number if it has none."""
    number = identity(outdir) or uuid.uuid4().hex
    files.write_json(_path(outdir, OUTDIR), {"part": OUTDIR, "workflow": workflow, "id": number})


def identity(outdir: str | Path) -> str | None:
    """The number of OUTDIR, by which it is known wherever it is moved; None before its first run."""
    return _content(outdir, OUTDIR).get("id")


def _same(outdir: str | Path, name: str, source: Path | bytes, former: Files) -> bool:
    facts: FileFacts | None = former.get(name)
    if not facts or not files.unchanged(Path(outdir, name), facts):
        return False
    new = hashlib.sha256(source).hexdigest() if isinstance(source, bytes) else files.sha256(source)
    return facts["sha256"] == new


def _strangers(outdir: str | Path, own: Files, names: Iterable[str]) -> list[str]:
    return [name for name in names if name not in own and os.path.lexists(Path(outdir, name))]


def _content(outdir: str | Path, part: str) -> dict[str, Any]:
    path = _path(outdir, part)
    try:
        content = files.read_json(path)
        names = list(content.get("files", {}))
        valid = content["part"] == part and not any({"/", ".."} & set(Path(name).parts) for name in names)
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError):
        valid = False
    if not valid:
        raise Problems([f"{path}: not a manifest of an output folder; move it away (nothing was deleted)"])
    if linked := files.outside(outdir, names):
        raise Problems([linked_out(outdir, linked[0])])
    return content


def _write(outdir: str | Path, part: str, content: Files, record: Mapping[str, Any] | None = None) -> None:
    said = {"about": dict(record)} if record else {}
    files.write_json(_path(outdir, part), {"part": part, **said, "files": dict(sorted(content.items()))})


def _path(outdir: str | Path, part: str) -> Path:
    return Path(outdir, FOLDER, f"{part}.json")
