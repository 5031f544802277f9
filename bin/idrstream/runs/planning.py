"""What the planners of all workflows share: files by the names that the user knows, and problems as the pipeline reads
them."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from idrstream.base.tables import Problems
from idrstream.base.task import UserError

LISTED = 100  # problems that are said; of a whole column that is wrong more would hide the others


@contextmanager
def problems(out: Path) -> Generator[None, None, None]:
    """Context: Problems in it are written to OUT/plan.json, and raised as a UserError of all of them."""
    try:
        yield
    except Problems as found:
        out.mkdir(parents=True)
        more = [f"and {len(found.sentences) - LISTED} more"] if len(found.sentences) > LISTED else []
        (out / "plan.json").write_text(json.dumps({"problems": found.sentences[:LISTED] + more}))
        raise UserError("\n".join(found.sentences)) from found


def by_its_name(path: Path, param: Any) -> Path:
    """A file under the name that the user knows it by, where a task was given it under another (lib/Places.groovy)."""
    name = Path(str(param)).name
    if path.name == name or unquote(path.name) != name:
        return path
    link = Path(f"{path.parent}-by-name", name)
    link.parent.mkdir()
    link.symlink_to(path.absolute())
    return link
