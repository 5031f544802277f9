"""What goes wrong outside of the pipeline: each fault is said where it struck, and leaves everything else alone."""

import os
import shutil
import signal
import subprocess
import time

import pandas as pd
import pytest
from streams import Stream

from idrstream.runs import ledger
from make_screen import make_screen
from support import http_server

SMALL, WIDE = (128, 168), (1024, 1344)  # pixels; one of the latter is more than the disk holds
DISK = 1_200_000  # bytes: room for all but the wide frame, or its label image
FULL = "OSError: [Errno 28] No space left on device"


@pytest.fixture(scope="session")
def screen(tmp_path_factory):
    """Three wells, a frame each; that of the second is larger than the others."""
    folder = tmp_path_factory.mktemp("faulty")
    for wells, shape in (([2], WIDE), ([1, 2, 3], SMALL)):
        make_screen(folder / str(shape), plates=["DM0001_01"], wells=wells, frames=1, shape=shape)
    (wide,) = (folder / str(WIDE)).rglob("*.ch5")
    shutil.copy(wide, folder / str(SMALL) / wide.relative_to(folder / str(WIDE)))
    return folder / str(SMALL)


@pytest.fixture(scope="session")
def whole(light, screen, tmp_path_factory):
    """A run that nothing disturbed, of one batch."""
    run = Stream(light, screen, tmp_path_factory.mktemp("undisturbed")).run("--batch_size", 3, "--save", "labels")
    assert run.code == 0, run.said
    return run


@pytest.fixture
def small_disk():
    """A function that makes a disk of a folder."""
    mounted = []

    def mount(folder):
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", folder]
        if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a small disk takes Linux and the right to mount")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


def enlarge(disk):
    subprocess.run(["mount", "-o", f"remount,size={100 * DISK}", disk], check=True)


def assert_results_are_whole_and_all_accounted_for(run):
    entries, broken = ledger.read(run.out)
    assert broken == []
    found = {
        str(path.relative_to(run.out))
        for kind in ("profiles", "labels", "qc/thumbnails")
        for path in files(run.out / kind)
    }
    assert found == {file["path"] for entry in entries for file in entry["files"]}
    assert not list(run.out.rglob("*.part"))


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def labels(run):
    return {path.name: path.read_bytes() for path in files(run.out / "labels")}


def test_an_image_of_another_size_than_the_others_of_its_batch_is_an_image_like_them(whole):
    assert whole.images[["well", "status", "cells"]].to_numpy().tolist() == [
        [well, "ok", 5] for well in ("A01", "A02", "A03")
    ]
    sizes = {name: len(content) for name, content in labels(whole).items()}
    assert sizes["DM0001_01_A02_s1_f1.tif"] > 10 * sizes["DM0001_01_A01_s1_f1.tif"]


@pytest.mark.parametrize("folder, process", [("work", "FETCH"), ("results", "COMMIT")])
def test_a_full_disk_costs_the_batch_that_finds_no_room_and_the_next_run_with_more_room_takes_up_just_that(
    folder, process, stream, small_disk, whole
):
    small_disk(stream.folder / folder)
    run = stream.run("--max_inflight", 1, "--save", "labels")
    assert run.code == 1
    assert run.images[["well", "status", "reason"]].to_numpy().tolist() == [
        ["A01", "ok", ""],
        ["A02", "lost", f"{process} ended with exit code 1: {FULL}"],
        ["A03", "ok", ""],
    ]
    assert "1 of 3 images were not finished; the next run computes them" in run.said
    before = run.committed
    assert sorted(batch[:5] for batch in before) == ["b0000", "b0002"]
    assert_results_are_whole_and_all_accounted_for(run)
    enlarge(stream.folder / folder)
    again = stream.run("--save", "labels")
    assert again.code == 0, again.said
    assert before.items() < again.committed.items()
    assert_results_are_whole_and_all_accounted_for(again)
    assert (again.cells, labels(again)) == (whole.cells, labels(whole))


def running(stream, command):
    """Process numbers of the tasks of a run that run a command."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    named = [line.split() for line in listed.splitlines() if f"{stream.light}/bin/screen_{command}.py frames" in line]
    return [int(pid) for pid, *_ in named]


def test_a_killed_task_and_a_server_that_is_away_for_longer_than_one_task_waits_are_overcome(stream, screen, whole):
    with http_server(screen) as server:
        stream.start("--source", server.url, "--max_inflight", 1, SECONDS="1")
        while not (tasks := running(stream, "segment")):
            assert stream.head.poll() is None
            time.sleep(0.05)
        server.faults.fail_first = 6  # a task asks five times; the next one to ask is the second batch's
        os.kill(tasks[0], signal.SIGKILL)
        run = stream.end()
        assert sum(request.status == 503 for request in server.log) == 6
    assert run.code == 0, run.said
    retried = [line for line in run.said.splitlines() if line.endswith("Execution is retried (1)")]
    assert ["SEGMENT" in retried[0], "(137)" in retried[0]] == [True, True]
    assert ["FETCH" in retried[1], "(75)" in retried[1]] == [True, True]
    assert set(run.images["status"]) == {"ok"}
    assert failures(run).empty
    assert run.cells == whole.cells


def failures(run):
    return pd.read_table(run.out / "failures.tsv", keep_default_na=False)


FAULTS = {4: "missing", 5: "truncated", 6: "web page", 7: "constant"}
KINDS = {4: "MissingWell", 5: "Truncated", 6: "NotReadable", 7: "ConstantFrame"}


def test_bad_images_are_a_row_each_and_the_good_ones_of_their_batch_as_ever_and_a_second_run_has_nothing_to_do(
    light, whole, tmp_path
):
    faults = {("DM0001_01", well): fault for well, fault in FAULTS.items()}
    make_screen(tmp_path, plates=["DM0001_01"], wells=[1, 4, 3, 5, 6, 7], frames=1, shape=SMALL, faults=faults)
    stream = Stream(light, tmp_path, tmp_path / "run")
    run = stream.run("--batch_size", 6, "--max_failed", 0.6)
    assert run.code == 1
    assert "4 of 6 images failed, more than --max_failed 0.6 allows" in run.said
    assert "DM0001_01 A05 frame 1: Truncated: 00005_01.ch5" in run.said
    assert len(run.committed) == 1
    bad = run.images[run.images["status"] != "ok"]
    assert dict(zip(bad["well_number"], bad["reason"].str.split(":").str[0], strict=True)) == KINDS
    assert failures(run).equals(bad.reset_index(drop=True))
    assert rows_of(run, "A01", "A03").equals(rows_of(whole, "A01", "A03"))
    again = stream.run("--batch_size", 4, "--max_failed", 0.7, NXF_SYNTAX_PARSER="v1")
    assert again.code == 0, again.said
    assert "Nothing to do: all selected images are already in" in again.said
    views = {"QC": 1, "KEEP": 2, "REPORT": 1, "KEEP_REPORT": 2}
    assert again.tasks == {"PLAN": 1, "BEGIN": 1, "SUMMARY": 1} | views
    assert "report     " in again.said


def rows_of(run, *wells):
    table = pd.read_parquet(run.out / "profiles/single_cells").sort_values("Metadata_Cell_ID", ignore_index=True)
    return table[table["Metadata_Well"].isin(wells)].reset_index(drop=True)
