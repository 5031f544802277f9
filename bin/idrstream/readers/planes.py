"""Which planes of a file are the image.

Time points are frames. Where a file has several channels or z planes, the user chooses (`Choice`); none is the default.
"""

from typing import NamedTuple

from idrstream.base.failures import NoSuchPlane, NotReadable, UnchosenPlane

MOST = 10_000  # channels of a file, and z planes of which the maximum is taken: a file may say anything
LISTED = 12  # channels in a message, and ...
SHOWN = 40  # ... characters of a name


class Choice(NamedTuple):
    """The user's choice of planes; None: not chosen.

    nuclear  channel of the nuclei (--nuclear, or the study's): its number, counted from 1, or the file's name for it.
             A number that the file has as a number is not taken for a name
    column   the same, in the column "channel" of the image's row, which goes first. Of a file with one channel it is
             the name of that, and chooses nothing
    z        z plane (--z): max, their maximum; middle, of an even number the lower; or its number, counted from 1
    """

    nuclear: str | int | None = None
    column: str | None = None
    z: str | int | None = None


def in_words(settings):
    """The choice of planes by params as a line of the plan: a list of one line, or of none."""
    words = {"nuclear": "the nuclei are in channel {}", "z": "of several z planes: {}"}
    parts = [words[name].format(settings[name]) for name in words if settings.get(name) is not None]
    return ["; ".join(parts)] if parts else []


def named(name, count, names=()):
    """The names of a file's channels, as a reader gives them: COUNT of them, "" for those that NAMES lacks."""
    if not 1 <= count <= MOST:
        raise NotReadable(f"{name}: it states {count:,} channels; 1 to {MOST:,} can be read.")
    texts = [text.strip() if isinstance(text, str) else "" for text in names[:count]]
    return texts + [""] * (count - len(texts))


def chosen(image, choice):
    """(channel, z planes), counted from 0, of an `image.Image`; of several planes the maximum is wanted.

    Raises UnchosenPlane for several channels or z planes without a choice, NoSuchPlane for a choice that it lacks.
    """
    name, count = image.name, image.shape[2]
    if count < 1:
        raise NotReadable(f"{name}: it states 0 z planes.")
    several = []
    if len(image.channels) > 1 and _request(choice) is None:
        remedy = 'name the one of the nuclei by --nuclear, or in a column "channel"'
        several.append(f"{len(image.channels)} channels ({listed(image.channels)}); {remedy}")
    if count > 1 and choice.z is None:
        several.append(f"{count} z planes; choose by --z max, --z middle or --z N")
    if several:
        raise UnchosenPlane(f"{name}: it has {', and '.join(several)}.")
    return _channel(image.channels, name, choice), _planes(count, name, choice.z)


def _request(choice):
    """(where, text) of the request for a channel that counts; None where there is none."""
    requests = ('column "channel"', choice.column), ("--nuclear", choice.nuclear)
    return next(((where, str(text).strip()) for where, text in requests if text not in (None, "")), None)


def _channel(names, name, choice):
    """The place of the wanted channel among NAMES, "" for one that the file does not name."""
    if len(names) == 1 and (choice.column or choice.nuclear is None):
        return 0
    return place(names, name, *_request(choice))


def place(names, name, where, wanted):
    """The place of a channel, counted from 0, among NAMES, "" for one that the file does not name.

    name    of the file, for messages
    where   what asks for the channel, such as "--nuclear"
    wanted  its number, counted from 1, or its name

    Raises NoSuchPlane with the channels there are.
    """
    if wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    if names == [""] and not wanted.isdigit():  # a name, which nothing contradicts
        return 0
    places = [place for place, channel in enumerate(names) if channel == wanted]
    places = places or [place for place, channel in enumerate(names) if channel.casefold() == wanted.casefold()]
    if len(places) == 1:
        return places[0]
    wrong = f"{len(places)} channels are called" if places else "it has no channel"
    raise NoSuchPlane(f'{name}: {wrong} "{wanted}" ({where}); its channels: {listed(names)}.')


def _planes(count, name, z):
    if z == "max" and count > MOST:
        raise NotReadable(f"{name}: it states {count:,} z planes; at most {MOST:,} can be read for --z max.")
    if z == "max":
        return range(count)
    if z in (None, "middle"):
        return [(count - 1) // 2]
    if 1 <= int(z) <= count:
        return [int(z) - 1]
    raise NoSuchPlane(f"{name}: it has no z plane {z} (--z); there are {count}, counted from 1.")


def listed(names):
    """``1 DAPI, 2 GFP``: by number and name, as a channel may be requested."""
    shown = [f"{number} {channel[:SHOWN]}".strip() for number, channel in enumerate(names[:LISTED], 1)]
    return ", ".join(shown) + f", ... {len(names)}" * (len(names) > LISTED)
