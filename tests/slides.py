"""Made slides: nuclei whose flows are known, read window by window."""

import numpy as np

from idrstream.cells import masks
from idrstream.tissue import arrays, foreground, steps, tiles


def crowded(shape, count, seed=0, radii=(3, 14)):
    """(Y, X) int32 label image of COUNT discs, many of which overlap."""
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    for number, (cy, cx) in enumerate(random.uniform((0, 0), shape, (count, 2)), 1):
        radius = random.uniform(*radii)
        y0, x0 = max(int(cy - radius), 0), max(int(cx - radius), 0)
        part = labels[y0 : int(cy + radius) + 2, x0 : int(cx + radius) + 2]
        y, x = np.mgrid[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]]
        part[(y - cy) ** 2 + (x - cx) ** 2 < radius**2] = number
    return labels


def field_of(labels, seed=0, noise=0.7):
    """(3, Y, X) float32: flows and logit as a network would give them, noisy and some of them wrong."""
    y, x = np.nonzero(labels)
    size = np.bincount(labels.ravel())
    centres = [np.bincount(labels[y, x], at, len(size)) / np.maximum(size, 1) for at in (y, x)]
    way = np.stack([centre[labels[y, x]] - at for centre, at in zip(centres, (y, x), strict=True)])
    field = np.zeros((3, *labels.shape), np.float32)
    random = np.random.default_rng(seed)
    field[:2, y, x] = masks.STEP * way / np.maximum(np.hypot(*way), 1e-9)
    field[:2] += random.normal(0, noise, field[:2].shape)
    field[:2, np.isin(labels, np.arange(5, len(size), 17))] *= -0.6  # away from the middle
    field[2] = np.where(labels > 0, 2, -2)
    return field


def whole(field, rounds, **limits):
    """The label image of a field in one piece."""
    return masks.in_order(masks.from_flows(field[:2], field[2], rounds, **limits)[0])


LIMITS = masks.Limits()


def reading(field):
    """A function of a Box that reads (Y, X) or (…, Y, X)."""
    return lambda box: field[..., box.y0 : box.y1, box.x0 : box.x1]


def tiled(folder, read, shape, side, group, rounds, limits=LIMITS):
    """The label image of a slide by tiles of SIDE, GROUP to a task, each of its own folder: (labels, steps.Numbers).

    read  function of a Box that returns (3, Y, X): flows and logit
    """
    tasks = tiles.groups(shape, side, group)
    predicted, labelled = (
        [folder / f"{step}_{number}" for number in range(len(tasks))] for step in ("predict", "label")
    )
    for task, here in zip(tasks, predicted, strict=True):
        for tile in task:
            steps.predict(here, read, tile, shape, rounds)
    steps.seeds(folder / "nuclei.npz", predicted, shape)
    nuclei = arrays.read(folder / "nuclei.npz", masks.Nuclei)
    pixels = foreground.Foreground(predicted, shape, side)
    for task, here in zip(tasks, labelled, strict=True):
        for tile in task:
            steps.label(here, pixels, tile, nuclei, limits)
    numbers = steps.number(folder, labelled, nuclei, limits.smallest)
    labels, image = steps.Labels(labelled, numbers), np.zeros(shape, np.uint32)
    for tile in (tile for task in tasks for tile in task):
        image[tile.within(tiles.Box(0, shape[0], 0, shape[1]))] = labels(tile)
    return image, numbers


PITCH = 41  # pixels between nuclei of the endless slide: no usual side of a tile is a multiple of it
RADIUS = 10  # of each, pixels


def endless(box):
    """(3, Y, X) float32 of a Box of a slide without end: flows and logit of a nucleus at every PITCH pixels."""
    y, x = np.mgrid[box.y0 : box.y1, box.x0 : box.x1].astype(np.float32) % PITCH - PITCH // 2
    far = np.hypot(y, x)
    return np.stack([-masks.STEP * y / (far + 0.1), -masks.STEP * x / (far + 0.1), RADIUS - far])
