"""Focus is CellProfiler's, and a frame that is out of focus has less of it than before, the camera's noise included."""

import h5py
import numpy as np
import pytest
from centrosome.radial_power_spectrum import rps
from scipy import ndimage

from idrstream.screen import qc, rules
from idrstream.screen.fetch import focus
from repository import ROOT
from support import MOVIES, images_of, needs_kit

QC = ROOT / "assets/qc.yml"
BLURS = 2, 4, 8  # pixels


class Old(np.ndarray):
    """An array with the method that centrosome 1.3 calls and NumPy 2 dropped."""

    def ptp(self):
        return np.ptp(np.asarray(self))


def cellprofiler(image):
    """PowerLogLogSlope as CellProfiler 4's MeasureImageQuality computes it from centrosome's spectrum."""
    radii, magnitude, power = rps(image.astype(float).view(Old))
    radii, power = radii[magnitude > 0], power[magnitude > 0]
    terms = np.stack([np.log(radii), np.ones(len(radii))], axis=1)
    return np.linalg.lstsq(terms, np.log(power), rcond=None)[0][0]


def noise(frame):
    """Standard deviation of a frame's white noise: Immerkaer 1996, doi:10.1006/cviu.1996.0060."""
    second = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    return np.sqrt(np.pi / 2) * np.abs(ndimage.convolve(frame, second))[1:-1, 1:-1].mean() / 6


def defocused(frame, blur):
    """A frame BLUR pixels out of focus, with the camera's noise, in whole grey levels."""
    rng = np.random.default_rng(0)
    return np.rint(ndimage.gaussian_filter(frame, blur) + rng.normal(0, noise(frame), frame.shape))


@pytest.fixture(scope="module")
def plates():
    """Plate -> all its frames in the kit that show nuclei: 10 and 36. Its well 384 is empty: nothing in it can blur."""
    found = {}
    for path in MOVIES:
        if path.name != "00384_01.ch5":
            with h5py.File(path) as file:
                found.setdefault(path.parts[-3], []).extend(images_of(file)[0, :, 0].astype(float))
    return found


@pytest.mark.parametrize("steepness", [0, 1, 1.5])
def test_focus_is_the_slope_of_the_power_summed_over_each_ring(steepness):
    shape = (1024, 1344)
    radius = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) * n for n in shape), indexing="ij"))
    phases = np.exp(1j * np.angle(np.fft.fft2(np.random.default_rng(0).normal(size=shape))))
    image = np.fft.ifft2(phases * np.maximum(radius, 1) ** -steepness).real
    assert focus(image) == pytest.approx(1 - 2 * steepness, abs=0.1)  # of radius r, a ring has about 2 pi r frequencies


@pytest.mark.parametrize("shape", [(64, 64), (101, 78), (78, 101), (32, 500)])
def test_focus_is_cellprofilers_whatever_the_shape(shape):
    image = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=shape), 1)
    assert focus(image) == pytest.approx(cellprofiler(image), abs=1e-9)


def test_an_image_without_anything_to_tell_has_a_focus_of_0():
    assert focus(np.full((64, 64), 7, np.uint8)) == focus(np.eye(31)) == 0


@needs_kit
def test_focus_is_cellprofilers_on_ten_real_frames(plates):
    frames = next(frames for frames in plates.values() if len(frames) == 10)
    assert [focus(frame) for frame in frames] == pytest.approx([cellprofiler(frame) for frame in frames], abs=1e-6)


@needs_kit
def test_every_real_frame_loses_focus_when_it_is_blurred(plates):
    frames = [frame for frames in plates.values() for frame in frames]
    assert len(frames) == 46
    for frame in frames:
        assert max(focus(defocused(frame, blur)) for blur in BLURS) < focus(frame)


@needs_kit
@pytest.mark.parametrize("blur", [4, 8])
def test_the_rule_marks_the_blurred_frames_of_a_plate_and_no_other(blur, plates):
    rule = next(rule for rule in rules.read(QC)["images"] if rule.name == "blurred")
    for frames in plates.values():
        blurred = np.arange(len(frames)) % 6 == 3
        found = [focus(defocused(frame, blur) if bad else frame) for frame, bad in zip(frames, blurred, strict=True)]
        spread = qc.Spread()
        spread.add(np.array(found))
        assert (qc.broken(rule, np.array(found), spread) == blurred).all()
