"""The commands of a deep watershed: what they leave is that of the maps in one piece."""

import click
import numpy as np
import pytest
from test_flooding import reading
from test_steps import as_process, in_process, packet_of, write_channels

import maps
import onnx_networks
import scikit_watershed
from idrstream.base import files
from idrstream.cells import masks
from idrstream.cells.postprocessing import DEFAULTS
from idrstream.tissue import deep_watershed, layers, tiles

SIZE, SHAPE = (230, 264), (115, 132)  # of the slide, and in pixels of the network
TEXTS = {"interior_threshold": "0.35", "maxima_threshold": "cell=0.05", "label_erosion": "cell=1,nucleus=0"}
SETTINGS = {
    "nuclei": DEFAULTS["nuclei"]._replace(interior_threshold=0.35),
    "cells": DEFAULTS["cells"]._replace(interior_threshold=0.35, maxima_threshold=0.05, label_erosion=1),
}
OPTIONS = [word for name, text in TEXTS.items() for word in (f"--{name}", text)]


@pytest.fixture(scope="module")
def planes():
    return {"nuclei": np.stack(maps.random(SHAPE, 2)), "cells": np.stack(maps.random(SHAPE, 3))}


@pytest.fixture(scope="module")
def folder(planes, tmp_path_factory):
    """What FLOOD leaves of a slide in two groups."""
    folder = tmp_path_factory.mktemp("steps")
    packet = packet_of(folder / "a.tif", SIZE, 140, 2, scales={"nuclei": [0.5, 0.5], "cells": [0.5, 0.5]})
    files.write_json(folder / "packet.json", packet)
    for group in range(len(packet["groups"])):
        here = folder / f"flooded_{group}"
        here.mkdir()
        for tile in tiles.boxes_of(packet, group):
            deep_watershed.flood(here, reading(planes), tile, deep_watershed.Place(SIZE, SHAPE), SETTINGS)
    return folder


def finished(folder, layer, run):
    """layers.Layer of what COUNT, FINISH and NUMBER make of a folder, and its label image."""
    here, packet, of = folder / layer, folder / "packet.json", ("--layer", layer)
    here.mkdir()
    flooded = sorted(folder.glob("flooded_*"))
    run("tissue_count", packet, here / "nuclei", *flooded, *of)
    labelled = [here / f"labelled_{group}" for group in range(len(flooded))]
    for group, place in enumerate(labelled):
        run("tissue_finish", packet, group, here / "nuclei", place, *flooded, *of, *OPTIONS)
    run("tissue_number", packet, here / "nuclei", here / "numbers", *labelled, *of)
    packet = files.read_json(packet)
    found, image = layers.read(here), np.zeros(packet["size"], np.uint32)
    for tile in tiles.all_of(packet):
        image[tile.y0 : tile.y1, tile.x0 : tile.x1] = found.tile(tile)
    return found, image


@pytest.mark.parametrize("layer, run", [("nuclei", as_process), ("cells", in_process)])
def test_what_the_commands_leave_is_the_watershed_of_the_whole(layer, run, folder, planes):
    found, image = finished(folder, layer, run)
    settings = SETTINGS[layer]
    wanted = scikit_watershed.finished(scikit_watershed.objects(*planes[layer], settings), settings)
    np.testing.assert_array_equal(image, masks.in_order(wanted.repeat(2, 0).repeat(2, 1)))
    assert found.objects.labels.tolist() == list(range(1, image.max() + 1)) and image.max() > 5
    np.testing.assert_array_equal(found.objects.pixels, np.bincount(image.ravel())[1:])
    cost = files.read_json(folder / layer / "labelled_0/finish.cost.json")
    assert cost["settings"]["label_erosion"] == "cell=1,nucleus=0" and cost["peak_rss_mb"] > 0
    assert cost["step"] == ("finish" if layer == "nuclei" else "finish cells")


def test_a_wrong_parameter_stops_the_command_with_a_sentence(folder, tmp_path):
    arguments = folder / "packet.json", 0, folder, tmp_path / "labelled", folder / "flooded_0"
    with pytest.raises(click.ClickException, match=r'--radius "cell=x": "x" is not a whole number') as caught:
        in_process("tissue_finish", *arguments, "--radius", "cell=x")
    assert caught.value.exit_code == 64 and not (tmp_path / "labelled").exists()


def test_a_slide_goes_through_read_normalize_flood_count_finish_and_number(tmp_path):
    """With a network that gives back what it is shown: the labels are those of its maps of the whole, brought back."""
    from idrstream.tissue import blending, normalizing, watershed_network

    size, shape = (150, 175), (300, 350)
    model, packet = onnx_networks.echo(tmp_path / "echo.onnx"), tmp_path / "packet.json"
    write_channels(tmp_path / "a.tif", *((maps.random(size, seed)[0] * 9000).astype(np.uint16) for seed in (4, 5)))
    rim = {"file": 0, "channel": 1, "frame": 0, "number": 2, "name": "rim"}
    scale = {"y": 1.0, "x": 1.0, "source": "OME-XML"}  # half as fine as the network takes it
    more = {"pixel_size": scale, "scales": {"nuclei": [2.0, 2.0], "cells": [2.0, 2.0]}, "membrane": [rim]}
    files.write_json(packet, packet_of(tmp_path / "a.tif", size, 100, 2, **more))
    slide, normalized, of = tmp_path / "slide", tmp_path / "normalized", ("--model", model, "--layers", "nuclei,cells")
    in_process("tissue_read", packet, slide)
    in_process("tissue_normalize", packet, slide, normalized, *of)
    for group in range(len(files.read_json(packet)["groups"])):
        run = in_process if group else as_process
        run("tissue_flood", packet, group, slide, normalized, tmp_path / f"flooded_{group}", *of, *OPTIONS)
    look = normalizing.read(normalized, files.read_json(packet), slide)
    seen = blending.Maps(watershed_network.load(model), look, ["nuclei", "cells"])(tiles.Box(0, shape[0], 0, shape[1]))
    for layer, settings in SETTINGS.items():
        _, labels = finished(tmp_path, layer, in_process)
        wanted = scikit_watershed.finished(scikit_watershed.objects(*seen[layer], settings), settings)
        np.testing.assert_array_equal(labels, masks.in_order(wanted[1::2, 1::2]))
        assert labels.max() > 5
    cost = files.read_json(tmp_path / "flooded_0/flood.cost.json")
    assert cost["step"] == "flood" and cost["network_tiles"] >= 4 and cost["model"]["name"] == "echo.onnx"
    assert cost["undecided"] == {"nuclei": 0, "cells": 0}
