"""Frames of a batch, fetched from wherever they are: only what is wanted travels, and every frame is looked at."""

import os
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import numpy as np

from idrstream import readers, sources
from idrstream.base import stage_folder, tables
from idrstream.base.failures import ImageFailure, MissingWell, NotReadable, Unreachable, image_failures
from idrstream.base.task import OutOfMemory, TransientError
from idrstream.images import image
from idrstream.readers import bit_depth, planes
from idrstream.screen.places import frame_in_file

LONGEST = 500  # characters of a reason
FACTS = ("shape", "type", "focus", "saturation", "background")  # of the pixels of a frame
FACTS += ("highest", "significant_bits", "bit_depth", "out_of_range", "unwritten")

VERSION = 2  # raised when focus, saturation, background or range of an image change

NOT_KNOWN = bit_depth.Range()


def fetch(batch, folder, root=None, places=None, connections=4, last=False, known=None, watch=iter):
    """Write the frames of a batch, each once, and a row for each of its images.

    batch        as the planner wrote it: images, source, bit_depth, camera_offset, nuclear, z (readers.planes.Choice);
                 with `window` also each image's neighbours in time
    folder       where the frames go, see `image`; neighbours that are no images of the batch in `context` below it
    root         local folder that relative locations are relative to
    places       local folder -> where it is to be found here instead; of the root and of folders that hold an image
    connections  movies read at the same time, and connections to one server
    last         this is the last try: an image that cannot be reached is a row, even if none can
    known        folder of what is known of the plates
    watch        wraps the iterable of movies, to show progress
    returns      the rows: the images, with status, reason, retryable, bytes, seconds, the FACTS of their pixels,
                 camera_offset (as it was given), and for neighbours field_bytes and window (the keys of the frames in
                 it)

    A bad image is a row, whatever is wrong with it. Before the last try, raises OutOfMemory if memory ran short, and
    TransientError if not one image of the batch could be reached, or for a batch that needs `all` of its images, if one
    could not.
    """
    os.makedirs(os.path.join(folder, image.CONTEXT))
    without = {fields.name: content["lost"] for fields, content in image.read_fields(known) if content["lost"]}
    fetched, movies, batch = {}, {}, batch | {"depths": image.read_bit_depths(known)}
    for asked in {
        image.frame_key(asked): asked | {"key": image.frame_key(asked)} for asked in batch["images"]
    }.values():
        if asked["plate"] in without:  # computed without its plate's field, its cells would not be those of another day
            reason = Unreachable(
                f"the frames of its plate's flat-field could not be fetched ({without[asked['plate']]})"
            )
            fetched[asked["key"]] = _row(asked, reason, folder) | {"bytes": 0, "seconds": 0}
        else:
            movie = (asked["plate"], asked["well"], asked["site"], *asked["locations"])
            movies.setdefault((movie, _channel(asked)), []).append(asked)
    sources.at_most(connections)  # the chunks of one OME-Zarr frame travel side by side too
    with ThreadPoolExecutor(connections) as pool:
        tasks = [pool.submit(_movie, batch, wanted, folder, root, places or {}, last) for wanted in movies.values()]
        rows = [row for task in watch(tasks) for row in task.result()]
    lost = [row for row in rows if row["retryable"]]
    if lost and not last and (batch.get("all") or len(lost) == len(rows)):
        raise TransientError(f"{len(lost)} of {len(rows)} images could not be reached; the first: {lost[0]['reason']}")
    fetched |= {row["key"]: row for row in rows}
    offset = {"camera_offset": batch.get("camera_offset", 0)}
    rows = [row | offset for row in _shared(batch["images"], fetched)]
    stage_folder.write_rows(folder, rows)
    return rows


def _shared(images, fetched):
    """A row an image: its frame's, the cost of which the variants of a frame share equally."""
    count = Counter(image.frame_key(asked) for asked in images)
    rows = []
    for asked in images:
        row, share = fetched[image.frame_key(asked)] | asked, count[image.frame_key(asked)]
        if share > 1:
            row |= {name: row[name] // share for name in ("bytes", "field_bytes") if name in row}
            row["seconds"] = round(row["seconds"] / share, 3)
        rows.append(row)
    return rows


def saturation(image, full):
    """Share of the pixels (0 to 1) at FULL, the largest grey level of the range, or above it."""
    return float(np.mean(image >= full))


def focus(image):
    """Slope of the power spectrum at low frequencies on log-log axes: the lower, the blurrier.

    image    (Y, X) any integer or float type
    returns  float, no unit; 0 for a constant image, and for one of fewer than 32 pixels on its shorter side

    CellProfiler's ImageQuality_PowerLogLogSlope (Bray et al. 2012, doi:10.1177/1087057111420292), as centrosome 1.3 has
    its rings: power is summed over each, and they end at an eighth of the shorter side, beyond which the camera's noise
    would flatten the slope of a blurred image.
    """
    height, width = image.shape
    reach = min(height, width) // 8
    rings = np.arange(2, reach)
    rows = np.fft.rfft(image - np.mean(image, dtype=np.float64), axis=1)[:, : reach + 1]
    power = np.abs(np.fft.fft(rows, axis=0)) ** 2
    power[:, :-1] += np.roll(power[::-1, 1:], 1, axis=0)  # columns from the other end, by symmetry: nearer by one
    y = np.minimum(np.arange(height), np.arange(height)[::-1])
    radius = np.floor(np.hypot(y[:, None], np.arange(reach))).astype(np.intp) + 1
    sums = np.bincount(radius.ravel(), weights=power[:, :reach].ravel(), minlength=reach)[rings]
    usable = (sums > 0) & np.isfinite(sums)
    if usable.sum() < 2:
        return 0.0
    return float(np.polyfit(np.log(rings[usable]), np.log(sums[usable]), 1)[0])


def _movie(batch, wanted, folder, root, places, last):
    """Rows of the frames wanted of one movie, from the first of its locations that has it."""
    started = time.monotonic()
    try:
        rows, cost = _read(batch, wanted, folder, root, places)
    except (ImageFailure, MemoryError) as failure:
        if isinstance(failure, MemoryError):
            place = wanted[0]["locations"][0]
            if not last:
                raise OutOfMemory(f"{place}: this task has too little memory for it.") from failure
            failure = NotReadable(f"{place}: it needs more memory than this task has.")
        rows, cost = {asked["frame"]: _row(asked, failure, folder) for asked in wanted}, {"bytes": 0}
    cost = {name: count // len(rows) for name, count in cost.items()}
    cost["seconds"] = round((time.monotonic() - started) / len(rows), 3)
    return [row | cost for row in rows.values()]


def _read(batch, wanted, folder, root, places):
    """(rows by frame, what they cost) of one movie."""
    locations = wanted[0]["locations"]
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix=".whole-") as cache,
        image_failures(f"{locations[0]}: it cannot be opened"),
    ):
        location, opened = open_first(batch["source"], locations, root, places, cache)
        with opened as file:
            name = sources.split(location)[1]
            with readers.opened(file, name, choice(batch, wanted[0]), batch.get("reader"), cache) as movie:
                known = bit_depth.of_image(batch, wanted[0]["plate"], batch["depths"])
                rows = {
                    asked["frame"]: _row(asked, movie.read(frame_in_file(asked)), folder, known, movie.significant_bits)
                    for asked in wanted
                }
                cost = {"bytes": file.bytes}
                if batch.get("window"):
                    _windows(movie, rows, folder)
                    cost["field_bytes"] = file.bytes - cost["bytes"]
                return rows, cost


def choice(batch, asked):
    """Which of a file's planes are wanted of an image, as a readers.planes.Choice."""
    return planes.Choice(batch.get("nuclear"), _channel(asked), batch.get("z"))


def _channel(asked):
    """What the table says of the channel of an image, in a column of that name; "" where it has none."""
    named = asked.get("metadata", {}).items()
    return next((text for name, text in named if name.casefold() == "channel"), "")


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
            key = image.key(row["plate"], row["well"], row["site"], frame)
            failure = _write(os.path.join(folder, image.CONTEXT), key, movie.read(frame))
            if failure is None:
                keys[frame] = key
            else:
                failed[frame] = failure
        lost = [failed[frame] for frame in window if frame in failed and failed[frame].retryable]
        row |= _failed(lost[0]) if lost else {"window": [keys[frame] for frame in window if frame in keys]}


def open_first(source, locations, root, places, cache):
    """(location, file or store) of the first location where there is one."""
    for location in locations:
        try:
            place = None
            if not sources.scheme(location):
                if source:
                    location = f"{source.rstrip('/')}/{quote(location)}"
                else:
                    location, place = _local(location, root, places)
            if sources.is_store(location):
                return location, sources.open_store(location, root=place)
            return location, sources.open_location(location, root=place, cache=cache)
        except MissingWell as failure:
            missing = failure
    raise missing


def _local(location, root, places):
    """(name, folder) of a local file: its folder as it is found here, and its name below that."""
    folder, name = sources.split(location) if os.path.isabs(location) else (root, location)
    place = places.get(folder, folder)
    if folder and not os.path.isdir(place):  # an unmounted disk is not a missing well
        raise Unreachable(f"{folder}: this folder cannot be read; is the disk mounted where Nextflow runs?")
    return name, place


def _row(asked, pixels, folder, known=NOT_KNOWN, significant=None):
    row = asked | {"status": "ok", "reason": "", "retryable": False} | dict.fromkeys(FACTS)
    failure = _write(folder, asked["key"], pixels, row, known, significant)
    return row | _failed(failure) if failure else row


def _write(folder, key, pixels, row=None, known=NOT_KNOWN, significant=None):
    """Write a frame, and what there is to tell of its pixels into ROW.

    Returns the ImageFailure where the frame is one or cannot be used, else None.
    """
    if isinstance(pixels, ImageFailure):
        return pixels
    unwritten = round(float(np.mean(np.ma.getmaskarray(pixels))), 6)
    pixels = np.ma.getdata(pixels)
    try:
        with image_failures(f"{key}: its pixels cannot be used"):
            facts = _facts(key, pixels, known, significant) | {"unwritten": unwritten} if row is not None else {}
    except ImageFailure as failure:
        return failure
    image.write_frame(folder, key, pixels)
    if row is not None:
        row |= facts
    return None


def _facts(key, pixels, known, significant):
    depth, kind = bit_depth.of_frame(key, pixels, known, significant), pixels.dtype.newbyteorder("=").name
    full = bit_depth.full_scale(kind, depth)
    return {
        "shape": list(pixels.shape),
        "type": kind,
        "focus": round(focus(pixels), 4),
        "saturation": round(saturation(pixels, full), 6),
        "background": float(np.median(pixels)),
        "highest": np.nanmax(pixels).item(),
        "significant_bits": significant,
        "bit_depth": depth,
        "out_of_range": round(bit_depth.beyond(pixels, full), 6),
    }


def _failed(failure):
    reason = tables.CONTROL.sub(" ", f"{type(failure).__name__}: {failure}")  # a file may have put anything into it ...
    reason = reason.encode(errors="backslashreplace").decode()  # ... also what no text file can hold
    if len(reason) > LONGEST:
        reason = f"{reason[:LONGEST]} ..."
    return {"status": "failed", "reason": reason, "retryable": failure.retryable}
