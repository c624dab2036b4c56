"""A challenger is promoted only where it is shown to be better."""

import numpy as np
import pytest
from numpy.typing import NDArray

from classify import TrainError
from classify.refresh import decide_promotion

COUNT = 200


def answers(rng: np.random.Generator, truth: NDArray[np.int64], *, right: float) -> NDArray[np.bool_]:
    """Return one label of 5 for each video, right with a probability."""
    wrong = (truth + rng.integers(1, 5, len(truth))) % 5
    return np.eye(5, dtype=bool)[np.where(rng.random(len(truth)) < right, truth, wrong)]


def promotions(*, champion: float, challenger: float, rounds: int) -> int:
    rng = np.random.default_rng(7)
    truth = rng.integers(0, 5, COUNT)
    held = np.eye(5, dtype=bool)[truth]
    pairs = [(answers(rng, truth, right=champion), answers(rng, truth, right=challenger)) for _ in range(rounds)]
    return sum(decide_promotion(held, old, new).is_promoted for old, new in pairs)


def test_of_40_challengers_that_are_equal_in_truth_at_most_two_are_promoted() -> None:
    assert promotions(champion=0.8, challenger=0.8, rounds=40) <= 2


def test_a_worse_challenger_is_never_promoted() -> None:
    assert promotions(champion=0.8, challenger=0.2, rounds=40) == 0


def test_a_much_better_challenger_is_always_promoted() -> None:
    assert promotions(champion=0.5, challenger=0.9, rounds=10) == 10


@pytest.mark.parametrize("count", [1, 5, 200])
def test_a_challenger_that_answers_the_same_is_not_promoted(count: int) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 5, count)
    same = answers(rng, truth, right=0.8)
    decision = decide_promotion(np.eye(5, dtype=bool)[truth], same, same)
    assert not decision.is_promoted
    assert decision.reason.startswith("The challenger is not promoted: its gain of +0.000 micro-F1 (95% interval -")


def test_whole_groups_are_drawn() -> None:
    """40 copies of one video are one video: they show nothing."""
    truth = np.zeros((45, 2), bool)
    truth[:, 0] = True
    old, new = truth.copy(), truth.copy()
    old[:40] = [False, True]
    groups = [*["copies"] * 40, *[f"g{number}" for number in range(5)]]
    assert not decide_promotion(truth, old, new, groups=groups).is_promoted
    assert decide_promotion(truth, old, new).is_promoted


def test_the_first_head_is_promoted_and_a_gain_may_be_asked_for() -> None:
    truth = np.eye(2, dtype=bool)[np.arange(100) % 2]
    half = truth.copy()
    half[:40] = ~truth[:40]
    assert decide_promotion(truth, None, half).is_promoted
    assert decide_promotion(truth, half, truth, min_gain=0.1).is_promoted
    assert not decide_promotion(truth, half, truth, min_gain=0.9).is_promoted
    with pytest.raises(TrainError, match=r"The least gain is 3\. Give a difference in micro-F1, from -1 to 1"):
        decide_promotion(truth, half, truth, min_gain=3)
    with pytest.raises(TrainError, match="No held-out video is left to compare heads on"):
        decide_promotion(truth[:0], truth[:0], truth[:0])
