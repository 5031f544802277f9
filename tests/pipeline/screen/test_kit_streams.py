"""MitoCheck's preset on real images: three overlapping streams, and points that a person labelled."""

import numpy as np
import pandas as pd
import pytest
import tifffile
from runs import ROOT, Run
from scipy import ndimage

from support import SCREEN, needs_kit

pytestmark = [pytest.mark.full, needs_kit]

STREAMS = """
streams:
  training_data: {table: training.tsv, outlines: true}
  negative_control_data: {table: negative.tsv}
  positive_control_data: {table: positive.tsv}
"""
ROWS = {"training": [4, 5, 6], "negative": [5, 9], "positive": [4, 8]}  # places in the screen's table
VARIANTS = ("ic", "no_ic")
IMAGES = {"training": 6, "negative": 4, "positive": 4}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("streams")
    header, *rows = (SCREEN / "data_to_process.tsv").read_text().splitlines()
    for name, places in ROWS.items():
        (folder / f"{name}.tsv").write_text("\n".join([header, *(rows[place] for place in places)]) + "\n")
    (folder / "streams.yml").write_text(STREAMS)
    points(folder / "points.tsv")
    options = ["-params-file", ROOT / "assets/presets/mitocheck.yml", "--streams", folder / "streams.yml"]
    options += ["--screens", SCREEN / "example-plates.tsv", "--study", "example", "--source", SCREEN]
    done = Run(folder / "run", *options, "--batch_size", 2, "--phenotypes", folder / "points.tsv")
    assert done.code == 0, done.said
    return done


def points(path):
    """The innermost pixel of every nucleus that people drew, with a class by its size."""
    lines = ["plate\twell\tframe\tx\ty\tclass"]
    for truth in sorted((SCREEN / "truth").glob("*_labels.tif")):
        labels = tifffile.imread(truth)
        plate, well, frame = truth.stem.removesuffix("_labels").rsplit("_", 2)
        numbers = np.unique(labels)[1:]
        depth = ndimage.distance_transform_edt(labels > 0)
        spots = ndimage.maximum_position(depth, labels, numbers)
        sizes = ndimage.sum_labels(labels > 0, labels, numbers)
        kinds = np.where(sizes > np.median(sizes), "large", "small")
        lines += [f"{plate}\t{well}\t{frame}\t{x}\t{y}\t{kind}" for (y, x), kind in zip(spots, kinds, strict=True)]
    path.write_text("\n".join(lines) + "\n")


def test_each_stream_has_its_tables_in_all_shapes_with_and_without_correction(run):
    assert len(run.images) == 20 and set(run.images["status"]) == {"ok"}  # 2 frames of 5 wells, twice
    assert sorted(path.name for path in (run.out / "streams").iterdir()) == sorted(
        f"{name}_data__{variant}"
        for name in ("training", "negative_control", "positive_control")
        for variant in VARIANTS
    )
    cells = run.cells.groupby(["Metadata_WellNumber", "Metadata_Illumination"]).size()
    wells = pd.read_table(SCREEN / "data_to_process.tsv")["Well Number"]
    for folder in (run.out / "streams").iterdir():
        stream, variant = folder.name.split("_")[0], folder.name.split("__")[1]
        expected = sum(cells.get((wells[place], variant), 0) for place in ROWS[stream])
        for shape in ("DP", "CP", "merged"):
            batches = sorted((folder / f"{shape}_features").iterdir())
            tables = [pd.read_csv(path, index_col=0) for path in batches]
            assert sum(map(len, tables)) == expected > 0
        assert ("DP__Object_Outline" in tables[0]) == (stream == "training")
        assert f"images    {IMAGES[stream]} of {IMAGES[stream]} frames" in (folder / "stream.log").read_text()


def test_a_point_within_a_nucleus_marks_its_cell_in_both_variants(run):
    points = pd.read_table(run.out / "profiles/phenotypes/points.tsv", keep_default_na=False)
    outlined = points[points["well"].isin([3, 17, 40])]
    assert (outlined["cell"] != "").mean() > 0.8  # without those at the border, which the preset drops
    cells = pd.read_parquet(run.out / "profiles/phenotypes/cells.parquet")
    assert cells["Metadata_Illumination"].value_counts(normalize=True)["ic"] == pytest.approx(0.5, abs=0.05)
    areas = cells.groupby("Metadata_Phenotypic_Class")["Nuclei_AreaShape_Area"].median()
    assert areas["large"] > 1.2 * areas["small"]
