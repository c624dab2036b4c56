from dataclasses import astuple

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from classify.measures.bootstrap import BootstrapConfig, bootstrap_difference, bootstrap_intervals, bootstrap_labels
from classify.measures.metrics import decide_labels, measure
from classify.measures.ranking import rank


def one_hot(classes: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray(classes[:, None] == np.arange(3))


@pytest.fixture
def targets() -> NDArray[np.bool_]:
    """400 videos of three classes."""
    return one_hot(np.arange(400) % 3)


@pytest.fixture
def scores(targets: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Scores whose highest is right four times in five or so."""
    return np.asarray(targets + np.random.default_rng(0).normal(0, 0.6, targets.shape))


def test_the_values_are_the_figures_themselves(targets: NDArray[np.bool_], scores: NDArray[np.float64]) -> None:
    predicted = decide_labels(scores, (0.5, 0.6, 0.7))

    found = bootstrap_intervals(targets, predicted, scores)

    metrics, ranking = measure(targets, predicted, "abc"), rank(targets, scores)
    assert {name: interval.value for name, interval in found.items()} == pytest.approx(
        {
            "micro_f1": metrics.micro_f1,
            "macro_f1": metrics.macro_f1,
            "accuracy": metrics.accuracy,
            "mean_average_precision": ranking.mean_average_precision,
            "gap_at_20": ranking.gap_at_20,
        }
    )


def test_the_interval_of_accuracy_is_that_of_a_share(targets: NDArray[np.bool_], scores: NDArray[np.float64]) -> None:
    found = bootstrap_intervals(targets, decide_labels(scores, None), scores)["accuracy"]

    reach = 1.96 * np.sqrt(found.value * (1 - found.value) / 400)  # of a binomial's normal approximation
    assert [found.low, found.high] == pytest.approx([found.value - reach, found.value + reach], abs=0.006)


def test_a_class_that_a_draw_misses_does_not_count_against_it() -> None:
    each_its_own = np.eye(100, dtype=np.bool_)
    predicted = each_its_own.copy()
    predicted[0] = each_its_own[1]  # one of 100 is wrong, so that draws differ

    found = bootstrap_labels(each_its_own, predicted)["macro_f1"]

    assert found.low > 0.9  # as 0, the third of the classes that a draw misses would pull it to 0.65
    assert found.high == 1


def test_a_class_that_no_video_shows_counts_in_no_draw_even_where_it_is_given() -> None:
    targets = np.eye(4, dtype=np.bool_)[np.arange(40) % 3]
    predicted = targets.copy()
    predicted[0] = [False, False, False, True]

    found = bootstrap_labels(targets, predicted)["macro_f1"]

    assert found.value == measure(targets, predicted, "abcd").macro_f1 == pytest.approx((2 * 13 / 27 + 2) / 3)
    assert found.high == 1  # of draws without the wrong video


def test_copies_of_a_video_in_its_group_add_no_certainty(
    targets: NDArray[np.bool_], scores: NDArray[np.float64]
) -> None:
    once = bootstrap_intervals(targets, decide_labels(scores, None), scores)
    copied = [table.repeat(5, axis=0) for table in (targets, decide_labels(scores, None), scores)]

    grouped = bootstrap_intervals(*copied, groups=[f"{index // 5:03d}" for index in range(2000)])
    alone = bootstrap_intervals(*copied)

    assert np.array([astuple(grouped[name]) for name in once]) == pytest.approx(
        np.array([astuple(once[name]) for name in once])
    )
    assert alone["accuracy"].high - alone["accuracy"].low < 0.6 * (once["accuracy"].high - once["accuracy"].low)


def test_a_seed_draws_the_same_and_another_draws_anew(targets: NDArray[np.bool_], scores: NDArray[np.float64]) -> None:
    predicted = decide_labels(scores, None)

    first, again, other = (
        bootstrap_intervals(targets, predicted, scores, config=BootstrapConfig(seed=seed)) for seed in (1, 1, 2)
    )

    assert first == again
    assert first != other


def test_rankings_of_very_large_sets_get_no_interval() -> None:
    targets = np.zeros((200, 2000), dtype=np.bool_)
    targets[:, 0] = True
    predicted = targets.copy()
    predicted[0] = ~targets[0]

    found = bootstrap_intervals(targets, predicted, targets.astype(np.float32))

    assert sorted(found) == ["accuracy", "macro_f1", "micro_f1"]


@pytest.mark.parametrize("count", [1, 6, 9, 400])
@pytest.mark.parametrize("is_right", [True, False], ids=["all right", "all wrong"])
@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_where_all_videos_are_right_or_wrong_the_interval_is_wilsons(
    count: int, is_right: bool, confidence: float
) -> None:
    targets = np.eye(3, dtype=np.bool_)[np.arange(count) % 3]
    predicted = targets if is_right else np.roll(targets, 1, axis=1)

    found = bootstrap_labels(targets, predicted, config=BootstrapConfig(draws=100, confidence=confidence))

    wilson = binomtest(count * is_right, count).proportion_ci(confidence, method="wilson")
    for name in ("micro_f1", "accuracy"):
        assert astuple(found[name]) == pytest.approx((float(is_right), wilson.low, wilson.high))
    assert "macro_f1" not in found


def test_wilsons_interval_counts_groups_and_not_videos() -> None:
    targets = np.eye(3, dtype=np.bool_)[np.arange(40) % 3]

    found = bootstrap_labels(targets, targets, groups=[str(index // 10) for index in range(40)])["micro_f1"]

    assert astuple(found) == pytest.approx((1, 4 / (4 + 1.959964**2), 1))  # 0.510: four groups of ten


def test_one_more_right_video_makes_few_groups_no_surer() -> None:
    targets = np.eye(2, dtype=np.bool_)[[0] * 40]
    groups = [str(index // 20) for index in range(40)]
    alike, unlike = targets.copy(), targets.copy()
    alike[[0, 1, 2, 20, 21, 22]] = unlike[[0, 1, 2, 20, 21]] = [False, True]  # 17 and 17, 17 and 18 of 20

    first, second = (bootstrap_labels(targets, found, groups=groups)["accuracy"] for found in (alike, unlike))

    assert second.low == pytest.approx(first.low, abs=0.02)
    assert second.high - second.low > 0.6


def test_a_single_group_says_next_to_nothing() -> None:
    targets = np.eye(2, dtype=np.bool_)[[0, 0, 0, 0, 0, 0, 1, 1, 1, 1]]
    predicted = np.eye(2, dtype=np.bool_)[[0] * 10]  # 6 of 10 are right

    found = bootstrap_labels(targets, predicted, groups=["a"] * 10)["accuracy"]

    share = 1 / (1 + 1.959964**2)  # of all groups that are like this one: 0.207
    assert astuple(found) == pytest.approx((0.6, 0.6 * share, 0.6 * share + 1 - share))


def test_the_interval_is_not_a_point_when_videos_have_several_labels() -> None:
    targets = np.array([[True, True, False], [False, True, True], [True, False, False]])

    found = bootstrap_intervals(targets, targets, targets * 0.8 + 0.1)

    assert sorted(found) == ["accuracy", "micro_f1"]
    assert astuple(found["micro_f1"]) == pytest.approx((1, 3 / (3 + 1.959964**2), 1))


def test_a_prediction_does_not_differ_from_itself(targets: NDArray[np.bool_], scores: NDArray[np.float64]) -> None:
    predicted = decide_labels(scores, None)

    found = bootstrap_difference(targets, predicted, predicted)["micro_f1"]

    rest = 1 - 400 / (400 + 1.959964**2)  # of videos on which they may yet differ
    assert astuple(found) == pytest.approx((0, -rest, rest))


def test_a_difference_on_every_video_is_not_certain_on_others() -> None:
    targets = np.eye(3, dtype=np.bool_)[np.arange(6) % 3]

    found = bootstrap_difference(targets, np.roll(targets, 1, axis=1), targets)["micro_f1"]

    alike = 6 / (6 + 1.959964**2)
    assert astuple(found) == pytest.approx((1, alike - (1 - alike), 1))


def test_paired_differences_are_surer_than_the_figures_themselves(
    targets: NDArray[np.bool_], scores: NDArray[np.float64]
) -> None:
    second = decide_labels(scores, None)
    worse = np.flatnonzero((second & targets).any(axis=1))[:12]
    first = second.copy()
    first[worse] = np.roll(second[worse], 1, axis=1)  # 12 of 400 right answers made wrong

    found = bootstrap_difference(targets, first, second)["micro_f1"]

    alone = bootstrap_intervals(targets, second, scores)["micro_f1"]
    assert found.value == pytest.approx(12 / 400)
    assert 0 < found.low < found.value < found.high
    assert found.high - found.low < 0.6 * (alone.high - alone.low)


def test_labels_alone_get_the_same_intervals_as_with_their_probabilities(
    targets: NDArray[np.bool_], scores: NDArray[np.float64]
) -> None:
    predicted = decide_labels(scores, None)

    found = bootstrap_labels(targets, predicted)

    assert found.keys() == {"micro_f1", "macro_f1", "accuracy"}
    assert found.items() <= bootstrap_intervals(targets, predicted, scores).items()
