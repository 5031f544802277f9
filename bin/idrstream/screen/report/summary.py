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
    images, done = results.images, results.done
    wells = len(images.drop_duplicates(["plate", "well"]))
    fetched = images["bytes"].sum() + _of_fields(results)
    tiles = [
        ("images done", f"{len(done):,} of {len(images) + _unseen(results):,}"),
        ("images failed", f"{len(results.failed):,}"),
        ("images flagged", f"{results.flagged.sum():,}" if results.rules else page.NONE),
        ("cells", page.number(done["cells"].sum())),
        ("plates, wells", f"{len(results.plates):,}, {wells:,}"),
        ("fetched", units.size(fetched)),
    ]
    tasks = traces.read(results.outdir)
    if waited := throughput.waited(tasks):
        tiles.append(("time of the last run", page.time(waited)))
    if disk := results.run.get("stream", {}).get("disk"):
        tiles.append(("peak disk use of batches in flight", units.size(disk)))
    if (share := throughput.gpu_share(results.batches)) is not None:
        tiles.append(("segmented on a GPU", f"{share:.0%}"))
    return tiles


def remarks(results):
    """Sentences about what needs attention, or that nothing does."""
    done, sentences = results.done, [f"Warning: {sentence}" for sentence in results.warnings]
    if len(results.failed):
        sentences.append(f"Images failed: {len(results.failed):,} (reasons and remedies: Failures).")
    if unseen := _unseen(results):
        sentences.append(
            f"Images remaining: {unseen:,}. The run is going or was stopped; this page shows what is done so far."
        )
    refused = sum(facts["status"] == "refused" for facts in results.fields.values())
    if refused:
        sentences.append(f"Flat-fields refused and not applied: {refused:,} of {len(results.fields):,}.")
    if empty := int((done["cells"] == 0).sum()):
        sentences.append(f"Images without cells: {empty:,}.")
    for rule in results.rules:
        if count := int(results.marks[rule].sum()):
            sentences.append(f"Images flagged as {rule}: {count:,}.")
    if not results.rules:
        sentences.append("Images are not flagged: there is no qc/images.parquet, which is written when a run ends.")
    return sentences or [
        "No rule flags anything. Look at frames and their nuclei, below, for what rules cannot detect."
    ]


def _unseen(results):
    """Number of requested images without any result, except those that were lost or missing when the run ended."""
    return max(0, results.remaining - int(results.images["status"].isin(["lost", "missing"]).sum()))


def _of_fields(results):
    """Bytes fetched for flat-fields; the frames of a plate's field are fetched once for all of its images."""
    plates = [facts.get("bytes", 0) for facts in results.fields.values() if facts.get("kind") == "plate"]
    return sum(plates) if plates else results.images["field_bytes"].sum()
