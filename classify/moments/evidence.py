"""Evidence: the probability of each label at each moment of a video, found in one of three ways.

    exact       The logits of the video are the mean of the logits that its vectors have alone (linear, random-frame,
                last-block). So the evidence of a moment is what the head says of its vector, and nothing is lost.
    attention   The head pools by attention, and says how much it looks at each vector (attention). The evidence is what
                the head says of the vector alone, multiplied by its weight over the largest weight of the video.
    occlusion   For all other heads: parts of the video are taken out, and the change of the logits counts
                (`classify.moments.occlusion`).

All are calibrated as the head's own probabilities are. An average of heads has the mean of its members' evidence, and
the way of the least exact of them. Heads that look at some vectors only (`max_frames`, dbof) are asked about these;
each other vector has the evidence of the nearest one in its video. An exact head is asked about all.
"""

from dataclasses import dataclass, replace
from typing import Literal, Protocol, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from classify.errors import ClassifyError
from classify.heads import AverageHead, StandardisedHead
from classify.measures import calibrate
from classify.moments.occlusion import occlude
from classify.moments.seen import choose, logits_alone
from classify.training import Objective
from embed.store import EmbeddingStore, VideoRecord, VideoVectors

How = Literal["exact", "attention", "occlusion"]


class LabellingHead(Protocol):
    """What evidence needs of a trained head. `VideoClassifier` has it."""

    @property
    def head(self) -> StandardisedHead:
        """The head, on the CPU."""

    @property
    def names(self) -> tuple[str, ...]:
        """(C,) labels."""

    @property
    def thresholds(self) -> tuple[float, ...] | None:
        """(C,) lowest probability at which a label is given; None if a video has one label."""

    @property
    def temperature(self) -> float:
        """Divides the logits."""


@dataclass(frozen=True)
class Evidence:
    """What speaks for each label, and when.

    Args:
        names: (C,) labels.
        timestamps_s: (T,) float32, the moments of a video's vectors, on the clock of its file.
        spans_s: (T, 2) float32, from when to when each vector speaks.
        scores: (T, C) float32, the probability of each label at each moment, from 0 to 1.
        how: how it was found.
    """

    names: tuple[str, ...]
    timestamps_s: NDArray[np.float32]
    spans_s: NDArray[np.float32]
    scores: NDArray[np.float32]
    how: How


def find_evidence(
    classifier: LabellingHead,
    vectors: NDArray[np.floating],
    timestamps_s: NDArray[np.floating],
    *,
    spans_s: NDArray[np.floating] | None = None,
    video_id: str = "",
) -> Evidence:
    """Return the evidence of one video.

    Args:
        classifier: a trained head.
        vectors: (T, D) of one view, as a store has them, in order of time.
        timestamps_s: (T,) their moments.
        spans_s: (T, 2) the moments of the first and the last frame behind each vector; None, or twice the same moment,
            if there is one frame.
        video_id: the video's id, for a head that chooses vectors by it.

    Raises:
        ClassifyError: the numbers of vectors and moments differ, there are none, or the logits are not finite.
    """
    if not len(vectors) or len(vectors) != len(timestamps_s):
        raise ClassifyError(
            f"There are {len(vectors)} vectors and {len(timestamps_s)} moments. Pass one moment for each of one or "
            "more vectors."
        )
    moments = np.asarray(timestamps_s, dtype=np.float32)
    with torch.inference_mode():
        scores, how = _scores(classifier.head.eval(), _Video(vectors, moments, video_id), classifier.thresholds is None)
    if not (np.isfinite(vectors).all() and np.isfinite(scores).all()):
        raise ClassifyError(
            f"The head returns no finite logits for the video {video_id!r}: its vectors contain NaN or infinity, or "
            "the head's weights do. Embed the video again or leave it out. If all videos fail, train the head again."
        )
    scores = calibrate(scores, classifier.temperature, is_single_label=classifier.thresholds is None)
    return Evidence(classifier.names, moments, _covered(moments, spans_s), scores.clip(0, 1).astype(np.float32), how)


def read_evidence(classifier: LabellingHead, store: EmbeddingStore, video_id: str) -> Evidence:
    """Return the evidence of a store's video: the mean over its views, within its beginning and end.

    Args:
        classifier: a head that learned from vectors that were made alike.
        store: an open store.
        video_id: the video's id there.

    Raises:
        KeyError: the store has no such video.
        StoreDamaged: its vectors are not as they were written.
        ClassifyError: as in `find_evidence`.
    """
    return evidence_of(classifier, store.read(video_id), store.video(video_id), len(store.provenance.views))


def evidence_of(classifier: LabellingHead, stored: VideoVectors, record: VideoRecord, view_count: int) -> Evidence:
    """Return the evidence of a video: the mean over its views, within its beginning and end.

    Args:
        classifier: a head that learned from vectors that were made alike.
        stored: its vectors, all of one view after all of another.
        record: its record, with its id and, if it is known, its duration.
        view_count: V.

    Raises:
        ClassifyError: as in `find_evidence`.
    """
    found = [
        find_evidence(classifier, vectors, timestamps_s, spans_s=spans_s, video_id=record.id)
        for vectors, timestamps_s, spans_s in zip(
            *(np.split(own, view_count) for own in (stored.vectors, stored.timestamps_s, stored.spans_s)), strict=True
        )
    ]
    scores = np.stack([own.scores for own in found]).mean(axis=0)
    spans_s = found[0].spans_s
    if record.duration_s > 0:
        end_s = max(record.start_s + record.duration_s, float(stored.timestamps_s.max()))
        spans_s = spans_s.clip(min(record.start_s, float(stored.timestamps_s.min())), end_s)
    return replace(found[0], scores=scores, spans_s=spans_s)


@dataclass(frozen=True)
class _Video:
    """A video's vectors (T, D) as stored, their moments (T,), and its id."""

    vectors: NDArray[np.floating]
    moments: NDArray[np.float32]
    video_id: str


def _scores(head: StandardisedHead, video: _Video, is_single_label: bool) -> tuple[NDArray[np.floating], How]:
    """Return probabilities (T, C) before calibration, and how they were found."""
    if isinstance(head.head, AverageHead):
        return _mean_scores(head.head, video, is_single_label)
    objective = Objective(not is_single_label)
    if head.abilities.is_framewise:
        every = torch.from_numpy(head.scale(video.vectors))
        return objective.probabilities(logits_alone(head, every)), "exact"
    seen = choose(head, video.vectors, video.moments, video.video_id)
    if head.abilities.attending is None:
        return _spread(occlude(head, seen, objective), seen.places, len(video.vectors)), "occlusion"
    weights = head.abilities.attending.weigh(seen.vectors[None], torch.ones(1, len(seen.places), dtype=torch.bool))[0]
    own = objective.probabilities(logits_alone(head, seen.vectors))
    return _spread(own * (weights / weights.max()).numpy()[:, None], seen.places, len(video.vectors)), "attention"


def _mean_scores(average: AverageHead, video: _Video, is_single_label: bool) -> tuple[NDArray[np.floating], How]:
    found = [(*_scores(member, video, is_single_label), share) for member, share in average.shares]
    scores = np.sum([share * own for own, _, share in found], axis=0)
    hows: tuple[How, ...] = get_args(How)
    return scores, max((how for _, how, _ in found), key=hows.index)


def _spread(scores: NDArray[np.floating], places: NDArray[np.int64], count: int) -> NDArray[np.floating]:
    """Return scores (count, C) of all vectors: each has those of the nearest of the places (S,) with scores (S, C)."""
    nearest = np.searchsorted((places[1:] + places[:-1]) / 2, np.arange(count), side="right")
    return scores[nearest]


def _covered(moments: NDArray[np.float32], spans_s: NDArray[np.floating] | None) -> NDArray[np.float32]:
    """Return from when to when each vector speaks, (T, 2): its clip, or half-way to the moments beside it."""
    middles = (moments[1:] + moments[:-1]) / 2
    first = moments[0] - (moments[1] - moments[0]) / 2 if len(moments) > 1 else moments[0]
    last = moments[-1] + (moments[-1] - moments[-2]) / 2 if len(moments) > 1 else moments[-1]
    covered = np.column_stack([np.r_[first, middles], np.r_[middles, last]]).astype(np.float32)
    covered[0, 0] = max(covered[0, 0], min(0.0, moments[0]))  # no file begins before 0, but its clock may
    if spans_s is None:
        return covered
    is_clip = spans_s[:, 1] > spans_s[:, 0]
    return np.where(is_clip[:, None], spans_s, covered).astype(np.float32)
