"""The same frames by every route there is: each over a real server on this machine, or by a stand-in for ascp."""

import csv
import hashlib
import os
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import h5py

import make_zarr
from ascp import USER, StandIn
from ftp_server import ftp_server
from idrstream.images.frames import image_key, read_frame
from idrstream.screen import fetch
from idrstream.sources import aspera
from support import http_server, images_of

CHUNKS = (1, 1, 1, 1024, 1024)  # of OME-Zarr; what bioformats2raw makes without being told


@contextmanager
def _https(folder):
    with http_server(folder) as server:
        yield server.url, lambda: f"{len(server.log)} requests"


@contextmanager
def _ftp(folder):
    with ftp_server(folder) as server:
        yield server.url, lambda: f"{len(server.commands)} commands"


@contextmanager
def _aspera(folder):
    with tempfile.TemporaryDirectory() as home, patch.dict(os.environ):
        program = StandIn(Path(home))
        (program.archive / "screen").symlink_to(Path(folder).absolute())
        aspera.use(f"{home}/ascp", f"{home}/a key")
        yield f"{USER}/screen", lambda: f"{program.calls} transfers"


@contextmanager
def _local(_):
    yield None, lambda: "none"


class Route(NamedTuple):
    serve: object  # context manager of a folder: its address and, to be asked later, what its server was asked
    stored: int | None = None  # as OME-Zarr of this version of Zarr; None: as the movie it is
    reader: str | None = None


ROUTES = {
    "https": Route(_https),
    "https, OME-Zarr 0.4": Route(_https, 2),
    "https, OME-Zarr 0.5": Route(_https, 3),
    "https, Bio-Formats": Route(_https, reader="bioformats"),
    "ftp": Route(_ftp),
    "aspera (stand-in)": Route(_aspera),
    "local file": Route(_local),
}


@dataclass
class Brought:
    """What a route brought, and what it cost."""

    images: int
    same: int  # of these images: those whose pixels are h5py's
    asked: str  # of the server
    travelled: int  # bytes
    whole: int  # bytes of the files that the images lie in
    seconds: float  # all images


class Screen:
    """The frames that a screen's table asks for, as h5py reads them from the movies, and as OME-Zarr in `scratch`.

    folder  with `data_to_process.tsv`, and movies laid out as the archive's; a movie that is not there is left out
    movies  the first so many rows of the table; None: all
    """

    def __init__(self, folder, scratch, movies=None):
        self.folder, self.scratch = Path(folder), Path(scratch)
        with open(self.folder / "data_to_process.tsv", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))[:movies]
        self.images, self.sha256 = [], {}
        for row in rows:
            well = int(row["Well Number"])
            for path in self.folder.glob(f"pub/**/{row['Plate']}--*/hdf5/{well:05}_01.ch5"):
                self._add(path, row["Plate"], row["Well"], well, [int(frame) for frame in row["Frames"].split(",")])

    def _add(self, path, plate, well, number, frames):
        with h5py.File(path) as file:
            pixels = images_of(file)[:]  # (C, T, Z, Y, X)
        stored = f"{plate}.zarr/{well[0]}/{well[1:]}/0"
        for version in 2, 3:
            place = self.scratch / f"zarr{version}" / stored
            make_zarr.write(place, pixels.swapaxes(0, 1), version, "zstd", chunks=CHUNKS)
        for frame in frames:
            name = image_key(plate, well, 1, frame)
            self.sha256[name] = _sha256(pixels[0, frame - 1, 0])
            asked = {"key": name, "plate": plate, "well": well, "well_number": number, "site": 1, "frame": frame}
            self.images.append(asked | {"movie": str(path.relative_to(self.folder)), "stored": stored})

    def bring(self, name):
        """The frames by the route of this name, as FETCH brings them."""
        route = ROUTES[name]
        folder = self.folder if route.stored is None else self.scratch / f"zarr{route.stored}"
        kind = "movie" if route.stored is None else "stored"
        images = [asked | {"locations": [asked[kind]]} for asked in self.images]
        with tempfile.TemporaryDirectory(dir=self.scratch) as frames, route.serve(folder) as (source, asked):
            batch = {"images": images, "source": source, "reader": route.reader}
            started = time.monotonic()
            rows = fetch.fetch(batch, frames, root=None if source else folder)
            seconds = time.monotonic() - started
            same = sum(
                row["status"] == "ok" and _sha256(read_frame(frames, row["key"])) == self.sha256[row["key"]]
                for row in rows
            )
            whole = sum(_size(folder / place) for place in {row["locations"][0] for row in rows})
            return Brought(len(rows), same, asked(), sum(row["bytes"] for row in rows), whole, seconds)


def _sha256(pixels):
    return hashlib.sha256(f"{pixels.dtype} {pixels.shape} ".encode() + pixels.tobytes()).hexdigest()


def _size(path):
    return sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())
