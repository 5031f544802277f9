#!/usr/bin/env python3
"""Where the time of a finished run went, by process: `benchmarks/stages.py results`. Standard library only."""

import argparse
import csv
import re
from collections import defaultdict
from datetime import datetime
from pathlib import Path

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}  # seconds


def main():
    """Print what every process took, what it asks for, and how long it stood idle between its first task and its last.

    Idle: of the two that a GPU runs together, too, for that is what a stream must keep busy.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("results", type=Path, help="output folder of a run")
    results = parser.parse_args().results
    images = list(_table(results / "images.tsv"))
    done = sum(row["status"] == "ok" for row in images)
    cells = sum(int(row["cells"] or 0) for row in images)
    spans, seconds, busy, peak, asked = defaultdict(list), *(defaultdict(float) for _ in range(4))
    for task in _table(max(results.glob("pipeline_info/trace_*.tsv"))):
        if task["start"] == "-" or task["status"] == "CACHED":  # which has the times of the run before
            continue
        process = task["name"].split(" ")[0].split(":")[-1]
        spans[process].append(tuple(datetime.fromisoformat(task[end]).timestamp() for end in ("start", "complete")))
        seconds[process] += _seconds(task["realtime"])
        busy[process] += _seconds(task["realtime"]) * _number(task["%cpu"]) / 100
        peak[process] = max(peak[process], _megabytes(task["peak_rss"]))
        asked[process] = max(asked[process], _megabytes(task["memory"]))
    total = sum(seconds.values())
    whole = [span for process in spans.values() for span in process]
    wall = max(end for _, end in whole) - min(start for start, _ in whole)
    print(f"{done} images, {cells} cells, {total:.0f} s of tasks in {wall:.0f} s")
    print(
        f"{'process':18}{'tasks':>6}{'seconds':>9}{'share':>7}{'CPU s/image':>13}{'peak MB':>9}{'of MB':>7}{'idle':>6}"
    )
    for process, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        times = f"{len(spans[process]):6}{spent:9.1f}{spent / total:7.0%}{busy[process] / max(done, 1):13.2f}"
        print(f"{process:18}{times}{peak[process]:9.0f}{asked[process]:7.0f}{_idle(spans[process]):6.0%}")
    networks = spans["SEGMENT"] + spans["EMBED"] + spans["DEEPPROFILER"]
    if networks:
        print(f"{'SEGMENT or EMBED':18}{_idle(networks):57.0%}")


def _idle(spans):
    """Share of the time from the first start to the last end of SPANS, (start, end), that none of them covers."""
    spans = sorted(spans)
    busy, reached = 0, spans[0][0]
    for start, end in spans:
        busy += max(0, end - max(start, reached))
        reached = max(reached, end)
    return 1 - busy / max(reached - spans[0][0], 1e-9)


def _table(path):
    with open(path, newline="") as file:
        yield from csv.DictReader(file, delimiter="\t")


def _seconds(text):
    """``1m 20s`` as Nextflow writes it."""
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|[smhd])", text))


def _number(text):
    """``183.4%``; 0 where Nextflow has none."""
    return float(text.rstrip("%")) if text not in ("-", "") else 0


def _megabytes(text):
    number, _, unit = text.partition(" ")
    return float(number) * {"KB": 0.001, "MB": 1, "GB": 1000}.get(unit, 0) if unit else 0


if __name__ == "__main__":
    main()
