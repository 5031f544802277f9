"""A digest of source text, for Nextflow's cache alone; `recipe` says which settings make a result.

Standard library only.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = "idrstream"


def of(source: str | Path, root: str | Path) -> str:
    """Digest (12 hexadecimal digits) of a file and of every module under ROOT that it imports, however deep.

    Nextflow hashes the script that a task runs, but not what the script imports. With this digest as an input of the
    process, a change of `segmentation.py` voids cached segmentations, and a change of the planner voids nothing. A
    package counts as a whole, because it may load its modules by name.
    """
    modules: dict[str, Path] = {}
    _collect(Path(source), Path(root), modules)
    content = hashlib.sha256()
    for name in sorted(modules):
        content.update(f"{name}\0".encode() + modules[name].read_bytes() + b"\0")
    return content.hexdigest()[:12]


def _collect(source: Path, root: Path, modules: dict[str, Path]) -> None:
    name = str(source.relative_to(root))
    if name in modules:
        return
    modules[name] = source
    if source.name == "__init__.py" and source.parent != root / PACKAGE:
        for member in source.parent.glob("*.py"):
            _collect(member, root, modules)
    for module in _imports(source.read_text(encoding="utf-8")):
        path = root.joinpath(*module.split("."))
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.is_file():
                _collect(candidate, root, modules)


@cache  # the stages share most of their modules
def _imports(text: str) -> tuple[str, ...]:
    """Names of the package's modules that a source text imports, at the top or inside a function."""
    imported = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        imported += [name for name in names if name.split(".")[0] == PACKAGE]
    return tuple(imported)
