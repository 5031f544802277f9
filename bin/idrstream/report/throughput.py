"""Time and memory by stage, from Nextflow's traces; and the devices that computed."""

import pandas as pd

from idrstream.base import traces, units
from idrstream.report import page

ON_GPU = ("segment", "embed", "predict")  # stages that record their device


def section(results, _pictures):
    """Time and memory of each stage, and the devices."""
    content = page.Section(
        "throughput",
        "Time and devices",
        "Total time of all tasks of a stage, over all runs into this folder that have a trace. Tasks run in parallel, "
        "so the total exceeds the elapsed time.",
    )
    stages = by_stage(traces.read(results.outdir), {batch.id: batch.images for batch in results.batches})
    if stages.empty:
        content.html.append(page.paragraph("No task has ended yet, or there is no pipeline_info/trace_*.tsv."))
    else:
        rows = [
            (stage, row["tasks"], row["failed"], page.time(row["seconds"]), row["an_image"], units.size(row["memory"]))
            for stage, row in stages.iterrows()
        ]
        heads = ("stage", "tasks", "failed", "total time", f"s per {results.item}", "peak memory")
        content.html.append(page.table(heads, rows, "Stages"))
    shares = [(stage, *row) for stage in ON_GPU for row in devices(results.batches, stage)]
    if shares:
        content.html.append(page.table(("stage", "device", f"{results.item}s", "share in %"), shares, "Devices"))
    return content


def by_stage(tasks, images):
    """Tasks summed by process, in the order in which they first ran.

    tasks   as of traces.read; a tag's first word is the batch
    images  id of a batch -> number of its images
    returns DataFrame by process: tasks, failed, seconds, memory, an_image (seconds, of finished tasks of batches)
    """
    rows = {}
    for process, group in tasks.groupby("process", sort=False):
        ended = group[group["status"].isin(["COMPLETED", "CACHED"])]
        named = ended["tag"].str.split().str[0]
        of_batches = ended[named.isin(list(images))]
        count = sum(images[name] for name in named[of_batches.index].unique())
        rows[process] = {
            "tasks": len(group),
            "failed": int((~group["status"].isin(["COMPLETED", "CACHED"])).sum()),
            "seconds": group["seconds"].sum(),
            "memory": group["memory"].max(),
            "an_image": of_batches["seconds"].sum() / count if count else float("nan"),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def waited(tasks):
    """Seconds from the first to the last task of the latest run; None without a trace."""
    last = tasks[tasks["run"] == tasks["run"].max()] if len(tasks) else tasks
    return (last["ended"].max() - last["begun"].min()).total_seconds() if len(last) else None


def devices(batches, stage):
    """(device, images, share in %) of every device that a stage computed on."""
    named = [(batch.provenance.get(stage, {}).get("device", {}).get("name"), batch.images) for batch in batches]
    named = [(name, images) for name, images in named if name]
    counts = pd.DataFrame(named, columns=["device", "images"]).groupby("device")["images"].sum()
    return [(str(name), int(count), 100 * count / counts.sum()) for name, count in counts.items()]


def gpu_share(batches):
    """Share of the images that were segmented on a GPU; None where no batch names its device."""
    shares = devices(batches, "segment")
    return sum(share for name, _, share in shares if not name.lower().startswith("cpu")) / 100 if shares else None
