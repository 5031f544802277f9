"""The QuPath project of a workspace, by the form that QuPath's source gives it; QuPath itself is not run."""

import json
import re
from urllib.parse import unquote, urlsplit

import pytest

from idrstream.base.tables import Problems
from idrstream.tissue import qupath


@pytest.fixture
def images(tmp_path):
    """Slide -> its image, one of which has a name that needs care."""
    (tmp_path / "OME-TIFF").mkdir()
    found = {"A1": tmp_path / "OME-TIFF/A1.ome.tiff", "A2": tmp_path / "OME-TIFF/A2.it's $x #1.tif"}
    for path in found.values():
        path.write_bytes(b"")
    return {slide: str(path) for slide, path in found.items()}


def write(tmp_path, images, now=1000.5):
    said = qupath.write(str(tmp_path / "PROJ"), images, tmp_path / "results", now)
    return said, json.loads((tmp_path / "PROJ/project.qpproj").read_text())


def test_a_project_states_what_qupath_reads_of_one(tmp_path, images):
    said, project = write(tmp_path, images)
    assert said == f"project    {tmp_path}/PROJ/project.qpproj (QuPath)"
    assert project["version"] == "0.5.1" and project["lastID"] == 2
    assert project["createTimestamp"] == project["modifyTimestamp"] == 1000500
    for number, (entry, place) in enumerate(zip(project["images"], images.values(), strict=True), 1):
        assert entry["entryID"] == number and place.endswith(f"/{entry['imageName']}") and entry["metadata"] == {}
        builder = entry["serverBuilder"]
        assert builder["builderType"] == "uri" and builder["args"] == []
        assert builder["providerClassName"].endswith(".BioFormatsServerBuilder")
        address = urlsplit(builder["uri"])
        assert (address.scheme, address.netloc, unquote(address.path)) == ("file", "", place)
    assert unquote(urlsplit(project["uri"]).path) == f"{tmp_path}/PROJ/project.qpproj"


def test_the_script_knows_the_cells_of_each_image_relative_to_the_project(tmp_path, images):
    write(tmp_path, images)
    script = (tmp_path / "PROJ/scripts/import_cells.groovy").read_text()
    pairs = re.findall(r"^    '((?:[^'\\]|\\.)*)': '(.*)',?$", script, re.MULTILINE)
    cells = "../results/slides/{}/cells.geojson".format
    assert pairs == [("A1.ome.tiff", cells("A1")), (r"A2.it\'s $x #1.tif", cells("A2"))]
    for word in "setImageType('FLUORESCENCE')", "importObjectsFromFile(", "getProjectEntry()":
        assert word in script


def test_images_keep_their_numbers_when_others_come(tmp_path, images):
    write(tmp_path, {"A2": images["A2"]})
    _, project = write(tmp_path, images, 2000)
    assert {entry["imageName"][:2]: entry["entryID"] for entry in project["images"]} == {"A2": 1, "A1": 2}
    assert (project["createTimestamp"], project["modifyTimestamp"]) == (1000500, 2000000)


def test_a_project_that_qupath_has_changed_is_left_as_it_is(tmp_path, images):
    write(tmp_path, images)
    path = tmp_path / "PROJ/project.qpproj"
    path.write_text(path.read_text().replace('"A1.ome.tiff"', '"renamed"'))
    before = path.read_bytes()
    said, _ = write(tmp_path, images)
    assert "was changed since a run wrote it, and is left as it is" in said and path.read_bytes() == before


def test_a_project_that_no_run_wrote_is_never_overwritten(tmp_path, images):
    (tmp_path / "PROJ").mkdir()
    (tmp_path / "PROJ/project.qpproj").write_text("mine")
    with pytest.raises(Problems, match="was not written by idrstream"):
        write(tmp_path, images)
    assert (tmp_path / "PROJ/project.qpproj").read_text() == "mine"
