"""The disk that a stream takes: so many batches at a time, however many there are. `pytest -rP` prints the figures."""

import itertools
import json
import os
import time

import numpy as np
import pandas as pd
import pytest
import tifffile
from streams import Stream

from make_screen import make_screen
from support import size

HEAVY = 30_000_000  # bytes that SEGMENT leaves, and EMBED
BATCH = 2 * HEAVY
TASKS = 100_000  # bytes a batch that Nextflow keeps, for all of its tasks
VIEWS = 100_000  # and a run, for those at its end
LARGE = ["b0001", "b0002", "b0003"]  # batches of the plate of large frames
NOISE = 200_000_000  # bytes that another program writes to the same disk meanwhile


def watched(stream, slots, *options):
    """(peak, rest) in bytes of the work folder of a run: sampled while it went on, and at its end."""
    stream.start("--max_inflight", slots, *options, HEAVY=str(HEAVY), SECONDS="0.5")
    (stream.folder / "noise").write_bytes(os.urandom(NOISE))
    peak = 0
    while stream.head.poll() is None:
        peak = max(peak, size(stream.folder / "work"))
        time.sleep(0.1)
    run = stream.end()
    assert run.code == 0, run.said
    (stream.folder / "noise").unlink()
    told = json.loads((run.out / "pipeline_info/run.json").read_text())["stream"]
    assert told["disk"] == pytest.approx(peak, rel=0.05)
    held = f"{told['disk'] / 1e9:.2f} GB (at most {told['inflight']} at a time; limit {slots})"
    assert f"stream     peak disk use of batches in flight: {held}" in run.said
    rest = size(stream.folder / "work")
    print(f"{len(run.committed)} batches of {BATCH / 1e6:.0f} MB, {slots} slots: peak {peak / 1e6:.1f} MB,", end=" ")
    print(f"at the end {rest / len(run.committed) / 1e3:.1f} kB a batch")
    return peak, rest


@pytest.fixture(scope="module")
def sixty(tmp_path_factory):
    """One plate of sixty wells."""
    folder = tmp_path_factory.mktemp("sixty")
    make_screen(folder, plates=["DM0001_01"], wells=range(1, 61), frames=1, shape=(128, 168))
    return folder


def test_two_slots_hold_two_batches_of_five(stream):
    peak, rest = watched(stream, 2, "--batches", "0,1,2,3,4")
    assert HEAVY < peak < 1.1 * 2 * BATCH
    assert rest < 5 * TASKS


def test_a_batch_that_is_lost_and_a_task_that_is_tried_again_leave_nothing_heavy(stream):
    run = stream.run("--batches", "2,3", HEAVY=str(HEAVY), FAULT="EMBED 3 137 0")
    assert run.code == 1
    assert (run.images["status"] == "lost").sum() == 1
    assert len((run.folder / "fault-1").read_text()) == 3
    assert size(run.folder / "work") < 2 * TASKS + VIEWS


def test_batches_of_a_plate_with_larger_frames_than_the_plan_saw_wait_for_each_other_and_it_is_said(light, tmp_path):
    rows, random = ["plate,well,frame,path"], np.random.default_rng(0)
    for plate, side, dtype, wells in (("small", 64, np.uint8, 1), ("large", 2000, np.uint16, 3)):
        for well in [f"A{number:02d}" for number in range(1, wells + 1)]:
            frame = random.integers(0, 200, (side, side)).astype(dtype)
            tifffile.imwrite(tmp_path / f"{plate}{well}.tif", frame, photometric="minisblack")
            rows.append(f"{plate},{well},1,{plate}{well}.tif")
    (tmp_path / "sheet.csv").write_text("\n".join(rows) + "\n")
    stream = Stream(light, None, tmp_path / "run")
    stream.asked = lambda: ["--input", tmp_path / "sheet.csv"]
    run = stream.run("--bit_depth", "auto", "--max_inflight", 6)
    assert run.code == 0, run.said
    assert "frames of 64 x 64 pixels of 8 bits, like" in run.said
    words = "large: frames are 8.0 MB, not 0.0 MB as planned; each batch of this plate counts as 4 of the 6 that "
    assert run.said.count(words) == 1 and "small: frames are" not in run.said
    trace = pd.read_table(max(run.out.glob("pipeline_info/trace_*.tsv")))
    trace[["process", "batch"]] = trace["name"].str.extract(r"(\w+) \((b\d{4})-")
    began, ended = (
        pd.to_datetime(trace[trace["process"] == process].set_index("batch")[when])
        for process, when in (("FETCH", "submit"), ("COMMIT", "complete"))
    )
    large = sorted(zip(began.reindex(LARGE), ended.reindex(LARGE), strict=True))
    assert len(large) == len(LARGE)
    assert all(before <= begins for (_, before), (begins, _) in itertools.pairwise(large))


@pytest.mark.full
def test_eight_slots_hold_eight_batches(light, sixty, tmp_path):
    numbers = ",".join(map(str, range(24)))
    peak, rest = watched(Stream(light, sixty, tmp_path / "run"), 8, "--batches", numbers)
    assert 2 * BATCH < peak < 1.1 * 8 * BATCH
    assert rest < 24 * TASKS


@pytest.mark.full
def test_three_times_the_batches_take_no_more_disk(light, sixty, tmp_path):
    peaks = []
    for count in (20, 60):
        numbers = ",".join(map(str, range(count)))
        peak, rest = watched(Stream(light, sixty, tmp_path / str(count)), 2, "--batches", numbers)
        assert rest < count * TASKS
        peaks.append(peak - rest)
    assert max(peaks) < 1.1 * 2 * BATCH
