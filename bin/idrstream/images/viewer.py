"""A window of napari with the layers of an image; a click on a label shows its row. Imports napari when it opens."""

from importlib.util import find_spec

import click

INSTALL = 'pip install "napari[pyqt6]>=0.9" click pyarrow tifffile imagecodecs urllib3 "zarr>=3"'


def check():
    """Raise ClickException, with the remedy, where there is no napari."""
    if not find_spec("napari"):
        raise click.ClickException(f"napari is not installed here: {INSTALL}")


def show(layers, title):
    """Open a window with LAYERS, napari's (data, options, kind) each, and return when it is closed."""
    import napari

    opened(layers, title)
    napari.run()


def opened(layers, title):
    """A window with LAYERS: napari's viewer. The last layer of labels is the active one."""
    import napari

    viewer = napari.Viewer(title=title)
    for data, options, kind in layers:
        layer = viewer.add_layer(napari.layers.Layer.create(data, options, kind))
        if kind == "labels":
            layer.contour = 2  # pixels: outlines
            layer.mouse_drag_callbacks.append(_told(viewer))
            viewer.layers.selection.active = layer
    return viewer


def _told(viewer):
    """For a layer of labels: a click writes the row of the object onto the canvas."""

    def clicked(layer, event):
        label = layer.get_value(event.position, world=True)
        label = label[1] if isinstance(label, tuple) else label  # of a pyramid: (level, label)
        row = layer.features[layer.features["index"] == label].drop(columns="index")
        lines = (
            [f"{name.removeprefix('Metadata_')}  {value}" for name, value in row.iloc[0].items()] if len(row) else []
        )
        text = viewer.canvas.overlays.text
        text.text, text.visible = "\n".join(lines), bool(lines)
        text.position, text.font_size = "top_left", 8

    return clicked
