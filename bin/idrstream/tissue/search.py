"""What is looked for on a slide: its nuclei, and cells by a network of their own. Only click is imported."""

import click

# Layer -> what its network is shown, each a key of the planner's JSON that lists channels: the first is what it looks
# for. Cellpose's networks of cells take the cytoplasm first, then the nuclei.
PLANES = {"nuclei": ("nuclear",), "cells": ("membrane", "nuclear")}
DIAMETERS = {"nuclei": "diameter", "cells": "cell_diameter"}  # of the planner's JSON, in pixels, or "auto"


def option(command):
    """Decorator: `--layer`."""
    return click.option(
        "--layer", type=click.Choice(list(PLANES)), default="nuclei", show_default=True, help="What is looked for."
    )(command)


def channels(packet):
    """The channels that are looked at for any layer, by the planner's JSON of a slide: each once."""
    keys = dict.fromkeys(key for keys in PLANES.values() for key in keys)
    return list({channel["number"]: channel for key in keys for channel in packet[key]}.values())
