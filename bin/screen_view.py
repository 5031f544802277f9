#!/usr/bin/env python3
"""Look at an image of an output folder in napari: frame, nuclei, and the row of each cell."""

from importlib.util import find_spec
from pathlib import Path

import click

from idrstream.base import tables
from idrstream.screen import viewing

INSTALL = 'pip install "napari[pyqt6]>=0.9" click pyarrow tifffile "zarr>=3"'


@click.command()
@click.argument("outdir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--plate", required=True, help="Plate, by its short name.")
@click.option("--well", required=True, help="Well, such as A3.")
@click.option("--site", type=int, help="Site, if the well has several.")
@click.option("--frame", type=int, help="Frame, if the site has several.")
@click.option(
    "--variant", type=click.Choice(["ic", "no_ic"]), help="Illumination corrected or not, of a run with streams."
)
def main(outdir, plate, well, **wanted):
    """Show the first image of a well in OUTDIR in napari; a click on a nucleus shows its row."""
    if not find_spec("napari"):
        raise click.ClickException(f"napari is not installed here: {INSTALL}")
    try:
        row, *others = viewing.find(outdir, plate, well, **wanted)
    except tables.Problems as found:
        raise click.ClickException(str(found)) from found
    layers, notes = viewing.layers(outdir, row)
    for note in notes:
        click.echo(note)
    for other in others[:8]:
        click.echo(" ".join(["also there:", *(f"--{name} {other[name]}" for name in viewing.PLACE if name in other)]))
    if layers:
        import napari

        opened(layers, row["key"])
        napari.run()


def opened(layers, title):
    """A window of napari with LAYERS (viewing.layers)."""
    import napari

    viewer = napari.Viewer(title=title)
    for data, options, kind in layers:
        layer = viewer.add_layer(napari.layers.Layer.create(data, options, kind))
        if kind == "labels":
            layer.contour = 2  # pixels: outlines
            layer.mouse_drag_callbacks.append(_told(viewer))
    viewer.layers.selection.active = next((layer for layer in viewer.layers if layer.name == "nuclei"), None)
    return viewer


def _told(viewer):
    """For a layer of labels: a click writes the row of the nucleus onto the canvas."""

    def clicked(layer, event):
        label = layer.get_value(event.position, world=True)
        row = layer.features[layer.features["index"] == label].drop(columns="index")
        lines = (
            [f"{name.removeprefix('Metadata_')}  {value}" for name, value in row.iloc[0].items()] if len(row) else []
        )
        text = viewer.canvas.overlays.text
        text.text, text.visible = "\n".join(lines), bool(lines)
        text.position, text.font_size = "top_left", 8

    return clicked


if __name__ == "__main__":
    main()
