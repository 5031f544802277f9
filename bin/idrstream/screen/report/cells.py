"""Size and shape of the nuclei, and which of them the rules flag; read in pieces."""

from collections import Counter

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from idrstream.report import page
from idrstream.report.pictures import panel
from idrstream.screen.report.results import flags

TABLE = "qc/cells.parquet"
SAMPLE = 200_000  # nuclei whose size and shape are drawn
PANELS = {"Metadata_Area": "area (pixels)", "Metadata_Solidity": "solidity (area over that of the convex hull)"}


def section(results, pictures):
    """Share of the nuclei that each rule flags, and how size and shape are distributed."""
    content = page.Section(
        "cells",
        "Nuclei",
        "Flags of single nuclei (all nuclei: qc/cells.parquet).",
    )
    path = results.outdir / TABLE
    if not path.exists():
        content.html.append(
            page.paragraph(f"Nuclei are not flagged: there is no {TABLE}, which is written when a run ends.")
        )
        return content
    total, flagged, sample = read(path)
    if not total:
        content.html.append(page.paragraph(f"{TABLE} contains no nuclei."))
        return content
    rows = [(rule, why, count, 100 * count / total) for (rule, why), count in flagged.items()]
    content.html.append(page.table(("rule", "why", "nuclei flagged", "in %"), rows, f"Flags of {total:,} nuclei"))
    content.html.append(page.panels([_histogram(sample[name], name, pictures) for name in PANELS if name in sample]))
    return content


def read(path):
    """(nuclei, (rule, reason) -> number flagged, column of PANELS -> sample of its values); read by row groups."""
    file = pq.ParquetFile(path)
    rules = flags(file.schema_arrow)
    drawn = [name for name in PANELS if name in file.schema_arrow.names]
    flagged, parts = Counter(dict.fromkeys(rules.values(), 0)), {name: [] for name in drawn}
    step = max(1, -(-file.metadata.num_rows // SAMPLE))
    for piece in file.iter_batches(columns=[*rules, *drawn]):
        for name, rule in rules.items():
            flagged[rule] += pc.sum(piece[name]).as_py() or 0
        for name in drawn:
            parts[name].append(piece[name].to_numpy(zero_copy_only=False)[::step])
    return file.metadata.num_rows, flagged, {name: np.concatenate(pieces) for name, pieces in parts.items() if pieces}


def _histogram(values, name, pictures):
    values = values[np.isfinite(values)]
    drawn, axes = panel()
    low, high = np.percentile(values, [0.1, 99.9])
    axes.hist(values, bins=60, range=(low, high if high > low else low + 1))
    axes.set(xlabel=PANELS[name], ylabel="nuclei")
    quartiles = ", ".join(page.number(value) for value in np.percentile(values, [25, 50, 75]))
    alt = f"Histogram of {PANELS[name]} of {len(values):,} nuclei; quartiles {quartiles}."
    return pictures.add(drawn, f"nuclei_{name.removeprefix('Metadata_').lower()}", alt)
