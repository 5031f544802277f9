"""The most important figures, and what needs attention."""

from idrstream.base import traces, units
from idrstream.report import page, throughput
from idrstream.volume import scores

LOW = 0.5  # F1 that is pointed out


def section(results, _pictures):
    """Tiles of figures, and a sentence for everything that needs attention."""
    content = page.Section("summary", "Summary", "All results in this output folder, of this run and earlier ones.")
    content.html += [page.tiles(facts(results)), *map(page.paragraph, remarks(results))]
    return content


def facts(results):
    """(what, number in words) of each tile."""
    tiles = [
        ("volumes done", f"{len(results.volumes):,}"),
        ("slabs predicted", f"{sum(row['kind'] == 'maps' for row in results.slabs):,}"),
        ("results failed", f"{len(results.failed):,}"),
        ("megavoxels", page.number(round(sum(volume.region.voxels for volume in results.volumes) / 1e6, 1))),
    ]
    if halves := [score.f1 for _, score in _halves(results) if score.f1 is not None]:
        tiles.append(("lowest F1 of a class at 0.5", f"{min(halves):.3f}"))
    if waited := throughput.waited(traces.read(results.outdir)):
        tiles.append(("time of the last run", page.time(waited)))
    if disk := results.run.get("stream", {}).get("disk"):
        tiles.append(("peak disk use of slabs in flight", units.size(disk)))
    return tiles


def remarks(results):
    """Sentences about what needs attention, or that nothing does."""
    sentences = [f"Warning: {sentence}" for sentence in results.warnings]
    if results.failed:
        sentences.append(f"Results failed: {len(results.failed):,} (reasons and remedies: Failures).")
    if remaining := max(0, results.remaining - len(results.failed)):
        sentences.append(
            f"Results remaining: {remaining:,}. The run is going or was stopped; this page shows what is done so far."
        )
    unwritten = sum(row.get("unwritten", 0) for row in results.slabs)
    if unwritten:
        why = "never written: their voxels have the fill value that the file states"
        sentences.append(f"Chunks of raw volumes that were {why}: {unwritten:,}.")
    empty = [
        f"{volume.name} {name}" for volume in results.volumes for name, share in volume.shares.items() if not share
    ]
    if empty:
        sentences.append(
            f"Nothing was segmented of {', '.join(empty)}. Check the checkpoint, the voxel size, --threshold."
        )
    low = [name for name, score in _halves(results) if score.f1 is not None and score.f1 < LOW]
    if low:
        why = "another threshold may do (Scores), or the network was trained on other images"
        sentences.append(f"F1 below {LOW} at a probability of 0.5: {', '.join(dict.fromkeys(low))}; {why}.")
    return sentences or ["Nothing needs attention. Look at the slices, below, for what figures cannot show."]


def _halves(results):
    """(volume and class, score at 0.5) of all that was compared."""
    return [
        (f"{each.name} class_{number}", scores.half(scores.of(kinds["scored"])))
        for each in results.compared
        for number, kinds in each.counts.items()
    ]
