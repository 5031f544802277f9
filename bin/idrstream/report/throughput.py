"""What the run's time went into, by stage, out of Nextflow's traces; and which device computed."""

import re

import pandas as pd

from idrstream.report import page

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
SIZES = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
ON_GPU = ("segment", "embed")  # stages that say on which device they computed


def section(results, _pictures):
    """Time and memory of each stage, and the devices."""
    made = page.Section(
        "throughput",
        "Time and devices",
        "Time of all tasks of a stage, of every run into this folder whose trace is there. Tasks run beside each "
        "other, so the stages add up to more than the time that one waits.",
    )
    stages = by_stage(traces(results.outdir), {batch.id: batch.images for batch in results.batches})
    if stages.empty:
        made.html.append(page.paragraph("No task has ended yet, or pipeline_info/ has no trace_*.tsv."))
    else:
        rows = [
            (stage, row["tasks"], row["failed"], page.time(row["seconds"]), row["an_image"], page.size(row["memory"]))
            for stage, row in stages.iterrows()
        ]
        heads = ("stage", "tasks", "of them failed", "time of all", "s an image", "memory at most")
        made.html.append(page.table(heads, rows, "Stages"))
    shares = [(stage, *row) for stage in ON_GPU for row in devices(results.batches, stage)]
    if shares:
        made.html.append(page.table(("stage", "device", "images", "share in %"), shares, "Devices"))
    return made


def traces(outdir):
    """The tasks of all runs, a DataFrame: process, tag, status, seconds, memory (bytes), begun, ended, run."""
    parts = [pd.DataFrame(columns=["process", "tag", "status", "seconds", "memory", "begun", "ended", "run"])]
    for path in sorted((outdir / "pipeline_info").glob("trace_*.tsv")):
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


def by_stage(tasks, images):
    """Tasks summed by process, in the order in which they first ran.

    tasks   as of `traces`
    images  id of a batch -> how many images it has
    returns DataFrame by process: tasks, failed, seconds, memory, an_image (seconds, of finished tasks of batches)
    """
    rows = {}
    for process, some in tasks.groupby("process", sort=False):
        ended = some[some["status"].isin(["COMPLETED", "CACHED"])]
        of_batches = ended[ended["tag"].isin(list(images))]
        count = sum(images[tag] for tag in of_batches["tag"].unique())
        rows[process] = {
            "tasks": len(some),
            "failed": int((~some["status"].isin(["COMPLETED", "CACHED"])).sum()),
            "seconds": some["seconds"].sum(),
            "memory": some["memory"].max(),
            "an_image": of_batches["seconds"].sum() / count if count else float("nan"),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def waited(tasks):
    """Seconds from the first task to the last of the latest run; None where there is no trace."""
    last = tasks[tasks["run"] == tasks["run"].max()] if len(tasks) else tasks
    return (last["ended"].max() - last["begun"].min()).total_seconds() if len(last) else None


def devices(batches, stage):
    """(device, images, share in %) of every device that a stage computed on."""
    said = [(batch.made.get(stage, {}).get("device", {}).get("name"), batch.images) for batch in batches]
    known = [(name, images) for name, images in said if name]
    counts = pd.DataFrame(known, columns=["device", "images"]).groupby("device")["images"].sum()
    return [(str(name), int(count), 100 * count / counts.sum()) for name, count in counts.items()]


def gpu_share(batches):
    """Share of the images whose nuclei a GPU found; None where no batch says it."""
    known = devices(batches, "segment")
    return sum(share for name, _, share in known if not name.lower().startswith("cpu")) / 100 if known else None


def seconds(text):
    """``1h 2m 3s`` or ``871ms`` in seconds; 0 for a dash."""
    return sum(float(count) * UNITS[unit] for count, unit in re.findall(r"([\d.]+)(ms|s|m|h|d)", text))


def size(text):
    """``162.8 MB`` in bytes; 0 for a dash."""
    match = re.fullmatch(r"([\d.]+) ?([KMGT]?B)", text)
    return float(match[1]) * SIZES[match[2]] if match else 0.0
