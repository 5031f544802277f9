"""The figures that one looks at first, and what needs to be looked at."""

from idrstream.base import traces, units
from idrstream.report import page, throughput


def section(results, _pictures):
    """Tiles of figures, and a sentence for everything that is not as it should be."""
    made = page.Section(
        "summary", "The run in short", "All that lies in this output folder, of this run and those before it."
    )
    made.html += [page.tiles(facts(results)), *map(page.paragraph, remarks(results))]
    return made


def facts(results):
    """(what, number in words) of the run."""
    images, done = results.images, results.done
    wells = len(images.drop_duplicates(["plate", "well"]))
    fetched = images["bytes"].sum() + _of_fields(results)
    said = [
        ("images done", f"{len(done):,} of {len(images) + _unseen(results):,}"),
        ("images failed", f"{len(results.failed):,}"),
        ("images flagged", f"{results.flagged.sum():,}" if results.rules else page.NONE),
        ("cells", page.number(done["cells"].sum())),
        ("plates, wells", f"{len(results.plates):,}, {wells:,}"),
        ("fetched", units.size(fetched)),
    ]
    tasks = traces.read(results.outdir)
    if waited := throughput.waited(tasks):
        said.append(("time of the last run", page.time(waited)))
    if disk := results.run.get("stream", {}).get("disk"):
        said.append(("peak disk use of batches in flight", units.size(disk)))
    if (share := throughput.gpu_share(results.batches)) is not None:
        said.append(("segmented on a GPU", f"{share:.0%}"))
    return said


def remarks(results):
    """A sentence each: what is not as it should be, or that nothing is."""
    done, said = results.done, [f"Warning: {sentence}" for sentence in results.warnings]
    if len(results.failed):
        said.append(f"Images failed: {len(results.failed):,} (why, and what to do: Failures).")
    if unseen := _unseen(results):
        said.append(f"Images left: {unseen:,}. The run goes on, or was stopped; this page shows what is done so far.")
    refused = sum(facts["status"] == "refused" for facts in results.fields.values())
    if refused:
        said.append(f"Flat-fields refused, so that none is applied: {refused:,} of {len(results.fields):,}.")
    if empty := int((done["cells"] == 0).sum()):
        said.append(f"Images without cells: {empty:,}.")
    for rule in results.rules:
        if count := int(results.marks[rule].sum()):
            said.append(f"Images flagged as {rule}: {count:,}.")
    if not results.rules:
        said.append("No image is flagged, because qc/images.parquet, which a run's end writes, is not there.")
    return said or ["No rule flags anything. Frames and their nuclei, below, show what rules do not see."]


def _unseen(results):
    """Images that were asked for and of which nothing is known: not those that the run's end calls lost or missing."""
    return max(0, results.left - int(results.images["status"].isin(["lost", "missing"]).sum()))


def _of_fields(results):
    """Bytes fetched for flat-fields; the frames of a plate's field are fetched once for all of its images."""
    plates = [facts.get("bytes", 0) for facts in results.fields.values() if facts.get("kind") == "plate"]
    return sum(plates) if plates else results.images["field_bytes"].sum()
