"""Find where in time two videos show the same: a copy whose beginning or end was cut off runs beside the other.

Both sequences of vectors are brought to one step of time, and laid beside each other at every shift at which at least
half of the shorter one overlaps. What all frames of a video share is subtracted first: two clips of one scene look
alike at every shift, but only copies change alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embed.search.near_duplicates import to_unit_length

LEAST_AGREEMENT = 0.55
"""Copies change at least so much alike: a correlation. Measured on UT-Interaction, see resources/docs/duplicates.md."""

_MOST_STEPS = 512
_LEAST_STEPS = 4
_LEAST_OVERLAP = 0.5
_LEAST_CHANGE = 1e-3  # below it, rows of length 1 differ by rounding


@dataclass(frozen=True)
class Alignment:
    """How two videos fit best.

    Args:
        agreement: correlation of their changes where they overlap, -1 to 1.
        shift_s: what is at t in the second video is at t + shift_s in the first.
    """

    agreement: float
    shift_s: float


@dataclass(frozen=True)
class Sequence:
    """The rows of one video in the order of their moments: `rows` (T, D) float32 of length 1, `moments_s` (T,)."""

    rows: NDArray[np.float32]
    moments_s: NDArray[np.float64]

    @classmethod
    def of(cls, vectors: NDArray[np.floating], moments_s: NDArray[np.floating]) -> "Sequence":
        """Put the vectors (T, D) of one video in order; of several views of a moment, the first counts."""
        moments, places = np.unique(moments_s.astype(np.float64), return_index=True)
        return cls(to_unit_length(vectors[places].astype(np.float32)), moments)

    @property
    def step_s(self) -> float:
        """The mean distance of its moments; 0 for one moment."""
        count = len(self.moments_s)
        return float(self.moments_s[-1] - self.moments_s[0]) / (count - 1) if count > 1 else 0.0


def align(first: Sequence, second: Sequence) -> Alignment:
    """Return how two videos fit best; an agreement of 0 if they are too short, or nothing changes in one."""
    longest_s = max(float(own.moments_s[-1] - own.moments_s[0]) for own in (first, second))
    step_s = max(first.step_s, second.step_s, longest_s / _MOST_STEPS)
    if step_s <= 0:
        return Alignment(0.0, 0.0)
    one, other = _at_step(first, step_s), _at_step(second, step_s)
    if min(len(one), len(other)) < _LEAST_STEPS:
        return Alignment(0.0, 0.0)
    least = max(_LEAST_STEPS, int(np.ceil(_LEAST_OVERLAP * min(len(one), len(other)))))
    shifts = np.arange(least - len(other), len(one) - least + 1)
    agreements = np.array([_agreement(one, other, int(shift)) for shift in shifts])
    best = int(agreements.argmax())
    begun_apart_s = float(first.moments_s[0] - second.moments_s[0])
    return Alignment(float(agreements[best]), float(shifts[best]) * step_s + begun_apart_s)


def _at_step(sequence: Sequence, step_s: float) -> NDArray[np.float32]:
    """Return the (n, D) rows at equal steps, between two rows by their distance."""
    begin, end = sequence.moments_s[0], sequence.moments_s[-1]
    wanted = begin + step_s * np.arange(int((end - begin) / step_s + 1e-6) + 1)
    place = np.interp(wanted, sequence.moments_s, np.arange(len(sequence.moments_s)))
    before = np.minimum(place.astype(np.int64), len(sequence.rows) - 1)
    behind = np.minimum(before + 1, len(sequence.rows) - 1)
    share = (place - before)[:, None].astype(np.float32)
    return np.asarray(sequence.rows[before] * (1 - share) + sequence.rows[behind] * share, np.float32)


def _agreement(one: NDArray[np.float32], other: NDArray[np.float32], shift: int) -> float:
    """Return the correlation of two sequences, the second of which begins `shift` steps behind the first."""
    count = min(len(one) - max(shift, 0), len(other) + min(shift, 0))
    left = one[max(shift, 0) :][:count]
    right = other[max(-shift, 0) :][:count]
    left, right = left - left.mean(axis=0), right - right.mean(axis=0)
    sizes = float(np.linalg.norm(left)), float(np.linalg.norm(right))
    return float(np.vdot(left, right)) / (sizes[0] * sizes[1]) if min(sizes) > _LEAST_CHANGE else 0.0
