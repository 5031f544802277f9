"""Params that do not go together, each in a sentence."""


def of_wells(values, described):
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


def of_streams(values, named):
    """What of the params does not go with streams, in which every cell may be there twice."""
    problems = []
    corrected = [stream["name"] for stream in named if "ic" in stream["variants"]]
    if corrected and values["illumination"] == "none":
        problems.append(f"--illumination none: stream {corrected[0]} wants ic; say plate or frames")
    if named and values["normalize_cells"]:
        problems.append("--normalize_cells: not with --streams, for it would take both variants of a cell together")
    return problems
