"""Scores of rows -> hits: spans of videos, in which neighbouring rows that look alike are one hit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from embed.search.scoring import Layout


@final
@dataclass(frozen=True)
class Hit:
    """A span of a video that was found.

    Args:
        video_id: the video's id in the store.
        location: where it lies: an absolute path or an address; empty where the store does not know it.
        score: of its best row; the larger, the better.
        start_s, end_s: the span, in seconds on the video's own clock.
        best_s: the moment of its best row.
    """

    video_id: str
    location: str
    score: float
    start_s: float
    end_s: float
    best_s: float

    def to_json(self) -> dict[str, str | float]:
        """Return the hit JSON-ready, with the names of the columns of a CSV."""
        return {
            "id": self.video_id,
            "path": self.location,
            "score": round(self.score, 4),
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "best_s": round(self.best_s, 3),
        }


@final
@dataclass(frozen=True)
class Span:
    """A hit in a video, by places in the video's rows in the order of their moments."""

    first: int
    last: int
    best: int
    score: float


def best_videos(scores: NDArray[np.float32], layout: Layout, wanted: NDArray[np.bool_], count: int) -> list[int]:
    """Return the videos with the best rows, the best first: no other video can have one of the `count` best hits.

    Args:
        scores: (R,) of all rows.
        layout: of their V videos.
        wanted: (V,) True for videos that may be hits.
        count: number of videos.
    """
    filled = np.flatnonzero(np.diff(layout.offsets) > 0)  # reduceat takes no empty ones
    best = np.full(len(layout.ids), -np.inf, np.float32)
    if len(filled):
        best[filled] = np.maximum.reduceat(scores, layout.offsets[filled])
    best[~wanted] = -np.inf
    order = np.argsort(-best, kind="stable")[:count]
    return [video for video in order.tolist() if best[video] > -np.inf]


def find_spans(scores: NDArray[np.floating], floor: float, most: int) -> list[Span]:
    """Return the best spans of one video.

    A span begins at the best row that is in none yet, and goes on to both sides while rows score at least half as far
    above `floor` as that row does.

    Args:
        scores: (T,) of the video's rows in the order of their moments.
        floor: what an arbitrary row scores.
        most: number of spans.

    >>> find_spans(np.array([0.1, 0.9, 1.0, 0.1, 0.8]), 0.0, 2)
    [Span(first=1, last=2, best=2, score=1.0), Span(first=4, last=4, best=4, score=0.8)]
    """
    spans, free = list[Span](), np.ones(len(scores), dtype=np.bool_)
    while free.any() and len(spans) < most:
        best = int(np.where(free, scores, -np.inf).argmax())
        peak = float(scores[best])
        if spans and peak <= floor:
            break
        alike = free & (scores >= min(peak, (peak + floor) / 2))
        left, right = best, best
        while left > 0 and alike[left - 1]:
            left -= 1
        while right + 1 < len(scores) and alike[right + 1]:
            right += 1
        spans.append(Span(left, right, best, peak))
        free[max(left - 1, 0) : right + 2] = False  # what touches a span is not another one
    return spans


def hits_of(
    videos: Sequence[int],
    scores: NDArray[np.float32],
    layout: Layout,
    *,
    floor: float,
    most: int,
    read_times: Callable[[str], NDArray[np.float32]],
    location_of: Callable[[str], str],
) -> list[Hit]:
    """Return the hits of some videos, the best first.

    Args:
        videos: places in the layout.
        scores: (R,) of all rows.
        layout: of their videos.
        floor: what an arbitrary row scores.
        most: hits of one video at most.
        read_times: id -> (T, 3) the moment, first and last of each of its rows.
        location_of: id -> where the video lies.
    """
    hits = []
    for video in videos:
        video_id = layout.ids[video]
        times_s = read_times(video_id)
        order = np.argsort(times_s[:, 0], kind="stable")  # several views of a frame have one moment
        own, times_s = scores[layout.offsets[video] : layout.offsets[video + 1]][order], times_s[order]
        for span in find_spans(own, floor, most):
            inside = times_s[span.first : span.last + 1]
            hits.append(
                Hit(
                    video_id,
                    location_of(video_id),
                    span.score,
                    float(inside[:, 1].min()),
                    float(inside[:, 2].max()),
                    float(times_s[span.best, 0]),
                )
            )
    return sorted(hits, key=lambda hit: -hit.score)
