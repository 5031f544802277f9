"""Principal components of the well profiles."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from idrstream.base.sampling import spread
from idrstream.report import page
from idrstream.report.pictures import COLOURS, OTHER, colours, panel

LEVELS = ("selected", "normalized", "aggregated")  # the first that has wells
WELLS = 20_000  # at most
FEWEST = 3
CONTROL, PLATE = "Metadata_Control_Type", "Metadata_Plate"
MARKS = "osD^vP*X"
PLATES = len(COLOURS)  # that get a colour of their own


def section(results, pictures):
    """The wells in the plane of the first two components, by control type and by plate."""
    content = page.Section(
        "well_profiles",
        "Well profiles",
        "Principal components of the well profiles. Controls of one type should lie together, away from the other "
        "type. If wells separate by plate instead, plates differ more than treatments.",
    )
    level, wells = read(results)
    if len(wells) < FEWEST:
        content.html.append(page.paragraph(f"There are no well profiles to draw: {_why(results, len(wells))}."))
        return content
    features = [name for name in wells if not name.startswith("Metadata_")]
    places, shares = components(wells[features].to_numpy(np.float64))
    types = wells[CONTROL].fillna("").astype(str).replace("", OTHER)
    figures = [_scatter(places, shares, types, "control type", pictures)]
    if 1 < wells[PLATE].nunique() <= PLATES:
        figures.append(_scatter(places, shares, wells[PLATE].astype(str), "plate", pictures))
    content.html.append(page.panels(figures))
    content.html.append(
        page.paragraph(f"{len(wells):,} profiles of profiles/wells/{level}, {len(features):,} features.")
    )
    return content


def read(results):
    """(level, DataFrame) of at most WELLS wells, the same number from every plate."""
    for level in LEVELS:
        paths = results.tables(f"profiles/wells/{level}")
        parts = []
        for path in paths:
            table = pq.read_table(path, partitioning=None).to_pandas()
            parts.append(table.iloc[spread(len(table), max(2, WELLS // len(paths)))])
        wells = pd.concat([pd.DataFrame(), *parts], ignore_index=True)
        if len(wells) >= FEWEST:
            return level, wells.assign(**{CONTROL: wells.get(CONTROL, pd.Series("", index=wells.index))})
    return None, pd.DataFrame()


def components(profiles):
    """First two principal components of (n, features), of features that vary, each in units of its standard deviation.

    returns  (n, 2) places, (2,) shares of the variance

    A missing value counts as the feature's mean. Values are clipped at 10 standard deviations, or one well could have
    a component of its own.
    """
    present = profiles[:, np.isfinite(profiles).any(axis=0)]
    spread = np.nanstd(present, axis=0)
    scaled = (present - np.nanmean(present, axis=0))[:, spread > 0] / spread[spread > 0]
    scaled = np.clip(np.nan_to_num(scaled), -10, 10)
    values, vectors = np.linalg.eigh(scaled.T @ scaled)
    first = vectors[:, ::-1][:, :2]
    first = first * np.sign(first[np.abs(first).argmax(axis=0), np.arange(first.shape[1])])
    return scaled @ first, values[::-1][:2] / max(values.sum(), 1e-12)


def _scatter(places, shares, groups, what, pictures):
    drawn, axes = panel((5.2, 4.2))
    names = colours(list(groups.value_counts().index)[: len(COLOURS)])
    size = 12 if len(places) < 3000 else 3
    for mark, (name, colour) in zip(MARKS, reversed(names.items()), strict=False):
        rows = (groups == name).to_numpy()
        axes.scatter(*places[rows].T, s=size, color=colour, marker=mark, lw=0, alpha=0.7, label=name)
    axes.set(xlabel=f"PC1 ({shares[0]:.0%} of the variance)", ylabel=f"PC2 ({shares[1]:.0%})", title=f"By {what}")
    axes.legend(fontsize=7, markerscale=1.5, loc="best")
    counts = ", ".join(f"{name} {int((groups == name).sum()):,}" for name in names)
    return pictures.add(
        drawn, f"wells_by_{what.split()[-1]}", f"Wells by their first two principal components, by {what}: {counts}."
    )


def _why(results, count):
    if count:
        return f"{count} wells have a profile, at least {FEWEST} are needed"
    if results.stopped:
        return "the run stopped at quality control, before features"
    params = results.run.get("params", {})
    if params.get("streams"):
        return "runs with --streams have none"
    if params.get("well_profiles") == "none":
        return "--well_profiles is none"
    return "they are written when a run ends" if results.remaining else "no well has cells with features"
