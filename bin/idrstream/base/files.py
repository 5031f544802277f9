"""Files that are complete or absent: no half-written file ever has its final name. Standard library only."""

import fcntl
import hashlib
import json
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path


def part(path):
    """Name of a file until it is complete: ``.NAME.part`` beside it, hidden from readers of its folder."""
    path = Path(path)
    return path.with_name(f".{path.name}.part")


def sha256(path):
    """Checksum of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def whole(path):
    """Context: yields a hidden path to write to (`part`); it is then flushed to the disk and renamed to PATH.

    It is deleted if writing fails. After a kill it remains until PATH is written again.
    """
    with staged(path) as hidden:
        yield hidden
    publish(path)


@contextmanager
def staged(path):
    """The first half of `whole`: PATH is written and flushed under its hidden name, and waits for `publish`."""
    hidden = part(path)
    hidden.parent.mkdir(parents=True, exist_ok=True)
    hidden.unlink(missing_ok=True)  # it may be a link to another file
    try:
        yield hidden
        with open(hidden, "rb+") as file:
            os.fsync(file.fileno())
    except Exception:
        hidden.unlink(missing_ok=True)
        raise


def publish(path):
    """Rename what `staged` has written to PATH, replacing a file there."""
    os.replace(part(path), path)
    folder = os.open(Path(path).parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_text(path, text):
    """Write TEXT to PATH, completely or not at all."""
    with whole(path) as hidden:
        hidden.write_text(text, encoding="utf-8")


def write_json(path, content):
    """Write CONTENT as JSON (`json_text`)."""
    write_text(path, json_text(content))


def json_text(content):
    """CONTENT as JSON, one key a line, the same text for the same content."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def read_json(path):
    """Read what `write_json` wrote."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


@contextmanager
def locked(folder):
    """Context: lock FOLDER, which is made if missing; without effect on a file system without locks."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    with open(Path(folder, ".lock"), "ab") as file:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def stage(source, target):
    """Copy SOURCE, a path or bytes, to the hidden name of TARGET; returns bytes, sha256 and mtime_ns of the copy."""
    with staged(target) as hidden:
        if isinstance(source, bytes):
            hidden.write_bytes(source)
        else:
            with open(source, "rb") as original, open(hidden, "wb") as file:
                shutil.copyfileobj(original, file, 1 << 20)
        arrived = hidden.stat().st_size
        sent = len(source) if isinstance(source, bytes) else os.stat(source).st_size
        if arrived != sent:
            raise OSError(f"{target}: {arrived} bytes arrived of {sent}")
    facts = os.stat(part(target))
    return {"bytes": facts.st_size, "sha256": sha256(part(target)), "mtime_ns": facts.st_mtime_ns}


def remove(folder, name):
    """Delete the file NAME of FOLDER, and the folders in FOLDER that are empty without it."""
    Path(folder, name).unlink(missing_ok=True)
    remove_part(folder, name)


def remove_part(folder, name):
    """Delete what `staged` has written of the file NAME of FOLDER, and the folders that are empty without it."""
    path = Path(folder, name)
    part(path).unlink(missing_ok=True)
    for above in list(path.parents)[: name.count("/")]:
        try:
            above.rmdir()
        except FileNotFoundError:
            continue
        except OSError:  # it holds something else
            return


def outside(folder, names):
    """Those of NAMES, relative to FOLDER, that do not lie in it, or have a link on the way."""
    root = Path(folder).resolve()
    parents = {}
    outside = []
    for name in names:
        path = root / name
        if path.parent not in parents:
            parents[path.parent] = path.parent.resolve() == path.parent and root in (path.parent, *path.parent.parents)
        if not parents[path.parent] or path.name == ".." or path.is_symlink():
            outside.append(name)
    return outside


def deepest_first(names):
    """Paths in the order of writing: a file that describes a folder comes after the files in it."""
    return sorted(names, key=lambda name: (-name.count("/"), name))


def unchanged(path, facts):
    """Is PATH still as `stage` wrote it? By size and time; if only the time differs, by checksum."""
    try:
        now = os.stat(path)
    except OSError:
        return False
    if now.st_size != facts["bytes"]:
        return False
    return now.st_mtime_ns == facts["mtime_ns"] or sha256(path) == facts["sha256"]
