"""Contrast: what a nucleus looks like to the network does not depend on how many others are there."""

import csv

import numpy as np
import pytest
import tifffile

from idrstream.cells import contrast
from idrstream.cells import segmentation as sg
from repository import MODEL
from support import DATA

NUCLEI = DATA / "nuclei"
needs_nuclei = pytest.mark.skipif(not NUCLEI.is_dir(), reason=f"no real nuclei in {NUCLEI} (set IDRSTREAM_DATA)")


@pytest.fixture(scope="module")
def segmenter():
    return sg.Segmenter(device="cpu", diameter=20, model=MODEL)


def field(places, above=3000, noise=20, side=300, radius=10):
    """(side, side) uint16: round nuclei of so many grey levels ABOVE a ground of 300, one or for each."""
    rng = np.random.default_rng(len(places))
    y, x = np.mgrid[:side, :side]
    image = 300 + rng.normal(0, noise, (side, side))
    for (row, column), bright in zip(places, np.broadcast_to(above, len(places)), strict=True):
        image += bright / (1 + np.exp(np.clip((np.hypot(y - row, x - column) - radius) / 1.3, -50, 50)))
    return image.round().clip(0, 65535).astype(np.uint16)


def grid(count, apart=36):
    """COUNT places, row by row."""
    return [(30 + apart * (n // 7), 30 + apart * (n % 7)) for n in range(count)]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_quantiles_are_those_of_numpy_to_the_bit(dtype):
    image = (np.random.default_rng(0).gamma(3, 9, (61, 83)) * (7 if dtype == np.int32 else 1)).astype(dtype)
    levels = contrast.levels_of(image)
    for share in 0, 0.01, 0.25, 0.5, 0.99, 0.9973, 1:
        assert levels.quantile(share) == np.quantile(image.astype(np.float64), share)


def test_levels_that_are_spread_are_those_of_noise_added_to_them():
    rng = np.random.default_rng(0)
    image = rng.normal(9, 1.5, (400, 400)).round().astype(np.uint8)
    levels, spread = contrast.levels_of(image), image + rng.uniform(-0.5, 0.5, image.shape)
    for share in 0.01, 0.25, 0.6:
        assert levels.spread(share) == pytest.approx(np.quantile(spread, share), abs=0.03)
    for level in 7.2, 9.0, 12.9:
        assert levels.above(level) == pytest.approx((spread > level).sum(), rel=0.01)
    assert levels.above(255.0) == 0 and levels.above(-1.0) == image.size


def test_histograms_of_tiles_add_up_to_the_window_of_the_image():
    image = field(grid(3))
    counts = sum(
        np.bincount(tile.ravel(), minlength=65536) for rows in np.split(image, 5) for tile in np.split(rows, 3, 1)
    )
    assert contrast.window(contrast.Histogram(np.arange(65536), counts)) == contrast.window(contrast.levels_of(image))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_where_nuclei_fill_enough_of_the_image_the_window_is_cellposes(dtype):
    image = field(grid(49)).astype(dtype)
    assert contrast.window(contrast.levels_of(image)) == tuple(np.percentile(image, (1, 99)))


@pytest.mark.parametrize("count", [1, 2, 3, 12])
@pytest.mark.parametrize("above", [300, 3000, 60000])
def test_nuclei_are_within_what_the_network_bears_however_few_they_are(count, above):
    places = grid(count)
    seen = contrast.normalize(field(places, above, side=768))
    assert all(0.3 < seen[place] < 12 for place in places)


def test_the_scale_is_continuous_and_rises():
    image = np.zeros((400, 400), np.float32)
    image.ravel()[:80_000] = np.linspace(0, 1, 80_000)
    image[-1, :40] = np.linspace(1, 400, 40)  # too few to widen the window
    seen = np.sort(contrast.normalize(image), axis=None)
    assert seen[-1] > contrast.KNEE + 8
    assert contrast.normalize(image)[0, 0] == 0
    above, low = seen[seen > contrast.KNEE], (image[-1, :40] / np.percentile(image, 99))
    assert np.allclose(np.sort(above), np.sort(8 + 8 * np.log(low[low > 8] / 8)), rtol=1e-5)


@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_image_is_nothing(value):
    assert not contrast.normalize(np.full((30, 40), value, np.uint16)).any()
    assert not contrast.normalize(np.full((30, 40), value, np.float32)).any()


@pytest.mark.parametrize("count", [1, 3, 10])
def test_a_few_bright_nuclei_in_an_empty_field_are_found(segmenter, count):
    assert segmenter(field(grid(count), side=768)[:400, :400]).max() == count


def test_a_nucleus_among_hot_pixels_is_found(segmenter):
    image = field([(150, 150)])
    image.ravel()[np.random.default_rng(5).choice(image.size, 100, replace=False)] = 65535
    assert segmenter(image).max() == 1


def test_dim_nuclei_beside_a_few_bright_ones_are_found(segmenter):
    places = grid(49)
    above = np.full(49, 80)  # four times the noise
    above[[3, 30]] = 4000
    assert segmenter(field(places, above)).max() >= 45


@pytest.mark.parametrize(
    "ground",
    [
        lambda rng, shape: 1000 + rng.normal(0, 25, shape),
        lambda rng, shape: rng.poisson(3, shape),
        lambda rng, shape: 1000 + 20 * rng.standard_t(3, shape),
        lambda rng, shape: np.linspace(500, 2500, shape[1]) + rng.normal(0, 15, shape),
    ],
    ids=["noise", "photons", "heavy tails", "gradient"],
)
def test_an_empty_field_has_no_nuclei(segmenter, ground):
    image = ground(np.random.default_rng(11), (400, 400)).round().clip(0, 65535).astype(np.uint16)
    assert segmenter(image).max() == 0


def read(split):
    """(name, image) of the images of a split."""
    with open(NUCLEI / "index.csv", newline="") as table:
        names = [row["id"] for row in csv.DictReader(table) if row["split"] == split]
    return [(name, tifffile.imread(NUCLEI / f"{name}.tif")) for name in names]


@needs_nuclei
def test_real_fields_are_seen_as_cellpose_sees_them():
    for name, image in read("val"):
        assert contrast.window(contrast.levels_of(image)) == tuple(np.percentile(image, (1, 99))), name


@needs_nuclei
@pytest.mark.parametrize("name, count", [("93c5638e", 1), ("e5aeb5b3", 2)])
def test_real_fields_of_one_and_two_nuclei_are_found(segmenter, name, count):
    (path,) = (path for path in NUCLEI.glob(f"{name}*.tif") if "labels" not in path.name)
    image = tifffile.imread(path)
    assert segmenter(image, diameter=segmenter.estimate_diameter([image])[0]).max() == count
