"""A time course by samplesheet whose controls have a name of their own: what is said of its wells, and their rows."""

import numpy as np
import pandas as pd
import pytest
import tifffile
from runs import Run

CONTROL = 'it\'s $(none) of "ours"'
OPTIONS = ("--illumination", "none", "--diameter", 22, "--features", "deep", "--normalize_cells")
OPTIONS += ("--negative_control", CONTROL)


def write_course(folder):
    """Samplesheet of five wells at two times, four of them controls."""
    rows = ["plate,well,frame,path,control_type,hour,dose"]
    for number in range(1, 6):
        pixels = np.random.default_rng(number).integers(0, 255, (2, 64, 84), np.uint8)
        tifffile.imwrite(folder / f"{number}.tif", pixels, photometric="minisblack", metadata={"axes": "TYX"})
        control = '"' + CONTROL.replace('"', '""') + '"' if number < 5 else ""
        rows += [f"P,B{number},{frame},{number}.tif,{control},{48 * (frame - 1)},0.10" for frame in (1, 2)]
    (folder / "course.csv").write_text("\n".join(rows) + "\n")
    return folder / "course.csv"


def read(run, level):
    return pd.read_parquet(run.out / f"profiles/wells/{level}/P.parquet")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return write_course(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="module")
def apart(light, course):
    run = Run(course.parent / "run", "--input", course, *OPTIONS, pipeline=light)
    assert run.code == 0, run.said
    return run


@pytest.fixture(scope="module")
def pooled(light, course, apart):
    """A second run into the same folder, for other profiles; those of the first are gone."""
    run = Run(apart.folder, "--input", course, *OPTIONS, "--profile_by", "well", pipeline=light)
    assert run.code == 0, run.said
    return run


def test_a_time_course_keeps_its_times_apart(apart):
    assert "plates of 24 wells (4 x 6), the smallest that hold all wells of the table" in apart.said
    assert "P: grey levels up to 254, of 8 bits, the fewest that hold its reference frames" in apart.said
    assert "wells have several frames: their profiles are by well and frame" in apart.said
    assert len(read(apart, "aggregated")) == len(read(apart, "normalized")) == 10
    assert read(apart, "aggregated")["Metadata_WellNumber"].tolist() == [7, 7, 8, 8, 9, 9, 10, 10, 11, 11]
    scaler = pd.read_table(apart.out / "profiles/normalized_cells/scaler.tsv")
    assert set(scaler["cells"]) == {4 * 2 * 5}


def test_it_pools_them_where_that_is_asked_for(pooled):
    assert "Nothing to do" in pooled.said
    assert read(pooled, "normalized")["Metadata_hour"].tolist() == [""] * 5
    assert read(pooled, "normalized")["Metadata_dose"].tolist() == ["0.10"] * 5
    named = "Metadata_hour differs within 5 wells (P B01, P B02, P B03, P B04, P B05): blank in their profiles"
    assert f"WARN: {named}" in pooled.said and pooled.said.count(named) == 2  # once more in the last lines


def test_a_well_that_makes_the_plates_larger_is_computed_alone(light, course, pooled):
    kept = {path: path.read_bytes() for path in pooled.out.glob("profiles/single_cells/plate=P/*.parquet")}
    with course.open("a") as file:
        file.write("P,P24,1,1.tif,,0,0.10\n")
    after = Run(pooled.folder, "--input", course, *OPTIONS, "--profile_by", "well", pipeline=light)
    assert after.code == 0, after.said
    assert "1 image to do in 1 batch," in after.said
    assert "the cell tables of 10 committed images keep the Metadata_WellNumber of another plate format" in after.said
    assert kept and all(path.read_bytes() == content for path, content in kept.items())
    numbers = [25, 26, 27, 28, 29, 384]
    assert read(after, "aggregated")["Metadata_WellNumber"].tolist() == numbers
    assert sorted(set(after.images["well_number"])) == numbers
    assert sorted(set(pd.read_parquet(after.out / "qc/images.parquet")["well_number"])) == numbers
