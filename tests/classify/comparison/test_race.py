import pytest

from classify import LabelledSet, TrainConfig
from classify.comparison.budget import Budget
from classify.comparison.race import Candidate, Race

LINEAR, SHORT, STATISTICS = (TrainConfig(arch=arch) for arch in ("linear", "mlp", "statistics"))


def no_time() -> float:
    return 0.0


def test_where_time_ends_within_a_round_what_is_chosen_is_no_worse_than_the_first_on_all_its_folds(
    separable: LabelledSet,
) -> None:
    first, lucky, unfinished = (
        Candidate(config, scores=scores)
        for config, scores in (
            (LINEAR, [0.5, 0.5, 0.9, 0.9, 0.9]),
            (SHORT, [0.7, 0.7, 0.5, 0.5, 0.5]),
            (STATISTICS, [0.6, 0.6]),
        )
    )

    def best() -> Candidate:
        race = Race(separable, [first, lucky, unfinished], Budget(no_time, 0, 1, 1))
        race._running = [first, lucky, unfinished]
        return race.best

    assert best() is first
    lucky.scores = [0.7, 0.7, 0.9, 0.9, 0.9]
    assert best() is lucky


@pytest.mark.parametrize(("scores", "is_chosen"), [([1.0, 0.5, 0.9], False), ([0.9, 0.9, 0.9], True)], ids=str)
def test_a_head_of_one_frame_is_the_best_only_beyond_noise(
    separable: LabelledSet, scores: list[float], is_chosen: bool
) -> None:
    first, single = Candidate(LINEAR, scores=[0.5, 0.6, 0.7]), Candidate(SHORT, sees_one=True, scores=scores)
    race = Race(separable, [first, single], Budget(no_time, 0, 1, 1))
    race._running = [first, single]

    assert race.best is (single if is_chosen else first)
