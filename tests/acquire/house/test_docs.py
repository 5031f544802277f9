"""What the documentation names is there: files, headings, params, functions, and the version."""

import ast
import json
import re

import pytest

from repository import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md")), *ROOT.glob("assets/**/*.md")]
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
SUFFIXES = {"py", "json", "yml", "tsv", "csv", "nf", "parquet", "md", "pt"}
PROCESSES = {"FETCH", "SEGMENT", "EMBED", "MEASURE", "MERGE", "COMMIT", "REPORT", "PLACE"}
IN_CLONE = re.compile(
    r"`((?:bin|lib|modules|workflows|conf|docs|assets|benchmarks|containers|tests|\.ci|\.github)/[\w./-]+)`"
)

# Options of other programs, and a mistake that the docs show.
OF_OTHERS = {"--account", "--exclude", "--gpus", "--gres", "--nv", "--rm", "--tmpfs", "--user", "--volume"}
OF_OTHERS |= {"--implementation", "--platform", "--python", "--target", "--plugin", "--diametre"}
OF_CELLPOSE = {"--dir", "--pretrained_model", "--channel_axis", "--chan", "--chan2", "--min_size", "--niter", "--train"}
OF_CELLPOSE |= {"--use_gpu", "--save_tif", "--no_npy", "--savedir", "--verbose", "--exclude_on_edges", "--save_rois"}
OF_DEEPCELL = {"--env_config_uri", "--compute_config", "--visualize", "--image_mpp", "--image_array_name"}
OF_DEEPCELL |= {
    "--compartment",
    "--source_format",
    "--field_delimiter",
    "--skip_leading_rows",
    "--ignore_unknown_values",
    "--output",
}
OF_OTHERS |= OF_CELLPOSE | OF_DEEPCELL | {"--save_outlines"}


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


def defined(path):
    """Names that a module defines: functions, methods, classes and constants."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def test_modules_functions_and_classes_that_extending_names_are_there():
    page = (ROOT / "docs/extending.md").read_text()
    modules = {path: set(defined(path)) for path in (ROOT / "bin/idrstream").rglob("*.py")}
    names = {name for own in modules.values() for name in own}
    of_module = {path.stem: own for path, own in modules.items()}
    qualified = re.findall(r"`(\w+)\.(\w+)(?:\(.*?\))?`", page)
    qualified = [(module, name) for module, name in qualified if name not in SUFFIXES and module in of_module]
    bare = re.findall(r"`(_?[A-Z][a-z]\w+|[A-Z]{4,}|[a-z]+_[a-z_]+\(.*?\))`", page)
    assert len(qualified) >= 5 and len(bare) >= 10, "nothing is looked at"
    assert [f"{module}.{name}" for module, name in qualified if name not in of_module[module]] == []
    assert {name.split("(")[0] for name in bare} - names - PROCESSES == set()


def processes():
    """Process, by each name under which workflows include it -> its labels."""
    labels, names = {}, {}
    for path in ROOT.glob("modules/*/*.nf"):
        text = path.read_text()
        name = re.search(r"^process (\w+)", text, re.MULTILINE)[1]  # two workflows may each have one of a name
        labels[name] = labels.get(name, set()) | set(re.findall(r"^ +label '(\w+)'", text, re.M))
    for path in [ROOT / "main.nf", *ROOT.glob("workflows/**/*.nf")]:
        for process, alias in re.findall(
            r"^include \{ (\w+)(?: +as +(\w+))? +\} from '[./]*modules/", path.read_text(), re.M
        ):
            names[alias or process] = labels[process]
    return names


def table_of(page, first):
    """Rows of the table of a page whose first heading is FIRST: a list of cells each."""
    table = (ROOT / page).read_text().split(f"\n| {first} |")[1].split("\n\n")[0]
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


def test_the_images_run_the_processes_of_their_labels():
    written = {
        row[0].strip("`"): set(re.findall(r"\b[A-Z]{2}[A-Z_]*\b", row[1]))
        for row in table_of("docs/containers.md", "image")
    }
    written = {image: names & processes().keys() for image, names in written.items()}
    wanted = {image: {name for name, labels in processes().items() if image in labels} for image in written}
    assert len(written) == 5 and written == wanted


def test_every_process_has_its_resources_in_the_docs():
    written = [name for row in table_of("docs/clusters-and-clouds.md", "process") for name in row[0].split(", ")]
    assert sorted(written) == sorted(processes())


def test_every_command_that_is_of_no_workflow_is_named_in_extending():
    line = re.search(r"^bin/\*\.py .*: (.*)$", (ROOT / "docs/extending.md").read_text(), re.MULTILINE)[1]
    assert line.split(", ") == sorted(
        path.stem for path in ROOT.glob("bin/*.py") if not path.stem.startswith(("screen_", "tissue_", "volume_"))
    )


def test_the_version_of_images_in_commands_is_this_one():
    version = re.search(r"\bversion *= '(.+)'", (ROOT / "nextflow.config").read_text())[1]
    docs = (ROOT / "docs/containers.md").read_text()
    assert set(re.findall(r"[:-](\d+\.\d+\.\d+)(?=[ \n\x60]|\.img| \$)", docs)) == {version}
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
