"""Negative controls: by which word they are known, and what is said where there are too few."""

from idrstream.single_cells import NEGATIVE

SHOWN = 5  # other words


def too_few(what, group, count, needed, types):
    """Why something is not normalised, in a sentence or three.

    what    what is not normalised: ``wells``
    group   those that could be controls: ``its wells with cells``
    count   negative controls among them
    needed  how many it takes
    types   the words of their column control_type
    """
    seen = sorted({str(word) for word in types if isinstance(word, str) and word} - {NEGATIVE})
    words = ", ".join(f'"{word}"' for word in seen[:SHOWN]) + f" and {len(seen) - SHOWN} more" * (len(seen) > SHOWN)
    also = f"seen: {words}" if seen else "no other type is named"
    return (
        f'{what} not normalised. {count} of {group} have control_type "{NEGATIVE}" ({also}); '
        f"at least {needed} are needed. Cell tables are unaffected."
    )
