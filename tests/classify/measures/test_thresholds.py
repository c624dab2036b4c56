from itertools import product

import numpy as np
import pytest
from sklearn.metrics import f1_score

from classify.measures.metrics import decide_labels
from classify.measures.thresholds import tune_thresholds

GOALS = {"micro-f1": "micro", "label-f1": "macro"}


def draw(seed: int, videos: int, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw probabilities with ties, and labels that follow them a little."""
    rng = np.random.default_rng(seed)
    targets = rng.random((videos, labels)) < 0.4
    return np.clip(np.round(0.3 * targets + 0.7 * rng.random(targets.shape), 1), 0, 1).astype(np.float32), targets


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("seed", range(6))
def test_no_other_thresholds_have_a_higher_f1(goal: str, seed: int) -> None:
    probabilities, targets = draw(seed, videos=7, labels=3)
    average = GOALS[goal]

    tuned = decide_labels(probabilities, tune_thresholds(probabilities, targets, goal))

    assert f1_score(targets, tuned, average=average) == pytest.approx(highest_f1(probabilities, targets, average))


def highest_f1(probabilities: np.ndarray, targets: np.ndarray, average: str) -> float:
    """Return the highest F1 that any thresholds of 3 labels give."""
    cuts = np.array(list(product(np.arange(-0.05, 1.1, 0.1), repeat=3)))  # between all probabilities there are
    given = probabilities >= cuts[:, None]
    hits, counted = (given & targets).sum(axis=1), given.sum(axis=1) + targets.sum(axis=0)
    if average == "macro":
        return float((2 * hits / counted).mean(axis=1).max())
    return float((2 * hits.sum(axis=1) / counted.sum(axis=1)).max())


@pytest.mark.parametrize("goal", GOALS)
def test_of_equally_good_thresholds_the_one_nearest_to_a_half_is_taken(goal: str) -> None:
    probabilities = np.array([[0.1], [0.3], [0.9], [0.95]])
    targets = np.array([[False], [False], [True], [True]])

    assert tune_thresholds(probabilities, targets, goal) == pytest.approx((0.6,))


@pytest.mark.parametrize("goal", GOALS)
def test_a_label_that_no_validation_video_has_keeps_a_half(goal: str) -> None:
    probabilities, targets = draw(0, videos=20, labels=3)
    targets[:, 1] = False

    assert tune_thresholds(probabilities, targets, goal)[1] == 0.5


def test_labels_given_in_vain_count_against_the_micro_f1_of_the_others() -> None:
    # Alone, the first label does best with 1 of 2 right: F1 2/3 beats 2/4. Beside 8 wrong ones all hits count more.
    probabilities = np.column_stack([[0.9, 0.2, 0.4, 0.3, 0.35], np.full(5, 0.9), np.full(5, 0.9)])
    targets = np.zeros((5, 3), dtype=np.bool_)
    targets[:2, 0] = True

    def lowest(columns: int) -> float:
        return tune_thresholds(probabilities[:, :columns], targets[:, :columns], "micro-f1")[0]

    assert lowest(1) > 0.4
    assert lowest(3) < 0.2
