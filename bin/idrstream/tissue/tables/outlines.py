"""cells.geojson: a feature an object, a line each, as QuPath takes them. Needs pyarrow."""

import json
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc


@contextmanager
def writing(path, slide):
    """Context: yields a function that writes the next Chunk of SLIDE, which has outlines, to PATH."""
    names = {number: f"{_json(slide.names[number])}:" for number in _chosen(slide)}
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"type":"FeatureCollection","features":[\n')

        def write(chunk):
            file.write(",\n" if chunk.start else "")
            file.write(",\n".join(_features(chunk, slide, names)))

        yield write
        file.write("\n]}\n")


def _chosen(slide):
    """Numbers of the columns that go with an outline: shapes, and one statistic of the intensities.

    Their names come again with each object: all would be several times as long as the tables that have them.
    """
    of_channels = [
        number for (_, kind), numbers in slide.layers.items() if kind == slide.statistic for number in numbers
    ]
    return sorted(slide.shapes + of_channels)


def _features(chunk, slide, names):
    """The text of each of a Chunk's features."""
    values = [chunk.text(number) for number in names]
    named = [pc.binary_join_element_wise(name, text, "") for name, text in zip(names.values(), values, strict=True)]
    labels = pa.array([f'"Label":{label}' for label in chunk.labels.tolist()], pa.string())
    measurements = pc.binary_join_element_wise(labels, *named, ",", null_handling="skip").to_pylist()
    objects = zip(
        chunk.ids(slide), chunk.labels.tolist(), chunk.has_cell.tolist(), chunk.outlines, measurements, strict=True
    )
    return [_feature(*about, json.loads(line), found) for *about, line, found in objects]


def _feature(name, label, has_cell, outline, measurements):
    if outline["label"] != label:
        raise RuntimeError(f"the outline of object {outline['label']} stands where that of {label} belongs")
    shapes = f'"geometry":{_json(outline["geometry"])}'
    if has_cell and "nucleusGeometry" in outline:
        shapes += f',"nucleusGeometry":{_json(outline["nucleusGeometry"])}'
    kind = "cell" if has_cell else "detection"
    properties = f'{{"objectType":"{kind}","name":"{label}","measurements":{{{measurements}}}}}'
    return f'{{"type":"Feature","id":"{name}",{shapes},"properties":{properties}}}'


def _json(content):
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)
