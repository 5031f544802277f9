"""What the documentation names is there: files, headings, params, and the version."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")), *ROOT.glob("assets/**/*.md")]
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
IN_CLONE = re.compile(
    r"`((?:bin|lib|modules|workflows|conf|docs|assets|benchmarks|containers|tests|\.ci|\.github)/[\w./-]+)`"
)

# Options of other programs, and a mistake that the docs show.
OF_OTHERS = {"--account", "--gpus", "--gres", "--nv", "--rm", "--tmpfs", "--user", "--volume"}
OF_OTHERS |= {"--implementation", "--platform", "--python", "--target", "--plugin", "--diametre"}


def anchors(page):
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_to_files_and_headings_that_are_there(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" not in link:
            name, _, anchor = link.partition("#")
            target = page.parent / name if name else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_files_of_the_repository_that_are_named_are_there(page):
    assert {name for name in IN_CLONE.findall(page.read_text()) if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_params_that_are_named_are_there(page):
    schema = (ROOT / "nextflow_schema.json").read_text()
    groups = json.loads(schema)["$defs"].values()
    params = {f"--{name}" for group in groups for name in group["properties"]}
    ours = "".join(path.read_text() for folder in ("bin", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
    options = set(re.findall(r'"(--\w+)', ours))
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9_]*(?![\w-])", page.read_text()))
    assert named - params - options - OF_OTHERS == set()


def test_the_version_of_images_in_commands_is_this_one():
    version = re.search(r"\bversion *= '(.+)'", (ROOT / "nextflow.config").read_text())[1]
    docs = (ROOT / "docs/containers.md").read_text()
    assert set(re.findall(r"[:-](\d+\.\d+\.\d+)(?=[ \n\x60]|\.img| \$)", docs)) == {version}
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
