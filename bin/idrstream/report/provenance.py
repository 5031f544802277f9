"""By what the results were made: params, versions, checksums."""

import json
from collections import Counter

from idrstream.base import units
from idrstream.report import page
from idrstream.runs import recipe


def section(results, _pictures):
    """Tables of the last run's params, of what every stage reported, and of the recipes in the ledger."""
    made = page.Section(
        "provenance",
        "Versions and checksums",
        "From pipeline_info/run.json and the ledger, which also holds the sha256 of every file of results.",
    )
    run = results.run
    if not run:
        made.html.append(page.paragraph("pipeline_info/run.json, which a run's end writes, is not there."))
    else:
        versions = [(process.split(":")[-1], found) for process, found in sorted(run["versions"].items())]
        versions = [("Nextflow", run["nextflow"]), *dict.fromkeys(versions)]
        made.html.append(page.table(("stage", "versions"), versions, "Versions"))
        params = [(f"--{name}", _text(value)) for name, value in run["params"].items() if value is not None]
        made.html.append(page.table(("param", "value"), params, "Params of the last run"))
    recipes = Counter(json.dumps(batch.recipe, sort_keys=True) for batch in results.batches)
    for text, batches in recipes.items():
        rows = [(name, _text(value)) for name, value in recipe.whole(json.loads(text)).items()]
        made.html.append(page.table(("part", "value"), rows, f"Recipe of {batches:,} batches (models by sha256)"))
    files = sum(len(batch.names) for batch in results.batches)
    size = sum(batch.bytes for batch in results.batches)
    made.html.append(
        page.paragraph(f"{len(results.batches):,} batches, {files:,} files of results, {units.size(size)}.")
    )
    return made


def _text(value):
    return value if isinstance(value, str) else json.dumps(value)
