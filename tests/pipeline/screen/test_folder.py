"""A folder of images in place of a table."""

import numpy as np
import tifffile
from inputs import LIGHT, ODD
from runs import Run

from idrstream.base import tables

PATTERN = "{plate}/{well}_s{site}_t{frame0}.tif"


def write_images(folder, inside):
    """Two wells of a plate at two times, a file each, and a plate elsewhere that a link leads to."""
    for place, name in ((inside, "P 1 (a)/A1_s1"), (inside, "P 1 (a)/B10_s1"), (folder / "elsewhere", "C03_s1")):
        for time in (0, 1):
            path = place / f"{name}_t{time}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, np.random.default_rng(time).integers(0, 255, (64, 84), np.uint8))
    (inside / "P2").symlink_to(folder / "elsewhere")
    (inside / "notes.txt").write_text("no image")


def test_a_run_on_a_folder_is_that_on_its_samplesheet(light, tmp_path):
    inside = tmp_path / f"in {ODD}"
    write_images(tmp_path, inside)
    folder = ["--input", inside, *LIGHT]
    (tmp_path / "run").mkdir()
    (tmp_path / "run/20240115").symlink_to(inside)  # a number to Nextflow
    numbers = ["--input", 20240115, "--outdir", 2024, *LIGHT]
    without = Run(tmp_path / "run", *numbers, pipeline=light, parser="v1")
    assert without.code == 1
    assert "--pattern '{plate}/{well}_s{site}_t{frame0}.tif' (6 of its 7 files match" in without.said
    refused = Run(tmp_path / "run", *folder, "--pattern", PATTERN, pipeline=light)
    assert 'P 1 (a)/A1_s1_t0.tif: "P 1 (a)" is not a plate' in refused.said
    (inside / "P 1 (a)").rename(inside / "P1")
    run = Run(tmp_path / "run", *folder, "--pattern", PATTERN, pipeline=light)
    assert run.code == 0, run.said
    assert f"{inside}: 6 files (of one frame each) of 3 wells on 2 plates match --pattern" in run.said
    assert "1 other file without a match (notes.txt)" in run.said
    wells = [("P1", "A01"), ("P1", "B10"), ("P2", "C03")]
    images = run.images[["plate", "well", "frame"]].itertuples(index=False)
    assert sorted(map(tuple, images)) == [(*well, frame) for well in wells for frame in (1, 2)]
    sheet = run.out / "pipeline_info/samplesheet.tsv"
    assert [row.cells["path"] for row in tables.read(sheet).rows][-1] == "P2/C03_s1_t1.tif"
    again = Run(tmp_path / "run", "--input", sheet, "--source", 20240115, *LIGHT, pipeline=light)
    assert again.code == 0 and "Nothing to do" in again.said, again.said
    assert (run.images["cells"] == 5).all()
    assert not [path for path in tmp_path.rglob("RAN")]
