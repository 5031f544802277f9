"""A digest of source text, for Nextflow's cache alone: what makes a result what it is, `recipe` says."""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = "idrstream"


def of(source, root):
    """Digest (12 hexadecimal digits) of a file and of every module under ROOT that it imports, however deep.

    Nextflow hashes the script a task names, not what that script imports. Given to a process as an input, this digest
    makes a change in `segmentation.py` void segmentations, and a change in the planner void nothing. A package counts
    whole: it may load its members by name.
    """
    found = {}
    _collect(Path(source), Path(root), found)
    content = hashlib.sha256()
    for name in sorted(found):
        content.update(f"{name}\0".encode() + found[name].read_bytes() + b"\0")
    return content.hexdigest()[:12]


def _collect(source, root, found):
    name = str(source.relative_to(root))
    if name in found:
        return
    found[name] = source
    if source.name == "__init__.py" and source.parent != root / PACKAGE:
        for member in source.parent.glob("*.py"):
            _collect(member, root, found)
    for module in _imports(source.read_text(encoding="utf-8")):
        path = root.joinpath(*module.split("."))
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.is_file():
                _collect(candidate, root, found)


@cache  # the stages share most of their modules
def _imports(text):
    """Names of the package's modules that a source text imports, at the top or inside a function."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found += [name for name in names if name.split(".")[0] == PACKAGE]
    return tuple(found)
