"""Parameters, versions and checksums behind the results."""

import json
from collections import Counter

from idrstream.base import units
from idrstream.report import page


def section(results, _pictures):
    """Tables of the last run's params, of every stage's versions, and of the recipes in the ledger."""
    content = page.Section(
        "provenance",
        "Versions and checksums",
        "From pipeline_info/run.json and the ledger, which also has the sha256 of every result file.",
    )
    run = results.run
    if not run:
        content.html.append(page.paragraph("There is no pipeline_info/run.json, which is written when a run ends."))
    else:
        versions = [(process.split(":")[-1], text) for process, text in sorted(run["versions"].items())]
        versions = [("Nextflow", run["nextflow"]), *dict.fromkeys(versions)]
        content.html.append(page.table(("stage", "versions"), versions, "Versions"))
        params = [(f"--{name}", _text(value)) for name, value in run["params"].items() if value is not None]
        content.html.append(page.table(("param", "value"), params, "Params of the last run"))
    recipes = Counter(json.dumps(batch.recipe, sort_keys=True) for batch in results.batches)
    for text, batches in recipes.items():
        rows = [(name, _text(value)) for name, value in results.book.whole(json.loads(text)).items()]
        caption = f"Recipe of {units.count(batches, results.unit)} (models by sha256)"
        content.html.append(page.table(("part", "value"), rows, caption))
    files = sum(len(batch.names) for batch in results.batches)
    size = sum(batch.bytes for batch in results.batches)
    counts = f"{units.count(len(results.batches), results.unit)}, {units.count(files, 'result file')}"
    content.html.append(page.paragraph(f"{counts}, {units.size(size)}."))
    return content


def _text(value):
    return value if isinstance(value, str) else json.dumps(value)
