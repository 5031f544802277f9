#!/usr/bin/env python3
"""ExampleHuman of CellProfiler: our nuclei and features beside CellProfiler's own tables of the same image.

Twice. On our segmentation: what a user gets. And on CellProfiler's pixels, where its threshold gives them back (nuclei
that were not split, of the area and at the centre of its table): what remains is the measurement alone.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import click
import numpy as np
import pandas as pd
import scipy.ndimage
import tifffile
from common import BIN, DATA, MODEL, python_of

sys.path.insert(0, str(BIN))

from idrstream.base import files, stage_folder
from idrstream.images.frames import write_frame
from idrstream.images.labels import read_cells, write_cells, write_labels
from idrstream.screen import legacy

NEAR = 10  # pixels between the centres of a nucleus by us and by CellProfiler
SAME = 0.95  # correlation
SMOOTHING = 1.0  # sigma in pixels: CellProfiler's threshold smoothing scale of 1.3488, by its half-height
POSITION = ("AreaShape_BoundingBoxM", "AreaShape_Center", "Location_", "Number_", "Parent_", "Children_")
ROW = {"id": "x", "key": "x", "plate": "P", "well": "A01", "well_number": 1, "site": 1, "frame": 1, "status": "ok"}


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), default=DATA / "examplehuman", show_default=True)
def main(data):
    """Segment and measure the image; match the nuclei by place; compare every feature that both have."""
    theirs = pd.read_csv(data / "Nuclei.csv")
    there = theirs[["AreaShape_Center_X", "AreaShape_Center_Y"]].to_numpy()
    dna = tifffile.imread(next(data.glob("*d0.tif")))
    with tempfile.TemporaryDirectory() as folder:
        frames = Path(folder, "frames")
        frames.mkdir()
        write_frame(frames, "x", dna)
        stage_folder.write_rows(frames, [ROW | {"shape": list(dna.shape), "type": dna.dtype.name, "bit_depth": 8}])
        diameter = segment(frames, Path(folder, "ours"))
        threshold = pd.read_csv(data / "Image.csv")["Threshold_FinalThreshold_Nuclei"][0]
        rebuild(Path(folder, "rebuilt"), dna, threshold, theirs)
        for name, said in (
            ("ours", f"our segmentation (diameter {diameter} px)"),
            ("rebuilt", "CellProfiler's pixels"),
        ):
            features, centers = measured(frames, Path(folder, name))
            i, j, apart = legacy.pair(centers, there, NEAR)
            print(f"\n{said}: {len(features)} nuclei, CellProfiler {len(theirs)}; {len(i)} matched one to one within")
            print(f"{NEAR} px, {np.median(apart):.2f} px apart (median)")
            show(compare(features.iloc[i], theirs.iloc[j]))


def segment(frames, labels):
    """As the pipeline does it; returns the diameter in pixels."""
    run("cellpose", "screen_diameter.py", frames, labels.with_name("P.json"), "--model", MODEL)
    diameter = files.read_json(labels.with_name("P.json"))["diameter"]
    run("cellpose", "screen_segment.py", frames, labels, "--model", MODEL, "--diameter", diameter)
    return diameter


def rebuild(labels, dna, threshold, theirs):
    """CellProfiler's nuclei that its threshold gives back whole, as a label image."""
    smooth = scipy.ndimage.gaussian_filter(dna / 255, SMOOTHING)
    parts, count = scipy.ndimage.label(smooth >= threshold, np.ones((3, 3)))
    y, x = np.array(scipy.ndimage.center_of_mass(parts > 0, parts, range(1, count + 1))).T
    i, j, _apart = legacy.pair(
        np.stack([x, y], axis=1), theirs[["AreaShape_Center_X", "AreaShape_Center_Y"]].to_numpy(), 1e-3
    )
    same = np.bincount(parts.ravel())[1:][i] == theirs["AreaShape_Area"].to_numpy()[j]
    numbers = np.zeros(count + 1, np.uint16)
    numbers[np.sort(i[same]) + 1] = np.arange(1, same.sum() + 1)
    labels.mkdir()
    write_labels(labels, "x", numbers[parts])
    kept = np.sort(i[same])
    write_cells(labels, "x", {"label": np.arange(1, len(kept) + 1), "center_y": y[kept], "center_x": x[kept]})


def measured(frames, labels):
    """Features by name, and centres (n, 2) (x, y)."""
    measures = labels.with_name(labels.name + "-measures")
    run("profiles", "screen_measure.py", frames, labels, measures)
    names = [name.removeprefix("Nuclei_") for name in files.read_json(measures / stage_folder.PROVENANCE)["features"]]
    cells = read_cells(labels, "x")
    features = pd.DataFrame(read_cells(measures, "x")["features"], columns=names)
    return features, np.stack([cells["center_x"], cells["center_y"]], axis=1)


def compare(ours, theirs):
    """A row a feature that both have: its group, correlation and median relative difference."""
    rows = []
    for name in ours:
        if name in theirs and not name.startswith(POSITION):
            a, b = ours[name].to_numpy(float), theirs[name].to_numpy(float)
            with np.errstate(all="ignore"):
                r = 1.0 if np.allclose(a, b, rtol=1e-5, atol=1e-7) else np.corrcoef(a, b)[0, 1]
            difference = np.median(np.abs(a - b) / np.maximum(np.abs(b), 1e-12))
            group = "AreaShape_Zernike" if "Zernike" in name else name.split("_")[0]
            rows.append({"feature": name, "group": group, "r": r, "difference": difference})
    return pd.DataFrame(rows)


def show(table):
    print(f"{'group':20}{'features':>9}{f'r >= {SAME}':>11}{'median r':>10}{'median difference':>19}")
    for group, some in [*table.groupby("group"), ("all", table)]:
        share = f"{(some['r'] >= SAME).mean():.0%}"
        print(f"{group:20}{len(some):9}{share:>11}{some['r'].median():10.4f}{some['difference'].median():19.3%}")
    low = table[table["r"].fillna(0) < SAME].sort_values("r")
    main_ones = table[table["feature"].isin(["AreaShape_Area", "Intensity_MeanIntensity_DNA"])]
    for row in main_ones.itertuples():
        print(f"  {row.feature}: r {row.r:.4f}, median difference {row.difference:.3%}")
    print(f"  below {SAME}: {', '.join(f'{row.feature} {row.r:.2f}' for row in low.itertuples()) or 'none'}")


def run(tool, command, *arguments):
    subprocess.run([python_of(tool), BIN / command, *map(str, arguments)], check=True, capture_output=True)


if __name__ == "__main__":
    main()
