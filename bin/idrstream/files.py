"""Files that are whole or absent: nothing half-written is ever seen under a final name. Standard library only."""

import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

PART = ".part"  # what a file is called until it is whole


def sha256(path):
    """Checksum of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def whole(path):
    """Gives the ``.part`` path beside PATH to write to; it is then flushed to the disk and renamed to PATH.

    It is taken away where writing fails. A kill leaves it, for the next who writes PATH to take away.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + PART)
    part.unlink(missing_ok=True)  # it may be a link to another file
    try:
        yield part
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
    except Exception:
        part.unlink(missing_ok=True)
        raise
    _rename(part, path)


def write_text(path, text):
    """Write TEXT to PATH, whole or not at all."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path, content):
    """Write CONTENT as JSON, one key a line, the same bytes for the same content."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_json(path):
    """Read what `write_json` wrote."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def copy(source, target):
    """Copy SOURCE to TARGET, whole or not at all; returns bytes, sha256 and mtime_ns of what lies there now."""
    with whole(target) as part:
        with open(source, "rb") as original, open(part, "wb") as file:
            shutil.copyfileobj(original, file, 1 << 20)
        arrived, sent = part.stat().st_size, os.stat(source).st_size
        if arrived != sent:
            raise OSError(f"{target}: {arrived} bytes arrived of {sent}")
    there = os.stat(target)
    return {"bytes": there.st_size, "sha256": sha256(target), "mtime_ns": there.st_mtime_ns}


def move_folder(source, target):
    """Move SOURCE to TARGET, in place of what lies there.

    File by file, so that no second copy of the whole ever exists; until all are there they lie beside it as ``.part``.
    """
    source, target = Path(source), Path(target)
    part = target.with_name(target.name + PART)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        copy(path, part / path.relative_to(source))
        path.unlink()
    shutil.rmtree(target, ignore_errors=True)
    _rename(part, target)


def unchanged(path, facts):
    """Is PATH still what `copy` left? By size and time; where only the time differs, by checksum."""
    try:
        now = os.stat(path)
    except OSError:
        return False
    if now.st_size != facts["bytes"]:
        return False
    return now.st_mtime_ns == facts["mtime_ns"] or sha256(path) == facts["sha256"]


def _rename(part, path):
    os.replace(part, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
