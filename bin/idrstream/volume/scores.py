"""Scores of a class at every threshold, from counts of voxels (`counts`). Standard library only, for the head."""

from __future__ import annotations

import json
import math
from itertools import accumulate
from typing import NamedTuple

from idrstream.base import files

LEVELS = 256  # of a uint8 probability, round(255 p)
HALF = 128  # the grey level that p = 0.5 has: (128 - 0.5) / 255 is 0.5
KINDS = "all", "scored"  # of voxels: of the sample, and those of them that no exclusion zone leaves out

NO_VOXEL = "no voxel of this class among those that count"


class Score(NamedTuple):
    """The scores where voxels of a grey level or more are taken for the class; None for a share of nothing.

    tp, fp, fn, tn  voxels: rightly and wrongly taken, wrongly and rightly not taken
    """

    level: int
    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def threshold(self):
        """The least probability that has the level after rounding."""
        return max(0.0, (self.level - 0.5) / (LEVELS - 1))

    @property
    def f1(self):
        return _share(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def jaccard(self):
        return _share(self.tp, self.tp + self.fp + self.fn)

    @property
    def precision(self):
        return _share(self.tp, self.tp + self.fp)

    @property
    def recall(self):
        return _share(self.tp, self.tp + self.fn)

    def facts(self):
        """All of it as a dict, for JSON."""
        shares = {name: getattr(self, name) for name in ("f1", "jaccard", "precision", "recall")}
        return {"threshold": self.threshold, **self._asdict(), **shares}


def of(counts):
    """The Score of each of the 256 grey levels, from (voxels not of the class, voxels of it) by grey level."""
    fp, tp = (list(accumulate(reversed(levels)))[::-1] for levels in counts)
    negative, positive = sum(counts[0]), sum(counts[1])
    return [Score(at, tp[at], fp[at], positive - tp[at], negative - fp[at]) for at in range(LEVELS)]


def half(scores):
    """The Score at a probability of 0.5."""
    return scores[HALF]


def level(threshold):
    """The lowest grey level that counts as a probability of THRESHOLD or more: 128 for 0.5."""
    return math.ceil((LEVELS - 1) * threshold)


def told(scores, threshold=None):
    """{name of a threshold: Score} of those that are told: 0.5, the one that segmentations have, the best of all.

    threshold  of the segmentations; None: 0.5
    """
    found = {"0.5": half(scores)}
    if threshold is not None:
        found[f"--threshold {threshold:g}"] = scores[level(threshold)]
    if (highest := best(scores)) is not None:
        found["best"] = highest
    return found


def best(scores):
    """The Score of highest F1, of several the nearest to 0.5 and then the higher; None without a voxel of the class."""
    if not scores[0].tp:
        return None
    return max(scores, key=lambda score: (score.f1, -abs(score.level - HALF), score.level))


def add(several):
    """The sum of the counts of slabs, {class: {kind: [256 voxels not of it, 256 of it]}}.

    A class is summed over the slabs that have it: of others nobody knows where it is.

    Raises ValueError if they are of different kinds, or there are none.
    """
    parts = {}  # class -> its counts in each slab that has it
    for counts in several:
        for name, kinds in counts.items():
            parts.setdefault(name, []).append(kinds)
    shapes = {", ".join(sorted(kinds)) for found in parts.values() for kinds in found}
    if len(shapes) != 1:
        raise ValueError(f"counts of different kinds, or none: {'; '.join(sorted(shapes)) or 'none'}")
    return {
        name: {kind: [_sums(kinds[kind][side] for kinds in parts[name]) for side in (0, 1)] for kind in parts[name][0]}
        for name in sorted(parts, key=int)
    }


def named(counts, classes=None):
    """What `counts.count` gives for a slab, (k, 2, 2, 256), as `add` and `write` take it.

    classes  (k) their numbers; None: 1 to k
    """
    classes = range(1, len(counts) + 1) if classes is None else classes
    return {
        str(number): dict(zip(KINDS, kinds, strict=True))
        for number, kinds in zip(classes, counts.tolist(), strict=True)
    }


def write(path, counts, labels):
    """Write the counts of a slab, and LABELS, the names of the data sets with the truth of each class."""
    files.write_text(path, json.dumps({"labels": labels, "classes": counts}, ensure_ascii=False) + "\n")


def read(path):
    """(counts, labels) that `write` wrote."""
    content = files.read_json(path)
    return content["classes"], content["labels"]


def _share(part, whole):
    return part / whole if whole else None


def _sums(lists):
    return [sum(values) for values in zip(*lists, strict=True)]
