"""Names of files and folders, whatever is in them: used as they are, or refused before the first task; never run."""

import csv
import shutil

import numpy as np
import pytest
import tifffile
from runs import ROOT, Run

ODD = "`touch RAN` $(touch RAN) $y *[1]?{a,b};&|<>~!#%41 (2)'\"\\"
FIT = "`touch RAN` (touch RAN) T10:00 ;&|<>~!#%41 (2)'\"\\"  # for folders that Nextflow itself works in
IMAGES = ["T10:00 #1?%41.tif", "W1:s1$(touch RAN).tif", "a\\b'c\"`touch RAN`.tif"]
LIGHT = ["--illumination", "none", "--diameter", 22, "--bit_depth", 8, "--well_profiles", "none", "--features", "deep"]


def write_images(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        pixels = np.random.default_rng(number).integers(0, 255, (64, 84), np.uint8)
        tifffile.imwrite(folder / name, pixels)
    return [folder / name for name in names]


def write_sheet(sheet, images):
    sheet.parent.mkdir(exist_ok=True)
    with open(sheet, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["plate", "well", "frame", "path"])
        table.writerows(["P1", f"A{number:02d}", 1, path] for number, path in enumerate(images, 1))
    return sheet


def test_every_name_is_used_as_it_is_and_nothing_in_one_is_run(light, tmp_path):
    images = write_images(tmp_path / f"disk {ODD}", *IMAGES)
    sheet = write_sheet(tmp_path / f"sheets {ODD}" / f"sheet {ODD}.csv", images)
    given = {name: sheet.with_name(f"{name} {ODD}{path.suffix}") for name, path in SHIPPED.items()}
    for name, path in given.items():
        shutil.copy(SHIPPED[name], path)
    words = [word for name, path in given.items() for word in (f"--{name}", path)]
    out = tmp_path / f"out {FIT}"
    run = Run(tmp_path / f"launch {FIT}", "--input", sheet, "--outdir", out, *words, *LIGHT, pipeline=light)
    assert run.code == 0, run.said
    assert "3 of 3 images done, 15 cells" in run.said
    assert len((out / "images.tsv").read_text().splitlines()) == 4
    assert not [path for path in tmp_path.rglob("RAN")]


SHIPPED = {"qc_rules": ROOT / "assets/qc.yml", "study": ROOT / "assets/studies/example.yml"}
SHIPPED |= {"model": ROOT / "assets/models/nuclei/nuclei.pth"}


def test_a_mistake_is_said_with_the_name_that_the_user_knows(tmp_path):
    sheet = write_sheet(tmp_path / "sheets" / "my $x (2).csv", ["a.tif", "C:\\data\\b.tif"])
    run = Run(tmp_path / "run", "--input", sheet)
    assert run.code != 0
    assert 'my $x (2).csv, line 3, column "path": "C:\\data\\b.tif": this is a Windows path' in run.said


@pytest.mark.parametrize(
    "param, called, name", [("-w", "the work folder ", "w$x"), ("--outdir", "--outdir ", "o{1,2}")]
)
def test_a_folder_that_no_task_can_be_given_is_refused_before_the_first(param, called, name, tmp_path):
    folder = tmp_path / name
    run = Run(tmp_path / "run", "--input", write_sheet(tmp_path / "sheet.csv", ["a.tif"]), param, folder)
    assert run.code != 0
    assert f"{called}{folder}: no task can" in run.said and f'"{name[1]}" in its path' in run.said
    assert "Submitted" not in run.said
