from pathlib import Path

import numpy as np
import pytest

from classify.comparison.trial_files import append_result, read_results, start_results
from classify.comparison.trials import Trial, TrialResult
from classify.errors import TrainError


@pytest.fixture
def result() -> TrialResult:
    """A fold of 50,000 videos and 100 labels, of which each video is given the last."""
    predicted = np.zeros((50_000, 100), dtype=np.bool_)
    predicted[:, -1] = True
    return TrialResult(Trial("linear", 0.4, 1, 2), predicted, 0.5, 0.25, 0.125, 1.5, 303)


def test_results_of_a_large_fold_are_read_back(tmp_path: Path, result: TrialResult) -> None:
    start_results(tmp_path / "runs.csv")
    append_result(tmp_path / "runs.csv", result)

    (found,) = read_results(tmp_path / "runs.csv", 100)

    assert (found.trial, found.seconds, found.parameters) == (result.trial, 1.5, 303)
    assert (found.micro_f1, found.macro_f1, found.mean_average_precision) == (0.5, 0.25, 0.125)
    assert (found.predicted == result.predicted).all()


@pytest.mark.parametrize("text", ["", "id,part\na,train\n", "\n"], ids=["empty", "other columns", "empty line"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "runs.csv").write_text(text)

    with pytest.raises(TrainError, match=r"runs.csv holds no results to continue: it has other columns. Name"):
        read_results(tmp_path / "runs.csv", 100)
