"""The file that says which volumes are worked on: incasem's data JSON, unchanged, checked without opening a volume."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from json.decoder import JSONDecoder, scanstring
from pathlib import Path
from typing import Any

from idrstream import sources
from idrstream.base import tables
from idrstream.volume.box import Box

REQUIRED = ("file", "offset", "shape", "voxel_size", "raw")
KEYS = (*REQUIRED, "labels", "mask", "metric_masks")
SCHEMES = ("", "http", "https", "gs", "s3")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
UNUSABLE = re.compile(rf"{tables.CONTROL.pattern}|[\ud800-\udfff]")  # of a path: no file or server can be asked for it
LARGEST = 2**40  # voxels along an axis


@dataclass
class Item:
    """An entry as it is written.

    name          of the entry, which no other has
    line          of the file
    location      of the container: a path, absolute if the data folder is, or an address
    roi           Box of voxels
    voxel_size    nanometres z, y, x
    raw           path of an array in the container; so are those of labels, mask and metric_masks
    labels        path -> class
    """

    name: str
    line: int
    location: str
    roi: Box
    voxel_size: tuple[float, float, float]
    raw: str
    labels: dict[str, int]
    mask: str | None
    metric_masks: list[str]


def read(path: Path, data_dir: str) -> tuple[list[Item], list[str]]:
    """The valid entries of a file, and every fault of it, a sentence each.

    data_dir  what a relative `file` is relative to: an absolute path, or an address
    """
    path = Path(path)
    try:
        members = list(_members(tables.read_text(path), path.name))
    except tables.Problems as problems:
        return [], problems.sentences
    if not members:
        return [], [f'{path.name}: it has no entry; write {{"name": {{"file": ..., "offset": ..., ...}}}}']
    items, faults, first = [], [], {}
    for line, name, values, repeated in members:
        wrong = _name_faults(name, line, first)
        wrong += [f'duplicate key "{tables.shown(key)}"; remove one' for key in repeated]
        item = _item(name, line, values, data_dir, wrong)
        faults += [said(path, name, line, what) for what in wrong]
        items += [] if wrong else [item]
    return items, faults


def named(path: Path, data_dir: str) -> list[str]:
    """The containers that a file names, in their order; of a file with mistakes those that can be made out."""
    try:
        members = list(_members(tables.read_text(path), Path(path).name))
    except tables.Problems:
        return []
    files = [values.get("file") for _, _, values, _ in members if isinstance(values, dict)]
    usable = [file for file in files if isinstance(file, str) and _file_fault(file) is None]
    return list(dict.fromkeys(_located(file, data_dir) for file in usable))


def said(path: Path, name: str, line: int, what: str) -> str:
    """A fault of an entry as a sentence: ``data.json, entry cell_6 (line 2): ...``"""
    return tables.CONTROL.sub(" ", f"{Path(path).name}, entry {tables.shown(name)} (line {line}): {what}")


def _members(text: str, name: str) -> Iterator[tuple[int, str, Any, list[str]]]:
    """(line, name, value, keys that are there twice) of each entry. Raises Problems for what is no object of JSON."""
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        what = f"{name}, line {error.lineno}, column {error.colno}: this is not JSON ({error.msg}); mend it there"
        raise tables.Problems([what]) from error
    except (RecursionError, ValueError) as error:  # a ValueError: an integer of thousands of digits
        raise tables.Problems([f"{name}: this is not JSON that can be read ({error})"]) from error
    if not isinstance(whole, dict):
        what = f"{name}: it holds a {type(whole).__name__}; entries by their names are expected: {{name: {{...}}, ...}}"
        raise tables.Problems([what])
    repeated: list[str] = []
    decoder = JSONDecoder(object_pairs_hook=lambda pairs: _noticed(pairs, repeated))
    at = text.index("{") + 1
    while text[at := _skipped(text, at)] != "}":
        line = text.count("\n", 0, at) + 1
        key, at = scanstring(text, at + 1)
        value, at = decoder.raw_decode(text, _skipped(text, _skipped(text, at) + 1))
        yield line, key, value, repeated[:]
        repeated.clear()
        at = _skipped(text, at)
        at += text[at] == ","


def _skipped(text: str, at: int) -> int:
    """Where the next character that is no white space is."""
    while text[at] in " \t\r\n":
        at += 1
    return at


def _noticed(pairs: list[tuple[str, Any]], repeated: list[str]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    repeated += sorted({key for key in keys if keys.count(key) > 1})
    return dict(pairs)


def _name_faults(name: str, line: int, first: dict[str, int]) -> list[str]:
    """What is wrong with the name of an entry. FIRST: names so far, in small letters -> line; this one is added."""
    before = first.get(name.casefold())
    first.setdefault(name.casefold(), line)
    faults = [f"duplicate name, first in line {before} (capitals make no difference); rename one"] if before else []
    if not NAME.fullmatch(name):
        faults.append("its results lie in a folder of its name: use letters, digits, '.', '-' and '_', at most 100")
    return faults


def _item(name: str, line: int, values: Any, data_dir: str, faults: list[str]) -> Item | None:
    """The entry of these values, None if something is wrong, which is added to FAULTS."""
    if not isinstance(values, dict):
        faults.append(f"an object with {', '.join(REQUIRED)} is expected")
        return None
    before = len(faults)
    missing = [key for key in REQUIRED if values.get(key) is None]
    faults += [f'"{key}" is missing' for key in missing]
    for key in sorted(values.keys() - set(KEYS)):
        faults.append(f'unknown key "{tables.shown(key)}"; {", ".join(KEYS)} are known.{tables.nearest(key, KEYS)}')
    checks = {
        "file": _file_fault,
        "raw": _path_fault,
        "mask": _path_fault,
        "offset": _offset_fault,
        "shape": _shape_fault,
        "voxel_size": _size_fault,
        "labels": _labels_fault,
        "metric_masks": _paths_fault,
    }
    found = {key: check(values[key]) for key, check in checks.items() if values.get(key) is not None}
    faults += [f'"{key}": {fault}' for key, fault in found.items() if fault]
    if len(faults) > before:
        return None
    labels, masks = values.get("labels") or {}, values.get("metric_masks") or []
    return Item(
        name,
        line,
        _located(values["file"], data_dir),
        Box(tuple(values["offset"]), tuple(values["shape"])),
        tuple(map(float, values["voxel_size"])),
        _path(values["raw"]),
        {_path(path): number for path, number in labels.items()},
        _path(values["mask"]) if values.get("mask") else None,
        [_path(path) for path in masks],
    )


def _located(file: str, data_dir: str) -> str:
    if sources.scheme(file):
        return file.rstrip("/")
    if sources.scheme(data_dir):
        return f"{data_dir.rstrip('/')}/{file.strip('/')}"
    return sources.joined(data_dir, file)


def _path(path: str) -> str:
    return path.strip("/")


def _file_fault(value: Any) -> str | None:
    """Why a value is not the place of a container; None if it is. Likewise the functions below."""
    if not isinstance(value, str) or not value.strip():
        return "the path of a container is expected, relative to the data folder, or an address"
    if fault := _letters_fault(value):
        return fault
    if sources.scheme(value) not in SCHEMES and sources.scheme(value) in sources.SOURCES:
        return f"{sources.scheme(value)}:// cannot be read in parts; http(s)://, gs://, s3:// and paths can"
    return sources.fault(value)


def _path_fault(value: Any) -> str | None:
    if not isinstance(value, str) or not value.strip("/ "):
        return "the path of an array in the container is expected, such as volumes/raw"
    return _letters_fault(value)


def _letters_fault(value: str) -> str | None:
    if found := UNUSABLE.search(value):
        return f"{tables.shown(value)} has a character that no path can have, {tables.shown(found[0])}; remove it"
    return None


def _paths_fault(value: Any) -> str | None:
    if not isinstance(value, list):
        return 'a list is expected, such as ["volumes/metric_masks/mito"]'
    return next((fault for fault in map(_path_fault, value) if fault), None)


def _labels_fault(value: Any) -> str | None:
    example = 'such as {"volumes/labels/mito": 1}'
    if not isinstance(value, dict):
        return f"arrays and their classes are expected, {example}"
    if fault := next((fault for fault in map(_path_fault, value) if fault), None):
        return fault
    if not all(type(number) is int for number in value.values()):
        return f"classes are whole numbers, {example}"
    numbers = sorted(value.values())
    if numbers != list(range(1, len(numbers) + 1)):
        listed = ", ".join(map(str, numbers))
        return f"the class ids are {listed}; number them 1, 2, ... without a gap, one array each (0 is the background)"
    return None


def _offset_fault(value: Any) -> str | None:
    return _whole_fault(value, -LARGEST, "whole voxels, z, y, x, are expected, such as [400, 926, 2512]")


def _shape_fault(value: Any) -> str | None:
    return _whole_fault(value, 1, "whole voxels above 0, z, y, x, are expected, such as [241, 476, 528]")


def _whole_fault(value: Any, least: int, expected: str) -> str | None:
    usable = isinstance(value, list) and len(value) == 3 and all(type(number) is int for number in value)
    return None if usable and all(least <= number <= LARGEST for number in value) else f"3 {expected}"


def _size_fault(value: Any) -> str | None:
    usable = isinstance(value, list) and len(value) == 3 and all(type(number) in (int, float) for number in value)
    if usable and all(0 < number < LARGEST for number in value):
        return None
    return "3 nanometres above 0, z, y, x, are expected, such as [5, 5, 5]"
