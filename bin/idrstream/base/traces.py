"""The tasks of all runs into an output folder, from Nextflow's traces."""

import re
from pathlib import Path

import pandas as pd

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
SIZES = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}


def read(outdir):
    """The tasks of all runs, a DataFrame: process, tag, status, seconds, memory (bytes), begun, ended, run."""
    parts = [pd.DataFrame(columns=["process", "tag", "status", "seconds", "memory", "begun", "ended", "run"])]
    for path in sorted(Path(outdir, "pipeline_info").glob("trace_*.tsv")):
        table = pd.read_table(path, dtype=str, keep_default_na=False)
        if not {"name", "status", "realtime", "submit", "duration"} <= set(table) or table.empty:
            continue
        named = table["name"].str.extract(r"^(?:.*:)?(\w+)(?: \((.*)\))?$")
        part = pd.DataFrame({"process": named[0], "tag": named[1], "status": table["status"]})
        part["seconds"] = table["realtime"].map(seconds)
        part["memory"] = table.get("peak_rss", pd.Series("-", index=table.index)).map(size)
        part["begun"] = pd.to_datetime(table["submit"], errors="coerce")
        part["ended"] = part["begun"] + pd.to_timedelta(table["duration"].map(seconds), unit="s")
        parts.append(part.assign(run=path.stem))
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def seconds(text):
    """Seconds of ``1h 2m 3s`` or ``871ms``; 0 for a dash."""
    return sum(float(count) * UNITS[unit] for count, unit in re.findall(r"([\d.]+)(ms|s|m|h|d)", text))


def size(text):
    """Bytes of ``162.8 MB``; 0 for a dash."""
    match = re.fullmatch(r"([\d.]+) ?([KMGT]?B)", text)
    return float(match[1]) * SIZES[match[2]] if match else 0.0
