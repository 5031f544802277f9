"""The disk that a run is said to take rests on frames as they are, where one lies on this machine."""

import json

import numpy as np
import pytest
import tifffile

from idrstream.screen import batches, first_look, plan, study
from planning import DEFAULTS, SCHEMA, given


def planned(folder, *wells, **changed):
    rows = ["plate,well,frame,path", *(f"P,{well},1,{well}.tif" for well in wells)]
    (folder / "sheet.csv").write_text("\n".join(rows) + "\n")
    params = DEFAULTS | {"input": "sheet.csv", "study": None, "screens": None, "source": None} | changed
    return plan.make(params, str(folder), "first", given(folder, params), SCHEMA)


def written(made, folder):
    plan.write(made, folder / "plan")
    return json.loads((folder / "plan/plan.json").read_text())


@pytest.mark.parametrize("dtype, wide", [("uint8", 1), ("uint16", 2), ("float32", 4)])
def test_a_frame_counts_as_many_bytes_as_it_has(dtype, wide, here):
    tifffile.imwrite(here / "A01.tif", np.arange(300 * 400).reshape(300, 400).astype(dtype), photometric="minisblack")
    made = planned(here, "A01", "A02", batch_size=2)
    seen = f"(from frames of 300 x 400 pixels of {8 * wide} bits, like A01.tif)"
    assert seen in made.text().replace(f"{here}/", "")
    summary = written(made, here)
    (batch,) = summary["batches"]
    assert (batch["pixels"], batch["bytes"]) == (120_000, 120_000 * wide)
    cells = 2 * made.study.frame["nuclei"] * batches.CELL_BYTES
    assert summary["batch_bytes"] == batch["work"] == 2 * (120_000 * wide + 120_000 // 20 + cells)
    assert made.study.frame["bytes"] == 120_000 * wide, "which travel"


def test_the_first_image_that_can_be_read_tells_and_a_broken_one_stops_no_plan(here):
    (here / "A01.tif").write_bytes(b"broken")
    tifffile.imwrite(here / "A02.tif", np.arange(50 * 60).reshape(50, 60).astype("uint16"), photometric="minisblack")
    frame = planned(here, "A01", "A02").study.frame
    assert (frame["height"], frame["width"], frame["bits"]) == (50, 60, 16)


def test_without_an_image_on_this_machine_a_frame_is_as_stated_or_of_16_bits(here):
    made = planned(here, "A01")
    assert "(from the study description: frames of 1024 x 1344 pixels of 16 bits)" in made.text()
    assert made.study.frame == study.SAMPLESHEET.frame
    work = [batches.estimate(1, made.study)["work"], batches.estimate(1, made.study.with_frames_of(BYTE))["work"]]
    assert work[0] - work[1] == 1024 * 1344
    far = [{"locations": ["https://example.org/a.tif"], "frame": 1}]
    assert first_look.size(far, None, {}) is None


BYTE = {"height": 1024, "width": 1344, "bits": 8}
