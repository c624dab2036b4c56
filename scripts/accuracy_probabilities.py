"""The second table of benchmark_accuracy.py: how far probabilities of one label a video can be trusted."""

from collections.abc import Sequence
from statistics import mean, median, stdev

import numpy as np
from numpy.typing import NDArray

from classify.measures import calibration_error

COLUMNS = (
    *("ECE, mean", "std", "floor", "plain", "ECE, pooled", "pooled floor"),
    *("log-loss, mean", "std of log-loss", "temperature"),
)
DRAWS = 200  # of labels for a floor; with 100 videos its standard error is below 0.003

Probabilities = NDArray[np.floating]


def describe_probabilities(
    found: Probabilities, plain: Probabilities, targets: NDArray[np.bool_], temperatures: Sequence[float]
) -> list[str]:
    """Return the cells of a row, in the order of `COLUMNS`.

    Args:
        found: (S, N, C), the probabilities of each seed.
        plain: the same at temperature 1.
        targets: (N, C), the true labels.
        temperatures: those that training runs took; none for a baseline.
    """
    errors, losses = _errors(found, targets), [_log_loss(one, targets) for one in found]
    floor, pooled_floor = expect_errors(found)
    cells = [f"{mean(errors):.3f}", _spread(errors), f"{floor:.3f}", f"{mean(_errors(plain, targets)):.3f}"]
    cells += [f"{_pooled_error(found, targets[None]):.3f}", f"{pooled_floor:.3f}"]
    return [*cells, f"{mean(losses):.3f}", _spread(losses), f"{median(temperatures):.2f}" if temperatures else "-"]


def expect_errors(found: Probabilities) -> tuple[float, float]:
    """Return the mean ECE of a seed, and the ECE of all seeds together, if labels came by these probabilities.

    Labels are drawn from the probabilities, so these are perfectly calibrated; what is left is chance. One random
    number draws a video's label for all seeds, so that seeds that agree have the same label, as true labels are.

    Args:
        found: (S, N, C).
    """
    rng, below = np.random.default_rng(0), found.cumsum(axis=2)
    own, pooled = [], []
    for _ in range(DRAWS):
        drawn = (below <= rng.random((found.shape[1], 1)) * below[:, :, -1:]).sum(axis=2)
        targets = drawn[:, :, None] == np.arange(found.shape[2])
        own += [calibration_error(*pair, is_single_label=True) for pair in zip(targets, found, strict=True)]
        pooled.append(_pooled_error(found, targets))
    return mean(own), mean(pooled)


def _errors(found: Probabilities, targets: NDArray[np.bool_]) -> list[float]:
    return [calibration_error(targets, one, is_single_label=True) for one in found]


def _pooled_error(found: Probabilities, targets: NDArray[np.bool_]) -> float:
    """Return the ECE of all seeds together; targets are (S, N, C), or (1, N, C) for all seeds."""
    every = np.broadcast_to(targets, found.shape).reshape(-1, found.shape[2])
    return calibration_error(every, found.reshape(every.shape), is_single_label=True)


def _log_loss(found: Probabilities, targets: NDArray[np.bool_]) -> float:
    """Return the mean log-loss; a probability of 0 counts as 2e-16, as in scikit-learn."""
    return -float(np.log(np.clip(found[targets], np.finfo(np.float64).eps, 1)).mean())


def _spread(values: Sequence[float]) -> str:
    return f"{stdev(values):.3f}" if len(values) > 1 else "-"
