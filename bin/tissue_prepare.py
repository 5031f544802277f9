#!/usr/bin/env python3
"""Find the diameter of a slide's nuclei, and where on the slide there may be any."""

from pathlib import Path

import click

from idrstream.base import failures, files, task


@click.command()
@task.versions
@task.libraries
@click.argument("packet", type=click.Path(exists=True))
@click.argument("slide", type=click.Path(exists=True, file_okay=False))
@click.argument("prepared", type=click.Path(path_type=Path))
@click.option("--model", required=True, type=click.Path(exists=True), help="Cellpose model file.")
@click.option("--diameter", help="Of a nucleus in pixels, or auto; as in PACKET if absent.")
@click.option(
    "--tissue", type=click.Choice(["all", "auto"]), help="Where nuclei are looked for; as in PACKET if absent."
)
@click.option("--threads", "count", default=1, show_default=True, help="Tiles of the network at a time.")
@click.option("--require_gpu", is_flag=True, help="Fail where there is no GPU.")
@task.whole("prepared")
@failures.of_the_unit
def main(packet, slide, prepared, model, diameter, tissue, count, require_gpu):
    """Write into PREPARED the diameter and squares of the slide of PACKET, of which READ left the folder SLIDE."""
    task.limit_threads(1)  # each thread computes one tile
    from idrstream.tissue import costs, network
    from idrstream.tissue import prepared as step

    packet = files.read_json(packet)
    packet["diameter"] = _diameter(diameter or packet["diameter"])
    packet["tissue"] = tissue or packet["tissue"]
    prepared.mkdir()
    with costs.measured(prepared / "prepare.cost.json", "prepare", packet["size"][0] * packet["size"][1]):
        facts = step.prepare(packet, slide, prepared, network.load(model, require_gpu, count))
    share = f"nuclei are looked for in {facts['tissue_share']:.0%} of the slide"
    click.echo(f"{packet['slide']}: diameter {facts['diameter']:g} px ({facts['diameter_source']}), {share}")
    for warning in facts["warnings"]:
        click.echo(f"{packet['slide']}: {warning}", err=True)


def _diameter(text):
    """ "auto", or pixels."""
    try:
        return text if text == "auto" else float(text)
    except ValueError:
        raise task.UserError(f"--diameter {text}: a number of pixels is needed, or auto.") from None


if __name__ == "__main__":
    main()
