#!/usr/bin/env python3
"""Predict how likely each voxel of a slab is of each class, by a U-Net."""

from pathlib import Path

import click

from idrstream.base import failures, files, task


@click.command()
@task.versions
@task.libraries
@click.argument("packet", type=click.Path(exists=True))
@click.argument("checkpoint", type=click.Path(exists=True, path_type=Path))
@click.argument("predicted", type=click.Path(path_type=Path))
@task.reads
@click.option("--threads", "count", default=1, show_default=True, help="Threads to use.")
@click.option("--require_gpu", is_flag=True, help="Fail where there is no GPU.")
@task.whole("predicted")
@failures.of_the_unit
def main(packet, checkpoint, predicted, folders, connections, count, require_gpu):
    """Write the probabilities of the slab of PACKET (JSON) by CHECKPOINT into the folder PREDICTED."""
    task.limit_threads(count)
    from idrstream import sources
    from idrstream.base import costs, gpu
    from idrstream.sources import staged
    from idrstream.volume import arrays, network, prediction, slab, unet
    from idrstream.volume import checkpoint as checkpoints
    from idrstream.volume.box import Box

    sources.at_most(connections)
    packet, content = files.read_json(packet), checkpoints.read(checkpoint)
    if content.sha256 != packet["checkpoint"]["sha256"]:
        raise task.UserError(f"--checkpoint: {content.name} was changed since the run began; start the run again")
    region = arrays.Region(packet, staged.places(packet["folders"], folders))
    description = unet.from_keys(packet["network"])
    net = network.load(description, content.weights, tuple(packet["input"]), require_gpu, count)
    box, tile, raw = Box.of(packet["box"]), tuple(packet["tile"]), region.raw
    predicted.mkdir()
    with costs.measured() as cost, gpu.watched(net.device, net.on_gpu) as device:
        parts = prediction.predict(raw, box, tile, net, description)
        parts = task.progress(parts, f"{packet['id']}: predicting tiles", box.count(tile))
        slab.keep(packet, predicted, parts)
    slab.tell(predicted, {"predict": {"device": device, "unwritten": raw.volume.unwritten, **cost}})


if __name__ == "__main__":
    main()
