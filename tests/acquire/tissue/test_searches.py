"""Which network looks for what on a slide, at which scale, and what of that is in a slide's id."""

import numpy as np
import pytest
import tifffile

import onnx_networks
from idrstream.tissue import plan

HEADER = "slide,image,nuclear,membrane,nuclei,pixel_size"


@pytest.fixture
def here(here):
    """Networks, and label images, beside the slide: `both` is of Mesmer's form, `own` states a diameter."""
    onnx_networks.echo(here / "both.onnx")
    onnx_networks.echo(here / "own.onnx", diameter="20")
    weights = [onnx_networks.tensor("zero", [0], [1], onnx_networks.INT64)]
    gathered = [onnx_networks.node("Gather", ["pixels", "zero"], [name], axis=1) for name in ("distance", "interior")]
    arrays = [onnx_networks.array(name, [None, 1, None, None]) for name in ("pixels", "distance", "interior")]
    onnx_networks.write(here / "nuclei.onnx", gathered, arrays[:1], arrays[1:], weights, heads="nuclei")
    (here / "text.onnx").write_text("no network")
    (here / "mesmer.h5").write_bytes(b"\x89HDF")
    tifffile.imwrite(here / "nuclei.tif", np.ones((300, 400), np.uint16))
    return here


@pytest.fixture
def slide(planned):
    """A function that plans a slide by its line, and returns it."""

    def slide(line, **changed):
        return planned(line, header=HEADER, **changed).slides[0]

    return slide


def test_one_network_finds_nuclei_and_cells_where_it_can_and_no_other_is_named(slide, here):
    (search,) = slide("A,a.ome.tif,DNA1,CD3,,", model="both.onnx", cells="model").searches
    assert (search.layers, search.param, search.scale) == (["nuclei", "cells"], "model", (1.0, 1.0))
    (search,) = slide("A,a.ome.tif,DNA1,,,", model="both.onnx").searches
    assert search.layers == ["nuclei"]  # --cells expand
    pair = slide("A,a.ome.tif,DNA1,CD3,,", cells="model", cell_model="both.onnx").searches
    assert [(each.layers, each.param, bool(each.scale)) for each in pair] == [
        (["nuclei"], "model", False),
        (["cells"], "cell_model", True),
    ]


def test_the_scale_is_that_of_the_pixels_or_of_a_stated_diameter(slide):
    assert slide("A,a.ome.tif,DNA1,,,0.65", model="both.onnx").searches[0].scale == (1.3, 1.3)
    assert slide("A,grey.tif,1,,,", model="own.onnx", diameter=40, cells="none").searches[0].scale == (0.5, 0.5)
    assert slide("A,a.ome.tif,DNA1,,,", model="own.onnx", diameter="8um").searches[0].scale == (1.25, 1.25)
    made = slide("A,a.ome.tif,DNA1,,,0.25", model="own.onnx")
    assert made.searches[0].scale == (0.5, 0.5) and "own.onnx expects nuclei of 40 pixels" in made.notes[0]


def test_membrane_is_shown_to_whoever_takes_it(slide):
    for line, changed, numbers in (
        ("A,a.ome.tif,DNA1,CD3,,", {"model": "both.onnx"}, [1]),
        ("A,a.ome.tif,DNA1,,,", {"model": "both.onnx", "membrane": "CD8"}, [2]),
        ("A,a.ome.tif,DNA1,,,", {"model": "both.onnx"}, []),
        ("A,a.ome.tif,DNA1,CD3,,", {"model": "nuclei.onnx"}, []),
        ("A,a.ome.tif,DNA1,CD3,,", {}, []),
    ):
        assert [channel.channel for channel in slide(line, **changed).membrane] == numbers, changed
    assert "sees none" in slide("A,a.ome.tif,DNA1,,,", model="both.onnx").warnings[0]


@pytest.mark.parametrize(
    "line, changed, words",
    [
        ("A,grey.tif,1,,,", {"model": "both.onnx"}, "states no pixel size, and both.onnx sees slides at 0.5 µm"),
        ("A,grey.tif,1,,,", {"model": "own.onnx"}, "or the diameter in pixels by --diameter"),
        ("A,a.ome.tif,DNA1,,,9", {"model": "both.onnx"}, "would see the slide 18 times as large"),
        ("A,a.ome.tif,DNA1,,,", {"model": "both.onnx", "diameter": 20}, "leave it auto"),
        ("A,a.ome.tif,DNA1,CD3,,", {"model": "nuclei.onnx", "cells": "model"}, "name the network that finds cells"),
        ("A,a.ome.tif,DNA1,CD3,,", {"cells": "model", "cell_model": "nuclei.onnx"}, "it finds nuclei, not cells"),
        (
            "A,a.ome.tif,DNA1,,,",
            {"model": "both.onnx", "cells": "model"},
            "name the channel that shows where cells end",
        ),
        ("A,a.ome.tif,DNA1,,,", {"model": "text.onnx"}, "--model text.onnx: no network for deep watershed"),
        ("A,a.ome.tif,DNA1,,,", {"model": "mesmer.h5"}, "a file of Keras; networks for deep watershed are ONNX files"),
        ("A,a.ome.tif,DNA1,,,", {"model": "both.onnx", "radius": 2.5}, '--radius "2.5": "2.5" is not a whole number'),
        ("A,a.ome.tif,DNA1,,,", {"radius": 3}, "--radius 3: it is for deep watershed"),
        ("A,a.ome.tif,DNA1,,,", {"model": "both.onnx", "flow_threshold": 0}, "it is of Cellpose's networks"),
        ("A,a.ome.tif,DNA1,,,", {"model": "both.onnx", "tissue": "auto"}, "look at all of a slide"),
        (
            "A,a.ome.tif,DNA1,CD3,,",
            {"model": "both.onnx", "cells": "model", "cell_diameter": 30},
            "--diameter sets its scale",
        ),
    ],
)
def test_what_does_not_fit_is_told_before_anything_starts(refused, line, changed, words):
    assert any(words in sentence for sentence in refused(line, header=HEADER, **changed))


def ids(slide, here, line="A,a.ome.tif,DNA1,CD3,,", **changed):
    return slide(line, **({"model": "both.onnx", "cells": "model"} | changed)).id


def test_what_changes_labels_changes_the_id_and_the_way_it_is_written_does_not(slide, here):
    first = ids(slide, here)
    for same in (
        {"maxima_threshold": "nucleus=0.1,cell=0.075"},
        {"radius": "cell=2,nucleus=2"},
        {"interior_threshold": "cell=0.2"},
        {"tile": 512},
    ):
        assert ids(slide, here, **same) == first, same
    others = [{"radius": "cell=3"}, {"maxima_threshold": 0.1}, {"maxima_algorithm": "peak_local_max"}]
    others += [{"line": "A,a.ome.tif,DNA1,CD3,,0.6"}]
    assert len({first, *(ids(slide, here, **other) for other in others)}) == 1 + len(others)
    nuclei = {"cells": "expand", "line": "A,a.ome.tif,DNA1,,,"}
    assert ids(slide, here, **nuclei) == ids(slide, here, **nuclei, radius="cell=3")


@pytest.mark.parametrize("line", ["A,a.ome.tif,DNA1,CD3,,", "A,a.ome.tif,DNA1,CD3,nuclei.tif,"])
def test_another_network_is_another_result(slide, here, line):
    before = ids(slide, here, line)
    onnx_networks.echo(here / "both.onnx", author="somebody")
    assert ids(slide, here, line) != before


def test_tasks_are_told_the_scale_of_each_layer(planned, here, tmp_path):
    made = planned("A,a.ome.tif,DNA1,CD3,,0.65", header=HEADER, model="both.onnx", cells="model")
    packet = plan._packet(made.slides[0], 0, made)
    assert packet["scales"] == {"nuclei": (1.3, 1.3), "cells": (1.3, 1.3)} and packet["layers"] == ["nuclei", "cells"]
    (slide,) = plan._summary(made)["slides"]
    assert slide["layers"] == [] and slide["watershed"][0]["layers"] == ["nuclei", "cells"]
    assert "for deep watershed: nuclei and cells" in made.text() and "seen at 1.3 times its size" in made.text()
