"""Well profiles from single cells, by pycytominer 1.7 (Serrano et al. 2025, doi:10.1038/s41592-025-02611-8).

Level 3 has one row per well, or per well and frame: the median of its cells. Level 4a is level 3 minus the mean of the
negative controls, over their standard deviation. Level 4b has the features of 4a that vary, are not correlated with
others, and are not missing.
"""

import pandas as pd
from pycytominer import aggregate, feature_select, normalize

from idrstream.base import units
from idrstream.screen.controls import too_few, varies

STRATA = ["Metadata_Plate", "Metadata_Well", "Metadata_WellNumber"]
FRAME = "Metadata_Frame"
CELLS, IMAGES = "Metadata_Cell_Count", "Metadata_Image_Count"
IMAGE = ["Metadata_Site", FRAME]
PER_CELL = {"Label", "Center_X", "Center_Y", "Cell_ID", "Site", "Frame"}
PER_CELL |= {"Area", "Solidity", "TouchesBorder", "CropPaddedFraction", "TextureLevels"}
CONTROLS = 3  # wells: from fewer, a standard deviation is unreliable
WELLS = 5  # among fewer, any two features are correlated
SHOWN = 5  # names in a sentence
SELECTION = ["variance_threshold", "correlation_threshold", "drop_na_columns", "drop_outliers"]


def strata(cells, profile_by):
    """The columns that identify a row of the profiles.

    cells       single_cells.SingleCells
    profile_by  "well"; "frame": well and frame; "auto": both where a well has several frames
    """
    by_frame = profile_by == "frame" or (profile_by == "auto" and cells.several_frames)
    return STRATA + [FRAME] * by_frame


def aggregated(cells, plate, by):
    """Level 3 of a plate: a row per well, or per well and frame, in the order of their numbers.

    cells    single_cells.SingleCells
    by       as `strata` gives it
    returns  (DataFrame, mixed): Metadata_* (blank where the cells of a row differ; counts of cells and of images with
             cells), then the median of each feature over the cells; and column -> names of the wells whose cells differ
    """
    parts, mixed = [pd.DataFrame()], {}
    for piece in cells.wells(plate):
        profiles = aggregate(piece, strata=by, features=cells.features, operation="median")
        named = [name for name in cells.metadata if name not in by and name[len("Metadata_") :] not in PER_CELL]
        groups = piece.groupby(by, sort=False)
        alike = groups[named].nunique(dropna=False) <= 1
        about = groups[named].first().where(alike, "")
        for name in alike.columns[~alike.all()]:
            wells = alike.index[~alike[name]].get_level_values("Metadata_Well")
            mixed.setdefault(name, []).extend(f"{plate} {well}" for well in wells.unique())
        about[CELLS] = groups.size()
        about[IMAGES] = piece.drop_duplicates([*STRATA, *IMAGE]).groupby(by).size()
        parts.append(about.reset_index().merge(profiles, on=by, validate="one_to_one"))
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values(by[2:], ignore_index=True, kind="stable") if len(table) else table, mixed


def normalized(wells, features, scope, negative):
    """Level 4a.

    wells     level 3 of one plate or of many; with frames, each is normalised by the controls of the same frame
    features  names of the features
    scope     "plate": by the negative controls of each plate; "screen": by all of them
    negative  values of control_type that mark them (controls.words)
    returns   (DataFrame with the wells that could be normalised, sentences about those that could not, names of the
              features that are only centred, because they hardly vary among the controls of a group)
    """
    parts, few, flat = [], {}, set()
    keys = ["Metadata_Plate"] * (scope != "screen") + [FRAME] * (FRAME in wells)
    for place, group in wells.groupby(keys, sort=False) if keys else [((), wells)]:
        types = group.get("Metadata_Control_Type", pd.Series("", index=group.index))
        controls = types.isin(negative)
        if controls.sum() < CONTROLS:
            what, whose = _in_words(dict(zip(keys, place, strict=True)))
            why = too_few(what, f"{whose} with cells", controls.sum(), CONTROLS, types.unique(), negative)
            few.setdefault(place[: len(keys) - (FRAME in wells)], []).append(why)
            continue
        table, centred = _standardized(group, features, controls)
        parts.append(table)
        flat |= centred
    table = pd.concat(parts).sort_index(ignore_index=True) if parts else wells.iloc[:0]
    notes = [
        first + f" The same is true of {units.count(len(more), 'other frame')}." * bool(more)
        for first, *more in few.values()
    ]
    return table, notes, [name for name in features if name in flat]


def selected(wells, features):
    """Level 4b: WELLS, level 4a of the whole screen, with the features that distinguish them.

    returns  (DataFrame, sentences): without rows if there are too few wells
    """
    if len(wells) < WELLS:
        return wells.iloc[:0], [f"no features selected: {len(wells)} wells are normalised, at least {WELLS} are needed"]
    return feature_select(wells, features=features, operation=SELECTION), []


def mixed_sentences(mixed):
    """A sentence per column whose cells differ within a well. MIXED: column -> wells."""
    return [
        f"{name} differs within {len(wells)} well{'s' * (len(wells) > 1)} ({_list(wells)}): blank in their profiles"
        for name, wells in mixed.items()
    ]


def flat_sentences(flat):
    """A sentence about the features that are only centred; none if there are none."""
    what = "hardly vary among the negative controls: their mean is subtracted, without division by the deviation"
    return [f"{len(flat)} features {what} ({_list(flat)})"] if flat else []


def _standardized(wells, features, controls):
    """WELLS standardised by CONTROLS, (n,) bool; and the features that hardly vary and are only centred.

    A feature that too few of the controls have is empty.
    """
    meta = [column for column in wells.columns if column not in features]
    marked = wells.assign(Metadata_Is_Control=controls)
    chosen = {"meta_features": meta, "samples": "Metadata_Is_Control", "method": "standardize"}
    table = normalize(marked, features=features, **chosen).set_axis(wells.index)
    values = wells[features].astype(float)
    reference = values[controls]
    flat = reference.notna().any() & ~varies(reference.std(ddof=0), values.abs().max())
    centred = flat.index[flat]
    table[centred] = (values[centred] - reference[centred].mean()).to_numpy()
    table[reference.columns[reference.notna().sum() < CONTROLS]] = float("nan")
    return table, set(centred)


def _in_words(place):
    """The group that is normalised together, and whose wells it has, in words; PLACE: column -> value."""
    plate, frame = place.get("Metadata_Plate"), place.get(FRAME)
    names = [f"Plate {plate}"] * (plate is not None) + [f"frame {frame}"] * (frame is not None)
    whose = "its wells" if plate is not None else "the screen's wells"
    what = ", ".join(names)
    return f"{what[:1].upper()}{what[1:]}: wells" if names else "Wells", whose


def _list(names):
    return ", ".join(names[:SHOWN]) + f" and {len(names) - SHOWN} more" * (len(names) > SHOWN)
