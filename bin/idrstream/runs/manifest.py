"""What a run puts into its output folder beside its batches, and so may replace: a list of files for each part.

A part is what one step leaves there, such as a plate's flat-field, the profiles of wells or the report. The file
`manifest/PART.json` names its files before the first of them is there, and until the last is gone. Nothing is
overwritten or deleted in an output folder but what the manifest or the ledger names, so other files may lie beside.
Standard library only, for it runs on the head.
"""

import hashlib
import os
from pathlib import Path

from idrstream.base import files
from idrstream.base.tables import Problems

FOLDER = "manifest"
OUTDIR = "outdir"  # the part without files that says whose folder it is


def put(outdir, part, sources):
    """Put files into OUTDIR in place of those that PART has there.

    sources  path relative to OUTDIR -> the file to copy (a Path), or its content (bytes)

    What is there already, the same, is left alone. The others are written under hidden names before the first of them
    is seen, so that a full disk leaves the former ones as they are. Raises Problems, as `claim`.
    """
    with files.locked(Path(outdir, FOLDER)):
        former = claim(outdir, part, sources)
        facts = {name: former[name] for name, source in sources.items() if _is_there(outdir, name, source, former)}
        for name in facts:
            files.part(Path(outdir, name)).unlink(missing_ok=True)  # what a kill left
        new = files.deepest_first(sources.keys() - facts.keys())
        try:
            for name in new:
                facts[name] = files.stage(sources[name], Path(outdir, name))
        except OSError:
            for name in new:
                files.remove_part(outdir, name)
            _write(outdir, part, former)
            raise
        for name in reversed(files.deepest_first(former.keys() - sources.keys())):
            files.remove(outdir, name)
        for name in new:
            files.publish(Path(outdir, name))
        _write(outdir, part, facts)


def claim(outdir, part, names):
    """Enter NAMES, relative to OUTDIR, as files that PART is about to write; returns what was known of its files.

    Raises Problems for a name that is taken by a file which PART did not write, or that a link leads out of OUTDIR.
    """
    former = read(outdir, part)
    problems = [taken(outdir, name) for name in _strangers(outdir, former, names)]
    problems += [led_out(outdir, name) for name in files.outside(outdir, names)]
    if problems:
        raise Problems(problems)
    if set(names) - former.keys():
        _write(outdir, part, dict.fromkeys(names, None) | former)
    return former


def read(outdir, part):
    """Path -> facts (bytes, sha256, mtime_ns; None while it is being written) of the files of PART in OUTDIR."""
    return _content(outdir, part).get("files", {})


def intact(outdir, part):
    """Has PART files in OUTDIR, whole and unchanged?"""
    known = read(outdir, part)
    return bool(known) and all(facts and files.unchanged(Path(outdir, name), facts) for name, facts in known.items())


def strangers(outdir, part, names):
    """Those of NAMES that lie in OUTDIR and that PART did not write."""
    return _strangers(outdir, read(outdir, part), names)


def taken(outdir, name):
    """What is wrong with a file that lies where one of ours is to go."""
    return f"{outdir}/{name} is no result of idrstream, and would be overwritten: move it, or name another --outdir"


def led_out(outdir, name):
    """What is wrong with a place for results that a link leads out of the output folder."""
    return f"{outdir}/{name}: a link leads out of the output folder; link the whole folder"


def workflow(outdir):
    """The workflow that OUTDIR belongs to; None if it is nobody's yet."""
    return _content(outdir, OUTDIR).get("workflow")


def mark(outdir, workflow):
    """Say that OUTDIR belongs to a workflow."""
    files.write_json(_path(outdir, OUTDIR), {"part": OUTDIR, "workflow": workflow})


def _is_there(outdir, name, source, former):
    facts = former.get(name)
    if not facts or not files.unchanged(Path(outdir, name), facts):
        return False
    new = hashlib.sha256(source).hexdigest() if isinstance(source, bytes) else files.sha256(source)
    return facts["sha256"] == new


def _strangers(outdir, known, names):
    return [name for name in names if name not in known and os.path.lexists(Path(outdir, name))]


def _content(outdir, part):
    path = _path(outdir, part)
    try:
        content = files.read_json(path)
        names = list(content.get("files", {}))
        own = content["part"] == part and not any({"/", ".."} & set(Path(name).parts) for name in names)
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError):
        own = False
    if not own:
        raise Problems([f"{path}: this is no manifest of an output folder; nothing was deleted. Move it away"])
    if linked := files.outside(outdir, names):
        raise Problems([led_out(outdir, linked[0])])
    return content


def _write(outdir, part, content):
    files.write_json(_path(outdir, part), {"part": part, "files": dict(sorted(content.items()))})


def _path(outdir, part):
    return Path(outdir, FOLDER, f"{part}.json")
