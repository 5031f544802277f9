"""A label image as the spans of its rows: what lies between the steps of a deep watershed, a file a tile."""

from typing import NamedTuple

import numpy as np

from idrstream.cells import masks


class Spans(NamedTuple):
    """Runs of pixels of one object, along rows of the resized slide.

    y       (n,) int32
    x0, x1  (n,) int32, the end excluded
    keys    (n,) int64 of watershed.flood, above 0
    """

    y: np.ndarray
    x0: np.ndarray
    x1: np.ndarray
    keys: np.ndarray


def of(keys, box):
    """Spans of (Y, X) int64 KEYS of a Box; 0 is background."""
    first, last = np.ones(keys.shape, bool), np.ones(keys.shape, bool)
    first[:, 1:] = keys[:, 1:] != keys[:, :-1]
    last[:, :-1] = first[:, 1:]
    y, x0 = np.nonzero(first & (keys > 0))
    _, x1 = np.nonzero(last & (keys > 0))
    return Spans(
        *((at + corner).astype(np.int32) for at, corner in ((y, box.y0), (x0, box.x0), (x1, box.x0 + 1))), keys[y, x0]
    )


def join(parts):
    """The Spans of several boxes, of which no two share a pixel."""
    return Spans(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def sums(spans):
    """masks.Sinks: of each key the place of its middle (the key less 1), its pixels, and the box around them."""
    boxes = np.stack([spans.y, spans.y + 1, spans.x0, spans.x1], axis=1)
    return masks.add([masks.Sinks(spans.keys - 1, (spans.x1 - spans.x0).astype(np.int64), boxes)])


def paint(image, box, spans, numbers):
    """Write (n,) NUMBERS, one a span, onto (Y, X) IMAGE, which is of a Box; in place."""
    seen = (spans.y >= box.y0) & (spans.y < box.y1) & (spans.x0 < box.x1) & (spans.x1 > box.x0)
    starts, ends = (edge[seen].clip(box.x0, box.x1) - box.x0 for edge in (spans.x0, spans.x1))
    lengths = (ends - starts).astype(np.int64)
    begin = (spans.y[seen] - box.y0).astype(np.int64) * image.shape[1] + starts
    places = np.repeat(begin - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    image.ravel()[places] = np.repeat(numbers[seen], lengths)
