"""A point that a person labelled marks the cell in whose outline it lies; every point is accounted for."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from test_export import IMAGES, finished

import screen_mark_phenotypes as command
from idrstream.images.frames import VARIANTS
from idrstream.images.outlines import write_outlines

HEADER = "plate\twell\tframe\tx\ty\tclass"
INSIDE = "PA\tA15\t50\t14\t12\tInterphase"  # in the square of cell 1


def square(label):
    """Corner pixels, (y, x), of a cell of 11 x 11 pixels: 20 pixels from the one before it."""
    return np.array([[10, 20 * label - 10], [10, 20 * label], [20, 20 * label], [20, 20 * label - 10]])


@pytest.fixture
def outdir(tmp_path):
    return outlined(finished(tmp_path))


def outlined(out):
    """Squares in place of the outlines."""
    for path in out.glob("outlines/plate=*/*.geojson"):
        count = path.read_text().count('"label"')
        squares = [square(label) for label in range(1, count + 1)]
        edges = [[[pixels + np.array([[0, 0], [0, 1], [1, 1], [1, 0]])]] for pixels in squares]
        write_outlines(path.parent, path.stem, edges, squares)
    return out


def marked(outdir, *points, header=HEADER):
    """(points, cells, what is said)."""
    table, target = outdir.parent / "points.tsv", outdir.parent / "phenotypes"
    table.write_text("\n".join([header, *points]) + "\n")
    done = CliRunner().invoke(command.main, [str(outdir), str(table), str(target)])
    assert done.exit_code == 0, done.output
    cells = pd.read_parquet(target / "cells.parquet") if (target / "cells.parquet").exists() else None
    return pd.read_table(target / "points.tsv", keep_default_na=False), cells, done.output


def test_the_cell_around_a_point_is_marked_with_all_it_has(outdir):
    points, cells, said = marked(outdir, INSIDE, "PA\t15\t50\t75.5\t15\tApoptosis", "PB\tA04\t9\t30\t20\tFolded")
    assert points["cell"].tolist() == ["PA_A15_s1_f50_c1", "PA_A15_s1_f50_c4", "PB_A04_s1_f9_c2"]
    named = dict(zip(cells["Metadata_Cell_ID"], cells["Metadata_Phenotypic_Class"], strict=True))
    assert named == dict(zip(points["cell"], points["class"], strict=True))
    whole = pd.read_parquet(outdir / "profiles/single_cells").drop(columns="plate").set_index("Metadata_Cell_ID")
    own = cells.drop(columns="Metadata_Phenotypic_Class").set_index("Metadata_Cell_ID")
    pd.testing.assert_frame_equal(own, whole.loc[own.index])
    assert said == "3 of 3 points of phenotypes lie in a nucleus: 3 cells are marked\n"


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        ("PA\tA15\t50\t25\t12\tMetaphase", "no nucleus lies there"),
        ("PA\tA03\t7\t14\t12\tMetaphase", "no nucleus lies there"),  # an image without any
        ("PA\tA09\t50\t14\t12\tMetaphase", "no such image in the results"),
        ("PA\tA16\t50\t14\t12\tMetaphase", "the image is failed: TruncatedFile: it ends early"),
    ],
)
def test_a_point_without_a_cell_says_why(outdir, point, reason):
    points, cells, said = marked(outdir, point)
    assert cells is None
    assert points[["cell", "reason"]].to_numpy().tolist() == [["", reason]]
    assert "0 of 1 points" in said and f"1 points of --phenotypes have no cell (1 x {reason.split(':')[0]})" in said


def test_two_opinions_of_one_cell_mark_nothing_and_one_given_twice_marks_it_once(outdir):
    other = INSIDE.replace("A15\t50", "15\t50").replace("Interphase", "Metaphase")
    twice = "PA\tA15\t50\t75.5\t15\tApoptosis"
    points, cells, _ = marked(outdir, INSIDE, twice, other, twice)
    assert points["cell"].tolist() == ["", "PA_A15_s1_f50_c4"] * 2
    assert points["reason"][0] == "several classes in one nucleus: PA_A15_s1_f50_c1 Interphase, Metaphase"
    assert cells["Metadata_Phenotypic_Class"].tolist() == ["Apoptosis"]


def test_an_image_without_outlines_says_how_to_get_them(tmp_path):
    points, _, _ = marked(finished(tmp_path, outlines=False), INSIDE)
    assert points["reason"].item() == "its image has no outlines; compute it again: --save outlines --redo"


def test_a_well_that_the_plates_do_not_have_is_told_by_its_name_alone(outdir):
    lines = (outdir / "images.tsv").read_text().splitlines(keepends=True)
    (outdir / "images.tsv").write_text("".join(line.replace("\tA15\t15\t", "\tA15\t\t") for line in lines))
    points, _, _ = marked(outdir, INSIDE, INSIDE.replace("A15", "15"))
    assert points["cell"].tolist() == ["PA_A15_s1_f50_c1", ""]


def test_in_streams_a_point_marks_the_cell_of_each_variant(tmp_path):
    points, cells, _ = marked(outlined(finished(tmp_path, variants=VARIANTS)), INSIDE)
    assert points["cell"].tolist() == ["PA_A15_s1_f50__ic_c1", "PA_A15_s1_f50__no_ic_c1"]
    assert cells["Metadata_Illumination"].tolist() == list(VARIANTS)


def test_a_site_may_be_named(tmp_path):
    out = outlined(finished(tmp_path, IMAGES[3:4], site=2))
    points, _, _ = marked(out, f"{INSIDE}\t1", f"{INSIDE}\t2", header=f"{HEADER}\tsite")
    assert points["cell"].tolist() == ["", "PA_A15_s2_f50_c1"]
