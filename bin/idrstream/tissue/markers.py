"""The table of a slide's channels that mcmicro calls markers.csv: a row a channel, in the order of the file.

Of its columns `marker_name`, `background`, `exposure` and `remove` count, as mcmicro's Backsub defines them: from a
channel with a background that channel is subtracted, scaled by the exposure times; a removed one is not measured. A
`channel_number` must agree with the order of the rows.
"""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from idrstream.base import input_tables, schemas, tables
from idrstream.tissue.header import Channel, Header
from idrstream.tissue.sheet import SCHEMAS

SCHEMA = SCHEMAS["markers"]
NUMBER = "channel_number"


class Background(NamedTuple):
    """What is subtracted from a channel: SCALE times the channel, exposure of the one over that of the other."""

    channel: Channel
    scale: float


class Measured(NamedTuple):
    """A channel that is measured.

    number      counted from 1
    name        which no other channel that is measured has
    background  None: nothing is subtracted
    """

    channel: Channel
    number: int
    name: str
    background: Background | None


def read(path: Path) -> tables.Table:
    """Read a table of channels. Raises tables.Problems for a file that is none, or of which a row is wrong."""
    table = schemas.checked(input_tables.read(path, {"markers": SCHEMA}), SCHEMA)
    wrong = [(place, row) for place, row in enumerate(table.rows, 1) if row.cells.get(NUMBER, str(place)) != str(place)]
    if wrong and not table.problems:
        place, row = wrong[0]
        number, rows = tables.shown(row.cells[NUMBER]), f"rows are 1 to {len(table.rows)}, in order; sort them"
        what = f'"{number}", where channel {place} is due: {rows}'
        table.problems.append(table.problem(what, row.line, NUMBER))
    if table.problems:
        raise tables.Problems(table.problems)
    return table


def unused(table: tables.Table) -> list[str]:
    """The columns of a table that mean nothing here."""
    return [column for column in table.columns if column not in SCHEMA["properties"]]


def named(table: tables.Table, header: Header, name: str) -> list[Channel]:
    """The channels of a slide, those that the file leaves without a name named by the table.

    Raises tables.Problems where the table is not of this slide, which messages call NAME: another number of rows than
    channels, or another name than the file's.
    """
    rows, channels = table.rows, header.channels
    pairs = zip_longest(rows, channels)
    others = [place for place, (row, channel) in enumerate(pairs) if _differ(row, channel)]
    if len(rows) != len(channels):
        first = others[0]
        row, channel = "no row is left", "no channel is left"
        row = f'line {rows[first].line} has "{_marker(rows[first])}"' if first < len(rows) else row
        channel = f"channel {first + 1} is {_called(channels[first])}" if first < len(channels) else channel
        what = f"{len(rows)} rows, and {name} has {len(channels)} channels; they differ first where {row} and {channel}"
        raise tables.Problems([table.problem(what)])
    if others:
        row, channel = rows[others[0]], channels[others[0]]
        more = f" ({len(others) - 1} more differ)" if len(others) > 1 else ""
        what = f'"{_marker(row)}", where channel {others[0] + 1} of {name} is {_called(channel)}{more}'
        remedy = "; write the file's names, a row a channel, in its order"
        raise tables.Problems([table.problem(what + remedy, row.line, "marker_name")])
    return [channel._replace(name=channel.name or _marker(row)) for row, channel in zip(rows, channels, strict=True)]


def measured(header: Header, table: tables.Table | None, nuclear: list[Channel]) -> list[Measured]:
    """The channels of a slide that are measured, all of them if there is no TABLE.

    header   its channels named, see `named`
    nuclear  channels of the nuclei, from which nothing is subtracted

    Raises tables.Problems with everything that is wrong with backgrounds and exposures.
    """
    rows = table.rows if table else [None] * len(header.channels)
    problems, found = [], []
    for number, (channel, row) in enumerate(zip(header.channels, rows, strict=True), 1):
        if row and row.cells.get("remove", "").lower() == "true":
            continue
        background, wrong = _background(table, row, channel, header.channels, nuclear)
        problems += wrong
        found.append(Measured(channel, number, _plain(channel, number), background))
    if not found:
        problems.append(table.problem("all channels are removed; leave one, or measure none by --statistics none"))
    if problems:
        raise tables.Problems(problems)
    return _told_apart(found)


def repeated(found: list[Measured]) -> list[Measured]:
    """Those of the channels that are called otherwise than in the file, since another has the name."""
    return [each for each in found if each.name != _plain(each.channel, each.number)]


def _plain(channel, number):
    """The name of a channel in a table, in one line."""
    return tables.CONTROL.sub(" ", channel.name).strip() or f"Channel {number}"


def _marker(row):
    return row.cells["marker_name"]


def _called(channel):
    return f'"{tables.shown(channel.name)}"' if channel.name else "without a name"


def _differ(row, channel):
    """Whether a row is not of a channel; a channel without a name takes any."""
    return row is None or channel is None or channel.name.casefold() not in ("", _marker(row).casefold())


def _background(table, row, channel, channels, nuclear):
    """(Background or None, problems) of a row of the table."""
    name = row.cells.get("background") if row else None
    if not name:
        return None, []
    if channel in nuclear:
        what = f'nothing is subtracted from "{_marker(row)}", which shows the nuclei; leave the cell empty'
        return None, [table.problem(what, row.line, "background")]
    places = [place for place, other in enumerate(table.rows) if _marker(other).casefold() == name.casefold()]
    if len(places) != 1 or channels[places[0]] is channel:
        what = "the channel itself" if places else f'no channel is called "{tables.shown(name)}"'
        what = f'{len(places)} channels are called "{tables.shown(name)}"' if len(places) > 1 else what
        near = "" if places else tables.nearest(name, map(_marker, table.rows))
        remedy = "; a background is the marker_name of another channel"
        return None, [table.problem(f"{what}{remedy}{near and '.'}{near}", row.line, "background")]
    other = table.rows[places[0]]
    times = [float(one.cells.get("exposure") or 0) for one in (row, other)]
    missing = [one for one, time in zip((row, other), times, strict=True) if not time]
    if missing:
        why = f'to subtract "{name}" from "{_marker(row)}", both need an exposure time above 0'
        return None, [table.problem(why, one.line, "exposure") for one in missing]
    return Background(channels[places[0]], times[0] / times[1]), []


def _told_apart(found):
    """The channels, each with a name of its own: of those of one name, the second is called NAME (2), and so on."""
    taken, names = {each.name for each in found}, set()
    result = []
    for each in found:
        name, count = each.name, 1
        while name in names or (count > 1 and name in taken):
            count += 1
            name = f"{each.name} ({count})"
        names.add(name)
        result.append(each._replace(name=name))
    return result
