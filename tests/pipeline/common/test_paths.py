"""Names of files and folders, whatever is in them: used as they are, or refused before the first task; never run."""

import shutil

import numpy as np
import pytest
from inputs import LIGHT, ODD, write_images, write_sheet
from runs import ROOT, Run

from java_reading import write_ics

FIT = "`touch RAN` (touch RAN) T10:00 ;&|<>~!#%41 (2)'\"\\"  # for folders that Nextflow itself works in
IMAGES = ["T10:00 #1?%41.tif", "W1:s1$(touch RAN).tif", "a\\b'c\"`touch RAN`.tif"]


def test_every_name_is_used_as_it_is_and_nothing_in_one_is_run(light, tmp_path):
    images = write_images(tmp_path / f"disk {ODD}", *IMAGES)
    images.append(images[0].with_name("W2:s1$(touch RAN) [2].ics"))  # by Bio-Formats, in Java
    write_ics(images[-1], np.random.default_rng(3).integers(0, 255, (1, 64, 84), np.uint8))
    sheet = write_sheet(tmp_path / f"sheets {ODD}" / f"sheet {ODD}.csv", images)
    given = {name: sheet.with_name(f"{name} {ODD}{path.suffix}") for name, path in SHIPPED.items()}
    for name, path in given.items():
        shutil.copy(SHIPPED[name], path)
    words = [word for name, path in given.items() for word in (f"--{name}", path)]
    out = tmp_path / f"out {FIT}"
    run = Run(tmp_path / f"launch {FIT}", "--input", sheet, "--outdir", out, *words, *LIGHT, pipeline=light)
    assert run.code == 0, run.said
    assert "4 of 4 images done, 20 cells" in run.said
    assert len((out / "images.tsv").read_text().splitlines()) == 5
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
