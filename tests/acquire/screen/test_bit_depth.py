"""The range of grey levels of a plate: what its files say, else what its reference frames need; one for all wells."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from idrstream.base import files
from idrstream.images.frames import image_key, read_frame
from idrstream.readers import bit_depth
from idrstream.screen import fetch, plates
from repository import BIN

SHAPE = (64, 84)
NAMES = ("A01", "A02", "A03", "B01")


def grey(highest, dtype, seed=0):
    """A frame whose brightest pixel is HIGHEST."""
    frame = np.random.default_rng(seed).uniform(0, 0.9 * highest, SHAPE).astype(dtype)
    frame[5, 5] = highest
    return frame


def packet(wells, depth="auto", **more):
    rows = [
        {"plate": "P", "well": well, "well_number": 1, "site": 1, "frame": 1, "locations": [f"{well}.tif"]}
        | {"key": image_key("P", well, 1, 1)}
        for well in wells
    ]
    return {"images": rows, "source": None, "channel": 0, "bit_depth": depth, **more}


class Plate:
    """A plate of single TIFFs, A01 first, that is fetched as the pipeline does: its references, then its batches."""

    def __init__(self, folder, *frames, **options):
        self.folder, self.number = folder, 0
        (folder / "images").mkdir()
        for well, frame in zip(NAMES, frames, strict=False):
            tifffile.imwrite(folder / f"images/{well}.tif", frame, photometric="minisblack", **options)

    def _fetched(self, batch, **options):
        self.number += 1
        self.frames = self.folder / f"frames-{self.number}"
        return fetch.fetch(batch, self.frames, root=self.folder / "images", **options)

    def learn(self, *wells, depth="auto"):
        """Fetch the reference frames of WELLS and keep what they tell; returns their rows."""
        rows = self._fetched(packet(wells, depth, all=True))
        command = [sys.executable, BIN / "screen_flatfield.py", self.frames, self.folder / "learnt/P.fields"]
        (self.folder / "learnt").mkdir()
        subprocess.run([*command, "--illumination", "none"], check=True, capture_output=True)
        (self.folder / "out").mkdir()
        plates.commit({"id": "P", "identity": "x"}, self.folder / "learnt", self.folder / "out")
        return rows

    def fetch(self, *wells, depth="auto"):
        """The rows of a batch of that plate."""
        return self._fetched(packet(wells, depth), calibration=self.folder / "out/flatfields")


@pytest.mark.parametrize(
    "highest, bits", [(255, 8), (256, 10), (1023, 10), (4095, 12), (4096, 14), (16383, 14), (16384, 16), (65535, 16)]
)
def test_the_fewest_bits_are_taken_that_hold_the_plates_reference_frames(highest, bits, tmp_path):
    plate = Plate(tmp_path, grey(highest, np.uint16), grey(40, np.uint16))
    plate.learn("A01", "A02")
    assert [row["bit_depth"] for row in plate.fetch("A02")] == [bits], "a dark well too"
    kept = files.read_json(tmp_path / "out/flatfields/P/fields.json")
    size = SHAPE[0] * SHAPE[1]
    told = {"bits": bits, "significant": None, "highest": highest, "pixels": size, "bytes": 2 * size}
    assert (kept["plate"], kept["frames"]) == ("P", told)


def test_the_range_is_the_plates_whatever_the_batch_and_a_level_beyond_it_is_counted(tmp_path):
    bright = grey(4000, np.uint16)
    bright[:8] = 9000  # an eighth, of a well that is no reference
    plate = Plate(tmp_path, grey(3000, np.uint16), grey(900, np.uint16), bright)
    plate.learn("A01", "A02")
    alone, *_ = (plate.fetch("A03"), plate.fetch("A03", "A01"))
    rows = {row["well"]: row for row in plate.fetch("A02", "A03", "A01")}
    assert {row["bit_depth"] for row in rows.values()} == {12}
    assert alone[0] | {"seconds": 0} == rows["A03"] | {"seconds": 0}
    assert (rows["A03"]["status"], rows["A03"]["out_of_range"], rows["A03"]["saturation"]) == ("ok", 0.125, 0.125)
    assert rows["A01"]["out_of_range"] == 0
    assert np.array_equal(read_frame(plate.frames, rows["A03"]["key"]), bright), "nothing is cut off"


def test_a_camera_of_12_bits_is_saturated_at_4095_in_files_of_16(tmp_path):
    frame = grey(4095, np.uint16)
    frame[:32] = 4095
    plate = Plate(tmp_path, frame)
    plate.learn("A01")
    (row,) = plate.fetch("A01")
    assert row["saturation"] == pytest.approx(0.5, abs=0.001) and row["out_of_range"] == 0


@pytest.mark.parametrize("said, bits", [(12, 12), (11, 11), (16, 16), (32, 10)])
def test_what_ome_xml_says_goes_before_what_is_seen(said, bits, tmp_path):
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image '
        f'ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SignificantBits="{said}" SizeX="84" '
        'SizeY="64" SizeC="1" SizeZ="1" SizeT="1"><TiffData/></Pixels></Image></OME>'
    )
    plate = Plate(tmp_path, grey(700, np.uint16), description=xml, metadata=None)
    plate.learn("A01")
    (row,) = plate.fetch("A01")
    assert (row["status"], row["bit_depth"]) == ("ok", bits)


def test_grey_levels_that_are_packed_closer_than_bytes_say_their_bits_themselves(tmp_path):
    plate = Plate(tmp_path, grey(700, np.uint16), bitspersample=12, compression="jpegxl")
    with tifffile.TiffFile(tmp_path / "images/A01.tif") as file:
        if file.pages[0].bitspersample != 12:
            pytest.skip("this tifffile writes no such files")
    plate.learn("A01")
    assert [row["bit_depth"] for row in plate.fetch("A01")] == [12]


@pytest.mark.parametrize("dtype", [np.uint32, np.int32, np.int16, np.uint64])
def test_wide_integers_are_of_as_many_bits_as_they_hold(dtype, tmp_path):
    plate = Plate(tmp_path, grey(4000, dtype))
    plate.learn("A01")
    (row,) = plate.fetch("A01")
    assert (row["bit_depth"], row["type"]) == (12, np.dtype(dtype).name)
    assert bit_depth.full_scale(row["type"], row["bit_depth"]) == 4095


def test_wide_integers_beyond_16_bits_are_refused_unless_a_depth_is_stated(tmp_path):
    plate = Plate(tmp_path, grey(70_000, np.uint32))
    (row,) = plate.learn("A01")
    assert row["reason"].startswith("OutOfRange: ")
    assert "its grey levels are up to 70,000, more than 16 bits hold; scale the images to 16 bits." in row["reason"]
    assert plate.fetch("A01")[0]["status"] == "failed"
    (row,) = plate.fetch("A01", depth=16)
    assert row["status"] == "ok" and row["out_of_range"] > 0


@pytest.mark.parametrize("low, high", [(0.0, 255.0), (0.0, 1.001), (-0.5, 1.0), (-1.0, 65535.0)])
def test_floats_that_are_not_from_0_to_1_are_refused_with_the_remedy(low, high, tmp_path):
    frame = grey(high, np.float32)
    frame[0, 0] = low
    plate = Plate(tmp_path, frame)
    plate.learn("A01")
    (row,) = plate.fetch("A01")
    assert (row["status"], row["retryable"], row["bit_depth"]) == ("failed", False, None)
    assert row["reason"] == (
        f"OutOfRange: P_A01_s1_f1: its floating-point values are from {np.float32(low):.6g} to {np.float32(high):.6g}, "
        "not from 0 to 1; state the bits of these grey levels by --bit_depth, or scale the images."
    )
    (row,) = plate.fetch("A01", depth=16)
    assert (row["status"], row["bit_depth"], bit_depth.full_scale("float32", 16)) == ("ok", 16, 65535)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_from_0_to_1_are_shares_of_the_range(dtype, tmp_path):
    plate = Plate(tmp_path, grey(1, dtype))
    plate.learn("A01")
    (row,) = plate.fetch("A01")
    assert (row["status"], row["bit_depth"], bit_depth.full_scale(row["type"], None)) == ("ok", None, 1)
    assert row["saturation"] == pytest.approx(1 / np.prod(SHAPE), abs=1e-6) and row["out_of_range"] == 0


def test_a_stated_depth_is_obeyed_and_what_is_above_it_counted(tmp_path):
    plate = Plate(tmp_path, grey(5000, np.uint16))
    (row,) = plate.fetch("A01", depth=12)
    above = float(np.mean(grey(5000, np.uint16) > 4095))
    assert (row["status"], row["bit_depth"]) == ("ok", 12) and row["out_of_range"] == pytest.approx(above, abs=1e-6)


@pytest.mark.parametrize("depth", ["auto", 8, 12, 16])
def test_of_8_bits_the_range_is_that_of_the_type_whatever_else_is_on_the_plate(depth, tmp_path):
    plate = Plate(tmp_path, grey(200, np.uint8), grey(60_000, np.uint16))
    plate.learn("A01", "A02", depth=depth)
    byte, _ = plate.fetch("A01", "A02", depth=depth)
    assert byte["type"] == "uint8" and bit_depth.full_scale("uint8", byte["bit_depth"]) == 255


def test_a_plate_whose_references_cannot_be_used_has_the_widest_range_in_every_batch(tmp_path):
    plate = Plate(tmp_path, np.full(SHAPE, 7, np.uint16), grey(900, np.uint16))
    (row,) = plate.learn("A01")
    assert row["status"] == "failed"
    assert [row["bit_depth"] for row in plate.fetch("A02")] == [16]


def test_levels_below_zero_are_counted_too(tmp_path):
    frame = grey(900, np.int16)
    frame[:16] = -5
    plate = Plate(tmp_path, frame)
    plate.learn("A01")
    assert [row["out_of_range"] for row in plate.fetch("A01")] == [0.25]


@pytest.mark.parametrize("depth, words", [("auto", "what a plate's files state"), (12, r"12 bits (--bit_depth)")])
def test_the_plan_says_the_range(depth, words):
    assert words in bit_depth.text(depth)
    json.dumps(bit_depth.of_plate([]))
