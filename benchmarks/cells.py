#!/usr/bin/env python3
"""Cells of a made slide of many channels measured: rates of the kernel and of MEASURE, beside scipy; bytes; memory.

    .venvs/cellpose/bin/python benchmarks/cells.py FOLDER [--size 2048x2048] [--channels 40] [--tile 512] [--group 7]

FOLDER takes the slide, a zlib-compressed OME-TIFF which $IDRSTREAM_DATA/tissue/make_slide.py makes of real nuclei, with
the labels that it knows, and what MEASURE leaves. A rate is megapixels of the slide, background too, times channels, a
second of one processor.
"""

import hashlib
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import tifffile
import zarr
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "tests")]

import measured_slides  # noqa: E402
from idrstream.base import files  # noqa: E402
from idrstream.tissue import expansion, pixels, statistics  # noqa: E402
from support import DATA, http_server  # noqa: E402

DISTANCE = 4.615  # pixels: 3 µm of 0.65
FIVE = ndimage.mean, ndimage.median, ndimage.minimum, ndimage.maximum, ndimage.standard_deviation
MOST = 5  # channels by which scipy is timed, and rounds of ours


def make(folder, size, channels):
    """The slide and the labels of its nuclei, unless they are there."""
    if not (folder / "truth.zarr").exists():
        command = [sys.executable, DATA / "tissue/make_slide.py", folder / "slide.ome.tif", "--fields", DATA / "nuclei"]
        command += ["--stains", DATA / "tissue/painting_6ch.ome.tif", "--size", size, "--channels", str(channels)]
        subprocess.run([*command, "--truth", folder / "truth.zarr"], check=True)
    return zarr.open_array(folder / "truth.zarr", mode="r")[:].astype(np.int32)


def seconds(work, rounds=1):
    """CPU seconds of a call, of the fastest of ROUNDS."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def kernel(path, nuclei, channels):
    """Print rates of what is done once a channel: all statistics, by us and by scipy."""
    count, mega = int(nuclei.max()), nuclei.size / 1e6
    places, every = np.arange(-1, count, dtype=np.int32), list(pixels.SPANS.values())
    cells = expansion.expand(nuclei, DISTANCE)
    planes = [tifffile.imread(path, key=key) for key in range(0, channels, max(1, channels // MOST))]
    rates = {}
    for name, other, spans in ("nuclei", None, every[:1]), ("four compartments of cells", cells, every):
        found = pixels.runs(nuclei, other, places, count)
        values = np.empty(found.size, statistics.kind(planes[0].dtype))

        def measured(plane, found=found, values=values, spans=spans):
            pixels.gather(plane.astype(values.dtype, copy=False), (0, 0), found, values)
            return statistics.measure(values, found.begins, spans)

        rates[name] = mega / np.median([seconds(lambda plane=plane: measured(plane), MOST) for plane in planes])
    labels = np.arange(1, count + 1)
    one = [seconds(lambda plane=plane: [each(plane, nuclei, labels) for each in FIVE]) for plane in planes[:2]]
    rates["nuclei, five statistics by scipy.ndimage"] = mega / np.median(one)
    once = {"expansion": lambda: expansion.expand(nuclei, DISTANCE)}
    once["listing of pixels"] = lambda: pixels.runs(nuclei, cells, places, count)
    shares = [(image > 0).mean() for image in (nuclei, cells)]
    click.echo(f"{count} nuclei, {shares[0]:.0%} of the slide; cells {shares[1]:.0%}")
    for name, rate in rates.items():
        click.echo(f"| {name} | {rate:.1f} Mpx·channel/s |")
    click.echo(f"| nuclei, ours to scipy.ndimage | {rates['nuclei'] / list(rates.values())[-1]:.0f} times |")
    for name, work in once.items():
        click.echo(f"| {name}, once a slide | {seconds(work, MOST) / mega:.3f} s a megapixel |")


def task(folder, packet, nuclei, group):
    """The cost of MEASURE of a group of tiles, a process of its own."""
    files.write_json(folder / "packet.json", packet)
    command = [sys.executable, ROOT / "bin/tissue_measure.py", folder / "packet.json", str(group)]
    command += [folder / f"measured_{group}", "--nuclei", nuclei]
    subprocess.run(command, check=True, capture_output=True)
    return files.read_json(folder / f"measured_{group}/measure.cost.json")


def slide(folder, location, nuclei, channels, side, group):
    """The costs of MEASURE of all groups of the slide, and what it left, as a checksum."""
    names = [f"M{number}" for number in range(channels)]
    packet = measured_slides.packet_of([location], names, nuclei.shape, tile=side, group=group)
    layer = measured_slides.layer(folder / "nuclei", nuclei, side)
    costs = [task(folder, packet, layer, number) for number in range(len(packet["groups"]))]
    found = measured_slides.read(folder, packet)
    content = [*(part.tobytes() for part in (found.labels, found.values, found.objects, found.cells)), *found.outlines]
    digest = hashlib.sha256(b"".join(part if isinstance(part, bytes) else part.encode() for part in content))
    return costs, digest.hexdigest()[:16]


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--size", default="2048x2048", show_default=True, help="Height x width of the slide, pixels.")
@click.option("--channels", default=40, show_default=True)
@click.option("--tile", "sides", multiple=True, type=int, default=[4096, 1024, 512], show_default=True)
@click.option("--group", "counts", multiple=True, type=int, default=[1, 7], show_default=True, help="Tiles a task.")
def main(folder, size, channels, sides, counts):
    """Print all of it."""
    folder.mkdir(parents=True, exist_ok=True)
    nuclei, path = make(folder, size, channels), folder / "slide.ome.tif"
    amount = nuclei.size / 1e6 * channels
    kernel(path, nuclei, channels)
    click.echo("| tile | tiles a task | tasks | CPU s | Mpx·channel/s | read / file | peak MB | checksum |")
    click.echo("|---|---|---|---|---|---|---|---|")
    with http_server(folder) as server:
        places = [("", path), (" by HTTP", f"{server.url}/{path.name}")]
        runs = [(side, count, *places[0]) for side in sides for count in counts]
        for number, (side, count, words, place) in enumerate([*runs, (sides[0], counts[0], *places[1])]):
            here = folder / f"run_{time.time_ns()}_{number}"
            costs, digest = slide(here, place, nuclei, channels, side, count)
            spent, read = (sum(cost[name] for cost in costs) for name in ("cpu_seconds", "bytes"))
            peak = max(cost["peak_rss_mb"] for cost in costs)
            click.echo(
                f"| {side}{words} | {count} | {len(costs)} | {spent:.1f} | {amount / spent:.0f} "
                f"| {read / path.stat().st_size:.2f} | {peak:.0f} | {digest} |"
            )


if __name__ == "__main__":
    main()
