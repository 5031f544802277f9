"""Parameters of a deep watershed: one value for both compartments, or one each; a mistake is a sentence."""

import pytest

from idrstream.cells.postprocessing import DEFAULTS
from idrstream.tissue import watershed_settings


def test_what_is_not_given_has_the_defaults_of_its_compartment():
    assert watershed_settings.settings({}) == DEFAULTS
    texts = {name: watershed_settings.default(name) for name in watershed_settings.NAMES}
    assert watershed_settings.settings(texts) == DEFAULTS
    assert texts["maxima_threshold"] == "cell=0.075,nucleus=0.1" and texts["radius"] == "2"


@pytest.mark.parametrize(
    "text, cells, nuclei",
    [("0.3", 0.3, 0.3), ("cell=0.3", 0.3, 0.1), (" nucleus = 0.2 , cell=0.4", 0.4, 0.2), ("nucleus=1", 0.075, 1.0)],
)
def test_a_value_is_for_both_or_for_the_compartment_that_is_named(text, cells, nuclei):
    found = watershed_settings.settings({"maxima_threshold": text})
    assert (found["cells"].maxima_threshold, found["nuclei"].maxima_threshold) == (cells, nuclei)
    assert found["cells"]._replace(maxima_threshold=0.075) == DEFAULTS["cells"]


def test_values_are_of_the_kind_of_their_parameter():
    found = watershed_settings.settings({"radius": "cell=3", "maxima_algorithm": "peak_local_max"})
    assert (found["cells"].radius, found["nuclei"].radius) == (3, 2) and isinstance(found["cells"].radius, int)
    assert {settings.maxima_algorithm for settings in found.values()} == {"peak_local_max"}
    assert watershed_settings.settings({"interior_threshold": "-1"})["nuclei"].interior_threshold == -1


@pytest.mark.parametrize(
    "name, text, problem",
    [
        ("maxima_threshold", "cel=0.1", '"cel=0.1" is not a value of a cell or a nucleus'),
        ("maxima_threshold", "cell=0.1,0.2", '"0.2" is not a value of a cell or a nucleus'),
        ("maxima_threshold", "cell=0.1,cell=0.2", "cell has two values"),
        ("maxima_threshold", "0", "0 is not above 0"),
        ("maxima_threshold", "cell=nan", '"nan" is not a number'),
        ("interior_smooth", "-1", "-1 is not 0 or more"),
        ("radius", "cell=1.5", '"1.5" is not a whole number'),
        ("radius", "", '"" is not a whole number'),
        ("interior_smooth", "9999", "9999 is above 20, the most that is taken"),
        ("maxima_smooth", "cell=20.5", "20.5 is above 20, the most that is taken"),
        ("radius", "51", "51 is above 50, the most that is taken"),
        ("label_erosion", "nucleus=51", "51 is above 50, the most that is taken"),
        ("pixel_expansion", "1000", "1000 is above 50, the most that is taken"),
        ("small_objects", "few", '"few" is not a whole number'),
        ("maxima_algorithm", "maxima", '"maxima" is not h_maxima or peak_local_max'),
    ],
)
def test_a_mistake_is_told_with_what_to_write(name, text, problem):
    with pytest.raises(ValueError) as caught:
        watershed_settings.settings({name: text})
    assert str(caught.value).startswith(f'--{name} "{text}": {problem}; write one value for both, or cell=')


def test_the_longest_lengths_are_taken_and_areas_have_no_limit():
    texts = {"maxima_smooth": "20", "radius": "50", "pixel_expansion": "50", "small_objects": "100000"}
    found = watershed_settings.settings(texts)["cells"]
    assert (found.maxima_smooth, found.radius, found.pixel_expansion, found.small_objects) == (20, 50, 50, 100_000)


def test_every_mistake_is_told_at_once():
    with pytest.raises(ValueError) as caught:
        watershed_settings.settings({"radius": "x", "fill_holes": "y", "small_objects": "3"})
    assert [line.split(" ")[0] for line in str(caught.value).splitlines()] == ["--radius", "--fill_holes"]
