"""The choice among checkpoints."""

import pytest

from idrstream.volume import choosing, scores
from idrstream.volume.choosing import Candidate


def counts(tp, fn, fp, tn=50):
    """Counts of a class whose voxels are all of grey level 255 or 0: every threshold but 0 gives the same scores."""
    false, true = [0] * 256, [0] * 256
    false[0], false[255], true[0], true[255] = tn, fp, fn, tp
    return [false, true]


def candidate(name, iteration, *scored, everything=None):
    named = {str(number): {"all": everything or each, "scored": each} for number, each in enumerate(scored, 1)}
    return Candidate(name, iteration, named)


GOOD, FAIR, POOR, ABSENT = counts(9, 1, 1), counts(8, 2, 2), counts(5, 5, 5), counts(0, 0, 3)


def test_the_highest_mean_over_classes_is_chosen():
    even, uneven = candidate("even", 100, FAIR, FAIR), candidate("uneven", 200, GOOD, POOR)
    assert choosing.merit(even) == pytest.approx(0.8)
    assert choosing.merit(uneven) == pytest.approx(0.7)
    assert choosing.chosen([uneven, even]) == even


def test_exclusion_zones_decide_where_there_are_any():
    clean, blurred = candidate("clean", 1, GOOD, everything=POOR), candidate("blurred", 2, FAIR, everything=GOOD)
    assert choosing.chosen([blurred, clean]) == clean


def test_of_equal_ones_the_first_of_the_training_is_chosen():
    late, early, unknown = (candidate(f"at {number}", number, GOOD) for number in (300, 20, None))
    assert choosing.chosen([unknown, late, early]) == early
    assert choosing.chosen([unknown, late]) == late


def test_a_class_without_a_voxel_has_no_part_in_the_mean():
    assert choosing.merit(candidate("one", 1, GOOD, ABSENT)) == pytest.approx(0.9)


def test_regions_with_labels_of_different_classes_are_chosen_by_together():
    regions = [candidate("net", 1, FAIR), candidate("net", 1, FAIR, POOR)]
    total = Candidate("net", 1, scores.add(region.counts for region in regions))
    assert choosing.merit(total) == pytest.approx((0.8 + 0.5) / 2)
    rows = choosing.rows([total], {"1": "labels/er"})
    assert [(row["class"], row["label"], row["voxels"]) for row in rows] == [("1", "labels/er", 20), ("2", None, 10)]


def test_nothing_is_chosen_where_no_class_has_a_voxel():
    none = candidate("none", 1, ABSENT)
    assert choosing.merit(none) is None
    assert choosing.chosen([none]) is None
    (row,) = choosing.rows([none], {})
    assert (row["best_f1"], row["best_threshold"], row["mean_best_f1"], row["chosen"]) == (None, None, None, "")


def test_the_table_has_a_row_for_every_class_and_names_the_chosen():
    candidates = [candidate("b", 200, GOOD, FAIR), candidate("a", 30, FAIR, POOR)]
    rows = choosing.rows(candidates, {"1": "volumes/labels/mito"})
    assert [(row["checkpoint"], row["class"], row["chosen"]) for row in rows] == [
        ("a", "1", ""),
        ("a", "2", ""),
        ("b", "1", "yes"),
        ("b", "2", "yes"),
    ]
    assert all(list(row) == choosing.COLUMNS for row in rows)
    best = rows[2]
    assert (best["iteration"], best["label"], best["voxels"]) == (200, "volumes/labels/mito", 10)
    assert best["best_f1"] == best["f1_half"] == pytest.approx(0.9)
    assert best["best_threshold"] == 0.5
    assert best["mean_best_f1"] == pytest.approx(0.85)
    assert rows[3]["label"] is None
