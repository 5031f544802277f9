"""Where the images of a run are: what their locations are relative to, local folders, servers."""

import os.path
from urllib.parse import urlsplit

from idrstream import sources
from idrstream.base.failures import ImageFailure
from idrstream.base.tables import Problems


def base(values, launch_dir, described, samplesheet):
    """(address, None) or (None, folder): what locations are relative to; neither if the study names no source.

    values, launch_dir  see plan.make
    described           study.Study, or None
    samplesheet         the input is a samplesheet, which names its files itself

    Raises tables.Problems where the study names a source that cannot be read.
    """
    place = values["source"]
    if place is None and samplesheet:
        place = os.path.join(launch_dir, values["input"] or values["streams"])
        place = place if values["pattern"] else os.path.dirname(place)  # a folder's, or a table's beside its images
    elif place is None and described and described.source:
        place = described.source
        if wrong := sources.fault(place):
            raise Problems([f"--study {values['study']}, source {place}: {wrong}"])
    if place is None or sources.scheme(place):
        return place, None
    return None, sources.joined(launch_dir, place)


def frame_in_file(asked):
    """Which frame of its file an image is, counted from 1: its time point, unless a column file_frame says another."""
    return asked.get("file_frame", asked["frame"])


def folders(images, root):
    """The local folders that tasks read images from: the root, or the folder of each file or OME-Zarr."""
    local = [place for image in images for place in image["locations"] if not sources.scheme(place)]
    if root or not local:
        return [root] if root and local else []
    return sorted({sources.split(place)[0] for place in local if os.path.isabs(place)})


def text(folders):
    """Where the images come from, as the user sees it before anything starts."""
    if not folders:
        return "their own addresses"
    return folders[0] if len(folders) == 1 else f"{len(folders)} folders ({folders[0]}, ..., {folders[-1]})"


def probe(images, source):
    """Ask every server once whether it answers; raises tables.Problems."""
    addresses = [image["locations"][0] for image in images if sources.scheme(image["locations"][0])]
    hosts = {urlsplit(address)[:2]: address for address in [*([source] if source else []), *addresses]}
    problems = []
    for address in hosts.values():
        try:
            sources.probe(address)
        except (ImageFailure, ValueError) as reason:
            problems.append(f"--source {address}: {reason}")
    if problems:
        raise Problems(problems)
