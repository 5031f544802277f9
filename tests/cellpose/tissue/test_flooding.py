"""Whatever the tiles, a slide has the objects that scikit-image finds in all of it, to the pixel."""

import numpy as np
import pytest

import maps
import scikit_watershed
from idrstream.base import failures
from idrstream.cells import masks
from idrstream.cells.postprocessing import DEFAULTS, Settings
from idrstream.tissue import arrays, deep_watershed, flooding, numbering, objects, scaling, steps, tiles

SHAPE = 230, 260
SETTINGS = Settings(0.075, interior_threshold=0.35)
real = pytest.mark.skipif(not maps.MAKER.exists(), reason=f"no {maps.MAKER} to make a slide with (set IDRSTREAM_DATA)")


def reading(layers):
    """A function of a Box that reads {layer: (2, Y, X)}."""
    return lambda box: {name: planes[:, box.y0 : box.y1, box.x0 : box.x1] for name, planes in layers.items()}


def tiled(folder, layers, side, group, settings, size=None):
    """(label image by layer, steps.Numbers by layer) of a slide by tiles of SIDE, GROUP to a task.

    layers    {layer: (2, Y, X) float32 maps}
    settings  {layer: Settings}
    size      (Y, X) of the slide; that of the maps if absent
    """
    shape = next(iter(layers.values())).shape[1:]
    place = deep_watershed.Place(size or shape, shape)
    tasks = tiles.groups(place.size, side, group)
    flooded, every = (
        [folder / f"flooded_{task}" for task in range(len(tasks))],
        [tile for task in tasks for tile in task],
    )
    for here, task in zip(flooded, tasks, strict=True):
        here.mkdir()
        for tile in task:
            deep_watershed.flood(here, reading(layers), tile, place, settings)
    return {layer: _finished(folder / layer, flooded, layer, every, settings[layer]) for layer in layers}


def _finished(folder, flooded, layer, every, settings):
    folder.mkdir()
    nuclei = deep_watershed.count(folder, flooded, layer)
    pixels = deep_watershed.Flooded(flooded, layer, every, folder)
    for tile in every:
        deep_watershed.finish(folder, pixels, tile, settings)
    numbers = steps.number(folder, [folder], nuclei, 1)
    labels, image = steps.Labels([folder], numbers), np.zeros(pixels.place.size, np.uint32)
    for tile in every:
        image[tile.y0 : tile.y1, tile.x0 : tile.x1] = labels(tile)
    return image, numbers


def reference(planes, settings):
    return masks.in_order(scikit_watershed.finished(scikit_watershed.objects(*planes, settings), settings))


def made(kind, shape=SHAPE):
    return np.stack(getattr(maps, kind)(shape))


@pytest.fixture(scope="module")
def planes():
    return made("random")


@pytest.fixture(scope="module")
def wanted(planes):
    return reference(planes, SETTINGS)


@pytest.mark.parametrize("side, group", [(4096, 1), (128, 1), (128, 7), (100, 2)])
def test_objects_are_those_of_scikit_image_whatever_the_tiles(planes, wanted, side, group, tmp_path):
    found, numbers = tiled(tmp_path, {"cells": planes}, side, group, {"cells": SETTINGS})["cells"]
    assert wanted.max() > 20
    np.testing.assert_array_equal(found, wanted)
    assert numbers.uncertified == 0


@pytest.mark.parametrize("halo, finishing, side", [(1, 0, 97), (5, 200, 61), (500, 3, 2048)])
def test_no_pixel_depends_on_how_much_is_seen_at_first(planes, wanted, halo, finishing, side, tmp_path, monkeypatch):
    monkeypatch.setattr(flooding, "HALO", halo)
    monkeypatch.setattr(flooding, "SIDE", side)
    monkeypatch.setattr(deep_watershed, "FINISHING", finishing)
    found, numbers = tiled(tmp_path, {"cells": planes}, 150, 2, {"cells": SETTINGS})["cells"]
    np.testing.assert_array_equal(found, wanted)
    assert (numbers.alone > 0) == (finishing < 50)


def test_no_pixel_of_noise_depends_on_the_tiles(tmp_path):
    planes, settings = made("noise"), SETTINGS._replace(interior_smooth=0, small_objects=3)
    found, _ = tiled(tmp_path, {"nuclei": planes}, 100, 3, {"nuclei": settings})["nuclei"]
    assert found.max() > 2000
    np.testing.assert_array_equal(found, reference(planes, settings))


@pytest.mark.parametrize("algorithm, threshold", [("h_maxima", 0.1), ("peak_local_max", 0.5)])
def test_no_pixel_depends_on_the_tiles_where_many_are_equal(algorithm, threshold, planes, tmp_path):
    levels = np.round(planes * 12) / np.float32(12)
    settings = SETTINGS._replace(interior_smooth=0, maxima_algorithm=algorithm, maxima_threshold=threshold)
    found, _ = tiled(tmp_path, {"cells": levels}, 77, 4, {"cells": settings})["cells"]
    assert found.max() > 20
    np.testing.assert_array_equal(found, reference(levels, settings))


PARAMETERS = [
    {"maxima_smooth": 2.0, "label_erosion": 1, "fill_holes": 60},
    {"maxima_algorithm": "peak_local_max", "maxima_threshold": 0.4, "radius": 5, "interior_smooth": 4.0},
    {"pixel_expansion": 3, "small_objects": 200, "radius": 3},
    {"interior_threshold": 0.6, "interior_smooth": 0.0, "fill_holes": 0, "small_objects": 0, "label_erosion": 2},
]


@pytest.mark.parametrize("changes", PARAMETERS, ids=lambda changes: " ".join(changes))
def test_no_pixel_depends_on_the_tiles_whatever_the_parameters(changes, planes, tmp_path):
    settings = SETTINGS._replace(**changes)
    found, _ = tiled(tmp_path, {"nuclei": planes}, 101, 4, {"nuclei": settings})["nuclei"]
    assert found.max() > 10
    np.testing.assert_array_equal(found, reference(planes, settings))


def test_both_layers_of_one_pass_are_those_of_each(planes, wanted, tmp_path):
    layers, settings = {"nuclei": made("noise"), "cells": planes}, {"nuclei": DEFAULTS["nuclei"], "cells": SETTINGS}
    found = tiled(tmp_path, layers, 128, 2, settings)
    np.testing.assert_array_equal(found["cells"][0], wanted)
    np.testing.assert_array_equal(found["nuclei"][0], reference(layers["nuclei"], settings["nuclei"]))


@pytest.mark.parametrize("size", [(460, 521), (115, 130), (237, 251)])
@pytest.mark.parametrize("side", [4096, 90])
def test_labels_of_a_resized_slide_come_back_to_the_nearest_pixels(size, side, planes, wanted, tmp_path):
    found, numbers = tiled(tmp_path, {"cells": planes}, side, 2, {"cells": SETTINGS}, size)["cells"]
    rows, columns = (
        np.floor((np.arange(pixels) + 0.5) * to / pixels).astype(int) for pixels, to in zip(size, SHAPE, strict=True)
    )
    np.testing.assert_array_equal(found, masks.in_order(wanted[np.ix_(rows, columns)]))
    assert numbers.uncertified == 0
    known = arrays.read(tmp_path / "cells" / objects.FILE, objects.Objects)
    for (y0, y1, x0, x1), label, pixels in zip(known.boxes, known.labels, known.pixels, strict=True):
        assert (found[y0:y1, x0:x1] == label).sum() == pixels == (found == label).sum()


def test_an_object_is_placed_where_its_middle_is(planes, tmp_path):
    size = 460, 520
    found, _ = tiled(tmp_path, {"cells": planes}, 200, 2, {"cells": SETTINGS}, size)["cells"]
    nuclei = arrays.read(tmp_path / "cells/nuclei.npz", masks.Nuclei)
    assert (np.diff(nuclei.places) >= 0).all()
    y, x = numbering.places(nuclei, size)
    labels = arrays.read(tmp_path / "cells/numbers.npz", steps.Numbers).labels
    shown = found[y[1:].astype(int), x[1:].astype(int)] == labels[1:]
    assert shown[labels[1:] > 0].mean() > 0.95  # its middle's first pixel may be below the interior's threshold


@pytest.mark.parametrize("size, shape", [((1000, 777), (500, 388)), ((31, 400), (310, 400)), ((90, 91), (89, 7))])
def test_tiles_are_a_partition_of_the_resized_slide(size, shape):
    seen = np.zeros(shape, int)
    for tile in tiles.grid(tiles.Box(0, size[0], 0, size[1]), 37):
        box = scaling.scaled(tile, size, shape)
        seen[box.y0 : box.y1, box.x0 : box.x1] += 1
    assert (seen == 1).all()


def test_a_slide_without_objects_has_none(tmp_path):
    planes = np.zeros((2, 150, 170), np.float32)
    found, numbers = tiled(tmp_path, {"cells": planes}, 64, 2, {"cells": SETTINGS})["cells"]
    assert found.max() == 0 == numbers.uncertified


def test_an_object_of_which_pixels_are_missing_is_uncertified_and_not_shown(planes, tmp_path):
    place, every = deep_watershed.Place(SHAPE, SHAPE), [tiles.Box(0, SHAPE[0], 0, SHAPE[1])]
    deep_watershed.flood(tmp_path, reading({"cells": planes}), every[0], place, {"cells": SETTINGS})
    deep_watershed.count(tmp_path, [tmp_path], "cells")
    path = tmp_path / "cells" / f"{every[0].name}.keys.npz"
    stored = arrays.read(path, deep_watershed.Spans)
    arrays.write(path, deep_watershed.Spans(*(column[1:] for column in stored)))
    pixels = deep_watershed.Flooded([tmp_path], "cells", every, tmp_path)
    deep_watershed.finish(tmp_path, pixels, every[0], SETTINGS)
    part = arrays.read(tmp_path / f"{every[0].name}.part.npz", deep_watershed.labelling.Part)
    assert len(part.uncertified) == 1 and part.uncertified[0] not in part.numbers and len(part.numbers) > 20


def test_maps_that_are_no_numbers_are_said_to_be():
    planes = made("random", (60, 70))
    planes[0, 30, 40] = np.nan
    with pytest.raises(failures.NotFinite, match=r"rows 0-60, columns 0-70 of the resized slide.*maps of cells"):
        flooding.flood(reading({"cells": planes}), tiles.Box(0, 60, 0, 70), (60, 70), {"cells": SETTINGS})


def seeing(monkeypatch, side, halo, reach):
    for name, pixels in {"SIDE": side, "HALO": halo, "REACH": reach}.items():
        monkeypatch.setattr(flooding, name, pixels)


def specks(shape, *places):
    """(2, Y, X) float32: interior at a few pixels, where the distance rises a little; nothing stands out."""
    planes = np.zeros((2, *shape), np.float32)
    for y, x in places:
        planes[:, y : y + 5, x : x + 5] = [[[0.05]], [[0.9]]]
    return planes


def lost(planes, side, folder):
    """(pixels lost because too little is seen, (Y, X) numbers of objects) of a slide by tiles of SIDE."""
    folder.mkdir(exist_ok=True)
    whole, settings = tiles.Box(0, planes.shape[1], 0, planes.shape[2]), {"cells": SETTINGS}
    place, every, count = deep_watershed.Place(whole.shape, whole.shape), tiles.grid(whole, side), 0
    for tile in every:
        count += deep_watershed.flood(folder, reading({"cells": planes}), tile, place, settings)["cells"]
    deep_watershed.count(folder, [folder], "cells")
    return count, deep_watershed.Flooded([folder], "cells", every, folder).window(whole)


@pytest.mark.parametrize("side", [4096, 150, 97])
def test_specks_that_stand_out_of_nothing_are_background_and_counted_whatever_the_tiles(side, tmp_path, monkeypatch):
    """On a slide larger than what is seen at once as on the whole of it; a nucleus among them stays."""
    seeing(monkeypatch, 100, 8, 50)
    planes = specks((500, 500), (2, 2), (95, 90), (148, 147), (97, 298), (300, 450), (490, 491))
    planes[:, 330:340, 200:210] = [[[0.6]], [[0.9]]]
    count, found = lost(planes, side, tmp_path)
    wanted = scikit_watershed.objects(*planes, SETTINGS)
    np.testing.assert_array_equal(found, wanted)
    inside = flooding.watershed.smoothed(planes, SETTINGS)[1] > SETTINGS.interior_threshold
    assert wanted.max() == 1 and count == np.count_nonzero(inside & (wanted == 0)) > 100


@pytest.mark.parametrize("side", [4096, 150, 97])
@pytest.mark.parametrize("kind", ["random", "noise"])
def test_what_is_too_wide_to_be_seen_is_lost_alike_in_any_tiles(kind, side, tmp_path, monkeypatch):
    seeing(monkeypatch, 64, 2, 3)
    planes = made(kind)
    counts, images = zip(*(lost(planes, by, tmp_path / str(by)) for by in (4096, side)), strict=True)
    assert counts[0] == counts[1] > 100 and images[0].max() > 5
    np.testing.assert_array_equal(*images)


def test_a_large_slide_of_one_speck_has_no_objects_rather_than_none_of_its_results(tmp_path):
    """Where it goes on beyond what is seen at most: nothing stands out by h anywhere."""
    planes = specks((2500, 5200), (1000, 1000))
    count, found = lost(planes, 4096, tmp_path)
    assert found.max() == 0 and count > 20
    small = specks((500, 500), (100, 100))
    assert lost(small, 4096, tmp_path)[1].max() == 0


def test_no_more_is_seen_at_once_than_a_square_and_its_surroundings(monkeypatch):
    """Two specks at opposite corners of a part, far from all else."""
    seeing(monkeypatch, 200, 8, 75)
    shape, boxes, planes = (600, 600), [], {"cells": specks((600, 600), (210, 210), (385, 385))}

    def maps_of(box):
        boxes.append(box)
        return reading(planes)(box)

    part = tiles.Box(200, 400, 200, 400)
    _, pixels = flooding.flood(maps_of, part, shape, {"cells": SETTINGS})
    assert pixels["cells"] > 20
    assert boxes[-1] == part.grown(75 + flooding.watershed.reach(SETTINGS), shape)
    assert all(boxes[-1].holds(box) for box in boxes)


@pytest.mark.full
@pytest.mark.parametrize("side", [100, 128, 256, 512, 4096])
@pytest.mark.parametrize("kind", ["random", "noise", pytest.param("real", marks=real)])
def test_large_slides_have_the_same_objects_in_any_tiles(kind, side, tmp_path):
    planes = made(kind, (1500, 1700))
    settings = SETTINGS._replace(interior_threshold=0.2) if kind == "real" else SETTINGS
    found, numbers = tiled(tmp_path, {"cells": planes}, side, 9, {"cells": settings})["cells"]
    np.testing.assert_array_equal(found, reference(planes, settings))
    assert numbers.uncertified == 0 and found.max() > 500


@real
@pytest.mark.parametrize("side", [4096, 128])
def test_real_nuclei_are_those_of_scikit_image(side, tmp_path):
    planes = made("real", (400, 420))
    found, _ = tiled(tmp_path, {"nuclei": planes}, side, 3, {"nuclei": DEFAULTS["nuclei"]})["nuclei"]
    assert found.max() > 30
    np.testing.assert_array_equal(found, reference(planes, DEFAULTS["nuclei"]))
