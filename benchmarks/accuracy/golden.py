#!/usr/bin/env python3
"""IDR_stream's published counts of nuclei beside ours, on MitoCheck's own movies. It needs the archive, `idr0013`.

Frame 50 of nine wells of LT0001_02, by IDR_stream with Cellpose 2.1.0 (`cyto`) after its correction. Standard library.
"""

import csv
import subprocess
import sys
from pathlib import Path

from common import ROOT

COUNTS = {4: 285, 15: 329, 26: 245, 49: 305, 52: 215, 63: 162, 74: 299, 304: 173, 315: 151}
PLATE, LONG = "LT0001_02", "LT0001_02--ex2005_11_16--sp2005_02_17--tt17--c3"
NEAREST = "--illumination frames --model cyto --flow_threshold 0.8 --remove_edge_masks --features deep"


def main():
    """Usage: golden.py PROFILE [OPTION...], for instance `golden.py docker`; results go to ./golden."""
    if len(sys.argv) < 2:
        sys.exit(main.__doc__)
    folder = Path("golden")
    folder.mkdir(exist_ok=True)
    lines = ["Plate\tWell\tWell Number\tFrames"]
    lines += [f"{PLATE}\t{chr(65 + (n - 1) // 24)}{(n - 1) % 24 + 1}\t{n}\t50" for n in COUNTS]
    (folder / "wells.tsv").write_text("\n".join(lines) + "\n")
    (folder / "screens.tsv").write_text(f"{PLATE}\t../screens/{LONG}.screen\n")
    command = [ROOT / "engine/nextflow", "run", ROOT, "-profile", sys.argv[1], "--input", folder / "wells.tsv"]
    command += ["--screens", folder / "screens.tsv", "--study", "idr0013", "--outdir", folder / "results"]
    subprocess.run([*command, *NEAREST.split(), *sys.argv[2:]], check=True)
    with open(folder / "results/images.tsv", newline="") as table:
        ours = {int(row["well_number"]): row["cells"] for row in csv.DictReader(table, delimiter="\t")}
    print(f"{'well':>5}{'IDR_stream':>12}{'here':>7}")
    for well, count in COUNTS.items():
        print(f"{well:5}{count:12}{ours.get(well, ''):>7}")


if __name__ == "__main__":
    main()
