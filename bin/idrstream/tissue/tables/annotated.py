"""The objects of a slide as AnnData (Virshup et al. 2024, doi:10.21105/joss.04371): a file, or part of a store.

What is as long as the slide has objects is written a chunk at a time. Needs anndata, h5py and zarr 3.
"""

from contextlib import contextmanager

import anndata
import h5py
import numpy as np
import pandas as pd
import zarr
from anndata.io import write_elem

from idrstream.tissue.tables import naming
from idrstream.tissue.tables.measured import STEP

# Types and versions in AnnData's file format, and what marks a table in a SpatialData store.
WHOLE, FRAME, DICT = ("anndata", "0.1.0"), ("dataframe", "0.2.0"), ("dict", "0.1.0")
ARRAY, TEXTS = ("array", "0.2.0"), ("string-array", "0.2.0")
TABLE = {"spatialdata-encoding-type": "ngff:regions_table", "version": "0.2"}
REGION, LABEL, INDEX = "region", "label", "object_id"  # columns: the label image of a row, its label in it, its name
NUCLEI, CELLS = "nuclei", "cells"  # label images

anndata.settings.auto_shard_zarr_v3 = False  # its arrays here are short; anndata wants to be told


@contextmanager
def in_file(path, slide, measured):
    """Context: yields a function that writes the next Chunk of SLIDE to PATH, an .h5ad file.

    measured  measured.Measured of the slide
    """
    with h5py.File(path, "w") as file:
        objects = _Objects(file, _in_file, slide, measured)
        yield objects.write
        objects.finish()


@contextmanager
def in_store(path, slide, measured):
    """Context: the same, to PATH, a table of a SpatialData store (a folder that is not there yet)."""
    group = zarr.create_group(path, zarr_format=3)
    objects = _Objects(group, _in_store, slide, measured)
    yield objects.write
    objects.finish()
    group.attrs.update(TABLE | objects.annotates)


class _Objects:
    """The objects of a slide, written into a group of h5py or zarr.

    create     function of a group, a name, a shape and a type that makes an array
    annotates  the label images that have the objects, and the columns that say which and where, as SpatialData reads it
    """

    def __init__(self, root, create, slide, measured):
        self._slide, count = slide, len(measured.labels)
        self._images = _images(slide, measured)
        one_or_more = self._images if len(self._images) > 1 else self._images[0]
        self.annotates = {"region": one_or_more, "region_key": REGION, "instance_key": LABEL}
        _marked(root, WHOLE)
        for name in ("layers", "obsm", "obsp", "varm", "varp"):
            _marked(root.create_group(name), DICT)
        self._obs = _marked(root.create_group("obs"), FRAME)
        write_elem(root, "var", _channels(slide))
        write_elem(root, "uns", {"spatialdata_attrs": self.annotates, "idrstream": _about(slide)})
        self._columns = {name: create(self._obs, name, (count,), kind) for name, kind in _kinds(slide).items()}
        self._spatial = create(root["obsm"], "spatial", (count, 2), np.float64)
        main = slide.compartment, slide.statistic
        names = {layer: f"layers/{'_'.join(layer)}" for layer in slide.layers} | {main: "X"}
        shape = count, len(slide.channels)
        self._layers = {layer: create(root, name, shape, np.float32) for layer, name in names.items()}
        self._regions = np.zeros(count, np.int8)

    def write(self, chunk):
        """Write the next Chunk."""
        for name, values in _values(chunk, self._slide).items():
            self._columns[name][chunk.rows] = values
        self._spatial[chunk.rows] = np.stack(chunk.places(self._slide)[::-1], axis=1)
        for layer, numbers in self._slide.layers.items():
            self._layers[layer][chunk.rows] = chunk.values[:, numbers].astype(np.float32)
        self._regions[chunk.rows] = np.where(chunk.has_cell, *map(self._code, (CELLS, NUCLEI)))

    def finish(self):
        """Write the columns of few different texts, and the order of all."""
        metadata, count = self._slide.metadata, len(self._regions)
        texts = {
            REGION: pd.Categorical.from_codes(self._regions, self._images),
            "slide": _same(self._slide.name, count),
        }
        names = naming.distinct(map(naming.key, metadata), [*self._columns, *texts])
        texts |= {name: _same(text, count) for name, text in zip(names, metadata.values(), strict=True)}
        for name, column in texts.items():
            write_elem(self._obs, name, column)
        order = [name for name in [*self._columns, *texts] if name != INDEX]
        self._obs.attrs.update({"_index": INDEX, "column-order": order})

    def _code(self, image):
        return self._images.index(image) if image in self._images else 0


def _images(slide, measured):
    """The label images that have the objects: those of nuclei have the nuclei without a cell."""
    cells = measured.count(lambda objects: objects["cell_pixels"] > 0)
    images = [NUCLEI] * (cells < len(measured.labels)) + [CELLS] * bool(cells)
    return images or [CELLS if slide.has_cells else NUCLEI]


def _channels(slide):
    """DataFrame of the measured channels, by name: number in the image, and the channel that was subtracted."""
    background = [(channel["background"] or {}).get("name", "") for channel in slide.measured]
    numbers = [channel["number"] for channel in slide.measured]
    return pd.DataFrame({"number": numbers, "background": background}, index=slide.channels)


def _about(slide):
    """What X and the coordinates are."""
    about = {"slide": slide.name, "image": slide.image, "spatial_unit": slide.unit}
    about |= {"X": f"{slide.statistic} in the {slide.compartment}, grey levels"}
    return about | {"pixel_size_y": slide.scale[0], "pixel_size_x": slide.scale[1]}


def _kinds(slide):
    """Name -> type of the columns of obs that differ from object to object."""
    kinds = {INDEX: str, LABEL: np.int64, "has_nucleus": np.bool_, "has_cell": np.bool_}
    kinds |= {"nucleus_pixels": np.int64, "cell_pixels": np.int64}
    return kinds | {naming.plain(slide.columns[number], slide.unit): np.float64 for number in slide.shapes}


def _values(chunk, slide):
    """Name -> values of those columns in a Chunk."""
    values = {INDEX: np.array(chunk.ids(slide), object), LABEL: chunk.labels}
    values |= {"has_nucleus": chunk.has_nucleus, "has_cell": chunk.has_cell}
    values |= {name: chunk.objects[name] for name in ("nucleus_pixels", "cell_pixels")}
    return values | {
        naming.plain(slide.columns[number], slide.unit): chunk.values[:, number] for number in slide.shapes
    }


def _same(text, count):
    """A column of one text."""
    return pd.Categorical.from_codes(np.zeros(count, np.int8), [text])


def _marked(group, kind):
    group.attrs.update(zip(("encoding-type", "encoding-version"), kind, strict=True))
    return group


def _in_file(group, name, shape, kind):
    """An array of an HDF5 file; text, if KIND is str."""
    whole = all(shape)  # HDF5 can compress no array without values
    more = {"chunks": (min(STEP, shape[0]), *shape[1:]), "compression": "gzip", "compression_opts": 1} if whole else {}
    array = group.create_dataset(name, shape, h5py.string_dtype() if kind is str else kind, **more)
    return _marked(array, TEXTS if kind is str else ARRAY)


def _in_store(group, name, shape, kind):
    """An array of a Zarr store; text, if KIND is str."""
    chunks = tuple(max(1, min(most, side)) for most, side in zip((STEP, *shape[1:]), shape, strict=True))
    array = group.create_array(name, shape=shape, chunks=chunks, dtype=kind)
    return _marked(array, TEXTS if kind is str else ARRAY)
