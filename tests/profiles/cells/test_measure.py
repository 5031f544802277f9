"""Classical features have known answers on cells that can be calculated by hand, and are cp_measure's on all others."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.ndimage
import tifffile

import plain_cp_measure
from idrstream.cells import measurement
from idrstream.cells.measurement import granularity, neighbors, radial, sheet, texture
from make_labels import crowd
from support import DATA

NUCLEI = sorted((DATA / "nuclei").glob("*_labels.tif"))
EXAMPLE = DATA / "examplehuman" / "Nuclei.csv"


def disc(radius, center, shape=(120, 140)):
    """Bool image of the pixels within RADIUS of CENTER."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (y - center[0]) ** 2 + (x - center[1]) ** 2 <= radius**2


def of(labels, pixels):
    """The features of an image's cells as a table, by label."""
    numbers, features = measurement.measure(labels, pixels)
    assert features.dtype == np.float32
    return pd.DataFrame(features, numbers, measurement.COLUMNS)


@pytest.fixture(scope="module", params=[0, 1], ids=["one crowd", "another"])
def both(request):
    """A crowd's features by ours, before they become float32, and by cp_measure's own functions."""
    labels, pixels = crowd(request.param)
    clean = measurement.sanitize_masks(labels)[0].astype(np.int32)
    with np.errstate(all="ignore"):
        groups = [group() for group in measurement.steps(clean, pixels).values()]
    ours = {f"Nuclei_{name}": values for group in groups for name, values in group.items()}
    return ours, plain_cp_measure.measure(labels, pixels)


def test_every_feature_is_cp_measures(both):
    ours, plain = both
    for name in measurement.COLUMNS:
        # Sums are taken in another order; InfoMeas2 is a root of what is nearly 0, and loses half of its digits.
        loose = 1e-7 if "InfoMeas2" in name else 1e-10
        np.testing.assert_allclose(ours[name], plain[name], rtol=1e-9, atol=loose, err_msg=name)


@pytest.mark.parametrize("group", ["Intensity", "Area", "RadialDistribution_FracAtD", "Neighbors_PercentTouching"])
def test_and_these_are_to_the_last_digit(group, both):
    ours, plain = both
    names = [name for name in measurement.COLUMNS if group in name and "Zernike" not in name]
    assert names
    for name in names:
        np.testing.assert_array_equal(ours[name], plain[name], err_msg=name)


def test_what_is_measured_is_a_column_or_on_the_list_of_what_is_dropped(both):
    ours, _ = both
    assert {name.removeprefix("Nuclei_") for name in ours} == {*measurement.NAMES, *measurement.DROPPED}
    assert len(set(measurement.COLUMNS)) == len(measurement.COLUMNS) == 148


@pytest.mark.skipif(not NUCLEI, reason=f"no real nuclei under {DATA} (set IDRSTREAM_DATA)")
@pytest.mark.parametrize("path", NUCLEI[:: max(len(NUCLEI) // 3, 1)][:3], ids=lambda path: path.stem[:8])
def test_every_feature_of_real_nuclei_is_cp_measures(path):
    labels, frame = tifffile.imread(path), tifffile.imread(path.with_name(path.name.replace("_labels", "")))
    ours = of(labels, frame / 255)
    plain = pd.DataFrame(plain_cp_measure.measure(labels, frame / 255))
    plain = plain[measurement.COLUMNS].replace([np.inf, -np.inf], np.nan).to_numpy(np.float32)
    np.testing.assert_allclose(ours.to_numpy(), plain, rtol=1e-6, atol=1e-6)


@pytest.mark.skipif(not EXAMPLE.exists(), reason=f"no table of CellProfiler's at {EXAMPLE} (set IDRSTREAM_DATA)")
def test_columns_are_called_as_cellprofiler_calls_them():
    theirs = {name for name in pd.read_csv(EXAMPLE, nrows=0).columns if name.startswith(("AreaShape", "Intensity"))}
    theirs = {name for name in theirs if not name.endswith("_PH3")}  # another channel
    assert theirs - {*measurement.NAMES, *measurement.DROPPED} == set()
    assert len(theirs) > 60


def test_a_disc_has_the_shape_of_a_disc():
    found = of(disc(20, (60, 70)).astype(np.uint8), np.full((120, 140), 0.5)).loc[1]
    area = disc(20, (60, 70)).sum()
    assert found["Nuclei_AreaShape_Area"] == area == pytest.approx(math.pi * 20**2, rel=0.01)
    assert found["Nuclei_AreaShape_Perimeter"] == pytest.approx(2 * math.pi * 20, rel=0.06)
    assert found["Nuclei_AreaShape_Eccentricity"] == pytest.approx(0, abs=1e-3)
    assert found["Nuclei_AreaShape_MaxFeretDiameter"] == pytest.approx(40, rel=0.03)
    assert found["Nuclei_AreaShape_MajorAxisLength"] == pytest.approx(40, rel=0.03)
    assert found["Nuclei_AreaShape_MaximumRadius"] == pytest.approx(20, abs=1)
    assert found["Nuclei_AreaShape_BoundingBoxArea"] == 41**2
    assert found["Nuclei_AreaShape_Zernike_0_0"] == pytest.approx(1 / math.pi * math.pi, rel=0.05)
    assert found["Nuclei_AreaShape_Zernike_1_1"] == pytest.approx(0, abs=1e-6)


def test_of_an_even_cell_every_intensity_is_its_intensity_and_its_texture_is_none():
    found = of(disc(20, (60, 70)).astype(np.uint8), np.full((120, 140), 0.2)).loc[1]
    area = disc(20, (60, 70)).sum()
    for name in ("Mean", "Median", "Min", "Max", "LowerQuartile", "UpperQuartile"):
        assert found[f"Nuclei_Intensity_{name}Intensity_DNA"] == pytest.approx(0.2)
    assert found["Nuclei_Intensity_IntegratedIntensity_DNA"] == pytest.approx(0.2 * area)
    assert found["Nuclei_Intensity_StdIntensity_DNA"] == pytest.approx(0, abs=1e-7)
    assert found["Nuclei_Intensity_MADIntensity_DNA"] == 0
    assert found.filter(like="_Texture_").isna().all(), "of one grey level"


def test_quartiles_are_cellprofilers_not_numpys():
    labels = np.zeros((20, 20), np.uint8)
    labels[4, 2:6] = 1
    pixels = np.zeros((20, 20))
    pixels[4, 2:6] = [0.1, 0.2, 0.3, 0.4]  # CellProfiler takes element n * q, NumPy (n - 1) * q
    found = of(labels, pixels).loc[1]
    named = [found[f"Nuclei_Intensity_{name}Intensity_DNA"] for name in ("LowerQuartile", "Median", "UpperQuartile")]
    assert named == pytest.approx([0.2, 0.3, 0.4])


def test_the_pairs_of_a_chequered_cell_are_counted_by_hand(monkeypatch):
    monkeypatch.setattr(texture, "FEWEST", 2)  # grey levels, that a hand can count them
    labels = np.zeros((20, 20), np.uint8)
    labels[4:16, 4:16] = 1
    y, x = np.mgrid[:20, :20]
    pixels = np.where((y + x) % 2, 100, 50) / 255  # three pixels on stands the other grey level, but on the diagonals
    found = of(labels, pixels).loc[1]
    for direction, contrast in (("00", 50**2), ("01", 0), ("02", 50**2), ("03", 0)):
        assert found[f"Nuclei_Texture_Contrast_DNA_3_{direction}_256"] == pytest.approx(contrast)
    assert found["Nuclei_Texture_Correlation_DNA_3_00_256"] == pytest.approx(-1)
    assert found["Nuclei_Texture_Correlation_DNA_3_01_256"] == pytest.approx(1)
    assert found["Nuclei_Texture_AngularSecondMoment_DNA_3_00_256"] == pytest.approx(0.5)
    assert found["Nuclei_Texture_Entropy_DNA_3_00_256"] == pytest.approx(1)  # bit


def test_the_rings_of_a_lit_cell_are_counted_by_hand():
    labels = np.zeros((11, 11), np.int32)
    labels[3:8, 3:8] = 1
    pixels = np.zeros((11, 11))
    pixels[5, 5] = (
        1  # the centre, which is in the first ring alone: of the next pixels 1 / (1 + 2 + 0.001) is in the second
    )
    boxes = list(enumerate(scipy.ndimage.find_objects(labels), 1))
    found = radial.distribution(labels, boxes, *sheet.lay_out(labels, boxes, pixels))
    assert found["FracAtD"].tolist() == [[1, 0, 0, 0]]
    assert found["MeanFrac"][0, 0] == pytest.approx(25)  # all of the light in one of 25 pixels
    even = radial.distribution(labels, boxes, *sheet.lay_out(labels, boxes, np.ones((11, 11))))
    # Way / (way + distance to the edge): 1 / 3 and 1.41 / 3.41 around the centre; 2 / 3 and 2.41 / 3.41 to 2.83 / 3.83
    # along the edge, of which only the corners are beyond 3 / 4, but for the constant that CellProfiler adds.
    assert even["FracAtD"].tolist() == [[1 / 25, 8 / 25, 16 / 25, 0]]
    np.testing.assert_allclose(even["RadialCV"], 0, atol=1e-12)


def test_a_grain_is_gone_at_the_step_that_is_as_wide_as_it_and_not_before():
    pixels = np.zeros((400, 400))
    pixels[160:180, 160:180] = (
        0.8  # every fourth is taken: five pixels, of which a diamond of radius 2 is the last to fit
    )
    labels = np.zeros((400, 400), np.int32)
    labels[150:190, 150:190] = 1
    (found,) = granularity.spectrum(labels, pixels)
    assert found[0] == pytest.approx(0, abs=2)  # enlarged again, the grain is a little wider than it was
    assert found[2] == pytest.approx(100 - found[0])
    assert found[[1, *range(3, 16)]] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("shape", [(36, 90), (47, 41), (128, 96)])
def test_granularity_is_cp_measures_on_images_of_any_size(shape):
    labels, pixels = crowd(shape=shape, count=12)
    labels = measurement.sanitize_masks(labels)[0].astype(np.int32)
    plain = np.stack(list(plain_cp_measure.CORE["granularity"](labels, pixels).values()), axis=1)
    np.testing.assert_allclose(granularity.spectrum(labels, pixels), plain, rtol=0, atol=1e-10)


def test_a_frame_too_small_for_grains_has_none():
    found = of(np.ones((9, 9), np.uint8), np.full((9, 9), 0.5))
    assert found.filter(like="Granularity").isna().all(axis=None)
    assert found["Nuclei_AreaShape_Area"].tolist() == [81]


def test_neighbours_are_counted_by_hand():
    labels = np.zeros((20, 30), np.int32)
    labels[5:10, 5:10], labels[5:10, 10:15], labels[10:15, 15:20] = 1, 2, 3  # 2 and 3 touch at a corner only
    found = neighbors.adjacent(labels)
    assert found["NumberOfNeighbors"].tolist() == [1, 1, 0]
    assert found["PercentTouching"] == pytest.approx(np.array([5, 6, 1]) * 100 / 16)
    assert found["FirstClosestDistance"] == pytest.approx([5, 5, np.hypot(5, 5)])
    assert found["SecondClosestDistance"] == pytest.approx([np.hypot(5, 10), np.hypot(5, 5), np.hypot(5, 10)])
    assert found["AngleBetweenNeighbors"][1] == pytest.approx(135)


@pytest.mark.parametrize("count", [1, 2])
def test_where_there_is_no_other_cell_distances_are_0_as_cellprofiler_has_it(count):
    labels = np.zeros((20, 30), np.int32)
    labels[5:8, 5:8], labels[12:15, 5 : 8 * (count - 1)] = 1, 2
    found = neighbors.adjacent(labels)
    assert found["SecondClosestDistance"].tolist() == [0] * count
    assert found["FirstClosestDistance"].tolist() == [0 if count == 1 else 7] * count


def test_a_label_is_measured_as_itself_whatever_the_numbers_of_the_others():
    labels, pixels = crowd()
    numbers = np.unique(labels)[1:]
    new = np.zeros(labels.max() + 1, np.uint32)
    new[numbers] = np.random.default_rng(0).permutation(3 * len(numbers))[: len(numbers)] + 7
    before, after = of(labels, pixels), of(new[labels], pixels)
    assert after.index.is_monotonic_increasing
    # Not to the last digit of a Zernike moment: the circle around a cell is looked for in the order of the cells.
    np.testing.assert_allclose(after.loc[new[numbers]], before, rtol=1e-5, atol=1e-6)


def test_what_is_measured_of_a_cell_does_not_depend_on_how_many_there_are():
    labels, pixels = crowd()
    inner = scipy.ndimage.find_objects(labels)
    number = max(np.unique(labels)[1:], key=lambda n: (labels[inner[n - 1]] == n).sum())
    alone = of(np.where(labels == number, labels, 0), pixels).loc[number]
    among = of(labels, pixels).loc[number]
    own = [name for name in alone.index if "Neighbors" not in name]
    np.testing.assert_allclose(alone[own], among[own], rtol=1e-6, atol=1e-6)


def test_an_image_without_a_cell_has_the_columns_and_no_row():
    table = of(np.zeros((40, 50), np.uint16), np.zeros((40, 50)))
    assert table.shape == (0, len(measurement.COLUMNS))


def test_a_cell_of_one_pixel_has_an_area_and_no_texture():
    labels = np.zeros((40, 50), np.uint16)
    labels[20, 20], labels[0, 0], labels[10:20, 30:40] = 1, 2, 3
    pixels = np.full((40, 50), 0.5)
    pixels[10:20, 30:40] = np.linspace(0.3, 0.7, 100).reshape(10, 10)
    table = of(labels, pixels)
    assert table["Nuclei_AreaShape_Area"].tolist() == [1, 1, 100]
    assert table["Nuclei_Intensity_MeanIntensity_DNA"].tolist() == [0.5, 0.5, 0.5]
    textures = table.filter(like="_Texture_")
    assert textures.isna().all(axis=1).tolist() == [True, True, False]
    assert np.isfinite(textures.loc[3]).all()
    assert not np.isinf(table).any(axis=None)
    assert table["Nuclei_AreaShape_FormFactor"].isna().tolist() == [True, True, False]  # a perimeter of 0


def test_the_border_is_no_edge_of_a_cell_that_it_cuts():
    whole, half = disc(20, (60, 70)), disc(20, (0, 70))
    labels = np.where(whole, 1, 0) + np.where(half, 2, 0)
    table = of(labels, np.full(labels.shape, 0.5))
    shares = table.filter(like="FracAtD").to_numpy()
    np.testing.assert_allclose(shares[0], shares[1], atol=0.02)


def test_a_black_cell_has_no_shares_of_light_and_the_others_have():
    labels = np.where(disc(8, (40, 40)), 1, 0) + np.where(disc(8, (80, 40)), 2, 0)
    table = of(labels, np.where(labels == 2, 0.5, 0))
    assert table.filter(like="FracAtD").isna().all(axis=1).tolist() == [True, False]
    assert table["Nuclei_Intensity_MeanIntensity_DNA"].tolist() == [0, 0.5]


@pytest.mark.parametrize("levels", [1, 7, 8, 60])
def test_a_texture_is_of_at_least_eight_grey_levels_and_they_are_counted(levels):
    labels = np.where(disc(15, (40, 40)), 1, 0) + np.where(disc(15, (40, 90)), 3, 0)
    steps = np.random.default_rng(0).integers(0, levels, labels.shape)
    steps[labels == 3] = np.random.default_rng(1).integers(0, 200, (labels == 3).sum())
    pixels = (40 + steps) / 255
    table = of(labels, pixels)
    assert table.filter(like="_Texture_").notna().all(axis=1).tolist() == [levels >= 8, True]
    assert np.isfinite(table.drop(columns=list(table.filter(like="_Texture_")))).all(axis=None)
    seen = [len(np.unique(steps[labels == label])) for label in (1, 3)]
    assert texture.occupied(labels, pixels)[[0, 2]].tolist() == seen and seen[0] == levels


def test_an_evened_image_may_go_beyond_its_range():
    labels = np.where(disc(8, (40, 40)), 1, 0)
    pixels = np.random.default_rng(0).uniform(0.2, 0.8, labels.shape)
    pixels[40, 40:44] = -0.1, 1.4, -0.2, 1.3
    found = of(labels, pixels).loc[1]
    assert found.filter(like="Texture").notna().all()
    assert found["Nuclei_Intensity_MaxIntensity_DNA"] == np.float32(1.4)  # as it is
    assert found["Nuclei_Intensity_MinIntensity_DNA"] == np.float32(-0.2)
    clipped = of(labels, np.clip(pixels, 0, 1)).loc[1]
    assert found.filter(like="Texture").equals(clipped.filter(like="Texture"))


def test_a_nucleus_that_is_no_cell_is_a_neighbour_all_the_same_and_changes_nothing_else():
    labels, pixels = crowd()
    border = np.concatenate([labels[[0, -1]].ravel(), labels[:, [0, -1]].ravel()])
    cells = np.setdiff1d(labels, [0, *border])
    numbers, features = measurement.measure(labels, pixels, cells)
    assert numbers.tolist() == cells.tolist() and len(cells) < labels.max()
    around = np.array(["_Neighbors_" in name for name in measurement.COLUMNS])
    whole, alone = of(labels, pixels).loc[cells].to_numpy(), of(labels * np.isin(labels, cells), pixels).to_numpy()
    np.testing.assert_array_equal(features[:, around], whole[:, around])
    np.testing.assert_array_equal(features[:, ~around], alone[:, ~around])
    assert (features[:, around] != alone[:, around]).any()


def test_a_square_touches_the_nucleus_beside_it_that_the_border_cuts_along_a_side():
    labels = np.zeros((60, 60), np.uint8)
    labels[20:40, :10], labels[20:40, 10:30] = 7, 3
    for cells in None, [3]:
        numbers, features = measurement.measure(labels, labels / 10, cells)
        found = pd.DataFrame(features, numbers, measurement.COLUMNS).loc[3].filter(like="Neighbors_")
        assert found["Nuclei_Neighbors_NumberOfNeighbors_Adjacent"] == 1
        assert found["Nuclei_Neighbors_PercentTouching_Adjacent"] == pytest.approx(100 * 20 / 76)  # of the outline
        assert found["Nuclei_Neighbors_FirstClosestDistance_Adjacent"] == 15
