"""Moments: the spans of a video in which a label is seen."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.errors import ClassifyError
from classify.moments.evidence import Evidence


@dataclass(frozen=True)
class Moment:
    """A span in which a label is seen.

    Args:
        label: the label.
        start_s, end_s: from when to when, in seconds on the clock of the file.
        best_s: the moment of the vector that speaks most for it.
        score: the probability of the label there.
    """

    label: str
    start_s: float
    end_s: float
    best_s: float
    score: float

    def to_json(self) -> dict[str, Any]:
        """Return the moment JSON-ready, times in milliseconds' accuracy."""
        times = {name: round(getattr(self, name), 3) for name in ("start_s", "end_s", "best_s")}
        return {"label": self.label, **times, "score": round(self.score, 4)}


def spans_of(
    evidence: Evidence, thresholds: Sequence[float] | None, *, labels: Collection[str] | None = None
) -> list[Moment]:
    """Return the moments of labels, in order of time. Neighbouring vectors make one moment.

    A label is seen where its score reaches its threshold; without thresholds, where no other label has a higher score.

    Args:
        evidence: of one video.
        thresholds: (C,) lowest score; NaN for one label, or None for all, means that the label must be the likeliest.
        labels: the labels that are asked for. Each has at least one moment, its best one, though it may not reach the
            threshold. None returns all moments that reach it, of whatever label.

    Raises:
        ClassifyError: there is another number of thresholds than of labels, or no such label.
    """
    if thresholds is not None and len(thresholds) != len(evidence.names):
        raise ClassifyError(
            f"There are {len(thresholds)} thresholds for {len(evidence.names)} labels. Pass one for each label."
        )
    unknown = sorted(set(labels or ()) - set(evidence.names))
    if unknown:
        raise ClassifyError(f"The evidence has no label {unknown[0]!r}. Choose from {', '.join(evidence.names)}.")
    is_seen = _is_seen(evidence.scores, thresholds)
    found: list[Moment] = []
    for place, name in enumerate(evidence.names):
        if labels is None or name in labels:
            seen = is_seen[:, place]
            if labels is not None and not seen.any():
                seen = np.arange(len(seen)) == evidence.scores[:, place].argmax()
            found += [_moment(evidence, place, *run) for run in _runs(seen)]
    return sorted(found, key=lambda moment: (moment.start_s, -moment.score))


def _is_seen(scores: NDArray[np.float32], thresholds: Sequence[float] | None) -> NDArray[np.bool_]:
    """Return where each label is seen, (T, C)."""
    is_likeliest = np.arange(scores.shape[1]) == scores.argmax(axis=1)[:, None]
    if thresholds is None:
        return np.asarray(is_likeliest)
    lowest = np.array(thresholds, dtype=np.float64)
    return np.where(np.isnan(lowest), is_likeliest, scores >= lowest)


def _runs(is_seen: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first place of each run of True, and the one after its last.

    >>> _runs(np.array([True, False, True, True]))
    [(0, 1), (2, 4)]
    """
    edges = np.flatnonzero(np.diff(np.r_[False, is_seen, False].astype(np.int8)))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def _moment(evidence: Evidence, place: int, first: int, end: int) -> Moment:
    best = first + int(evidence.scores[first:end, place].argmax())
    return Moment(
        evidence.names[place],
        float(evidence.spans_s[first:end, 0].min()),
        float(evidence.spans_s[first:end, 1].max()),
        float(evidence.timestamps_s[best]),
        float(evidence.scores[best, place]),
    )
