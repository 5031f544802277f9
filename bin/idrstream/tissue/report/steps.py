"""What each step cost: time, processor, memory; of all slides and of each."""

from idrstream.report import page
from idrstream.report.pictures import COLOURS, panel
from idrstream.tissue import costs

COLUMNS = {
    "step": "step",
    "tasks": "tasks",
    "seconds": "seconds",
    "cpu_seconds": "CPU-s",
    "cpu_seconds_per_mpx": "CPU-s per Mpx",
    "peak_rss_mb": "peak memory (MB)",
}
HEADS = tuple(COLUMNS.values())
MOST = 50  # slides that have a table of their own


def section(results, pictures):
    """A table and a picture of all slides together, and a table per slide."""
    content = page.Section(
        "steps",
        "Cost of each step",
        "Sums over the tasks of a step, and the memory of its largest task; CPU-s and memory "
        "count what starting a task takes, seconds do not. "
        "Megapixels are those of the slide or region. If the slides grow, CPU-s per Mpx and memory should not.",
    )
    slides = [slide for slide in results.slides if slide.facts["steps"]]
    if not slides:
        content.html.append(page.paragraph("No slide is finished yet."))
        return content
    together = costs.together(step for slide in slides for step in slide.facts["steps"])
    megapixels = sum(slide.megapixels for slide in slides)
    content.html.append(page.table(HEADS, rows(together, megapixels), f"All slides, {page.number(megapixels)} Mpx"))
    content.html.append(page.panels([_drawn(together, pictures), *_by_pixels(slides, together, pictures)]))
    for slide in slides[:MOST]:
        caption = f"{slide.name}, {page.number(slide.megapixels)} Mpx, {slide.facts['device']}"
        content.html.append(page.table(HEADS, rows(slide.facts["steps"], slide.megapixels), caption))
    if len(slides) > MOST:
        content.html.append(page.paragraph(f"{MOST} of {len(slides):,} slides are shown; each has its slide.json."))
    return content


def rows(steps, megapixels):
    """Rows of the table of HEADS: a step each, and all of them together."""
    tasks, seconds, processor = (sum(step[name] for step in steps) for name in ("tasks", "seconds", "cpu_seconds"))
    whole = ("all", tasks, seconds, processor, processor / megapixels, max(step["peak_rss_mb"] for step in steps))
    return [*(tuple(step[name] for name in COLUMNS) for step in steps), whole]


def _by_pixels(slides, together, pictures):
    """Time and memory of each step against the pixels of the slides, a point a slide; HTML of each picture."""
    kinds = {"seconds": ("seconds, all tasks", "time"), "peak_rss_mb": ("MB of the largest task", "memory")}
    return [_points(slides, together, column, *words, pictures) for column, words in kinds.items()]


def _points(slides, together, column, label, what, pictures):
    drawn, axes = panel()
    marks = ("o", "s", "^", "D", "v", "P", "X")
    for place, name in enumerate(step["step"] for step in together):
        points = [(slide.megapixels, s[column]) for slide in slides for s in slide.facts["steps"] if s["step"] == name]
        colour, mark = COLOURS[place % len(COLOURS)], marks[place % len(marks)]
        axes.plot(*zip(*sorted(points), strict=True), mark, color=colour, label=name, markersize=5)
    axes.set(xscale="log", yscale="log", xlabel="megapixels of the slide", ylabel=label, title=f"Pixels and {what}")
    axes.legend(fontsize=7, ncols=2)
    return pictures.add(drawn, f"pixels_{what}", f"{what.capitalize()} of each step against the pixels of a slide.")


def _drawn(steps, pictures):
    """Bars of the processor's time and of memory, by step."""
    drawn, axes = panel()
    names = [step["step"] for step in steps]
    axes.barh(names, [step["cpu_seconds_per_mpx"] for step in steps], color=COLOURS[0])
    for place, step in enumerate(steps):
        axes.annotate(f" {step['peak_rss_mb']:,.0f} MB", (step["cpu_seconds_per_mpx"], place), va="center", fontsize=8)
    axes.margins(x=0.2)
    axes.invert_yaxis()
    axes.set(xlabel="CPU-s per megapixel", title="By step, with the peak memory of a task")
    words = ", ".join(f"{step['step']} {page.number(step['cpu_seconds_per_mpx'])}" for step in steps)
    return pictures.add(drawn, "steps", f"CPU seconds per megapixel by step: {words}.")
