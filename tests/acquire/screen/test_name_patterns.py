"""A pattern reads a file's name in one way, or says that there are several."""

import random
import re

import pytest
from test_folder_input import refused

from idrstream.screen import name_patterns


def readings(pattern, name):
    """All that the fields of a pattern may be in a name, by trying every way to cut the name."""
    kinds = {
        "well": r"[A-Za-z]{1,2}[ _-]{0,3}\d{1,3}|[Rr]\d{1,3}[ _-]?[Cc]\d{1,3}",
        "site": r"\d{1,9}",
        "plate": "[^/]+",
    }

    def cut(parts, at, places):
        if not parts:
            if at == len(name):
                yield tuple(sorted(places.items()))
            return
        part, field = parts[0], parts[0][1:-1]
        for end in range(at, len(name) + 1):
            text = name[at:end]
            if part[0] == "{":
                before = places.get(field)
                alike = before is None or name[slice(*before)] == text
                if alike and re.fullmatch(kinds[field], text):
                    yield from cut(parts[1:], end, {field: (at, end)} | places)
            elif text == part or (part == "*" and "/" not in text):
                yield from cut(parts[1:], end, places)

    return set(cut(re.findall(r"\{\w+\}|\*|[^{*]", pattern), 0, {}))


def test_a_name_has_as_many_readings_as_ways_to_cut_it():
    chance, seen = random.Random(5), []
    texts = {
        "{well}": ["A1", "r1c2", "b_02"],
        "{site}": ["1", "12"],
        "{plate}": ["P", "A1_x", "1"],
        "*": ["", "x", "A1_", "1"],
    }
    for _ in range(1000):
        parts = [*chance.sample(["{plate}", "{plate}", "{site}", "*", "*"], k=chance.randint(0, 3)), "{well}"]
        chance.shuffle(parts)
        parts = [word for part in parts for word in (part, chance.choice(["_", "_", "1", "-", "c", "/", "_1"]))]
        name = "".join(chance.choice(texts.get(part, [part])) for part in parts)
        found = name_patterns.compiled("".join(parts)).readings(name)
        seen.append(len(found))
        assert len(found) == min(2, len(readings("".join(parts), name))), (parts, name)
    assert min(map(seen.count, (1, 2))) > 50


@pytest.mark.parametrize(
    "pattern, touching",
    [
        ("{plate}*/{well}.tif", "{plate} and *"),
        ("{plate}/{well}f{site}p*-ch{channel}*.tiff", "{channel} and *"),
        ("{well}*{site}.tif", "{well} and *"),
        ("*{well}_*.tif", "* and {well}"),
        ("{plate}{well}.tif", "{plate} and {well}"),
        ("{well}_**.tif", "* and *"),
        ("*{plate}*{gene}*_{well}*.tif", "* and {plate}"),
    ],
)
def test_fields_and_stars_that_touch_are_refused(pattern, touching):
    said = refused(["P1_scan/B03.tif"], pattern)
    where = f"--pattern {pattern}: {touching} touch, so where one ends is open"
    assert said[0] == f"{where}; write what stands between them in the names"


@pytest.mark.parametrize(
    "pattern, name, ways",
    [
        ("*_{well}_*.tif", "scan_T01_B03_w1.tif", '{well} may be "T01" or "B03"'),
        ("{well}_{channel}_*.tif", "B03_DAPI_1_2.tif", '{channel} may be "DAPI" or "DAPI_1"'),
        ("{plate}_{gene}_{well}.tif", "P_1_g_B03.tif", '{plate} may be "P" or "P_1"'),
    ],
)
def test_a_name_that_a_pattern_fits_in_several_ways_is_refused_with_two_of_them(pattern, name, ways):
    assert refused([name], pattern) == [
        f"{name}: --pattern fits in several ways ({ways}); write more of the names in it"
    ]


def test_a_long_name_that_does_not_fit_is_not_cut_in_every_way():
    name = "A1_" * 1000  # in six parts: in more ways than can be tried
    assert name_patterns.compiled("*_*_{plate}_*_*_{gene}_{well}.tif").readings(name) == []
