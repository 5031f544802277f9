"""Where the images of a run lie: what their locations are relative to, their folders on this machine, their servers."""

import os.path
from urllib.parse import urlsplit

from idrstream import sources
from idrstream.base.failures import ImageFailure
from idrstream.base.tables import Problems


def base(values, launch_dir, described, samplesheet):
    """(address, None) or (None, folder): what locations are relative to; neither if the study says nothing.

    values, launch_dir  see plan.make
    described           study.Study, or None
    samplesheet         the input is one, which names its files itself

    Raises tables.Problems where the study names what cannot be read.
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
    """The local folders that tasks need to read the images: the root, or the folder of each file or OME-Zarr."""
    local = [place for asked in images for place in asked["locations"] if not sources.scheme(place)]
    if root or not local:
        return [root] if root and local else []
    return sorted({sources.split(place)[0] for place in local if os.path.isabs(place)})


def text(folders):
    """Where the images come from, as the user sees it before anything starts."""
    if not folders:
        return "their own addresses"
    return folders[0] if len(folders) == 1 else f"{len(folders)} folders ({folders[0]}, ..., {folders[-1]})"


def probe(images, source):
    """Ask every server once whether it answers, before hours are spent; raises tables.Problems."""
    addresses = [asked["locations"][0] for asked in images if sources.scheme(asked["locations"][0])]
    hosts = {urlsplit(address)[:2]: address for address in [*([source] if source else []), *addresses]}
    problems = []
    for address in hosts.values():
        try:
            sources.probe(address)
        except (ImageFailure, ValueError) as reason:
            problems.append(f"--source {address}: {reason}")
    if problems:
        raise Problems(problems)
