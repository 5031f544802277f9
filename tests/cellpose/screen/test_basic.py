"""Our BaSiC fits the fields that BaSiCPy fits, and those that are known."""

import logging

import numpy as np
import pytest
import torch
from basicpy import BaSiC
from test_illumination import frames_of

from idrstream.screen import basic
from make_screen import OFFSET, make_movie, vignette
from support import needs_kit

SHAPE = 256, 336


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)
    logging.getLogger("basicpy").setLevel(logging.ERROR)


def by_basicpy(frames):
    """The field of mean 1, and whether BaSiCPy says that it converged."""
    model = BaSiC(device="cpu")
    model.fit(np.asarray(frames, np.float32))
    return model.flatfield / model.flatfield.mean(), model._converge_flag


def assert_alike(frames):
    truth, converged = by_basicpy(frames)
    assert converged
    np.testing.assert_allclose(basic.flatfield(np.asarray(frames, np.float32)), truth, rtol=1e-5)


def wells(count, shape=SHAPE, offset=0):
    """(COUNT, Y, X) of wells with and without nuclei, above OFFSET grey levels, and the field of their light."""
    random, field = np.random.default_rng(count), vignette(shape)
    kinds = ["negative control" if well % 3 else "empty" for well in range(count)]
    frames = [make_movie(random, field, 1, kind, OFFSET)[0][0] for kind in kinds]
    return np.stack(frames).astype(np.float32) - (OFFSET - offset), field / field.mean()


@pytest.mark.parametrize("count", [2, 3, 8, 40])
def test_frames_of_wells_have_the_field_of_basicpy_however_many_they_are(count):
    assert_alike(wells(count)[0])


@pytest.mark.parametrize("shape", [(128, 128), (90, 517), (1024, 1344)])
def test_frames_of_any_size_have_it(shape):
    assert_alike(wells(4, shape)[0])


@pytest.mark.parametrize("offset", [6, -3], ids=["too low", "too high"])
def test_frames_with_a_wrong_offset_have_it(offset):
    assert_alike(wells(4, offset=offset)[0])


@needs_kit
@pytest.mark.parametrize(
    "plate, wanted",
    [
        ("XD0001_01", [(well, frame) for well in (3, 17, 40, 88, 200, 384) for frame in (1, 2)]),
        ("XD0001_01", [(384, 1), (384, 2)]),
        ("XN0001_01", [(4, 5), (15, 5), (26, 2), (26, 5), (26, 9), (49, 5)]),
    ],
    ids=["full of nuclei", "without nuclei", "a strong vignette"],
)
def test_real_frames_have_it(plate, wanted):
    assert_alike(list(frames_of(plate, wanted).values()))


def smooth(shape, levels):
    """Frames of a known field of mean 1, with shot noise and nothing else, and the field."""
    y, x = (np.linspace(-1, 1, side) for side in shape)
    field = 1.1 - 0.3 * (y[:, None] ** 2 + x**2) + 0.1 * x
    field /= field.mean()
    return np.random.default_rng(0).poisson([field * level for level in levels]).astype(np.float32), field


def test_the_known_field_of_smooth_frames_is_found_as_basicpy_finds_it():
    frames, truth = smooth((300, 400), (200, 3000, 150, 260, 220))
    assert_alike(frames)
    error, by_library = (
        np.sqrt(np.mean((field / truth - 1) ** 2)) for field in (basic.flatfield(frames), by_basicpy(frames)[0])
    )
    assert error < 0.01 and error == pytest.approx(by_library, rel=1e-4)


@pytest.mark.parametrize("level", [0, np.nan, np.inf])
def test_without_light_there_is_no_field(level):
    with pytest.raises(basic.NoField, match="no light, or pixels that are no numbers"):
        basic.flatfield(np.full((3, *SHAPE), level, np.float32))


def test_a_fit_that_does_not_end_is_no_field(monkeypatch):
    """Neither with ours nor with theirs, if steps are too few for it."""
    frames, _ = wells(3)
    model = BaSiC(device="cpu", max_iterations=2, max_reweight_iterations=1)
    model.fit(frames)
    assert not model._converge_flag
    monkeypatch.setattr(basic, "STEPS", 2)
    monkeypatch.setattr(basic, "ROUNDS", 1)
    with pytest.raises(basic.NoField, match="did not converge"):
        basic.flatfield(frames)
