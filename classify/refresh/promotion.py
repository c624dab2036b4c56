"""The rule by which a challenger replaces the champion.

Both label the same held-out videos. The challenger is promoted only where the paired bootstrap interval of the
difference in micro-F1 (challenger less champion, 95%, over groups of videos) lies wholly above the least gain, 0 unless
told. A challenger that is equal in truth is then promoted about once in 40 times; one that answers the same, never.
Without a champion, the challenger is promoted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from classify.errors import TrainError
from classify.measures import BootstrapConfig, Interval, bootstrap_difference


@final
@dataclass(frozen=True)
class Decision:
    """Whether a challenger is promoted, and why.

    Args:
        is_promoted: True if it becomes the champion.
        reason: one sentence.
        difference: in micro-F1, challenger less champion; None where there is no champion.
    """

    is_promoted: bool
    reason: str
    difference: Interval | None = None


def decide_promotion(
    targets: NDArray[np.bool_],
    champion: NDArray[np.bool_] | None,
    challenger: NDArray[np.bool_],
    *,
    groups: Sequence[str] | None = None,
    min_gain: float = 0.0,
) -> Decision:
    """Compare two heads on the same held-out videos, and decide by the rule of this module.

    Args:
        targets: (N, C) bool, the true labels; columns of labels that only one head knows are part of all three.
        champion: (N, C) bool, its labels; None if there is no champion yet.
        challenger: (N, C) bool.
        groups: (N,) the group of each video; None takes each video as its own.
        min_gain: the interval must lie above it. Below 0, a loss up to it is accepted.

    Raises:
        TrainError: there is no held-out video, or the gain is no number from -1 to 1.
    """
    if not -1 <= min_gain <= 1:
        raise TrainError(f"The least gain is {min_gain}. Give a difference in micro-F1, from -1 to 1.")
    if champion is None:
        return Decision(True, "There was no champion, so the first head is one.")
    if len(targets) == 0:
        raise TrainError("No held-out video is left to compare heads on. Split the videos with a test set.")
    interval = bootstrap_difference(targets, champion, challenger, groups=groups, config=BootstrapConfig())["micro_f1"]
    is_promoted = interval.low > min_gain
    told = f"{interval.value:+.3f} micro-F1 (95% interval {interval.low:+.3f} to {interval.high:+.3f})"
    place = "lies above" if is_promoted else "does not lie wholly above"
    fate = "is promoted" if is_promoted else "is not promoted"
    return Decision(is_promoted, f"The challenger {fate}: its gain of {told} {place} {min_gain:g}.", interval)
