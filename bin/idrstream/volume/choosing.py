"""Which of several checkpoints is the best, by the scores of all of them. Standard library only, for the head."""

from __future__ import annotations

from typing import NamedTuple

from idrstream.volume import scores

COLUMNS = ["checkpoint", "iteration", "class", "label", "voxels", "f1_half", "best_threshold", "best_f1"]
COLUMNS += ["best_jaccard", "best_precision", "best_recall", "mean_best_f1", "chosen"]


class Candidate(NamedTuple):
    """A checkpoint and its counts over all entries (`scores.add`).

    name       of the checkpoint
    iteration  of the training; None if nobody knows
    counts     {class: {kind: ...}}
    """

    name: str
    iteration: int | None
    counts: dict


def merit(candidate):
    """The mean over classes of F1 at each class's best threshold; None if no class has a voxel that counts.

    The voxels outside exclusion zones count, which are all of the sample where an entry has no metric mask. A class
    without a voxel there has no part in it.
    """
    found = [scores.best(scores.of(kinds["scored"])) for kinds in candidate.counts.values()]
    values = [score.f1 for score in found if score]
    return sum(values) / len(values) if values else None


def chosen(candidates):
    """The candidate of highest merit; None if none has any.

    Of equal ones the first of the training, since more of it brought nothing; those of unknown iteration come last,
    then names decide.
    """
    able = [candidate for candidate in candidates if merit(candidate) is not None]
    return min(able, key=lambda candidate: (-merit(candidate), *_order(candidate)), default=None)


def rows(candidates, labels):
    """The table of all candidates in the order of the training, one row a class; cells by COLUMNS.

    labels  {class: names of its data sets}

    `chosen` is "yes" in the rows of the chosen one. Scores that do not exist are None.
    """
    best = chosen(candidates)
    return [row for candidate in sorted(candidates, key=_order) for row in _rows(candidate, labels, candidate == best)]


def _rows(candidate, labels, is_chosen):
    mean = merit(candidate)
    for name, kinds in candidate.counts.items():
        levels = scores.of(kinds["scored"])
        found = scores.best(levels)
        yield {
            "checkpoint": candidate.name,
            "iteration": candidate.iteration,
            "class": name,
            "label": labels.get(name),
            "voxels": levels[0].tp,  # of the class: all are taken at level 0
            "f1_half": scores.half(levels).f1,
            "best_threshold": found and found.threshold,
            "best_f1": found and found.f1,
            "best_jaccard": found and found.jaccard,
            "best_precision": found and found.precision,
            "best_recall": found and found.recall,
            "mean_best_f1": mean,
            "chosen": "yes" if is_chosen else "",
        }


def _order(candidate):
    return candidate.iteration is None, candidate.iteration or 0, candidate.name
