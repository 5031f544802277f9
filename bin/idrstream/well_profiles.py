"""Profiles of wells out of single cells, by pycytominer 1.7 (Serrano et al. 2025, doi:10.1038/s41592-025-02611-8).

Level 3 is a row a well, the median of its cells; level 4a the same in units of the negative controls' standard
deviation, from their mean; level 4b the features of 4a that vary, are no copies of others, and have values.
"""

import pandas as pd
from pycytominer import aggregate, feature_select, normalize

from idrstream.controls import too_few
from idrstream.single_cells import NEGATIVE

STRATA = ["Metadata_Plate", "Metadata_Well", "Metadata_WellNumber"]
CELLS, IMAGES = "Metadata_Cell_Count", "Metadata_Image_Count"
IMAGE = ["Metadata_Site", "Metadata_Frame"]
PER_CELL = {"Label", "Center_X", "Center_Y", "Cell_ID", "Site", "Frame"}
PER_CELL |= {"Area", "Solidity", "TouchesBorder", "CropPaddedFraction", "TextureLevels"}
CONTROLS = 3  # wells: of fewer a standard deviation says little
WELLS = 5  # of fewer any two features are correlated
SELECTION = ["variance_threshold", "correlation_threshold", "drop_na_columns", "drop_outliers"]


def aggregated(cells, plate):
    """Level 3 of a plate: a row a well, in the order of their numbers.

    cells    single_cells.SingleCells
    returns  DataFrame: Metadata_* (of the columns that are the same for all cells of a well, counts of cells and images
             with cells), then the median of each feature over the cells of all sites and frames
    """
    parts = [pd.DataFrame()]
    for some in cells.wells(plate):
        wells = aggregate(some, strata=STRATA, features=cells.features, operation="median")
        same = [name for name in cells.metadata if name not in STRATA and name[len("Metadata_") :] not in PER_CELL]
        groups = some.groupby(STRATA, sort=False)
        about = groups[same].first()
        about[CELLS] = groups.size()
        about[IMAGES] = some.drop_duplicates([*STRATA, *IMAGE]).groupby(STRATA).size()
        parts.append(about.reset_index().merge(wells, on=STRATA, validate="one_to_one"))
    return pd.concat(parts, ignore_index=True)


def normalized(wells, features, scope):
    """Level 4a.

    wells     level 3 of one plate or of many
    features  names of the features
    scope     "plate": by the negative controls of each plate; "screen": by all of them
    returns   (DataFrame with the wells that could be normalised, sentences about those that could not)
    """
    parts, notes = [], []
    groups = [(None, wells)] if scope == "screen" else wells.groupby("Metadata_Plate", sort=False)
    for plate, some in groups:
        types = some.get("Metadata_Control_Type", pd.Series("", index=some.index))
        controls = (types == NEGATIVE).sum()
        if controls < CONTROLS:
            what, group = (f"Plate {plate}: wells", "its wells") if plate else ("Wells", "the screen's wells")
            notes.append(too_few(what, f"{group} with cells", controls, CONTROLS, types.unique()))
            continue
        chosen = f"Metadata_Control_Type == '{NEGATIVE}'"
        meta = [column for column in some.columns if column not in features]
        parts.append(normalize(some, features=features, meta_features=meta, samples=chosen, method="standardize"))
    made = pd.concat(parts, ignore_index=True) if parts else wells.iloc[:0]
    return made, notes


def selected(wells, features):
    """Level 4b: WELLS, level 4a of the whole screen, with the features that tell them apart.

    returns  (DataFrame, sentences): without rows if there are too few wells
    """
    if len(wells) < WELLS:
        return wells.iloc[:0], [f"no features are selected: {len(wells)} wells are normalised, {WELLS} are needed"]
    kept = feature_select(wells, features=features, operation=SELECTION)
    return kept, []
