"""Small inputs of runs without networks."""

import csv

import numpy as np
import tifffile

ODD = "`touch RAN` $(touch RAN) $y *[1]?{a,b};&|<>~!#%41 (2)'\"\\"
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
