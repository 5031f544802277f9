"""A study description says where an archive has its images; one that is wrong is said so, by file and line."""

import pytest
import yaml

from idrstream.base import strict_yaml
from idrstream.base.tables import Problems
from idrstream.screen import request, study
from planning import ROOT


def test_idr0013_is_where_the_archive_has_it():
    idr0013 = study.load(ROOT / "assets/studies/idr0013.yml", request.SCHEMAS["study"])
    well = study.Well.parse("O10")
    first, second = idr0013.locate("LT0001_02", "LT0001_02--ex2005_11_16--sp2005_02_17--tt17--c3", well, 1, 50)
    movie = "mitocheck/LT0001_02--ex2005_11_16--sp2005_02_17--tt17--c3/hdf5/00346_01.ch5"
    assert first == f"20150916-mitocheck-analysis/{movie}"
    assert second == f"20150916-mitocheck-analysis/analysis/{movie}"
    assert idr0013.source.startswith("https://")


STUDY_MISTAKES = [
    ({"wells": None}, "wells"),
    ({"locatoins": []}, "locatoins"),
    ({"locations": ["{plat}.ch5"]}, "{plat} is none of"),
    ({"locations": ["{plate/x.ch5"]}, "is not a valid pattern"),
    ({"locations": ["{}"]}, "is not a valid pattern"),
]
TWICE = "name: mine\nlocations: ['{well}.tif']\nwells: {rows: 8, columns: 12}\nlocations: ['b/{well}.tif']\n"


@pytest.mark.parametrize("change, said", STUDY_MISTAKES)
def test_a_study_description_is_checked(change, said, tmp_path):
    content = yaml.safe_load((ROOT / "assets/studies/example.yml").read_text()) | change
    (tmp_path / "mine.yml").write_text(yaml.safe_dump(content))
    with pytest.raises(Problems, match=r"mine\.yml") as problems:
        study.load(tmp_path / "mine.yml", request.SCHEMAS["study"])
    assert any(said in sentence for sentence in problems.value.sentences)


def test_a_key_that_stands_twice_in_a_study_is_told_with_both_lines(tmp_path):
    (tmp_path / "mine.yml").write_text(TWICE + "frame: {height: 9, width: 9, bytes: 9, nuclei: 1}\n")
    with pytest.raises(Problems) as problems:
        study.load(tmp_path / "mine.yml", request.SCHEMAS["study"])
    assert problems.value.sentences == ['mine.yml, line 4: duplicate key "locations", first in line 2']


@pytest.mark.parametrize("path", sorted((ROOT / "assets").rglob("*.yml")), ids=lambda path: path.name)
def test_the_yaml_files_that_ship_have_no_key_twice(path):
    assert strict_yaml.read(path)


def test_keys_that_a_merge_replaces_are_not_twice(tmp_path):
    (tmp_path / "a.yml").write_text("base: &b {x: 1, y: 2}\nown: {<<: *b, x: 3}\n")
    assert strict_yaml.read(tmp_path / "a.yml")["own"] == {"x": 3, "y": 2}
