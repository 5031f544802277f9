"""A few features by control type, for a sample of the nuclei."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from idrstream.base.sampling import spread
from idrstream.report import page
from idrstream.report.pictures import COLOURS, OTHER, colours, panel

FOLDER = "profiles/single_cells"
CONTROL = "Metadata_Control_Type"
FILES, CELLS = 48, 40_000  # of the sample, at most
CHOSEN = ("Nuclei_AreaShape_Area", "Nuclei_AreaShape_Eccentricity", "Nuclei_Intensity_MeanIntensity_DNA")
CHOSEN += ("Nuclei_Texture_Contrast_DNA_3_00_256", "Nuclei_Granularity_1_DNA", "Nuclei_AreaShape_FormFactor")
COUNT = 4  # features drawn


def section(results, pictures):
    """A box per control type, for each of COUNT features."""
    content = page.Section(
        "distributions",
        "Features by control type",
        "Boxes show the first to third quartile, whiskers the 5th to 95th percentile. If positive and negative "
        "controls overlap in every feature, the assay may not have worked.",
    )
    paths = results.tables(FOLDER)
    sample = read(paths)
    if sample.empty:
        content.html.append(page.paragraph(_why(results, paths)))
        return content
    types = colours([str(name) for name in sample[CONTROL].value_counts().index][: len(COLOURS)])
    if list(types) == [OTHER]:
        content.html.append(page.paragraph("The input table has no control types, so all cells are one group."))
    features = [name for name in sample if name != CONTROL]
    content.html.append(page.panels([_boxes(sample, name, types, pictures) for name in features]))
    words = f"A sample of {len(sample):,} nuclei, from {min(len(paths), FILES)} of {len(paths)} tables."
    content.html.append(page.paragraph(words))
    return content


def read(paths):
    """CONTROL and COUNT features of about CELLS nuclei, evenly from at most FILES tables; empty if there are none."""
    chosen = [paths[i] for i in spread(len(paths), FILES)]
    parts = []
    for path in chosen:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        features = [name for name in names if not name.startswith("Metadata_")]
        features = [*(name for name in CHOSEN if name in features), *features][:COUNT]
        features = list(dict.fromkeys(features))
        table = file.read(columns=[*features, *([CONTROL] if CONTROL in names else [])]).to_pandas()
        parts.append(table[:: max(1, -(-len(table) * len(chosen) // CELLS))])
    sample = pd.concat([pd.DataFrame(), *parts], ignore_index=True)
    if CONTROL not in sample:
        sample[CONTROL] = ""
    sample[CONTROL] = sample[CONTROL].fillna("").replace("", OTHER)
    return sample if len(sample.columns) > 1 else sample.iloc[:0]


def _boxes(sample, name, types, pictures):
    drawn, axes = panel()
    groups = [sample.loc[sample[CONTROL] == one, name].dropna().to_numpy() for one in types]
    boxes = axes.boxplot(
        groups, whis=(5, 95), showfliers=False, orientation="horizontal", patch_artist=True, widths=0.6
    )
    for box, colour in zip(boxes["boxes"], types.values(), strict=True):
        box.set(facecolor=colour, alpha=0.75)
    for line in boxes["medians"]:
        line.set(color="black", lw=1.5)
    axes.set_yticks(
        range(1, len(types) + 1), [f"{one}\n{len(g):,}" for one, g in zip(types, groups, strict=True)], fontsize=8
    )
    axes.invert_yaxis()
    axes.set_title(name)
    medians = [f"{one} {page.number(np.median(g))}" for one, g in zip(types, groups, strict=True) if len(g)]
    return pictures.add(
        drawn, f"distribution_{name}", f"Boxes of {name} by control type; medians: {', '.join(medians)}."
    )


def _why(results, paths):
    if results.stopped:
        return "The run stopped at quality control, before features."
    return "The tables have no cells with features." if paths else "There are no tables of cells yet."
