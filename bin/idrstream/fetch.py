"""Frames of a batch, fetched from wherever they are: only what is wanted travels, and every frame is looked at."""

import os
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

import numpy as np

from idrstream import image, readers, sources, tables
from idrstream.failures import ImageFailure, MissingWell, Unreachable
from idrstream.task import MayHeal

VERSION = 1  # raised when focus, saturation or background of an image change


def fetch(batch, folder, root=None, connections=4, last=False, known=None, watch=iter):
    """Write the frames of a batch, each once, and a row for each of its images.

    batch        as the planner wrote it: images, source, channel; with `window` also each image's neighbours in time
    folder       where the frames go, see `image`; neighbours that are no images of the batch in `context` below it
    root         local folder that locations are relative to
    connections  movies read at the same time, and connections to one server
    last         this is the last try: an image that cannot be reached is a row, even if none can
    known        folder of what is known of the plates
    watch        wraps the iterable of movies, to show progress
    returns      the rows: the images, with status, reason, heals, bytes, seconds, shape, focus, saturation, background,
                 and for neighbours field_bytes and window (the keys of the frames in it)

    A bad image is a row. Raises MayHeal if not one image of the batch could be reached and this is not the last try;
    for a batch that needs `all` of its images, if one could not.
    """
    os.makedirs(os.path.join(folder, image.CONTEXT))
    without = {fields.name: content["lost"] for fields, content in image.read_fields(known) if content["lost"]}
    fetched, movies = {}, {}
    for asked in {image.stored(asked): asked | {"key": image.stored(asked)} for asked in batch["images"]}.values():
        if asked["plate"] in without:  # computed without its plate's field, its cells would not be those of another day
            reason = Unreachable(
                f"the frames of its plate's flat-field could not be fetched ({without[asked['plate']]})"
            )
            fetched[asked["key"]] = _row(asked, reason, folder) | {"bytes": 0, "seconds": 0}
        else:
            movies.setdefault((asked["plate"], asked["well"], asked["site"], *asked["locations"]), []).append(asked)
    sources.at_most(connections)  # the chunks of one OME-Zarr frame travel side by side too
    with ThreadPoolExecutor(connections) as pool:
        tasks = [pool.submit(_movie, batch, wanted, folder, root) for wanted in movies.values()]
        rows = [row for task in watch(tasks) for row in task.result()]
    lost = [row for row in rows if row["heals"]]
    if lost and not last and (batch.get("all") or len(lost) == len(rows)):
        raise MayHeal(f"{len(lost)} of {len(rows)} images could not be reached; the first: {lost[0]['reason']}")
    fetched |= {row["key"]: row for row in rows}
    rows = _shared(batch["images"], fetched)
    image.write_rows(folder, rows)
    return rows


def _shared(images, fetched):
    """A row an image: its frame's, the cost of which the variants of a frame share equally."""
    count = Counter(image.stored(asked) for asked in images)
    rows = []
    for asked in images:
        row, share = fetched[image.stored(asked)] | asked, count[image.stored(asked)]
        if share > 1:
            row |= {name: row[name] // share for name in ("bytes", "field_bytes") if name in row}
            row["seconds"] = round(row["seconds"] / share, 3)
        rows.append(row)
    return rows


def saturation(image):
    """Share of the pixels (0 to 1) at the largest value the integer type can hold; 0 for floats, which have none."""
    if image.dtype.kind == "f":
        return 0.0
    return float(np.mean(image == np.iinfo(image.dtype).max))


def focus(image):
    """Slope of the radially averaged power spectrum on log-log axes; the lower (about -3), the blurrier.

    image   (Y, X) any integer or float type
    returns float, no unit

    CellProfiler's ImageQuality_PowerLogLogSlope (Bray et al. 2012, doi:10.1177/1087057111420292): frequencies from one
    cycle an image to the Nyquist frequency of the shorter side.
    """
    height, width = image.shape
    power = np.abs(np.fft.rfft2(image - np.mean(image, dtype=np.float64))) ** 2
    rows = np.fft.fftfreq(height)[:, None]
    columns = np.fft.rfftfreq(width)[None, :]
    side = min(height, width)
    radius = np.rint(np.hypot(rows, columns) * side).astype(np.intp)
    wanted = np.arange(1, side // 2)
    sums = np.bincount(radius.ravel(), weights=power.ravel(), minlength=side // 2)[wanted]
    counts = np.bincount(radius.ravel(), minlength=side // 2)[wanted]
    mean = sums / np.maximum(counts, 1)
    usable = mean > 0
    if usable.sum() < 2:
        return 0.0
    return float(np.polyfit(np.log(wanted[usable]), np.log(mean[usable]), 1)[0])


def _movie(batch, wanted, folder, root):
    """Rows of the frames wanted of one movie, from the first of its locations that has it."""
    locations = wanted[0]["locations"]
    started = time.monotonic()
    rows, cost = {}, {"bytes": 0}
    with tempfile.TemporaryDirectory(dir=folder, prefix=".whole-") as cache:
        try:
            location, opened = _open(batch["source"], locations, root, cache)
            with opened as file:
                name = sources.split(location)[1]
                with readers.opened(file, name, batch["channel"], batch.get("reader"), cache) as movie:
                    rows = {asked["frame"]: _row(asked, movie.read(asked["frame"]), folder) for asked in wanted}
                    cost["bytes"] = file.bytes
                    if batch.get("window"):
                        _windows(movie, rows, folder)
                        cost["field_bytes"] = file.bytes - cost["bytes"]
        except ImageFailure as failure:
            rows |= {asked["frame"]: _row(asked, failure, folder) for asked in wanted if asked["frame"] not in rows}
    cost = {name: count // len(rows) for name, count in cost.items()}
    cost["seconds"] = round((time.monotonic() - started) / len(rows), 3)
    return [row | cost for row in rows.values()]


def _windows(movie, rows, folder):
    """Give every row that is ok its `window`: the frame and its neighbours, at an end of the movie the nearest three.

    A row whose neighbour could not be reached is no longer ok.
    """
    keys = {frame: row["key"] for frame, row in rows.items() if row["status"] == "ok"}
    failed = {}
    for row in [row for row in rows.values() if row["status"] == "ok"]:
        first = max(1, min(row["frame"] - 1, movie.frames - 2))
        window = range(first, min(first + image.WINDOW, movie.frames + 1))
        for frame in set(window) - keys.keys() - failed.keys():
            pixels = movie.read(frame)
            if isinstance(pixels, ImageFailure):
                failed[frame] = pixels
                continue
            keys[frame] = image.key(row["plate"], row["well"], row["site"], frame)
            image.write_frame(os.path.join(folder, image.CONTEXT), keys[frame], pixels)
        lost = [failed[frame] for frame in window if frame in failed and failed[frame].heals]
        row |= _failed(lost[0]) if lost else {"window": [keys[frame] for frame in window if frame in keys]}


def _open(source, locations, root, cache):
    """(location, file or store) of the first location where there is one."""
    for location in locations:
        try:
            if source and not urlsplit(location).scheme:
                location = f"{source.rstrip('/')}/{quote(location)}"
            if sources.is_store(location):
                return location, sources.open_store(location, root=root)
            return location, sources.open_location(location, root=root, cache=cache)
        except MissingWell as failure:
            missing = failure
    raise missing


def _row(asked, pixels, folder):
    row = asked | {"status": "ok", "reason": "", "heals": False}
    row |= dict.fromkeys(("shape", "focus", "saturation", "background"))
    if isinstance(pixels, ImageFailure):
        return row | _failed(pixels)
    image.write_frame(folder, asked["key"], pixels)
    looked_at = {"focus": round(focus(pixels), 4), "saturation": round(saturation(pixels), 6)}
    looked_at["background"] = float(np.median(pixels))
    return row | {"shape": list(pixels.shape)} | looked_at


def _failed(failure):
    reason = tables.CONTROL.sub(" ", f"{type(failure).__name__}: {failure}")  # a file may have put anything into it
    return {"status": "failed", "reason": reason, "heals": failure.heals}
