"""The wells by their profiles: principal components."""

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
    """The wells in the plane of the first two components, by type of control and by plate."""
    made = page.Section(
        "well_profiles",
        "Wells by their profiles",
        "Principal components of the profiles of wells. Controls of a kind should lie together, away from the other "
        "kind; wells that part by plate instead mean that plates differ more than treatments.",
    )
    level, wells = read(results)
    if len(wells) < FEWEST:
        made.html.append(page.paragraph(f"There are no profiles of wells to draw: {_why(results, len(wells))}."))
        return made
    features = [name for name in wells if not name.startswith("Metadata_")]
    places, shares = components(wells[features].to_numpy(np.float64))
    types = wells[CONTROL].fillna("").astype(str).replace("", OTHER)
    figures = [_scatter(places, shares, types, "type of control", pictures)]
    if 1 < wells[PLATE].nunique() <= PLATES:
        figures.append(_scatter(places, shares, wells[PLATE].astype(str), "plate", pictures))
    made.html.append(page.panels(figures))
    made.html.append(page.paragraph(f"{len(wells):,} profiles of profiles/wells/{level}, {len(features):,} features."))
    return made


def read(results):
    """(level, DataFrame) of at most WELLS wells, the same number of every plate."""
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

    A value that is not there counts as the feature's mean. A feature's heaviest values are cut at 10 standard
    deviations: one well would take a component for itself.
    """
    there = profiles[:, np.isfinite(profiles).any(axis=0)]
    deviation = np.nanstd(there, axis=0)
    scaled = (there - np.nanmean(there, axis=0))[:, deviation > 0] / deviation[deviation > 0]
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
        own = (groups == name).to_numpy()
        axes.scatter(*places[own].T, s=size, color=colour, marker=mark, lw=0, alpha=0.7, label=name)
    axes.set(xlabel=f"PC1 ({shares[0]:.0%} of the variance)", ylabel=f"PC2 ({shares[1]:.0%})", title=f"By {what}")
    axes.legend(fontsize=7, markerscale=1.5, loc="best")
    counts = ", ".join(f"{name} {int((groups == name).sum()):,}" for name in names)
    return pictures.add(
        drawn, f"wells_by_{what.split()[0]}", f"Wells by their first two principal components, by {what}: {counts}."
    )


def _why(results, count):
    if count:
        return f"{count} wells have one, {FEWEST} are needed"
    if results.stopped:
        return "the run stopped before features"
    params = results.run.get("params", {})
    if params.get("streams"):
        return "a run with --streams makes none"
    if params.get("well_profiles") == "none":
        return "--well_profiles is none"
    return "they are made when a run ends" if results.left else "no well has cells with features"
