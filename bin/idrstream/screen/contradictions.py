"""Params that contradict each other, a sentence each."""

from idrstream.screen import arguments
from idrstream.screen.folder_input import Sheet


def of(values, inputs):
    """All of them, in a list.

    values  the params by name
    inputs  inputs.Inputs
    """
    problems = _of_shapes(values)
    if "wells" in inputs.kinds:
        problems += _of_wells(values, inputs.study)
    problems += _of_streams(values, inputs.streams) + _of_folder(values, inputs)
    outlined = "outlines" in arguments.saved(values) or any(stream["outlines"] for stream in inputs.streams)
    if values["phenotypes"] and not outlined:
        problems.append("--phenotypes: a point lies in a nucleus's outline; add --save outlines")
    if values.get("plate_format") and values["study"]:
        problems.append(f"--plate_format: not with --study, whose wells say how large plates are ({values['study']})")
    if "samplesheet" in inputs.kinds and values.get("zarr_index"):
        problems.append("--zarr_index: a samplesheet names its images itself, OME-Zarr too: plate.zarr/B/3/0")
    return problems


def _of_folder(values, inputs):
    """What does not go with a folder of images, and with files of one frame each."""
    problems = []
    in_folder = any(isinstance(table, Sheet) for table in inputs.tables)
    if values["pattern"] is not None and inputs.tables and not in_folder:
        problems.append("--pattern: it goes with a folder of images as --input; a table names its files itself")
    if in_folder and values["source"] is not None:
        problems.append("--source: not with a folder of images as --input, whose files lie in it")
    single = any("file_frame" in table.columns for table in inputs.tables)
    if single and values["illumination"] == "frames":
        why = "it fits the field of an image to its neighbours in the same file, and the files have one frame each"
        problems.append(f"--illumination frames: {why}; say plate or none")
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
