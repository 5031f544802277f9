"""Frames of a batch, fetched from wherever they are: only what is wanted travels, and every frame is looked at."""

import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

import numpy as np

from idrstream import image, readers, sources
from idrstream.failures import ImageFailure, MissingWell
from idrstream.task import MayHeal


def fetch(batch, folder, root=None, connections=4, last=False, watch=iter):
    """Write the frames of a batch and a row for each of its images.

    batch        as the planner wrote it: images, source, channel
    folder       where the frames go, see `image`
    root         local folder that locations are relative to
    connections  movies read at the same time
    last         this is the last try: an image that cannot be reached is a row, even if none can
    watch        wraps the iterable of movies, to show progress
    returns      the rows: the images, with status, reason, heals, bytes, seconds, focus, saturation

    A bad image is a row. Raises MayHeal if not one image of the batch could be reached and this is not the last try;
    for a batch that needs `all` of its images, always if one could not.
    """
    os.makedirs(folder)
    movies = {}
    for asked in batch["images"]:
        movies.setdefault((asked["plate"], asked["well"], asked["site"], *asked["locations"]), []).append(asked)
    with ThreadPoolExecutor(connections) as pool:
        tasks = [pool.submit(_movie, batch, wanted, folder, root) for wanted in movies.values()]
        fetched = {row["key"]: row for task in watch(tasks) for row in task.result()}
    rows = [fetched[asked["key"]] for asked in batch["images"]]
    image.write_rows(folder, rows)
    lost = [row for row in rows if row["heals"]]
    if lost and (batch.get("all") or (len(lost) == len(rows) and not last)):
        raise MayHeal(f"{len(lost)} of {len(rows)} images could not be reached; the first: {lost[0]['reason']}")
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
    rows, travelled = [], 0
    with tempfile.TemporaryDirectory(dir=folder, prefix=".whole-") as cache:
        try:
            location, opened = _open(batch["source"], locations, root, cache)
            with opened as file:
                name = os.path.basename(urlsplit(location).path if urlsplit(location).scheme else location)
                by_frame = {asked["frame"]: asked for asked in wanted}
                for frame, pixels in readers.read_frames(file, name, list(by_frame), batch["channel"]):
                    rows.append(_row(by_frame[frame], pixels, folder))
                travelled = file.bytes
        except ImageFailure as failure:
            done = {row["key"] for row in rows}
            rows += [_row(asked, failure, folder) for asked in wanted if asked["key"] not in done]
    seconds = round((time.monotonic() - started) / len(rows), 3)
    return [row | {"bytes": travelled // len(rows), "seconds": seconds} for row in rows]


def _open(source, locations, root, cache):
    """(location, file) of the first location where there is one."""
    for location in locations:
        try:
            if source and not urlsplit(location).scheme:
                location = f"{source.rstrip('/')}/{quote(location)}"
            return location, sources.open_location(location, root=root, cache=cache)
        except MissingWell as failure:
            missing = failure
    raise missing


def _row(asked, pixels, folder):
    row = asked | {"status": "ok", "reason": "", "heals": False, "focus": None, "saturation": None}
    if isinstance(pixels, ImageFailure):
        return row | {"status": "failed", "reason": f"{type(pixels).__name__}: {pixels}", "heals": pixels.heals}
    image.write_frame(folder, asked["key"], pixels)
    return row | {"focus": round(focus(pixels), 4), "saturation": round(saturation(pixels), 6)}
