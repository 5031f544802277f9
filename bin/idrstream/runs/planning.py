"""What the planners of all workflows share: files by the names that the user knows, problems as the pipeline reads
them, and the commands of stages."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from idrstream.base.tables import Problems
from idrstream.base.task import UserError
from idrstream.runs import digest
from idrstream.runs.recipe import Book
from idrstream.runs.types import Recipe

BIN = Path(__file__).resolve().parents[2]  # where the commands are

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


def by_their_names(given: Mapping[str, Path | None], params: Mapping[str, Any]) -> dict[str, Path]:
    """The files that are GIVEN, param -> path, each under the name that the user knows it by.

    A task may have been given it under another (lib/Places.groovy).
    """
    return {name: _by_its_name(path, params.get(name)) for name, path in given.items() if path}


def stages(
    workflow: str,
    arguments: Mapping[str, str],
    book: Book,
    wanted: Recipe,
    libraries: Mapping[str, str],
    commands: Mapping[str, str] | None = None,
) -> dict[str, dict[str, str]]:
    """Of each stage: the arguments of its command, with the libraries that it requires, and the digest of its code.

    arguments  stage -> arguments; its command is WORKFLOW_STAGE.py
    commands   stage -> what stands there in the name of its command instead
    wanted     recipe of the run
    libraries  as Book.read_locks gives them
    """
    commands = commands or {}
    return {
        stage: {
            "args": f"{words} {book.option(stage, wanted, libraries)}".strip(),
            "code": digest.of(BIN / f"{workflow}_{commands.get(stage, stage)}.py", BIN),
        }
        for stage, words in arguments.items()
    }


def _by_its_name(path: Path, param: Any) -> Path:
    name = Path(str(param)).name
    if path.name == name or unquote(path.name) != name:
        return path
    link = Path(f"{path.parent}-by-name", name)
    link.parent.mkdir()
    link.symlink_to(path.absolute())
    return link
