"""Calibrated probabilities: of the labels given at 0.8, four in five are right.

A head's probabilities are often too high or too low. One number, the temperature, is fitted on videos that
trained nothing and divides all logits. It does not change the ranking or the labels that are given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit, stdtrit

BIN_COUNT = 15

# Bounds of the temperature: a few videos cannot show that the head's logits are wrong by more than a factor of 50.
_TEMPERATURES = (0.02, 50.0)
_CONFIDENCE = 0.95
_STEP = 0.01  # of the logarithm, for derivatives
_USUAL_LOG_TEMPERATURE = 1.0  # most heads have a temperature of 0.4 to 2.7, whose logarithms are -1 to 1
# Probabilities closer to 0 or 1 than float32 can represent have no finite logit.
_LOWEST, _HIGHEST = 1e-30, 1 - 2.0**-24


@dataclass(frozen=True)
class Calibration:
    """How far probabilities are from the shares of right labels.

    Args:
        error: expected calibration error (ECE) of the probabilities as the classifier gives them.
        error_before: the same at temperature 1.
        temperature: the divisor of the logits.
        bins: number of bins of equal width from 0 to 1.
    """

    error: float
    error_before: float
    temperature: float
    bins: int = BIN_COUNT


def calibration_error(
    targets: NDArray[np.bool_], probabilities: NDArray[np.floating], *, is_single_label: bool
) -> float:
    """Return the expected calibration error over 15 bins of equal width.

    With one label per video, it compares the probability of each video's likeliest label with whether that label is
    right. Otherwise it compares the probability of every video and label with whether the video has the label.

    Args:
        targets: (N, C) bool.
        probabilities: (N, C).
        is_single_label: True if the probabilities of a video sum to 1.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, equation 3, https://arxiv.org/abs/1706.04599.
    """
    confidences, is_right = probabilities.ravel(), targets.ravel()
    if is_single_label:
        likeliest = probabilities.argmax(axis=1)[:, None]
        confidences = np.take_along_axis(probabilities, likeliest, axis=1)[:, 0]
        is_right = np.take_along_axis(targets, likeliest, axis=1)[:, 0]
    bin_of = np.minimum((confidences * BIN_COUNT).astype(np.int64), BIN_COUNT - 1)
    gaps = np.bincount(bin_of, weights=confidences.astype(np.float64) - is_right)
    return float(np.abs(gaps).sum() / len(confidences))


def fit_temperature(targets: NDArray[np.bool_], probabilities: NDArray[np.floating], *, is_single_label: bool) -> float:
    """Return the temperature that maximises the likelihood of the true labels of videos that trained nothing.

    If a head is right on every such video, the likelihood is highest at probabilities of 0 and 1. So n labels
    count as n + 1 right ones and one wrong one, and a temperature far from 1 has a price: with few videos, it stays
    moderate.

    Args:
        targets: (N, C) bool, N >= 1.
        probabilities: (N, C) at temperature 1.
        is_single_label: True if the probabilities of a video sum to 1.

    Source: temperature: Guo et al. 2017 (as above), section 4.2. One more of each: Platt 1999, Probabilistic Outputs
    for Support Vector Machines, section 2.2.
    """
    return float(np.exp(_fit_logarithm(_costs_of(targets, probabilities, is_single_label))))


def choose_temperature(
    targets: NDArray[np.bool_],
    probabilities: NDArray[np.floating],
    *,
    is_single_label: bool,
    groups: Sequence[str] | None = None,
) -> float:
    """Return the fitted temperature, closer to 1 the less sure it is; 1 if its 95% interval contains 1.

    Few videos say little about the temperature, and a wrong one makes probabilities worse. Heads of inner folds also
    learn from fewer videos than the head that is calibrated, so the temperature that fits them is a little too high.
    So its logarithm is multiplied by 1 - (half of the interval / logarithm)^2.

    Args:
        targets: (N, C) bool, N >= 1.
        probabilities: (N, C) at temperature 1.
        is_single_label: True if the probabilities of a video sum to 1.
        groups: (N,) group of each video; noise is that between groups. None takes each video for itself.

    Source: the factor: Breiman 1995, Better subset regression using the nonnegative garrote. The standard error over
    groups: Liang & Zeger 1986, Longitudinal data analysis using generalized linear models.
    """
    costs = _costs_of(targets, probabilities, is_single_label)
    fitted = _fit_logarithm(costs)
    before, here, after = costs(fitted - _STEP), costs(fitted), costs(fitted + _STEP)
    unit_of = np.arange(len(here)) if groups is None else np.unique(np.array(groups), return_inverse=True)[1]
    slopes = np.bincount(unit_of, weights=(after - before) / (2 * _STEP))
    if len(slopes) < 2:
        return 1.0
    curvature = float((after - 2 * here + before).sum()) / _STEP**2 + 1 / _USUAL_LOG_TEMPERATURE**2
    error = float(np.sqrt((slopes**2).sum() * len(slopes) / (len(slopes) - 1))) / curvature
    half = stdtrit(len(slopes) - 1, (1 + _CONFIDENCE) / 2) * error
    return float(np.exp(fitted * (1 - (half / fitted) ** 2))) if abs(fitted) > half else 1.0


def _costs_of(
    targets: NDArray[np.bool_], probabilities: NDArray[np.floating], is_single_label: bool
) -> Callable[[float], NDArray[np.float64]]:
    """Return a function of the temperature's logarithm: the log-loss of each video against Platt's targets, (N,)."""
    soft = _soften(targets, is_single_label)

    def costs(log_temperature: float) -> NDArray[np.float64]:
        found = calibrate(probabilities, float(np.exp(log_temperature)), is_single_label=is_single_label)
        found = np.clip(found, _LOWEST, _HIGHEST)
        gains = soft * np.log(found)
        if not is_single_label:
            gains += (1 - soft) * np.log1p(-found)
        return -np.asarray(gains.sum(axis=1))

    return costs


def _fit_logarithm(costs: Callable[[float], NDArray[np.float64]]) -> float:
    """Return the logarithm of the temperature that costs least, with the price of one far from 1."""

    def cost(log_temperature: float) -> float:
        return float(costs(log_temperature).sum()) + log_temperature**2 / (2 * _USUAL_LOG_TEMPERATURE**2)

    return float(minimize_scalar(cost, bounds=np.log(_TEMPERATURES), method="bounded").x)


def calibrate(
    probabilities: NDArray[np.floating], temperature: float, *, is_single_label: bool
) -> NDArray[np.floating]:
    """Return the probabilities with all logits divided by a temperature, in float64; at 1, the same array.

    Args:
        probabilities: (N, C).
        temperature: above 0; values above 1 make the probabilities less extreme.
        is_single_label: True if the probabilities of a video sum to 1, before and after.

    >>> calibrate(np.array([[0.8, 0.2]]), 2.0, is_single_label=True).round(3).tolist()
    [[0.667, 0.333]]
    >>> calibrate(np.array([[0.8, 0.5]]), 2.0, is_single_label=False).round(3).tolist()
    [[0.667, 0.5]]
    """
    if temperature == 1:
        return probabilities
    certain = np.clip(probabilities.astype(np.float64), _LOWEST, _HIGHEST)
    if is_single_label:
        scaled = np.log(certain) / temperature
        grown = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(grown / grown.sum(axis=1, keepdims=True))
    return np.asarray(expit(logit(certain) / temperature))


def move_thresholds(thresholds: tuple[float, ...] | None, temperature: float) -> tuple[float, ...] | None:
    """Return the thresholds that give the same labels after `calibrate` as `thresholds` give before it."""
    if thresholds is None:
        return None
    return tuple(calibrate(np.array([thresholds]), temperature, is_single_label=False)[0].tolist())


def _soften(targets: NDArray[np.bool_], is_single_label: bool) -> NDArray[np.float64]:
    """Return Platt's targets: of n true labels (n + 1) / (n + 2) in place of 1, and so for 0; (N, C)."""
    if is_single_label:
        doubt = 1 / (len(targets) + 2)
        return np.asarray(np.where(targets, 1 - doubt, doubt / max(1, targets.shape[1] - 1)))
    positives = targets.sum()
    negatives = targets.size - positives
    return np.asarray(np.where(targets, (positives + 1) / (positives + 2), 1 / (negatives + 2)))
