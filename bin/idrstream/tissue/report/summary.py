"""The most important figures, and what needs attention."""

from idrstream.base import traces, units
from idrstream.report import page, throughput


def section(results, _pictures):
    """Tiles of figures, and a sentence for everything that needs attention."""
    content = page.Section("summary", "Summary", "All results in this output folder, of this run and earlier ones.")
    content.html += [page.tiles(facts(results)), *map(page.paragraph, remarks(results))]
    return content


def facts(results):
    """(what, number in words) of each tile."""
    slides = results.slides
    tiles = [
        ("slides done", f"{len(slides):,} of {len(slides) + _remaining(results) + len(results.failed):,}"),
        ("slides failed", f"{len(results.failed):,}"),
        ("nuclei", f"{_sum(slides, 'nuclei'):,}"),
        ("cells", f"{_counted(slides, 'cells'):,}"),
        ("without a partner", f"{_counted(slides, 'nuclei_alone') + _counted(slides, 'cells_alone'):,}"),
        ("uncertified nuclei", f"{_sum(slides, 'uncertified'):,}"),
        ("nuclei read alone", f"{_sum(slides, 'read_alone'):,}"),
        ("megapixels", page.number(round(sum(slide.megapixels for slide in slides)))),
    ]
    if waited := throughput.waited(traces.read(results.outdir)):
        tiles.append(("time of the last run", page.time(waited)))
    if disk := results.run.get("stream", {}).get("disk"):
        tiles.append(("peak disk use of slides in flight", units.size(disk)))
    return tiles


def remarks(results):
    """Sentences about what needs attention, or that nothing does."""
    sentences = [f"Warning: {sentence}" for sentence in results.warnings]
    if results.failed:
        sentences.append(f"Slides failed: {len(results.failed):,} (reasons and remedies: Failures).")
    if remaining := _remaining(results):
        sentences.append(
            f"Slides remaining: {remaining:,}. The run is going or was stopped; this page shows what is done so far."
        )
    if uncertified := _sum(results.slides, "uncertified"):
        sentences.append(f"Uncertified nuclei, whose labels may depend on how the slide was cut: {uncertified:,}.")
    if empty := [slide.name for slide in results.slides if not slide.facts["nuclei"]]:
        sentences.append(f"Slides without nuclei: {', '.join(empty)}. Check the channel and the diameter.")
    if alone := [slide.name for slide in results.slides if _apart(slide.counts)]:
        why = "the networks may see the wrong channels (--nuclear, --membrane), or the label images be swapped"
        sentences.append(f"Slides where most nuclei or cells have no partner: {', '.join(alone)}; {why}.")
    if warned := [slide.name for slide in results.slides if slide.facts["warnings"]]:
        sentences.append(f"Slides with warnings (see Slides): {', '.join(warned)}.")
    return sentences or ["Nothing needs attention. Look at the overlays, below, for what figures cannot show."]


def _apart(counts):
    """Whether most nuclei and cells, of a slide that has both, have no partner."""
    return counts and counts["nuclei_alone"] + counts["cells_alone"] > counts["objects"] / 2 and counts["cells"] > 0


def _remaining(results):
    """Number of requested slides without any result, except those that failures.tsv lists."""
    return max(0, results.remaining - len(results.failed))


def _counted(slides, name):
    return sum(slide.counts[name] for slide in slides if slide.counts)


def _sum(slides, name):
    return sum(slide.facts[name] for slide in slides)
