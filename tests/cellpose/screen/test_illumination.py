"""Flat-fields: known ones are recovered, and those that only look fine are refused."""

import glob
import subprocess
import sys

import h5py
import numpy as np
import pytest

from idrstream.base import files, stage_folder
from idrstream.images.calibration import FIELDS, field_of, read_corrected, write_field
from idrstream.images.frames import read_frame, write_frame
from idrstream.screen import illumination
from make_screen import make_movie, vignette
from repository import BIN
from support import SCREEN, needs_kit

SHAPE = 256, 336
OFFSET = 6


def rms(ratio):
    return float(np.sqrt(np.mean((ratio - 1) ** 2)))


def frames_of(plate, wanted):
    """(well number, frame) -> image, of the real plate."""
    found = {}
    for well, number in wanted:
        (path,) = glob.glob(f"{SCREEN}/pub/**/{plate}--*/hdf5/{well:05}_01.ch5", recursive=True)
        with h5py.File(path) as file:
            (group,) = file["sample/0/plate"].values()
            (group,) = next(iter(group["experiment"].values()))["position"].values()
            found[well, number] = group["image/channel"][0, number - 1, 0]
    return found


@pytest.fixture(scope="module")
def sparse():
    """Eight frames under a known vignette: some empty, some with nuclei."""
    rng, field = np.random.default_rng(0), vignette(SHAPE)
    movies = [make_movie(rng, field, 2, "empty" if well % 2 else "negative control") for well in range(4)]
    return [frame for images, *_ in movies for frame in images], field


@pytest.fixture(scope="module")
def field_of_sparse(sparse):
    return illumination.of_plate(sparse[0], OFFSET)


@pytest.fixture(scope="module")
def crowded():
    """The real plate of known field: well 384 has no nuclei, the ten other frames are full of them."""
    return frames_of("XD0001_01", [(well, frame) for well in (3, 17, 40, 88, 200, 384) for frame in (1, 2)])


@needs_kit
def test_a_known_field_is_recovered_and_without_the_empty_well_refused(crowded):
    truth = np.load(SCREEN / "truth/XD0001_01_flatfield.npy")
    found = illumination.of_plate(list(crowded.values()), OFFSET)
    assert rms(found.field / truth) < 0.015
    assert {well for well, _ in np.array(list(crowded))[found.used[:2]]} == {384}
    assert found.halves < illumination.AGREEMENT / 2
    with pytest.raises(illumination.Refused, match=r"two halves of 4 frames differ by [12]\d\.\d%"):
        illumination.of_plate([frame for (well, _), frame in crowded.items() if well != 384], OFFSET)


@needs_kit
def test_a_real_vignette_is_gone_from_the_background():
    plate = frames_of("XN0001_01", [(4, 5), (15, 5), (26, 2), (26, 5), (26, 9), (49, 5)])
    field, *_ = illumination.of_plate(list(plate.values()))
    assert all(fall_off(frame) > 0.25 for frame in plate.values())
    assert all(abs(fall_off(frame / field)) < 0.03 for frame in plate.values())


def fall_off(frame):
    """How much darker the corners are than the centre."""
    y, x = np.indices(frame.shape)
    radius = np.hypot(2 * y / frame.shape[0] - 1, 2 * x / frame.shape[1] - 1) / np.sqrt(2)
    return 1 - np.median(frame[radius > 0.85]) / np.median(frame[radius < 0.15])


def test_the_field_does_not_depend_on_the_order_of_its_frames(sparse):
    frames, truth = sparse
    found, again = (illumination.of_plate(some, OFFSET) for some in (frames, frames[::-1]))
    assert np.array_equal(found.field, again.field)
    assert again.used == [len(frames) - 1 - i for i in found.used]
    assert rms(found.field / truth) < 0.02
    assert (found.field.dtype, found.field.mean()) == (np.float32, pytest.approx(1, abs=1e-5))


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda frames: frames[:3], "4 frames of one size are needed, there are 3"),
        (lambda frames: [*frames[:3], frames[3][:-1]], "4 frames of one size are needed, there are 3"),
        (
            lambda frames: [frame * 0 + OFFSET for frame in frames],
            "there are 0; 8 were left out, and one of them has one grey level",
        ),
        (lambda frames: [np.where(np.arange(SHAPE[1]) < 300, OFFSET, f) for f in frames], "no light in common"),
    ],
    ids=["few", "sizes", "no light", "shutter"],
)
def test_what_cannot_be_fitted_is_refused_with_the_reason(change, said, sparse):
    with pytest.raises(illumination.Refused, match=said):
        illumination.of_plate(change(sparse[0]), OFFSET)


def _with_a(value):
    """One pixel of a frame is VALUE."""

    def change(frame):
        odd = frame.astype(np.float32)
        odd[5, 5] = value
        return odd

    return change


ODD = {
    "NaN": (_with_a(np.nan), "has pixels that are no numbers"),
    "infinite": (_with_a(-np.inf), "has pixels that are no numbers"),
    "another size": (lambda frame: frame[:-1], "has 255x336 pixels, the others 256x336"),
    "empty": (lambda frame: frame * 0, "has one grey level only"),
    "without light": (
        lambda frame: np.random.default_rng(5).poisson(OFFSET, frame.shape).astype(frame.dtype),
        "is dark: its median is 0, that of the others 7",
    ),
    "saturated": (lambda frame: np.clip(frame.astype(int) * 20, 0, 255).astype(np.uint8), "is saturated in 63% of"),
}


@pytest.mark.parametrize("change, said", ODD.values(), ids=ODD)
def test_one_odd_frame_is_left_out_of_its_plates_field_wherever_it_stands(change, said, sparse, field_of_sparse):
    (frames, _), alone = sparse, field_of_sparse
    for place in (0, len(frames)):
        found = illumination.of_plate([*frames[:place], change(frames[0]), *frames[place:]], OFFSET)
        assert np.array_equal(found.field, alone.field)
        assert found.used == [i + (i >= place) for i in alone.used]
        ((index, reason),) = found.left_out.items()
        assert index == place and reason.startswith(said)


@pytest.mark.parametrize("holes, left_out", [([3, 5], [3, 5]), ([0, 1, 2, 3], [0, 1, 2, 3]), ([0, 1, 2, 3, 4], [])])
def test_frames_that_were_not_written_whole_take_part_only_where_too_few_others_are_left(holes, left_out, sparse):
    shares, frames = [0.0] * 8, list(sparse[0])
    for i in holes:
        shares[i] = 0.25
        frames[i] = frames[i].copy()
        frames[i][:128, :168] = np.median(frames[i])  # what a reader puts there
    found = illumination.of_plate(frames, OFFSET, unwritten=shares)
    assert found.left_out == dict.fromkeys(left_out, "lacks 25% of its pixels, which were never written")
    assert not set(found.used) & set(left_out)
    kept = illumination.of_plate([frame for i, frame in enumerate(frames) if i not in left_out], OFFSET)
    assert np.array_equal(found.field, kept.field)


def test_the_share_of_a_frame_that_was_never_written_reaches_its_plates_fit(sparse, tmp_path):
    for folder in (frames := tmp_path / "frames", tmp_path / "calibration"):
        folder.mkdir()
    rows = []
    for i, frame in enumerate(sparse[0]):
        write_frame(frames, f"P_A{i + 1:02}_s1_f1", frame)
        rows.append(
            {"key": f"P_A{i + 1:02}_s1_f1", "plate": "P", "well": f"A{i + 1:02}", "well_number": i + 1, "site": 1}
            | {"frame": 1, "status": "ok", "reason": "", "retryable": False, "bytes": 1, "unwritten": 0.4 * (i == 2)}
            | {"type": "uint8", "bit_depth": 8, "highest": 255, "significant_bits": None, "shape": [*SHAPE]}
        )
    stage_folder.write_rows(frames, rows)
    command = [sys.executable, BIN / "screen_flatfield.py", frames, tmp_path / "fields", "--illumination", "plate"]
    subprocess.run([*command, "--camera_offset", str(OFFSET)], check=True)
    facts = files.read_json(tmp_path / "fields" / FIELDS)["fields"]["P"]
    assert facts["left_out"] == {"P_A03_s1_f1": "lacks 40% of its pixels, which were never written"}


@pytest.fixture
def known(tmp_path):
    """What is known of plate P: a field, and one that was refused for image P_A01_s1_f2."""
    folder = tmp_path / "calibration/P.fields"
    field = np.linspace(0.5, 1.5, 6, dtype=np.float32).reshape(2, 3)
    write_field(files_of(folder), "P", field)
    refused = {"kind": "frames", "status": "refused", "reason": "why"}
    facts = {"P": {"kind": "plate", "status": "ok", "shape": [2, 3]}, "P_A01_s1_f2": refused}
    files.write_json(folder / FIELDS, {"offset": 6.0, "lost": None, "fields": facts})
    write_frame(tmp_path, "P_A01_s1_f1", np.array([[10, 20, 30], [40, 50, 3]], np.uint8))
    write_frame(tmp_path, "P_A01_s1_f2", np.array([[10, 20, 30], [40, 50, 3]], np.uint8))
    return tmp_path, field


def files_of(folder):
    folder.mkdir(parents=True)
    return folder


def row(frame, plate="P", shape=(2, 3)):
    return {"key": f"P_A01_s1_f{frame}", "plate": plate, "shape": list(shape)}


def test_the_field_is_applied_as_it_says_and_nothing_else(known):
    folder, field = known
    even = read_corrected(folder, row(1), folder / "calibration")
    stored = read_frame(folder, "P_A01_s1_f1")
    assert even.dtype == np.float32
    assert np.array_equal(even, (stored.astype(np.float32) - 6) / field)


@pytest.mark.parametrize(
    "asked, refused",
    [
        (row(2), "why"),
        (row(1, shape=(4, 3)), "field and image differ in size: 2x3 and 4x3"),
        (row(1, plate="Q") | {"camera_offset": 6}, None),
    ],
    ids=["refused", "size", "none"],
)
def test_the_offset_is_taken_off_whatever_becomes_of_the_field(asked, refused, known):
    folder, _ = known
    even, stored = read_corrected(folder, asked, folder / "calibration"), read_frame(folder, asked["key"])
    assert np.array_equal(even, stored.astype(np.float32) - 6) and even.dtype == np.float32
    found = field_of(asked, folder / "calibration")
    assert (found[3]["reason"] if found else None) == refused


def test_without_field_and_offset_a_frame_is_as_it_is_stored(known):
    folder, _ = known
    for asked in (row(1), row(1) | {"camera_offset": 0}, row(1) | {"camera_offset": 6, "variant": "no_ic"}):
        key = row(1) | {"well": "A01", "site": 1, "frame": 1}
        even = read_corrected(folder, key | asked, None)
        assert even.dtype == np.uint8 and np.array_equal(even, read_frame(folder, "P_A01_s1_f1"))


def test_the_picture_has_a_contour_every_twentieth():
    ramp = np.tile(np.linspace(0.905, 1.095, 512, dtype=np.float32), (512, 1))
    picture = illumination.picture(ramp)
    assert (picture.shape, picture.dtype) == ((512, 512, 3), np.uint8)
    assert (picture[256] == (230, 159, 0)).all(axis=1).sum() == 3
