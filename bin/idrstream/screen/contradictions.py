"""Params that contradict each other, a sentence each."""

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
    if values["phenotypes"] and not values.get("outlines") and not any(stream["outlines"] for stream in inputs.streams):
        problems.append("--phenotypes: a point lies in a nucleus's outline; add --outlines")
    if values.get("plate_format") and values["study"]:
        problems.append(f"--plate_format: not with --study, whose wells say how large plates are ({values['study']})")
    if "samplesheet" in inputs.kinds and values.get("zarr_index"):
        problems.append("--zarr_index: a samplesheet names its images itself, OME-Zarr too: plate.zarr/B/3/0")
    return problems


def _of_shapes(values):
    """IDR_stream's tables (--csv) have certain families of features, which must be computed."""
    families = {"DP": "deep", "CP": "cp"}
    return [
        f"--csv {shape}: its files hold {families[shape]} features; add them: --features deep,cp"
        for shape in filter(families.get, arguments.shapes(values))
        if families[shape] not in values["features"]
    ]


def _of_wells(values, described):
    """Params that a table of wells needs."""
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
    """Params that contradict streams, in which a cell may exist twice."""
    problems = []
    corrected = [stream["name"] for stream in named if "ic" in stream["variants"]]
    if corrected and values["illumination"] == "none":
        problems.append(f"--illumination none: stream {corrected[0]} wants ic; say plate or frames")
    if named and values["normalize_cells"]:
        problems.append("--normalize_cells: not with --streams, for it would take both variants of a cell together")
    return problems
