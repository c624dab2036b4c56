import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from classify.measures.ranking import class_average_precisions, rank

# Few different scores, so that many tie.
tables = st.integers(1, 25).flatmap(
    lambda videos: st.tuples(
        arrays(np.bool_, (videos, 3)),
        arrays(np.float64, (videos, 3), elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])),
        arrays(np.int64, videos, elements=st.integers(1, 3)),
    )
)

# Pooled by score: .9 hit, .8 miss, .7 miss, .6 hit, .2 hit, .1 miss.
TARGETS = np.array([[True, False, False], [False, True, True]])
SCORES = np.array([[0.9, 0.8, 0.1], [0.7, 0.6, 0.2]])


@settings(deadline=None)
@given(tables)
def test_average_precision_equals_scikit_learns_also_where_videos_count_several_times(
    table: tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.int64]],
) -> None:
    targets, scores, weights = table
    targets[0] = True  # scikit-learn warns of classes without a positive

    found = class_average_precisions(targets, scores, weights[None])[0]

    theirs = average_precision_score(targets.repeat(weights, 0), scores.repeat(weights, 0), average=None)
    np.testing.assert_allclose(found, theirs)


def test_gap_is_what_a_hand_finds() -> None:
    assert rank(TARGETS, SCORES).gap_at_20 == pytest.approx((1 / 1 + 2 / 4 + 3 / 5) / 3)


def test_gap_counts_labels_below_a_videos_20_likeliest_as_missed() -> None:
    targets = np.zeros((1, 30), dtype=np.bool_)
    targets[0, [0, 25]] = True

    assert rank(targets, np.arange(30, 0, -1)[None] / 30).gap_at_20 == pytest.approx(1 / 2)


def test_tied_scores_count_together_in_gap_whatever_their_order() -> None:
    found = [rank(np.array([row]), np.full((1, 2), 0.5)).gap_at_20 for row in ([True, False], [False, True])]

    assert found == [0.5, 0.5]


def test_hit_at_1_is_what_a_hand_finds() -> None:
    assert rank(TARGETS, SCORES).hit_at_1 == 1 / 2


def test_perr_is_what_a_hand_finds() -> None:
    assert rank(TARGETS, SCORES).perr == pytest.approx((1 / 1 + 1 / 2) / 2)


# The first video: its label ties for rank 1 with another. The second: one label leads, the other ties for rank 2.
TIED_TARGETS = np.array([[False, True, False], [True, True, False]])
TIED_SCORES = np.array([[0.5, 0.5, 0.2], [0.9, 0.4, 0.4]])


def test_labels_that_tie_for_a_rank_hold_it_for_their_share() -> None:
    found = rank(TIED_TARGETS, TIED_SCORES)

    assert found.hit_at_1 == (1 / 2 + 1) / 2
    assert found.perr == pytest.approx((1 / 2 + (1 + 1 / 2) / 2) / 2)


def test_labels_that_tie_for_the_last_of_20_ranks_hold_them_for_their_share() -> None:
    targets = np.zeros((1, 40), dtype=np.bool_)
    targets[0, 30] = True

    # Of all 40 tied, half fit: half a label is found, at a precision of 0.5 / 20.
    assert rank(targets, np.full((1, 40), 0.5)).gap_at_20 == pytest.approx(0.5 * 0.5 / 20)


@settings(deadline=None)
@given(tables, st.permutations(range(30)))
def test_no_figure_depends_on_the_order_of_the_classes(
    table: tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.int64]], order: list[int]
) -> None:
    targets, scores = np.tile(table[0], 10), np.tile(table[1], 10)
    targets[0, 0] = True

    found, other = rank(targets, scores), rank(targets[:, order], scores[:, order])

    assert (other.hit_at_1, other.perr, other.gap_at_20) == pytest.approx(
        (found.hit_at_1, found.perr, found.gap_at_20), abs=1e-12
    )


def test_perr_leaves_out_videos_without_a_label() -> None:
    targets = np.vstack([TARGETS, np.zeros((1, 3), dtype=np.bool_)])

    assert rank(targets, np.vstack([SCORES, SCORES[:1]])).perr == pytest.approx(3 / 4)


def test_a_class_that_no_video_shows_has_no_average_precision_and_does_not_count() -> None:
    found = rank(TARGETS[:1], SCORES[:1])

    assert found.average_precisions == (1.0, None, None)
    assert found.mean_average_precision == 1.0
