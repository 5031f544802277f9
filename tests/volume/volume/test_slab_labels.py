"""Slabs: their segmentation, and their counts against labels."""

import os
import subprocess
import sys

import numpy as np
import pytest

from idrstream.base.failures import NotReadable, Truncated, Unreachable
from idrstream.volume import scores, segmentation, slab
from idrstream.volume.box import Box
from repository import BIN

ROI = Box((10, 20, 30), (150, 30, 40))
COUNTS = "counts/cell/net/64.0.0.0.json"


class Region:
    """What a slab is compared with: arrays in memory, or a failure in place of one."""

    def __init__(self, labels=(), mask=None, zones=()):
        self._labels, self._mask, self._zones = labels, mask, zones

    def labels(self, box):
        return ((number, *self._part(array, box)) for number, array in self._labels)

    def sample(self, box):
        return [] if self._mask is None else [self._part(self._mask, box)]

    def zones(self, box):
        return (self._part(array, box) for array in self._zones)

    def _part(self, array, box):
        if isinstance(array, Exception):
            raise array
        return array[box.within(ROI)], box


@pytest.fixture
def maps():
    """Probabilities of two classes."""
    shares = np.random.default_rng(0).dirichlet([0.7] * 3, ROI.shape)
    return np.moveaxis(np.rint(255 * shares[..., 1:]).astype(np.uint8), -1, 0)


@pytest.fixture
def drawn():
    rng = np.random.default_rng(1)
    return [rng.integers(0, 2, ROI.shape).astype(np.uint64) for _ in range(4)]


def labelled(folder, maps, region, numbers, todo=("labels", "counts")):
    """(Facts, folder of results) of a region as one slab, with a data set of labels for each of the classes NUMBERS."""
    packet = {"entry": "cell", "slab": "64.0.0.0", "box": ROI, "roi": ROI, "shard": 64, "classes": len(maps)}
    packet |= {"threshold": None, "todo": todo, "checkpoint": {"name": "net"}}
    packet["labels"] = [{"path": f"labels/{number}", "class_id": number} for number in numbers]
    slab.keep(packet, folder / "maps", [(ROI, maps)])
    return slab.label(packet, folder / "maps", region, folder / "labelled"), folder / "labelled"


def segmented(folder, maps):
    packet = {"entry": "cell", "roi": ROI, "shard": 64}
    return slab.store(packet, folder).get("labels/segmentation", ROI)


def test_a_slab_is_segmented_and_counted_as_if_at_once(tmp_path, maps, drawn):
    first, second, mask, zone = drawn
    facts, folder = labelled(tmp_path, maps, Region([(1, first), (2, second)], mask, [zone]), (1, 2))
    expected = segmentation.segment(maps, None, mask > 0)
    assert np.array_equal(segmented(folder, maps), expected)
    assert facts == {"voxels": {"class_1": (expected == 1).sum(), "class_2": (expected == 2).sum()}}
    counts, labels = scores.read(folder / COUNTS)
    assert labels == {"1": ["labels/1"], "2": ["labels/2"]}
    for number, (own, other) in enumerate(((first, second), (second, first)), 1):
        there = (own > 0) & (other == 0)  # what both claim is background
        for kind, kept in (("all", mask > 0), ("scored", (mask > 0) & (zone > 0))):
            for side, voxels in enumerate((kept & ~there, kept & there)):
                expected = np.bincount(maps[number - 1][voxels], minlength=256)
                assert counts[str(number)][kind][side] == expected.tolist()


def test_a_class_that_nobody_looked_for_is_not_scored(tmp_path, maps, drawn):
    facts, folder = labelled(tmp_path, maps, Region([(2, drawn[0])]), (2,))
    counts, labels = scores.read(folder / COUNTS)
    assert {*counts} == {"2"} and labels == {"2": ["labels/2"]}
    assert counts["2"]["all"][1] == np.bincount(maps[1][drawn[0] > 0], minlength=256).tolist()
    assert {*facts["voxels"]} == {"class_1", "class_2"}


@pytest.mark.parametrize("part", ["labels", "zones"])
def test_labels_that_cannot_be_read_leave_the_segmentation(tmp_path, maps, drawn, part):
    fault = NotReadable("cell.zarr: chunk 1.0.0 cannot be decoded")
    region = Region([(1, fault)]) if part == "labels" else Region([(1, drawn[0])], zones=[fault])
    facts, folder = labelled(tmp_path, maps, region, (1,))
    assert facts["failed"] == {"counts": "NotReadable: cell.zarr: chunk 1.0.0 cannot be decoded"}
    assert not (folder / "counts").exists() and facts["voxels"]["class_1"] == (segmented(folder, maps) == 1).sum()


def test_a_mask_fails_the_counts_alone_only_where_nothing_is_segmented(tmp_path, maps, drawn):
    region = Region([(1, drawn[0])], NotReadable("the mask"))
    facts, _ = labelled(tmp_path / "counts", maps, region, (1,), ["counts"])
    assert facts == {"failed": {"counts": "NotReadable: the mask"}}
    with pytest.raises(NotReadable, match="the mask"):
        labelled(tmp_path / "both", maps, region, (1,))


def test_a_server_is_asked_again_for_labels(tmp_path, maps):
    with pytest.raises(Unreachable):
        labelled(tmp_path, maps, Region([(1, Unreachable("no answer"))]), (1,))


def test_probabilities_that_are_missing_fail_a_slab_that_is_only_counted(tmp_path, maps, drawn):
    labelled(tmp_path, maps, Region([(1, drawn[0])]), (1,), ["counts"])
    packet = {"entry": "cell", "box": ROI, "roi": ROI, "shard": 64, "classes": 1, "todo": ["counts"]}
    with pytest.raises(Truncated, match="shard 0/0/0 is missing"):
        slab.label(packet | {"labels": [{"class_id": 1}]}, tmp_path / "none", Region([(1, drawn[0])]), tmp_path)


MEASURED = """
import sys
import numpy as np
from idrstream.base import memory
from idrstream.volume import grid, slab
from idrstream.volume.box import Box

folder, edge, classes = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
box, numbers = Box((0, 0, 0), (edge,) * 3), range(1, classes + 1)
packet = {"entry": "cell", "slab": "0", "box": box, "roi": box, "shard": grid.shard(edge), "classes": classes}
packet |= {"threshold": None, "todo": ["labels", "counts"], "checkpoint": {"name": "net"}}
packet["labels"] = [{"path": "labels", "class_id": number} for number in numbers]


class Region:
    labels = staticmethod(lambda part: ((number, np.ones(part.shape, np.uint64), part) for number in numbers))
    sample = zones = staticmethod(lambda part: [(np.ones(part.shape, np.uint64), part)])


if sys.argv[1] == "make":
    for part in box.parts((grid.shard(edge),) * 3):
        maps = np.random.default_rng(0).integers(0, 256 // classes, (classes, *part.shape), np.uint8)
        slab.keep(packet | {"box": part}, folder, [(part, maps)])
else:
    slab.label(packet, folder, Region(), folder + "/labelled")
    print(memory.peak())
"""


def peak(folder, edge, classes):
    """Bytes that labelling a slab takes at most, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(BIN)}
    for step in ("make", "label"):
        command = [sys.executable, "-c", MEASURED, step, str(folder / str(edge)), str(edge), str(classes)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout)


def test_a_slab_takes_two_bytes_a_voxel_and_class_and_four_more(tmp_path):
    """With labels and masks of eight bytes a voxel."""
    assert peak(tmp_path, 320, 2) - peak(tmp_path, 64, 2) < (2 * 2 + 4) * 320**3
