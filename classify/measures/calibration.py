"""Calibrated probabilities: of the labels given at 0.8, four in five are right.

A head's probabilities are often too high or too low. One number, the temperature, is fitted on validation videos and
divides all logits. It does not change the ranking or the labels that are given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

BIN_COUNT = 15

# Bounds of the temperature: a few videos cannot show that the head's logits are wrong by more than a factor of 50.
_TEMPERATURES = (0.02, 50.0)
_SURE = 2.0  # standard errors that are more than noise
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
    """Return the temperature that maximises the likelihood of the validation videos' true labels.

    If a head is right on every validation video, the likelihood is highest at probabilities of 0 and 1. So n labels
    count as n + 1 right ones and one wrong one, and a temperature far from 1 has a price: with few videos, it stays
    moderate.

    Args:
        targets: (N, C) bool of validation videos, N >= 1.
        probabilities: (N, C) at temperature 1.
        is_single_label: True if the probabilities of a video sum to 1.

    Source: temperature: Guo et al. 2017 (as above), section 4.2. One more of each: Platt 1999, Probabilistic Outputs
    for Support Vector Machines, section 2.2.
    """
    soft = _soften(targets, is_single_label)

    def cost(log_temperature: float) -> float:
        found = calibrate(probabilities, float(np.exp(log_temperature)), is_single_label=is_single_label)
        found = np.clip(found, _LOWEST, _HIGHEST)
        cost = soft * np.log(found)
        if not is_single_label:
            cost += (1 - soft) * np.log1p(-found)
        return -float(cost.sum()) + log_temperature**2 / (2 * _USUAL_LOG_TEMPERATURE**2)

    best = minimize_scalar(cost, bounds=np.log(_TEMPERATURES), method="bounded")
    return float(np.exp(best.x))


def choose_temperature(
    targets: NDArray[np.bool_],
    probabilities: NDArray[np.floating],
    *,
    is_single_label: bool,
    groups: Sequence[str] | None = None,
) -> float:
    """Return the fitted temperature if it is better than 1 beyond noise, else 1.

    Heads of inner folds learn from fewer videos than the head that is calibrated, and are less right: the temperature
    that fits them is a little too high for it. So a small gain on their videos may be a loss on new ones. Measured on
    ut_interaction6: `statistics` has a log-loss of 0.589 at 1, and 0.622 at temperatures of 1.3 that gained little.

    Args:
        targets: (N, C) bool, N >= 1.
        probabilities: (N, C) at temperature 1.
        is_single_label: True if the probabilities of a video sum to 1.
        groups: (N,) group of each video; noise is that between groups. None takes each video for itself.
    """
    found = fit_temperature(targets, probabilities, is_single_label=is_single_label)
    calibrated = calibrate(probabilities, found, is_single_label=is_single_label)
    gains = _losses(targets, probabilities, is_single_label) - _losses(targets, calibrated, is_single_label)
    unit_of = np.arange(len(gains)) if groups is None else np.unique(np.array(groups), return_inverse=True)[1]
    sums = np.bincount(unit_of, weights=gains)
    if len(sums) < 2 or sums.mean() <= _SURE * sums.std(ddof=1) / np.sqrt(len(sums)):
        return 1.0
    return found


def _losses(targets: NDArray[np.bool_], probabilities: NDArray[np.floating], is_single_label: bool) -> NDArray[Any]:
    """Return the log-loss of each video, (N,)."""
    certain = np.clip(probabilities.astype(np.float64), _LOWEST, _HIGHEST)
    losses = np.where(targets, -np.log(certain), 0 if is_single_label else -np.log1p(-certain))
    return np.asarray(losses.sum(axis=1))


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
