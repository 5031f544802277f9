"""Made slides: nuclei whose flows are known, read window by window."""

import numpy as np

from idrstream.cells import masks
from idrstream.tissue import foreground, labelling, numbering, tiles


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
HALOS = labelling.FOLLOWING, labelling.FINISHING


def reading(field):
    """A function of a Box that reads (Y, X) or (…, Y, X)."""
    return lambda box: field[..., box.y0 : box.y1, box.x0 : box.x1]


def tiled(folder, read, shape, side, group, rounds, limits=LIMITS, halos=HALOS):
    """The label image of a slide by tiles of SIDE, GROUP to a task, and what their steps told: (labels, [Labelled]).

    read  function of a Box that returns (3, Y, X): flows and logit
    """
    sums, tasks = [], tiles.groups(shape, side, group)
    for number, task in enumerate(tasks):
        for tile in task:
            found = labelling.follow(read, tile, shape, rounds, halo=halos[0])
            sums.append(masks.sinks(found.rest, found.y, found.x))
            foreground.write(folder / str(number), tile, found.y, found.x, found.flows, found.rest)
    nuclei = masks.seeds(masks.add(sums), shape)
    store = foreground.Foreground([folder / str(number) for number in range(len(tasks))], shape, side)
    done = {tile: labelling.label(store, tile, nuclei, limits, halos[1]) for task in tasks for tile in task}
    table = numbering.table(len(nuclei.sizes) - 1, [part[1:4] for part in done.values()], limits.smallest)
    labels = np.zeros(shape, np.uint32)
    for tile, part in done.items():
        labels[tile.within(tiles.Box(0, shape[0], 0, shape[1]))] = table[part.labels]
    return labels, list(done.values())
