#!/usr/bin/env python3
"""Fit the flat-field of a plate, or of every image of a batch."""

from functools import partial
from pathlib import Path

import click

from idrstream.base import files, stage_folder, task
from idrstream.images.calibration import FIELDS, WINDOW, write_field, write_picture
from idrstream.images.frames import CONTEXT, Frames, frame_key, read_frame
from idrstream.readers import bit_depth
from idrstream.screen import field_notes
from idrstream.screen.study import Well


class Offset(click.ParamType):
    """Grey levels, or ``auto``."""

    name = "number|auto"

    def convert(self, value, param, context):
        return value if value == "auto" else click.FLOAT.convert(value, param, context)


@click.command()
@task.versions
@task.libraries
@click.argument("frames", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("fields", type=click.Path(path_type=Path))
@click.option("--illumination", default="none", show_default=True, help="plate: one field; frames: one an image; none.")
@click.option(
    "--camera_offset",
    type=Offset(),
    default=0.0,
    show_default=True,
    help="Grey levels that the camera gives without light; auto: estimated from a plate's nuclei, elsewhere 0.",
)
@task.whole("fields")
def main(frames, fields, illumination, camera_offset):
    """Fit flat-fields to FRAMES and write them into the folder FIELDS, with what can be said of each.

    Always answers: a field that cannot be trusted is refused, with the reason, and is not there.
    """
    task.limit_threads(1)  # with another number of threads a field differs in its last digits
    fields.mkdir()
    rows = stage_folder.read_rows(frames)
    usable = [row for row in rows if row["status"] == "ok"]
    facts, offset = {}, 0.0 if camera_offset == "auto" else camera_offset
    if illumination == "plate" and rows:
        cost = {"bytes": sum(row["bytes"] for row in rows)}
        of_plate = _of_plate(frames, usable, camera_offset, fields) | cost
        facts, offset = {rows[0]["plate"]: of_plate}, of_plate.get("camera_offset", {}).get("offset", offset)
    elif illumination == "frames":
        even = {frame_key(row): row for row in usable if row.get("variant") != "no_ic"}
        each = task.progress(list(even.items()), "fitting")
        facts = {name: _of_image(frames, row, offset, fields) for name, row in each}
    content = {
        "offset": offset,
        "lost": next((row["reason"] for row in rows if row["retryable"]), None),
        "frames": bit_depth.of_plate(usable),
        "fields": facts,
    }
    files.write_json(fields / FIELDS, content)
    of_plate = rows and rows[0]["plate"] == fields.stem  # else of a batch, whose range of grey levels its plates have
    said = field_notes.of_range(fields.stem, content["frames"]) if of_plate else None
    task.tell(fields / "notes.json", [said] * bool(said), field_notes.of_fields(fields.stem, facts))
    for name, found in facts.items():
        click.echo(f"{name}: {found['status']} {found.get('reason', '')}")


def _of_plate(frames, usable, offset, fields):
    """Facts of the plate's field; the field and its picture are written if it is trusted."""
    illumination = _stage()
    keys = [row["key"] for row in usable]
    facts = {"kind": "plate", "candidates": keys}
    candidates = Frames(partial(read_frame, frames), keys)
    unwritten = [row.get("unwritten") or 0 for row in usable]
    try:
        found = illumination.of_plate(candidates, offset, origins(usable), unwritten)
    except illumination.Refused as reason:
        unknown = {"state": "none", "reason": "there is no flat-field to estimate it with", "offset": 0.0}
        facts |= {"status": "refused", "reason": str(reason)}
        return facts | ({"camera_offset": unknown} if offset == "auto" else {})
    name = usable[0]["plate"]
    write_field(fields, name, found.field)
    write_picture(fields, name, illumination.picture(found.field))
    facts |= _figures(found.field)
    facts |= {"used": [keys[i] for i in found.used], "halves_rms": round(found.halves, 5)}
    if found.left_out:
        facts["left_out"] = {keys[i]: reason for i, reason in found.left_out.items()}
    return facts | ({"camera_offset": _of_offset(found)} if offset == "auto" else {})


def origins(rows):
    """(well, time) of each image: wells by name, for batches may have numbered them by other formats of plates."""
    return [(Well.parse(row["well"]), row["frame"]) for row in rows]


def _of_offset(found):
    """What is known of the camera's offset (grey levels) that was not given."""
    estimate = found.estimate
    if estimate is None:
        return {"state": "none", "reason": found.unknown, "offset": 0.0}
    low, middle, high = (float(f"{r * estimate.level:.5g}") for r in (estimate.low, estimate.ratio, estimate.high))
    about = {"state": "sure" if estimate.sure else "rough", "offset": middle, "low": low, "high": high}
    return about | {"bound": round(estimate.bound, 5), "nuclei": estimate.nuclei}


def _of_image(frames, row, offset, fields):
    """Likewise of an image's, from its window in time: itself and its neighbours, which lie in `context`."""
    illumination = _stage()
    facts = {"kind": "frames", "used": row["window"]}
    context = frames / CONTEXT
    window = [read_frame(frames if (frames / f"{key}.tif").exists() else context, key) for key in row["window"]]
    try:
        if len(window) < WINDOW:
            raise illumination.Refused(f"{WINDOW} frames in a row are needed, there are {len(window)}")
        field = illumination.fit(window, offset)
    except illumination.Refused as reason:
        return facts | {"status": "refused", "reason": str(reason)}
    write_field(fields, frame_key(row), field)
    return facts | _figures(field)


def _figures(field):
    low, high = (round(float(value), 4) for value in (field.min(), field.max()))
    return {"status": "ok", "shape": list(field.shape), "low": low, "high": high}


def _stage():
    """The stage, imported only where there is something to fit."""
    from idrstream.screen import illumination

    return illumination


if __name__ == "__main__":
    main()
