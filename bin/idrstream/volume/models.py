"""The checkpoints of a run, each with its network: read, and checked against the file that describes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from idrstream.base.tables import Problems
from idrstream.volume import checkpoint, network_file
from idrstream.volume.unet import Unet


class Model(NamedTuple):
    """A checkpoint.

    name       of its file, without suffix: of its results
    file       its name
    number     which of the run's
    sha256     of the file
    iteration  of the training; None if nobody says
    unet       its network
    """

    name: str
    file: str
    number: int
    sha256: str
    iteration: int | None
    unet: Unet


def read(paths: Sequence[Path], network: Path | None) -> tuple[list[Model], list[str], list[str]]:
    """The models of checkpoint files; what is wrong with them, and what the user should know, a sentence each.

    network  file that describes the network; None: it is guessed from the checkpoints
    """
    faults, notes, described, models = [], [], None, []
    if network:
        try:
            described, notes = network_file.read(network)
        except Problems as problems:
            faults += [f"--network: {sentence}" for sentence in problems.sentences]
    for number, path in enumerate(paths):
        try:
            content = checkpoint.read(path)
            unet, assumed = checkpoint.fit(content, described)
        except Problems as problems:
            faults += [f"--checkpoint: {sentence}" for sentence in problems.sentences]
            continue
        notes += assumed
        models.append(Model(_stem(path), path.name, number, content.sha256, content.iteration, unet))
    first = {model.sha256: model.file for model in reversed(models)}
    copies = [model for model in models if first[model.sha256] != model.file]
    faults += [f"--checkpoint: {model.file} is a copy of {first[model.sha256]}; name one" for model in copies]
    names = [model.name.lower() for model in models]
    twice = sorted({model.file for model in models if names.count(model.name.lower()) > 1})
    if twice:
        faults.append(f"--checkpoint: {', '.join(twice)} would have results of one name; rename them")
    if len({model.unet for model in models}) > 1:
        kinds = "; ".join(f"{model.file}: {describe(model.unet)}" for model in models)
        faults.append(f"--checkpoint: all have to be of one network, and these are not: {kinds}")
    return models, faults, notes


def describe(unet: Unet) -> str:
    """A network in words."""
    return f"{unet.maps} maps, {len(unet.factors)} poolings, {unet.outputs} outputs, {unet.parameters:,} parameters"


def _stem(path: Path) -> str:
    return path.name.removesuffix(".pt").removesuffix(".pth").removesuffix(".ckpt")
