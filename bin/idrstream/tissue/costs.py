"""What each step of a slide cost: time, processor, memory. Standard library only."""

from contextlib import contextmanager
from pathlib import Path

from idrstream.base import costs, files
from idrstream.base.costs import MEGA

PATTERN = "*.cost.json"
STEPS = ("read", "take", "prepare", "normalize", "predict", "flood", "seeds", "count", "label", "finish", "number")
STEPS += ("pair", "measure", "tables", "assemble")
SUMS = "tasks", "pixels", "seconds", "cpu_seconds"  # of a step, over its tasks


@contextmanager
def measured(path, step, pixels, layer="nuclei"):
    """Write what STEP, the work meanwhile of one task of its own process, cost for so many PIXELS to PATH, as JSON.

    layer   that it worked on: what a step cost for cells is told by itself, as "predict cells"
    yields  a dict for what else there is to tell of the task, which is written beside its cost

    A task that fails leaves nothing.
    """
    facts = {}
    with costs.measured() as cost:
        yield facts
    step = step if layer == "nuclei" else f"{step} {layer}"
    files.write_json(path, {"step": step, "tasks": 1, "pixels": pixels} | cost | facts)


def together(parts):
    """Costs of the steps of a slide, in the order in which they first come: sums over tasks, and the largest memory."""
    steps = {}
    for cost in parts:
        steps.setdefault(cost["step"], []).append(cost)
    return [{"step": step} | _summed(each) for step, each in steps.items()]


def _summed(parts):
    found = {name: round(sum(part[name] for part in parts), 3) for name in SUMS}
    found["cpu_seconds_per_mpx"] = round(found["cpu_seconds"] / found["pixels"] * MEGA, 4)
    return found | {"peak_rss_mb": max(part["peak_rss_mb"] for part in parts)}


def read(places):
    """What `measured` wrote into folders, and into files that are named themselves, in the order of the steps."""
    paths = {path for place in map(Path, places) for path in (place.glob(PATTERN) if place.is_dir() else [place])}
    return sorted(map(files.read_json, sorted(paths)), key=lambda cost: _order(cost["step"]))


def _order(step):
    """Of a step among all, for sorting: in the order of STEPS, that for nuclei first."""
    name, *layer = step.split()
    return STEPS.index(name), layer
