#!/usr/bin/env python3
"""Make one image of the slabs of a volume: metadata, pictures, and what is known of it."""

from pathlib import Path

import click

from idrstream.base import failures, files, task


@click.command()
@task.versions
@click.argument("packet", type=click.Path(exists=True))
@click.argument("outdir", type=click.Path(exists=True, file_okay=False))
@click.argument("assembled", type=click.Path(path_type=Path))
@task.reads
@task.whole("assembled")
@failures.of_the_unit
def main(packet, outdir, assembled, folders, connections):
    """Write into ASSEMBLED what makes one image of the volume of PACKET, whose slabs are in OUTDIR."""
    task.limit_threads(1)
    from idrstream import sources
    from idrstream.base import costs
    from idrstream.sources import staged
    from idrstream.volume import arrays, looking, ome_zarr, results, slab
    from idrstream.volume.box import Box

    sources.at_most(connections)
    packet = files.read_json(packet)
    name, region = packet["entry"], Box.of(packet["roi"])
    assembled.mkdir()
    with costs.measured() as cost:
        source = arrays.Region(packet, staged.places(packet["folders"], folders))
        made, size = slab.store(packet, outdir), packet["voxel_size"]
        pictures = looking.write(assembled / results.SLICES, name, region, source.raw, made, size)
        images = [*(ome_zarr.probability(number) for number in range(1, packet["classes"] + 1)), ome_zarr.SEGMENTATION]
        slab.store(packet, assembled).describe(images, size)
    facts = {"voxel_size": size, "pictures": pictures, "classes": slab.names(packet)}
    slab.tell(assembled, {"assemble": {**facts, **cost}})


if __name__ == "__main__":
    main()
