"""What a label image tells of its nuclei: drawn shapes have known answers."""

import itertools
import json
import subprocess

import numpy as np
import pytest
import tifffile
from scipy import ndimage
from skimage.measure import regionprops

from idrstream.cells import nuclei
from idrstream.images.outlines import write_outlines
from repository import ROOT
from support import DATA

SHAPELY = ROOT / ".venvs/profiles/bin/python"  # this environment is without shapely


@pytest.fixture(scope="module")
def plenty():
    """150 nuclei with waves in their outlines, some cut by the border."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:1024, :1344]
    labels = np.zeros(y.shape, np.uint16)
    for number in range(150):
        cy, cx = number // 15 * 100 + 50 + rng.integers(-10, 10), number % 15 * 94 + rng.integers(-10, 10)
        high, wide = rng.integers(12, 22, 2)
        wave = 1 + 0.4 * np.sin(3 * np.arctan2(y - cy, x - cx))
        labels[((y - cy) / high) ** 2 + ((x - cx) / wide) ** 2 <= wave] = number + 1
    return labels


def test_centroids_and_outlines_of_known_shapes():
    labels = np.zeros((8, 9), np.uint16)
    labels[1:4, 2:7] = 1
    labels[6, 8] = 2  # one pixel
    labels[6:8, 0] = 3  # two
    assert nuclei.areas(labels).tolist() == [15, 1, 2]
    centroids = nuclei.centroids(labels)
    assert centroids.dtype == np.float64
    assert centroids.tolist() == [[2, 4], [6, 8], [6.5, 0]]
    rectangle, dot, pair = nuclei.outlines(labels)
    assert rectangle.dtype == np.int32
    assert len(rectangle) == 12 and rectangle.min(0).tolist() == [1, 2] and rectangle.max(0).tolist() == [3, 6]
    assert dot.tolist() == [[6, 8]]
    assert sorted(pair.tolist()) == [[6, 0], [7, 0]]


def hostile():
    """Shapes whose edges meet at corners: diagonal pixels, rings, holes that touch the outside, islands in holes."""
    drawn = (
        ["#"],
        ["#.", ".#"],
        ["##.", "#.#", ".##"],
        [".#.", "#.#", ".#."],  # around a hole by corners alone
        ["###", "#.#", "###"],
        ["####", "#.##", "##.#", "####"],  # two holes that touch
        ["#####", "#...#", "#.#.#", "#...#", "#####"],  # an island
        ["####", "#.#.", "####"],
        [".###", "##.#", "#.##", "###."],
        ["#.#", "...", "#.#"],
    )
    labels, top = np.zeros((60, 20), np.uint16), 1
    for number, rows in enumerate(drawn, 1):
        shape = np.array([[letter == "#" for letter in row] for row in rows])
        labels[top : top + shape.shape[0], 2 : 2 + shape.shape[1]][shape] = number
        top += shape.shape[0] + 1
    return labels


def noise():
    """Every pixel is one of a few labels, or none."""
    return np.random.default_rng(0).integers(0, 6, (40, 50)).astype(np.uint16)


def real():
    path = DATA / "nuclei/003cee89357d9fe1_labels.tif"
    if not path.exists():
        pytest.skip(f"there is no {path}")
    labels = tifffile.imread(path)
    return np.searchsorted(np.unique(labels), labels).astype(np.uint16)


def written(labels, folder):
    """The features of the GeoJSON of a label image."""
    write_outlines(folder, "a", nuclei.polygons(labels), nuclei.outlines(labels))
    return json.loads((folder / "a.geojson").read_text())["features"]


def rings(feature):
    """All rings of a feature, (k, 2) x and y."""
    geometry = feature["geometry"]
    parts = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    return [np.array(ring) for part in parts for ring in part]


@pytest.mark.parametrize("drawn", [hostile, noise, real])
def test_the_polygons_of_a_label_cover_its_pixels_and_nothing_else(drawn, tmp_path):
    labels = drawn()
    for feature in written(labels, tmp_path):
        crossed = np.zeros(labels.shape, int)  # edges to the left of a pixel's centre: within where they are odd
        for ring in rings(feature):
            for (x, y), (_, end) in itertools.pairwise(ring):
                crossed[min(y, end) : max(y, end), x:] += 1
        assert np.array_equal(crossed % 2 == 1, labels == feature["properties"]["label"])


@pytest.mark.parametrize("drawn", [hostile, noise, real])
def test_the_area_of_the_polygons_is_that_of_the_label(drawn, tmp_path):
    labels = drawn()
    features = written(labels, tmp_path)
    areas = [sum(np.cross(ring[:-1], ring[1:]).sum() for ring in rings(feature)) / 2 for feature in features]
    assert areas == np.bincount(labels.ravel())[1:].tolist()


@pytest.mark.parametrize("drawn", [hostile, noise, real])
def test_the_polygons_are_valid_and_have_a_part_for_each_that_is_joined_by_edges(drawn, tmp_path):
    labels = drawn()
    if not SHAPELY.exists():
        pytest.skip(f"shapely is in {SHAPELY}, which is not there")
    features = written(labels, tmp_path)
    code = "import json, sys, shapely.geometry as g; shapes = [g.shape(f['geometry']) for f in json.load(sys.stdin)]; "
    code += "print(json.dumps([[s.is_valid, s.area, *s.centroid.coords[0]] for s in shapes]))"
    done = subprocess.run([SHAPELY, "-c", code], input=json.dumps(features), text=True, capture_output=True, check=True)
    found = json.loads(done.stdout)
    assert [valid for valid, *_ in found] == [True] * len(features)
    assert [area for _, area, *_ in found] == np.bincount(labels.ravel())[1:].tolist()
    centres = nuclei.centroids(labels)[:, ::-1] + 0.5  # of the first pixel's corner
    np.testing.assert_allclose([centre for _, _, *centre in found], centres, atol=1e-6)
    for feature in features:
        parts = ndimage.label(labels == feature["properties"]["label"])[1]
        one = feature["geometry"]["type"] == "Polygon"
        assert (1 if one else len(feature["geometry"]["coordinates"])) == parts


def test_a_rectangle_has_four_corners_and_its_border_pixels_beside_them(tmp_path):
    labels = np.zeros((8, 9), np.uint16)
    labels[1:4, 2:7] = 1
    (feature,) = written(labels, tmp_path)
    assert feature["geometry"] == {"type": "Polygon", "coordinates": [[[2, 1], [7, 1], [7, 4], [2, 4], [2, 1]]]}
    assert feature["properties"]["border_pixels"] == nuclei.outlines(labels)[0][:, ::-1].tolist()


def test_without_nuclei_there_are_no_centroids_and_no_outlines():
    labels = np.zeros((5, 6), np.uint16)
    assert nuclei.centroids(labels).shape == (0, 2)
    assert nuclei.outlines(labels) == nuclei.polygons(labels) == [] and nuclei.areas(labels).size == 0


def test_area_solidity_and_border_of_known_shapes():
    labels = np.zeros((30, 40), np.uint16)
    labels[5:10, 4:12] = 1  # a rectangle: convex
    labels[15:25, 10:14] = labels[21:25, 14:20] = 2  # an L, whose hull has half of the notch more
    labels[0:3, 20:23] = 3
    labels[12:16, 39] = 4
    labels[26, 30] = labels[28, 33] = 5  # two parts count as one
    table = nuclei.table(labels)
    assert table["label"].tolist() == [1, 2, 3, 4, 5]
    assert table["area"].tolist() == [40, 64, 9, 4, 2] and table["area"].dtype == np.int32
    assert table["touches_border"].tolist() == [False, False, True, True, False]
    solid = table["solidity"]
    assert solid.dtype == np.float32 and solid[[0, 2, 3]].tolist() == [1, 1, 1]
    assert solid[1] == pytest.approx(64 / (64 + 6 * 6 / 2), abs=0.05) and solid[4] < 0.6


def test_nuclei_at_the_border_are_left_out_of_the_table_and_the_others_keep_their_rows(plenty):
    whole, listed = nuclei.table(plenty), nuclei.table(plenty, remove_edge=True)
    border = np.concatenate([plenty[[0, -1]].ravel(), plenty[:, [0, -1]].ravel()])
    assert listed["label"].tolist() == np.setdiff1d(plenty, [0, *border]).tolist()
    assert 0 < len(listed["label"]) < len(whole["label"])
    for name, values in whole.items():
        assert np.array_equal(listed[name], values[listed["label"] - 1]) and listed[name].dtype == values.dtype


def test_solidity_is_cellprofilers_to_the_last_digit(plenty):
    scattered = np.zeros((60, 400), np.uint16)
    rng = np.random.default_rng(1)
    for label in range(1, 40):  # a few pixels each, in any arrangement
        scattered[rng.integers(0, 60, 5), rng.integers(10 * label - 10, 10 * label, 5)] = label
    for labels in plenty, scattered:
        expected = np.array([cell.solidity for cell in regionprops(labels)], np.float32)
        assert len(expected) > 30
        assert np.array_equal(nuclei.solidities(labels), expected)


def test_without_nuclei_the_table_has_its_columns_and_no_row():
    table = nuclei.table(np.zeros((8, 9), np.uint16))
    assert set(table) == {"label", "center_y", "center_x", "area", "solidity", "touches_border"}
    assert all(len(column) == 0 for column in table.values())
