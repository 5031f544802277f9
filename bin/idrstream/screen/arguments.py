"""The arguments of every stage's command, as they follow from the params."""

import shlex

FAMILIES = {"DP": ["deep"], "CP": ["cp"], "merged": ["deep", "cp"]}  # of features, that a shape of IDR_stream's shows


def of(values):
    """What each stage's command is given of the params; a stage at the end is there only if it is wanted."""
    stop = values.get("stop_after")
    to_save = saved(values) | ({"labels"} if stop else set())  # for the run that goes on from there
    values = values | {"save_labels": "labels" in to_save, "outlines": "outlines" in to_save}
    options = {
        name: f"--{name}" if value is True else f"--{name} {shlex.quote(str(value))}"
        for name, value in values.items()
        if value is not None and value is not False
    }

    def chosen(*names):
        return " ".join(options[name] for name in names if name in options)

    diameter = [] if values["diameter"] == "auto" else ["diameter"]
    thresholds = ("flow_threshold", "cellprob_threshold", "largest_nucleus")
    crops = ("embedder", "embed_input", "crop_rule", "crop_mask")
    each = {
        "fetch": chosen("connections"),
        "flatfield": chosen("illumination", "camera_offset"),
        "diameter": chosen("require_gpu"),
        "segment": chosen(*diameter, *thresholds, "remove_edge_masks", "outlines", "require_gpu"),
        "take_labels": chosen("remove_edge_masks", "outlines"),
        "embed": chosen("require_gpu", *(crops if values["embedder"] != "deepprofiler" else [])),
        "measure": "",
        "merge": "",
        "save_images": "",
        "commit": chosen("save_labels", "keep_intermediates"),
        "commit_plate": chosen("keep_intermediates"),
        "summary": f"--max_failed {values['max_failed']}",
        "qc": "",
    }
    if stop:
        return each
    streams, wanted = values.get("streams"), shapes(values)
    at_the_end = {
        "export": any(wanted)
        and f"{'--streams ' * bool(streams)}--batch_size {values['batch_size']} --shape {','.join(wanted)}",
        "plate_profiles": not streams
        and values["well_profiles"] != "none"
        and chosen("well_profiles", "profile_by", "negative_control"),
        "normalize_cells": values["normalize_cells"] and chosen("negative_control"),
        "mark_phenotypes": values["phenotypes"] and "",
        "to_anndata": values["h5ad"] and "",
    }
    return each | {stage: args for stage, args in at_the_end.items() if isinstance(args, str)}


def saved(values):
    """What of the images is kept beside the tables (--save), a set: labels, images, outlines."""
    return set(filter(None, str(values["save"] or "").split(",")))


def shapes(values):
    """Shapes of IDR_stream's files that are wanted; `--csv` alone is DP. Of streams, all that the features allow."""
    if values.get("streams") and values["csv"] is None:
        return [shape for shape, families in FAMILIES.items() if set(families) <= set(values["features"].split(","))]
    return ("DP" if values["csv"] is True else values["csv"] or "").split(",")
