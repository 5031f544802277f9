"""The files that a run's params name, read and checked together, and the images of its tables."""

from dataclasses import dataclass
from functools import partial

from idrstream.base import files
from idrstream.base.tables import Problems, Table
from idrstream.screen import folder_input, request, rules, streams
from idrstream.screen import study as studies
from idrstream.sources import joined


@dataclass
class Inputs:
    """Contents of the files; None or an empty list for a file that is not named or cannot be read.

    tables      samplesheets or tables of wells: that of --input, or one a stream; of a folder the one that was made
    streams     as streams.read gives them
    screens     table of short and long plate names
    zarr_index  table of plates and their OME-Zarr
    phenotypes  table of points
    study       study.Study; for samplesheets without --study one whose plates have all of their wells
    problems    sentences about whole files; those about rows are in their table
    """

    tables: list
    streams: list
    screens: Table | None
    zarr_index: Table | None
    phenotypes: Table | None
    study: studies.Study | None
    problems: list

    @property
    def kinds(self):
        """Kinds of the tables: ``samplesheet``, which names files itself, or ``wells``."""
        return {table.kind for table in self.tables}

    def images(self, source, root):
        """The images of each table, as request.from_wells gives them: a list per table, in their order.

        source, root  what their locations are relative to (places.base)

        Raises tables.Problems with everything that is wrong in the rows of any table.
        """
        problems, images = [], []
        stores = attempt(problems, request.stores, self.zarr_index, root) if self.zarr_index else None
        tables = (*self.tables, self.screens, self.phenotypes, self.zarr_index)
        problems += [sentence for table in tables if table for sentence in table.problems]
        if self.kinds == {"samplesheet"} and self.study:
            one = partial(request.from_samplesheet, study=self.study, folder=source or root)
            images = [attempt(problems, one, table) for table in self.tables]
        elif self.kinds == {"wells"} and self.screens and self.study and self.study.locations:
            one = partial(request.from_wells, screens=self.screens, study=self.study, stores=stores)
            images = [attempt(problems, one, table) for table in self.tables]
        if problems:
            raise Problems(problems)
        return images


def read(values, given, launch_dir):
    """Read the files. Arguments as of plan.make; returns Inputs."""
    problems = []

    def content(name, function, *kinds):
        return attempt(problems, function, given[name], *kinds) if name in given else None

    content("qc_rules", rules.read)  # only checked here; they are used when the run has ended
    study = attempt(problems, studies.load, given["study"], request.SCHEMAS["study"]) if "study" in given else None
    named = content("streams", streams.read) or []
    paths = [given["input"]] if "input" in given else [stream["table"] for stream in named]
    read_tables = [attempt(problems, request.read, path, "samplesheet", "wells") for path in paths]
    if "listing" in given:
        read_tables.append(attempt(problems, _sheet, values, given["listing"], launch_dir))
    inputs = Inputs(
        tables=[table for table in read_tables if table],
        streams=named,
        screens=content("screens", request.read_screens),
        zarr_index=content("zarr_index", request.read, "zarr_index"),
        phenotypes=content("phenotypes", request.read, "phenotypes"),
        study=study if "study" in given else studies.SAMPLESHEET,
        problems=problems,
    )
    if len(inputs.kinds) > 1:
        problems.append(f"{given['streams'].name}: some of its tables are samplesheets; all must be of one kind")
    if inputs.kinds == {"samplesheet"} and "study" not in given:
        wells = (studies.Well.parse(row.cells["well"]) for table in inputs.tables for row in table.rows)
        inputs.study = studies.fitted(inputs.study, wells, values.get("plate_format"))
    return inputs


def _sheet(values, listing, launch_dir):
    """The samplesheet of a folder of images; LISTING: the file that bin/list_files.py made."""
    listed, folder = files.read_json(listing), joined(launch_dir, values["input"])
    names, pattern = listed["files"], values["pattern"]
    if listed["faults"] or not names:
        raise Problems(listed["faults"] or [f"--input {folder}: there are no files in this folder"])
    if pattern is None:
        raise Problems([folder_input.without_pattern(names, folder)])
    return folder_input.sheet(names, pattern, folder, values["nuclear"])


def attempt(problems, function, *arguments):
    """Call FUNCTION and return its result; if it raises Problems, add them to PROBLEMS and return None."""
    try:
        return function(*arguments)
    except Problems as error:
        problems += error.sentences
        return None
