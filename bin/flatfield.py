#!/usr/bin/env python3
"""Fit the flat-field of a plate, or of every image of a batch."""

from pathlib import Path

import click

from idrstream import bit_depth, files, image, task


@click.command()
@task.versions
@task.libraries
@click.argument("frames", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("fields", type=click.Path(path_type=Path))
@click.option("--illumination", default="none", show_default=True, help="plate: one field; frames: one an image; none.")
@click.option(
    "--camera_offset", default=0.0, show_default=True, help="Grey levels that the camera gives without light."
)
@task.whole("fields")
def main(frames, fields, illumination, camera_offset):
    """Fit flat-fields to FRAMES and write them into the folder FIELDS, with what can be said of each.

    Always answers: a field that cannot be trusted is refused, with the reason, and is not there.
    """
    task.limit_threads(1)  # with another number of threads a field differs in its last digits
    fields.mkdir()
    rows = image.read_rows(frames)
    usable = [row for row in rows if row["status"] == "ok"]
    facts = {}
    if illumination == "plate" and rows:
        cost = {"bytes": sum(row["bytes"] for row in rows)}
        facts = {rows[0]["plate"]: _of_plate(frames, usable, camera_offset, fields) | cost}
    elif illumination == "frames":
        even = {image.stored(row): row for row in usable if row.get("variant") != "no_ic"}
        each = task.progress(list(even.items()), "fitting")
        facts = {name: _of_image(frames, row, camera_offset, fields) for name, row in each}
    content = {
        "offset": camera_offset,
        "lost": next((row["reason"] for row in rows if row["heals"]), None),
        "frames": bit_depth.of_plate(usable),
        "fields": facts,
    }
    files.write_json(fields / image.FIELDS, content)
    for name, found in facts.items():
        click.echo(f"{name}: {found['status']} {found.get('reason', '')}")


def _of_plate(frames, usable, offset, fields):
    """Facts of the plate's field; the field and its picture are written if it is trusted."""
    illumination = _stage()
    facts = {"kind": "plate", "candidates": [row["key"] for row in usable]}
    try:
        field, used, halves = illumination.of_plate([image.read_frame(frames, row["key"]) for row in usable], offset)
    except illumination.Refused as reason:
        return facts | {"status": "refused", "reason": str(reason)}
    name = usable[0]["plate"]
    image.write_field(fields, name, field)
    image.write_picture(fields, name, illumination.picture(field))
    return facts | _figures(field) | {"used": [usable[i]["key"] for i in used], "halves_rms": round(halves, 5)}


def _of_image(frames, row, offset, fields):
    """Likewise of an image's, from its window in time: itself and its neighbours, which lie in `context`."""
    illumination = _stage()
    facts = {"kind": "frames", "used": row["window"]}
    context = frames / image.CONTEXT
    window = [image.read_frame(frames if (frames / f"{key}.tif").exists() else context, key) for key in row["window"]]
    try:
        if len(window) < image.WINDOW:
            raise illumination.Refused(f"{image.WINDOW} frames in a row are needed, there are {len(window)}")
        field = illumination.fit(window, offset)
    except illumination.Refused as reason:
        return facts | {"status": "refused", "reason": str(reason)}
    image.write_field(fields, image.stored(row), field)
    return facts | _figures(field)


def _figures(field):
    low, high = (round(float(value), 4) for value in (field.min(), field.max()))
    return {"status": "ok", "shape": list(field.shape), "low": low, "high": high}


def _stage():
    """The stage, imported only where there is something to fit."""
    import torch

    torch.set_num_threads(1)
    from idrstream import illumination

    return illumination


if __name__ == "__main__":
    main()
