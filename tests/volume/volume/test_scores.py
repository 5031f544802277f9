"""Scores from counts."""

import pytest

from idrstream.volume import scores


def levels(**voxels):
    """256 counts, 0 but for those named as in at200=3."""
    return [voxels.get(f"at{level}", 0) for level in range(256)]


# By hand: at 128, 6 of 10 voxels of the class are taken and 2 others; at 100, 9 and 3.
COUNTS = [levels(at0=88, at50=7, at100=1, at200=2), levels(at0=1, at100=3, at200=6)]


def test_scores_at_one_half_are_those_worked_out_by_hand():
    score = scores.half(scores.of(COUNTS))
    assert score == (128, 6, 2, 4, 96)
    assert score.threshold == 0.5
    assert score.f1 == 12 / 18
    assert score.jaccard == 6 / 12
    assert score.precision == 6 / 8
    assert score.recall == 6 / 10


def test_the_best_threshold_is_that_of_the_highest_f1():
    found = scores.best(scores.of(COUNTS))
    assert (found.tp, found.fp, found.fn) == (9, 3, 1)
    assert found.f1 == 18 / 22
    assert found.level == 100  # all from 51 to 100 have this F1; 100 is the nearest to one half


def test_of_levels_as_near_to_one_half_the_higher_is_the_best():
    found = scores.of([levels(at0=100, at128=2), levels(at0=1, at127=1, at200=2)])
    assert found[127].f1 == found[129].f1 == 2 / 3 > found[128].f1
    assert scores.best(found).level == 129


def test_a_level_holds_the_probabilities_that_round_to_it_or_more():
    for score in scores.of(COUNTS)[1:]:
        assert round(255 * (score.threshold + 1e-9)) == score.level
        assert round(255 * (score.threshold - 1e-9)) == score.level - 1
    assert scores.of(COUNTS)[0].threshold == 0


def test_shares_of_nothing_are_none():
    nothing = scores.of([levels(), levels()])[128]
    assert (nothing.f1, nothing.jaccard, nothing.precision, nothing.recall) == (None,) * 4
    untaken = scores.of([levels(at3=5), levels()])[128]
    assert (untaken.f1, untaken.precision, untaken.recall) == (None, None, None)
    wrong = scores.of([levels(at200=5), levels()])[128]
    assert (wrong.f1, wrong.precision, wrong.recall) == (0, 0, None)


def test_a_class_without_a_voxel_has_no_best_threshold():
    assert scores.best(scores.of([levels(at200=5), levels()])) is None


def test_a_class_that_is_never_recognised_has_a_best_threshold_all_the_same():
    assert scores.best(scores.of([levels(at255=100), levels(at0=1)])).level == 0


def test_a_file_gives_back_what_was_written(tmp_path):
    counts, labels = {"1": {"all": COUNTS, "scored": COUNTS}}, {"1": "volumes/labels/mito"}
    scores.write(tmp_path / "slab.json", counts, labels)
    assert scores.read(tmp_path / "slab.json") == (counts, labels)


def test_a_class_is_summed_over_the_slabs_that_have_it():
    one, both = {"1": {"all": COUNTS}}, {"2": {"all": COUNTS}, "1": {"all": COUNTS}}
    total = scores.add(counts for counts in (one, both, one))
    assert [*total] == ["1", "2"]
    assert total["1"]["all"] == [[3 * count for count in side] for side in COUNTS]
    assert total["2"]["all"] == COUNTS


def test_counts_of_different_kinds_and_none_at_all_do_not_add_up():
    for several in ([{"1": {"all": COUNTS}}, {"1": {"scored": COUNTS}}], [{"1": {"all": COUNTS}}, {"2": {}}], []):
        with pytest.raises(ValueError, match="different kinds, or none"):
            scores.add(several)


def test_scores_are_told_at_a_half_at_the_users_threshold_and_at_the_best():
    counts = [[0] * 256, [0] * 256]
    counts[0][100], counts[1][150], counts[1][204], counts[0][203] = 50, 4, 20, 9
    told = scores.told(scores.of(counts), 0.8)
    assert [*told] == ["0.5", "--threshold 0.8", "best"]
    assert (told["--threshold 0.8"].tp, told["--threshold 0.8"].fp) == (20, 0)  # 0.8 of 255 is 204
    assert [*scores.told(scores.of(counts))] == ["0.5", "best"]
    assert [*scores.told(scores.of([[1] * 256, [0] * 256]))] == ["0.5"]
