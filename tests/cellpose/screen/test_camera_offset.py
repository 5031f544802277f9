"""A camera's offset that nobody knows: what a plate's nuclei tell of it, and when they tell nothing."""

import glob

import cv2
import h5py
import numpy as np
import pytest

import screen_flatfield
from idrstream.screen import camera_offset, illumination
from make_screen import BACKGROUND, make_movie, vignette
from support import SCREEN, needs_kit

SHAPE = 512, 672
FRAMES = 12


def rms(ratio):
    return float(np.sqrt(np.mean((ratio - 1) ** 2)))


def fitted(field, offset):
    """The field that a fit without error finds if the offset is taken for light."""
    return ((offset + BACKGROUND * field) / (offset + BACKGROUND)).astype(np.float32)


def plate(offset, control="negative control", field=None):
    """(FRAMES, Y, X) of a plate, a frame a well."""
    field = vignette(SHAPE) if field is None else field
    return np.concatenate(
        [make_movie(np.random.default_rng(well), field, 1, control, offset)[0] for well in range(FRAMES)]
    )


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


@pytest.fixture(scope="module")
def truth():
    field = vignette(SHAPE)
    return field / field.mean()


@pytest.fixture(scope="module")
def frames():
    return plate(13)


@pytest.mark.parametrize("offset", [0, 10])
@pytest.mark.parametrize("depth", [0.003, 0.02])
def test_where_the_light_is_even_no_offset_is_made_up(depth, offset):
    rows, columns = (np.linspace(-1, 1, side) for side in SHAPE)
    even = (1 - depth * (rows[:, None] ** 2 + columns**2)).astype(np.float32)
    even /= even.mean()
    with pytest.raises(camera_offset.Unknown, match="the light is so even that it could be"):
        camera_offset.estimate(plate(offset, field=even), fitted(even, offset), range(FRAMES))


@pytest.mark.parametrize("offset", [0, 6, 40])
def test_the_offset_lies_in_its_interval_and_makes_the_field_right(offset, truth):
    found = camera_offset.estimate(plate(offset), fitted(truth, offset), range(FRAMES))
    assert found.low * found.level - 0.2 <= offset <= found.high * found.level
    assert found.level == pytest.approx(offset + BACKGROUND, abs=0.5)
    assert found.nuclei > 250
    field = camera_offset.true_field(fitted(truth, offset), found.ratio)
    assert rms(field / truth) <= found.bound < 0.05
    assert field.mean() == pytest.approx(1, abs=1e-5)


def test_more_nuclei_bound_the_error_of_the_field_more_closely(frames, truth):
    field = fitted(truth, 13)
    few, all = (camera_offset.estimate(frames[:count], field, [0]) for count in (3, FRAMES))
    assert few.nuclei < all.nuclei / 3
    assert few.bound > 1.5 * all.bound
    assert not few.sure


def test_the_estimate_does_not_depend_on_the_order_of_the_frames_or_on_the_camera_s_gain(frames, truth):
    field = fitted(truth, 13)
    found = camera_offset.estimate(frames, field, [0])
    again = camera_offset.estimate(frames[::-1], field, [FRAMES - 1])
    assert found == pytest.approx(again, rel=1e-6)
    bits = camera_offset.estimate(frames.astype(np.uint16) * 16, field, [0])
    assert bits.ratio == pytest.approx(found.ratio, abs=0.01)
    assert bits.level == pytest.approx(16 * found.level, rel=0.01)
    floats = camera_offset.estimate((frames / 65535).astype(np.float32), field, [0])
    assert floats.ratio == pytest.approx(found.ratio, abs=0.01)
    assert floats.level == pytest.approx(found.level / 65535, rel=0.01)


def test_nuclei_that_follow_another_pattern_than_the_lamp_tell_nothing(truth):
    rows = np.linspace(-1, 1, SHAPE[0])[:, None]
    tilted = np.stack([13 + (frame - 13) * (1 + 0.5 * rows) for frame in plate(13).astype(float)])
    with pytest.raises(camera_offset.Unknown, match=r"another pattern than the lamp's \(F \d+"):
        camera_offset.estimate(tilted, fitted(truth, 13), [0])


def test_nuclei_that_do_not_follow_the_lamp_at_all_tell_nothing(truth):
    even = plate(0, field=np.ones(SHAPE, np.float32)) + BACKGROUND * (truth - 1)
    with pytest.raises(camera_offset.Unknown, match="impossible offset only, -"):
        camera_offset.estimate(even, fitted(truth, 0), [0])


@pytest.mark.parametrize("control", ["nothing", "empty"])
def test_without_nuclei_nothing_is_told(control, truth):
    with pytest.raises(camera_offset.Unknown, match="40 nuclei are needed, there are 0"):
        camera_offset.estimate(plate(13, control), fitted(truth, 13), [0])


def test_wells_and_times_that_ask_for_different_offsets_tell_nothing(truth):
    flat, steep = (plate(13, field=truth**power) for power in (0.25, 2.5))
    both, names = np.concatenate([flat, steep]), ["wells", "times"]
    origins = [(well, 1) for well in range(2 * FRAMES)], [(1, time) for time in range(2 * FRAMES)]
    for name, some in zip(names, origins, strict=True):
        with pytest.raises(camera_offset.Unknown, match=f"the first and the last {name} fit offsets of"):
            camera_offset.estimate(both, fitted(truth, 13), [0], some)
    alike = [(number % 2, number % 2) for number in range(FRAMES)] * 2
    camera_offset.estimate(both, fitted(truth, 13), [0], alike)


def test_the_field_of_a_plate_whose_offset_is_unknown_is_nearly_as_right_as_with_the_offset(frames, truth):
    given, zero, auto = (illumination.of_plate(list(frames), offset) for offset in (13, 0, "auto"))
    errors = [rms(found.field / truth) for found in (given, zero, auto)]
    assert errors[1] > 0.06
    assert errors[2] < 0.02
    assert auto.estimate.offset == pytest.approx(13, abs=2.5)
    assert given.estimate is None and zero.estimate is None
    assert auto.used == zero.used


def test_where_nothing_is_told_the_offset_is_taken_for_0_and_that_is_said(truth):
    frames = list(plate(13, "empty"))
    auto, zero = (illumination.of_plate(frames, offset) for offset in ("auto", 0))
    assert np.array_equal(auto.field, zero.field)
    assert auto.estimate is None and auto.unknown.startswith("40 nuclei are needed")


@needs_kit
def test_the_offset_of_the_real_plate_makes_its_field_right_to_three_percent():
    paths = sorted(glob.glob(f"{SCREEN}/pub/**/XD0001_01--*/hdf5/*.ch5", recursive=True))
    frames, origins = [], []
    for path in paths:
        with h5py.File(path) as file:
            (group,) = file["sample/0/plate"].values()
            (group,) = next(iter(group["experiment"].values()))["position"].values()
            movie = group["image/channel"][0, :, 0]
        frames += list(movie)
        origins += [(path, time) for time in range(len(movie))]
    found = illumination.of_plate(frames, "auto", origins)
    assert rms(found.field / np.load(SCREEN / "truth/XD0001_01_flatfield.npy")) < 0.03


def test_wells_that_share_a_number_by_two_formats_of_plates_are_two():
    rows = [{"well": well, "well_number": 25, "frame": 1} for well in ("C01", "B01")]
    assert len(set(screen_flatfield.origins(rows))) == 2
