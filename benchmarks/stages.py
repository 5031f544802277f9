#!/usr/bin/env python3
"""Where the time of a finished run went, by process: `benchmarks/stages.py results`. Standard library only."""

import argparse
import csv
import re
from collections import defaultdict
from pathlib import Path

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}  # seconds


def main():
    """Print tasks, seconds, share of all tasks' seconds, images a second and peak memory of every process."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("results", type=Path, help="output folder of a run")
    results = parser.parse_args().results
    images = list(_table(results / "images.tsv"))
    done = sum(row["status"] == "ok" for row in images)
    cells = sum(int(row["cells"] or 0) for row in images)
    tasks, seconds, memory = defaultdict(int), defaultdict(float), defaultdict(float)
    for task in _table(max(results.glob("pipeline_info/trace_*.tsv"))):
        process = task["name"].split(" ")[0].split(":")[-1]
        tasks[process] += 1
        seconds[process] += _seconds(task["realtime"])
        memory[process] = max(memory[process], _megabytes(task["peak_rss"]))
    total = sum(seconds.values())
    print(f"{done} images, {cells} cells, {total:.0f} s of tasks")
    print(f"{'process':18}{'tasks':>6}{'seconds':>9}{'share':>7}{'images/s':>10}{'peak MB':>9}")
    for process, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        rate = done / spent if spent else float("inf")
        print(f"{process:18}{tasks[process]:6}{spent:9.1f}{spent / total:7.0%}{rate:10.2f}{memory[process]:9.0f}")


def _table(path):
    with open(path, newline="") as file:
        yield from csv.DictReader(file, delimiter="\t")


def _seconds(text):
    """``1m 20s`` as Nextflow writes it."""
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|[smhd])", text))


def _megabytes(text):
    number, _, unit = text.partition(" ")
    return float(number) * {"KB": 0.001, "MB": 1, "GB": 1000}.get(unit, 0) if unit else 0


if __name__ == "__main__":
    main()
