#!/usr/bin/env python3
"""Make a small screen as an archive keeps it: CellH5 movies of artificial nuclei, laid out like IDR's idr0013."""

from pathlib import Path

import click
import h5py
import numpy as np

STUDY = "pub/databases/IDR/idr0000-example/20150916-mitocheck-analysis/mitocheck"
LONG_NAME = "{}--ex2018_01_16--sp2018_01_16--tt17--c4"  # as MitoCheck names a plate's folder
COLUMNS = ["", "Plate", "Well", "Frames", "Well Number", "Control Type", "Original Gene Target"]
COLUMNS += ["Plate_Map_Name", "Gene_Replicate", "Site", "DNA"]  # as IDR_stream takes them
CONTROLS = {  # nuclei a frame, part of them in mitosis
    "positive control": ((60, 90), 0.25),
    "negative control": ((110, 150), 0.05),
}
REFERENCE_SHAPE = (1024, 1344)  # the numbers of nuclei above are for this field of view
OFFSET = 6  # grey levels that the camera gives without light
BACKGROUND = 7  # grey levels of medium and plastic
READ_NOISE = 0.7  # grey levels
PHOTONS = 4  # per grey level
MINUTES = 30  # between frames
DEMO = {  # 20 images: one that fails is as much as --max_failed allows
    "plates": ("DM0001_01", "DM0001_02"),
    "wells": (3, 17, 40, 51, 66, 90, 123, 148, 205, 260),  # 5 negative controls a plate, of 3 that are needed
    "frames": 1,
    "shape": (512, 672),
    "faults": {("DM0001_01", 260): "empty", ("DM0001_02", 260): "truncated"},
}

CHANNEL = [("channel_name", "S50"), ("description", "S50"), ("is_physical", "?"), ("voxel_size", "f8", 3)]
CHANNEL += [("color", "S10")]
REGION = [("region_name", "S50"), ("channel_idx", "i2")]
TIME = [("frame", "i4"), ("timestamp_abs", "f8"), ("timestamp_rel", "f8")]


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
def main(out):
    """Write the demo's archive, its two tables and the truth about its images to OUT.

    Of twenty movies of one frame one has no nucleus and one is cut short, to show what becomes of such.
    """
    make_screen(out, **DEMO)


def make_screen(
    out, plates=("DM0001_01", "DM0001_02"), wells=(3, 17, 40), frames=2, shape=REFERENCE_SHAPE, faults=None, seed=0
):
    """Make a screen; same arguments, same bytes, and a movie does not depend on the others.

    wells   numbers from 1, row by row over 16 x 24; those at even places are positive, the others negative controls
    shape   (Y, X)
    faults  {(plate, well): fault}, a fault of FAULTS

    out/pub/...                    CellH5 movies, (1, T, 1, Y, X) uint8
    out/data_to_process.tsv        every frame of every movie
    out/screens.tsv                the plates' long names
    out/truth/P_WELL_F_labels.npz  `labels`, (Y, X) uint16
    out/truth/P_flatfield.npy      (Y, X) float32, mean 1
    """
    out, faults = Path(out), faults or {}
    truth = out / "truth"
    truth.mkdir(parents=True, exist_ok=True)
    rows, screens = ["\t".join(COLUMNS)], []
    for plate_index, plate in enumerate(plates):
        field = vignette(shape, plate_index)
        np.save(truth / f"{plate}_flatfield.npy", field)
        screens.append(f"{plate}\t../screens/{LONG_NAME.format(plate)}.screen")
        for place, well in enumerate(wells):
            fault = faults.get((plate, well))
            control = list(CONTROLS)[place % 2]
            rng = np.random.default_rng([seed, plate_index, well])
            images, labels = make_movie(rng, field, frames, "nothing" if fault == "empty" else control)
            for frame, image_labels in enumerate(labels, 1):
                np.savez_compressed(truth / f"{plate}_{well}_{frame}_labels.npz", labels=image_labels)
            path = out / STUDY / LONG_NAME.format(plate) / "hdf5" / f"{well:05}_01.ch5"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_cellh5(path, plate, well, images)
            FAULTS[fault](path)
            rows.append(_row(len(rows) - 1, plate, well, frames, control))
    (out / "data_to_process.tsv").write_text("\n".join(rows) + "\n")
    (out / "screens.tsv").write_text("\n".join(screens) + "\n")


def make_movie(rng, field, frames, control, offset=OFFSET):
    """Images (T, Y, X) uint8 and their label images (T, Y, X) uint16 of one well, whose nuclei creep about."""
    (fewest, most), mitotic = CONTROLS.get(control, ((0, 0), 0))
    area = field.size / np.prod(REFERENCE_SHAPE)
    nuclei = _scatter(rng, round(rng.integers(fewest, most + 1) * area), field.shape, mitotic)
    images, labels = [], []
    for _ in range(frames):
        signal, frame_labels = _draw(nuclei, field.shape)
        light = field * (BACKGROUND + signal)
        grey = rng.poisson(light * PHOTONS) / PHOTONS + rng.normal(offset, READ_NOISE, field.shape)
        images.append(np.clip(np.rint(grey), 0, 255).astype(np.uint8))
        labels.append(frame_labels)
        for nucleus in nuclei:
            nucleus["centre"] = nucleus["centre"] + rng.normal(0, 1.5, 2)
    return np.stack(images), np.stack(labels)


def vignette(shape, plate_index=0):
    """A lamp's uneven light, brightest near but not at the centre; (Y, X) float32, mean 1."""
    y, x = (np.linspace(-1, 1, length) for length in shape)
    field = 1 - 0.22 * (y[:, None] - 0.1) ** 2 - 0.25 * (x[None, :] + 0.15 - 0.1 * plate_index) ** 2
    return (field / field.mean()).astype(np.float32)


def write_cellh5(path, plate, well, images):
    """Write a movie as CellCognition lays it out, one channel, (T, Y, X) uint8."""
    frames, height, width = images.shape
    with h5py.File(path, "w") as file:
        image = file.create_group("definition/image")
        image["channel"] = np.array([("rfp", "histone H2B", True, (1, 0.645, 0.645), "#ff0000")], CHANNEL)
        image["region"] = np.array([("region___primary__primary", 0)], REGION)
        site = file.create_group(f"sample/0/plate/{LONG_NAME.format(plate)}/experiment/{well:05}/position/01")
        channel = site.create_dataset(
            "image/channel",
            data=images[None, :, None],
            chunks=(1, 1, 1, height // 4, width // 4),
            compression="gzip",
            track_times=False,
        )
        channel.attrs["valid"] = np.ones(frames, np.int32)
        seconds = np.arange(frames) * 60 * MINUTES
        site["image/time_lapse"] = np.array([(frame, time, time) for frame, time in enumerate(seconds)], TIME)
        for group in "object", "feature":
            file.create_group(f"definition/{group}")  # Bio-Formats does not open a file without definition/object
            site.create_group(group)


def _scatter(rng, count, shape, mitotic):
    """Nuclei at random places, their centres no closer than a diameter."""
    nuclei, centres = [], np.empty((0, 2))
    while len(nuclei) < count:
        centre = rng.uniform((0, 0), shape)
        if (np.hypot(*(centres - centre).T) < 24).any():
            continue
        centres = np.vstack([centres, centre])
        divides = rng.random() < mitotic
        nuclei.append(
            {
                "centre": centre,
                "radii": rng.uniform((4, 9), (6, 12)) if divides else rng.uniform((9, 11), (11, 13)),  # pixels
                "angle": rng.uniform(0, np.pi),
                "level": rng.uniform(110, 160) if divides else rng.uniform(35, 85),  # grey levels
                "waves": rng.normal(0, 0.35, (5, 2)),  # radians per pixel, of the chromatin's texture
                "phases": rng.uniform(0, 2 * np.pi, 5),
            }
        )
    return nuclei


def _draw(nuclei, shape):
    """Light of the nuclei, grey levels, and their labels, 1, 2, ... in the order given."""
    signal, labels = np.zeros(shape), np.zeros(shape, np.uint16)
    for label, nucleus in enumerate(nuclei, 1):
        reach = 18  # pixels, more than the longest radius and the blur around it
        top, left = np.maximum(nucleus["centre"].astype(int) - reach, 0)
        patch = np.s_[top : top + 2 * reach, left : left + 2 * reach]
        y, x = np.indices(labels[patch].shape)
        dy, dx = y + top - nucleus["centre"][0], x + left - nucleus["centre"][1]
        sine, cosine = np.sin(nucleus["angle"]), np.cos(nucleus["angle"])
        across, along = nucleus["radii"]
        radius = np.hypot((cosine * dy - sine * dx) / across, (sine * dy + cosine * dx) / along)
        texture = sum(
            np.cos(wave[0] * dy + wave[1] * dx + phase)
            for wave, phase in zip(nucleus["waves"], nucleus["phases"], strict=True)
        )
        signal[patch] += nucleus["level"] * (1 + 0.06 * texture) / (1 + np.exp((radius - 1) * 12))
        labels[patch][(radius <= 1) & (labels[patch] == 0)] = label
    return signal, labels


def _row(index, plate, well, frames, control):
    """A line of data_to_process.tsv, in IDR_stream's columns."""
    row, column = divmod(well - 1, 24)
    gene = control if control == "negative control" else f"ENSG{well:011}"
    wanted = ",".join(map(str, range(1, frames + 1)))
    fields = [index, plate, f"{chr(ord('A') + row)}{column + 1}", wanted, well, control, gene]
    return "\t".join(map(str, [*fields, f"{plate}_{well}", 1, 1, f"{plate}/{plate}_{well}_1.tif"]))


def _truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])


def _say_unwritten(path):
    with h5py.File(path, "r+") as file:
        _images(file).attrs["valid"] = np.array([1, *[0] * (_images(file).shape[1] - 1)], np.int32)


def _blank(path):
    with h5py.File(path, "r+") as file:
        _images(file)[0, -1] = OFFSET


def _corrupt(path):
    with h5py.File(path) as file:
        start = _images(file).id.get_chunk_info(0).byte_offset
    with open(path, "r+b") as file:
        file.seek(start)
        file.write(b"\xff" * 64)


def _images(file):
    (name,) = file["sample/0/plate"]
    (site,) = file[f"sample/0/plate/{name}/experiment"].values()
    return site["position/01/image/channel"]


FAULTS = {  # what is done to a movie
    None: lambda path: None,
    "empty": lambda path: None,  # made so: no nuclei
    "truncated": _truncate,
    "missing": Path.unlink,
    "web page": lambda path: path.write_text("<!DOCTYPE html><html><body>Not found</body></html>"),
    "unwritten": _say_unwritten,  # every frame but the first
    "constant": _blank,  # the last frame
    "corrupt": _corrupt,  # a block of the first frame
}


if __name__ == "__main__":
    main()
