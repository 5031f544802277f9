"""Fetch the frames of a batch: only the wanted frames are downloaded, and every frame is measured."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from idrstream import sources
from idrstream.base import stage_folder
from idrstream.base.failures import ImageFailure, MissingWell, NotReadable, Unreachable, image_failures, in_words
from idrstream.base.task import OutOfMemory, TransientError
from idrstream.images.calibration import WINDOW, read_bit_depths, read_fields
from idrstream.images.frames import CONTEXT, frame_key, image_key, write_frame
from idrstream.readers import bit_depth, planes
from idrstream.readers.movie import open_movie
from idrstream.screen.places import frame_in_file
from idrstream.screen.types import BatchPacket, FrameRow, PlatePacket, Reading, Reference, WindowRow
from idrstream.sources import staged

LONGEST = 500  # characters of a reason
FACTS = ("shape", "type", "focus", "saturation", "background")  # of the pixels of a frame
FACTS += ("highest", "significant_bits", "bit_depth", "out_of_range", "unwritten")

VERSION = 2  # raised when focus, saturation, background or range of an image change

UNKNOWN = bit_depth.Range()


def fetch(
    batch: BatchPacket | PlatePacket,
    folder: str | Path,
    root: str | None = None,
    places: Mapping[str, str] | None = None,
    connections: int = 4,
    last: bool = False,
    calibration: str | Path | None = None,
    watch: Callable[[list[Future]], Iterable[Future]] = iter,
) -> list[FrameRow] | list[WindowRow]:
    """Write the frames of a batch, each once, and a row for each of its images.

    batch        with `window` each image's neighbours in time are fetched too
    folder       for the frames, see `image`; neighbours that are no images of the batch go to `context` below it
    root         local folder that relative locations are relative to
    places       local folder -> its path in this task, for the root and for folders that hold an image
    connections  movies read at the same time, and connections to one server
    last         last try: an image that cannot be reached becomes a failed row, even if none can be reached
    calibration  folder with the calibration of each plate
    watch        wraps the iterable of movies, to show progress
    returns      a row of each image, in their order

    Whatever is wrong with an image, it becomes a failed row. Before the last try, raises OutOfMemory if memory ran out,
    and TransientError if no image of the batch could be reached, or one of a batch that needs `all` of them could not.
    """
    os.makedirs(os.path.join(folder, CONTEXT))
    uncalibrated = {fields.name: content["lost"] for fields, content in read_fields(calibration) if content["lost"]}
    fetched, movies, depths = {}, {}, read_bit_depths(calibration)
    frames: dict[str, Any] = {frame_key(row): row | {"key": frame_key(row)} for row in batch["images"]}
    for row in frames.values():
        if why := uncalibrated.get(row["plate"]):  # without its plate's field its cells would differ from another day's
            failure = Unreachable(f"the frames of its plate's flat-field could not be fetched ({why})")
            fetched[row["key"]] = _row(row, failure, folder) | {"bytes": 0, "seconds": 0}
        else:
            movie = (row["plate"], row["well"], row["site"], *row["locations"])
            movies.setdefault((movie, _channel(row)), []).append(row)
    sources.at_most(connections)  # the chunks of one OME-Zarr frame travel side by side too
    with ThreadPoolExecutor(connections) as pool:
        tasks = [
            pool.submit(_movie, batch, wanted, folder, root, places or {}, depths, last) for wanted in movies.values()
        ]
        rows = [row for task in watch(tasks) for row in task.result()]
    unreached = [row for row in rows if row["retryable"]]
    if unreached and not last and (batch.get("all") or len(unreached) == len(rows)):
        count = f"{len(unreached)} of {len(rows)} images could not be reached"
        raise TransientError(f"{count}; the first: {unreached[0]['reason']}")
    fetched |= {row["key"]: row for row in rows}
    offset = {"camera_offset": batch.get("camera_offset", 0)}
    rows = [row | offset for row in _shared(batch["images"], fetched)]
    stage_folder.write_rows(folder, rows)
    return rows


def _shared(images, fetched):
    """The rows of IMAGES out of those of their frames; the variants of a frame share its cost equally."""
    count = Counter(map(frame_key, images))
    rows = []
    for planned in images:
        row, share = fetched[frame_key(planned)] | planned, count[frame_key(planned)]
        if share > 1:
            row |= {name: row[name] // share for name in ("bytes", "field_bytes") if name in row}
            row["seconds"] = round(row["seconds"] / share, 3)
        rows.append(row)
    return rows


def saturation(image: np.ndarray, full: float) -> float:
    """Share of the pixels (0 to 1) at or above FULL, the largest grey level of the range."""
    return float(np.mean(image >= full))


def focus(image: np.ndarray) -> float:
    """Slope of the power spectrum at low frequencies on log-log axes: the lower, the blurrier.

    image    (Y, X) any integer or float type
    returns  no unit; 0 for a constant image, and for one of fewer than 32 pixels on its shorter side

    CellProfiler's ImageQuality_PowerLogLogSlope (Bray et al. 2012, doi:10.1177/1087057111420292), with the rings of
    centrosome 1.3: power is summed over each, up to an eighth of the shorter side; beyond that the camera's noise would
    flatten the slope of a blurred image.
    """
    height, width = image.shape
    reach = min(height, width) // 8
    rings = np.arange(2, reach)
    rows = np.fft.rfft(image - np.mean(image, dtype=np.float64), axis=1)[:, : reach + 1]
    power = np.abs(np.fft.fft(rows, axis=0)) ** 2
    power[:, :-1] += np.roll(power[::-1, 1:], 1, axis=0)  # columns from the other end, by symmetry; nearer by one
    y = np.minimum(np.arange(height), np.arange(height)[::-1])
    radius = np.floor(np.hypot(y[:, None], np.arange(reach))).astype(np.intp) + 1
    sums = np.bincount(radius.ravel(), weights=power[:, :reach].ravel(), minlength=reach)[rings]
    usable = (sums > 0) & np.isfinite(sums)
    if usable.sum() < 2:
        return 0.0
    return float(np.polyfit(np.log(rings[usable]), np.log(sums[usable]), 1)[0])


def _movie(batch, wanted, folder, root, places, depths, last):
    """Rows of the WANTED frames of one movie, from the first of its locations that has it."""
    started = time.monotonic()
    try:
        rows, cost = _read(batch, wanted, folder, root, places, depths)
    except (ImageFailure, MemoryError) as failure:
        if isinstance(failure, MemoryError):
            place = wanted[0]["locations"][0]
            if not last:
                raise OutOfMemory(f"{place}: this task has too little memory to read it.") from failure
            failure = NotReadable(f"{place}: reading it needs more memory than this task has.")
        rows, cost = {row["frame"]: _row(row, failure, folder) for row in wanted}, {"bytes": 0}
    cost = {name: count // len(rows) for name, count in cost.items()}
    cost["seconds"] = round((time.monotonic() - started) / len(rows), 3)
    return [row | cost for row in rows.values()]


def _read(batch, wanted, folder, root, places, depths):
    """(rows by frame, their cost) of one movie."""
    locations = wanted[0]["locations"]
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix=".whole-") as cache,
        image_failures(f"{locations[0]}: cannot be opened"),
    ):
        location, opened = open_first(batch["source"], locations, root, places, cache)
        with opened as file:
            name = sources.split(location)[1]
            with open_movie(file, name, choice(batch, wanted[0]), batch.get("reader"), cache) as movie:
                levels = bit_depth.of_image(batch, wanted[0]["plate"], depths)
                channels, bits = {"channels": movie.channels}, movie.significant_bits
                rows = {
                    row["frame"]: _row(row | channels, movie.read(frame_in_file(row)), folder, levels, bits)
                    for row in wanted
                }
                cost = {"bytes": file.bytes}
                if batch.get("window"):
                    _windows(movie, rows, folder)
                    cost["field_bytes"] = file.bytes - cost["bytes"]
                return rows, cost


def choice(batch: Reading, row: Reference) -> planes.Choice:
    """Which planes of its file an image needs."""
    return planes.Choice(batch.get("nuclear"), _channel(row), batch.get("z"))


def _channel(row):
    """The image's channel from a column of that name in the input table; "" without one."""
    columns = row.get("metadata", {}).items()
    return next((text for name, text in columns if name.casefold() == "channel"), "")


def _windows(movie, rows, folder):
    """Give every row that is ok its `window`: the frame and its neighbours; at an end of the movie the nearest three.

    A row whose neighbour could not be reached becomes a failed one.
    """
    keys = {frame: row["key"] for frame, row in rows.items() if row["status"] == "ok"}
    failed = {}
    for row in [row for row in rows.values() if row["status"] == "ok"]:
        first = max(1, min(row["frame"] - 1, movie.frames - 2))
        window = range(first, min(first + WINDOW, movie.frames + 1))
        for frame in set(window) - keys.keys() - failed.keys():
            key = image_key(row["plate"], row["well"], row["site"], frame)
            failure = _write(os.path.join(folder, CONTEXT), key, movie.read(frame))
            if failure is None:
                keys[frame] = key
            else:
                failed[frame] = failure
        unreached = [failed[frame] for frame in window if frame in failed and failed[frame].retryable]
        row |= _failed(unreached[0]) if unreached else {"window": [keys[frame] for frame in window if frame in keys]}


def open_first(
    source: str | None, locations: Sequence[str], root: str | None, places: Mapping[str, str], cache: str | None
) -> tuple[str, Any]:
    """(location, file or store) of the first location that exists."""
    for location in locations:
        try:
            place = None
            if not sources.scheme(location):
                if source:
                    location = f"{source.rstrip('/')}/{quote(location)}"
                else:
                    location, place = staged.local(location, root, places)
            return location, sources.open_any(location, place, cache)
        except MissingWell as failure:
            missing = failure
    raise missing


def _row(image_row, pixels, folder, levels=UNKNOWN, significant=None):
    row = {"channels": []} | image_row | {"status": "ok", "reason": "", "retryable": False} | dict.fromkeys(FACTS)
    failure = _write(folder, row["key"], pixels, row, levels, significant)
    return row | _failed(failure) if failure else row


def _write(folder, key, pixels, row=None, levels=UNKNOWN, significant=None):
    """Write a frame, and the FACTS of its pixels into ROW.

    PIXELS is (Y, X), or an ImageFailure. Returns the ImageFailure where there is one or the frame cannot be used, else
    None.
    """
    if isinstance(pixels, ImageFailure):
        return pixels
    unwritten = round(float(np.mean(np.ma.getmaskarray(pixels))), 6)
    pixels = np.ma.getdata(pixels)
    try:
        with image_failures(f"{key}: its pixels cannot be used"):
            facts = _facts(key, pixels, levels, significant) | {"unwritten": unwritten} if row is not None else {}
    except ImageFailure as failure:
        return failure
    write_frame(folder, key, pixels)
    if row is not None:
        row |= facts
    return None


def _facts(key, pixels, levels, significant):
    depth, kind = bit_depth.of_frame(key, pixels, levels, significant), pixels.dtype.newbyteorder("=").name
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
    reason = in_words(failure)
    if len(reason) > LONGEST:
        reason = f"{reason[:LONGEST]} ..."
    return {"status": "failed", "reason": reason, "retryable": failure.retryable}
