"""Quantities in words, for people. Standard library."""


def count(number, noun):
    """``1 batch``, ``1,234 images``: a number of things, NOUN being the singular."""
    ending = "" if number == 1 else "es" if noun.endswith(("ch", "s")) else "s"
    return f"{number:,} {noun}{ending}"


def size(count):
    """Bytes in words: 1.2 GB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def minutes(seconds):
    """An estimate of time in words: 12 min, 3.1 h."""
    return f"{max(1, round(seconds / 60)):,} min" if seconds < 6000 else f"{seconds / 3600:,.1f} h"
