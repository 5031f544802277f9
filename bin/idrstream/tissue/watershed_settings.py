"""The parameters of a deep watershed as they are written: one value, or one a compartment. Only click is imported.

`0.1` is for nuclei and cells, `cell=0.075,nucleus=0.1` for each, `cell=0.3` for cells alone: nuclei have their default.
"""

import math

import click

from idrstream.base.task import UserError
from idrstream.cells.postprocessing import ALGORITHMS, DEFAULTS, Settings

COMPARTMENTS = {"cell": "cells", "nucleus": "nuclei"}  # as they are written, and their layers
HELP = {
    "maxima_threshold": "Fall of the inner distance between two objects.",
    "maxima_smooth": "Sigma, in pixels of the network, by which the inner distance is smoothed.",
    "maxima_algorithm": "How the middles of objects are found: h_maxima or peak_local_max.",
    "interior_threshold": "Least interior of the pixels of objects.",
    "interior_smooth": "Sigma by which the interior is smoothed.",
    "radius": "Pixels within which a middle is compared with others.",
    "small_objects": "Objects of fewer pixels are dropped.",
    "fill_holes": "Holes of fewer pixels are filled.",
    "label_erosion": "Pixels that objects lose at their borders.",
    "pixel_expansion": "Pixels by which the interior is dilated.",
}
NAMES = tuple(Settings._fields)
ANY = ("interior_threshold",)  # may be 0 or below
ABOVE_0 = ("maxima_threshold", "radius")
MOST = {"maxima_smooth": 20, "interior_smooth": 20, "radius": 50, "label_erosion": 50, "pixel_expansion": 50}  # pixels


def default(name):
    """The default of a parameter, as it is written."""
    return _written({layer: getattr(settings, name) for layer, settings in DEFAULTS.items()})


def parse(name, text):
    """{layer: value} of a parameter. Raises ValueError with a sentence that says what is wrong and what to write."""
    values = {layer: getattr(settings, name) for layer, settings in DEFAULTS.items()}
    parts = [part.strip() for part in str(text).split(",")]
    if len(parts) == 1 and "=" not in parts[0]:
        return dict.fromkeys(values, _value(name, text, parts[0]))
    seen = set()
    for part in parts:
        compartment, equals, value = (word.strip() for word in part.partition("="))
        if not equals or compartment not in COMPARTMENTS:
            raise ValueError(_wrong(name, text, f'"{part}" is not a value of a cell or a nucleus'))
        if compartment in seen:
            raise ValueError(_wrong(name, text, f"{compartment} has two values"))
        seen.add(compartment)
        values[COMPARTMENTS[compartment]] = _value(name, text, value)
    return values


def settings(texts):
    """{layer: postprocessing.Settings} of {name: text}; names that are absent have their defaults.

    Raises ValueError with a sentence a parameter that is wrong, one a line.
    """
    found, faults = {layer: default._asdict() for layer, default in DEFAULTS.items()}, []
    for name, text in texts.items():
        try:
            for layer, value in parse(name, text).items():
                found[layer][name] = value
        except ValueError as fault:
            faults.append(str(fault))
    if faults:
        raise ValueError("\n".join(faults))
    return {layer: Settings(**values) for layer, values in found.items()}


def canonical(name, text, layers=tuple(DEFAULTS)):
    """A parameter as `default` writes it, for LAYERS; others have their default. Raises ValueError as `parse` does."""
    values = {layer: getattr(settings, name) for layer, settings in DEFAULTS.items()}
    return _written(values | {layer: value for layer, value in parse(name, text).items() if layer in layers})


def options(command):
    """Decorator: an option for each parameter, whose texts the command takes by their names."""
    for name in reversed(NAMES):
        command = click.option(f"--{name}", default=default(name), show_default=True, help=HELP[name])(command)
    return command


def of_command(texts):
    """`settings` of a command's options. Raises UserError."""
    try:
        return settings(texts)
    except ValueError as fault:
        raise UserError(str(fault)) from fault


def _value(name, text, word):
    kind = type(getattr(DEFAULTS["cells"], name))
    if kind is str:
        if word not in ALGORITHMS:
            raise ValueError(_wrong(name, text, f'"{word}" is not {" or ".join(ALGORITHMS)}'))
        return word
    try:
        value = kind(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(_wrong(name, text, f'"{word}" is not a {"whole number" if kind is int else "number"}'))
    if name not in ANY and (value < 0 or (name in ABOVE_0 and value == 0)):
        raise ValueError(_wrong(name, text, f"{word} is not {'above 0' if name in ABOVE_0 else '0 or more'}"))
    if value > MOST.get(name, math.inf):
        raise ValueError(_wrong(name, text, f"{word} is above {MOST[name]}, the most that is taken"))
    return value


def _written(values):
    """{layer: value} as text."""
    cell, nucleus = (_text(values[layer]) for layer in COMPARTMENTS.values())
    return cell if cell == nucleus else f"cell={cell},nucleus={nucleus}"


def _wrong(name, text, problem):
    cell, nucleus = (_text(getattr(DEFAULTS[layer], name)) for layer in COMPARTMENTS.values())
    return f'--{name} "{text}": {problem}; write one value for both, or cell={cell},nucleus={nucleus}.'


def _text(value):
    return f"{value:g}" if isinstance(value, float) else str(value)
