"""What predicting and labelling cost: time, processor, memory."""

from idrstream.report import page
from idrstream.volume.box import Box

STEPS = {"maps": "predict", "labels": "label", "volume": "assemble"}
HEADS = ("step", "tasks", "megavoxels", "seconds", "CPU-s", "CPU-s per Mvoxel", "peak memory (MB)")


def section(results, _pictures):
    """A table of the steps of all volumes together."""
    content = page.Section(
        "steps",
        "Cost of each step",
        "Sums over the tasks of a step, and the memory of its largest task. CPU-s and memory count what starting a "
        "task takes, seconds do not. If volumes grow, CPU-s per Mvoxel and memory should not.",
    )
    rows = [_row(step, [row for row in results.rows.values() if row["kind"] == kind]) for kind, step in STEPS.items()]
    rows = [row for row in rows if row]
    content.html.append(page.table(HEADS, rows, "All volumes") if rows else page.paragraph("No slab is done yet."))
    return content


def _row(step, rows):
    if not rows:
        return None
    voxels = sum(Box.of(row["box"]).voxels for row in rows) / 1e6
    seconds, processor = (sum(row["cost"][name] for row in rows) for name in ("seconds", "cpu_seconds"))
    return (
        step,
        len(rows),
        voxels,
        seconds,
        processor,
        processor / voxels,
        max(row["cost"]["peak_rss_mb"] for row in rows),
    )
