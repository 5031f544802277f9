"""Params that do not go together, each in a sentence."""

from idrstream.screen import arguments


def of(values, inputs):
    """All of them, in a list.

    values  the params by name
    inputs  inputs.Inputs
    """
    problems = _of_shapes(values)
    if "wells" in inputs.kinds:
        problems += _of_wells(values, inputs.study)
    problems += _of_streams(values, inputs.streams)
    outlined = "outlines" in arguments.saved(values) or any(stream["outlines"] for stream in inputs.streams)
    if values["phenotypes"] and not outlined:
        problems.append("--phenotypes: a point lies in a nucleus's outline; add --save outlines")
    if values.get("plate_format") and values["study"]:
        problems.append(f"--plate_format: not with --study, whose wells say how large plates are ({values['study']})")
    if "samplesheet" in inputs.kinds and values.get("zarr_index"):
        problems.append("--zarr_index: a samplesheet names its images itself, OME-Zarr too: plate.zarr/B/3/0")
    return problems


def _of_shapes(values):
    """Tables of IDR_stream's (--csv) show families of features, which must be computed."""
    families = {"DP": "deep", "CP": "cp"}
    return [
        f"--csv {shape}: its files hold {families[shape]} features; add them: --features deep,cp"
        for shape in filter(families.get, arguments.shapes(values))
        if families[shape] not in values["features"]
    ]


def _of_wells(values, described):
    """What a table of wells needs beside itself."""
    problems = []
    if not values["study"]:
        problems.append("--study: a table of wells needs a study that says where a well's file lies, such as idr0013")
    if not values["screens"]:
        problems.append("--screens: a table of wells needs the table of screens (short plate name, long plate name)")
    if values["study"] and values["source"] is None and described and described.source is None:
        problems.append(
            f"--source: study {described.name} has no address of its own; name its files' folder or address"
        )
    if described and values.get("zarr_index") and not described.stored:
        problems.append(
            f"--zarr_index: study {described.name} has no location in OME-Zarr, which begins with {{store}}"
        )
    if described and described.locations and not values.get("zarr_index") and described.stored == described.locations:
        problems.append(f"--zarr_index: study {described.name} needs the table of its plates' OME-Zarr: plate, store")
    return problems


def _of_streams(values, named):
    """What of the params does not go with streams, in which every cell may be there twice."""
    problems = []
    corrected = [stream["name"] for stream in named if "ic" in stream["variants"]]
    if corrected and values["illumination"] == "none":
        problems.append(f"--illumination none: stream {corrected[0]} wants ic; say plate or frames")
    if named and values["normalize_cells"]:
        problems.append("--normalize_cells: not with --streams, for it would take both variants of a cell together")
    return problems
