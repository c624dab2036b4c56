"""What is said of one video, JSON-ready: its timeline, its moments, and of an upload all there is."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from classify.corrections import Correction
from classify.moments import Evidence, evidence_of, spans_of
from classify.training import VideoSet
from classify.web.collection.collection import Collection, likeliest
from classify.web.collection.similar import Example, find_similar
from embed.store import VideoRecord, VideoVectors

_IN_DETAIL, _SIMILAR = 30, 12
"""Labels of one video, beside those that it is given; similar videos."""


def timeline_of(evidence: Evidence, thresholds: Sequence[float] | None, labels: Sequence[str]) -> dict[str, Any]:
    """Return evidence JSON-ready: scores of the labels that are shown, and the moments of all.

    Args:
        evidence: of one video.
        thresholds: of the head.
        labels: whose scores are shown.
    """
    places = [evidence.names.index(label) for label in labels]
    return {
        "timeline": {
            "timestamps_s": evidence.timestamps_s.astype(float).round(3).tolist(),
            "labels": list(labels),
            "scores": evidence.scores[:, places].T.astype(float).round(4).tolist(),
            "how": evidence.how,
        },
        "moments": [moment.to_json() for moment in spans_of(evidence, thresholds)],
    }


def describe_vectors(found: Collection, record: VideoRecord, vectors: VideoVectors) -> dict[str, Any]:
    """Return what the head says of a video that need not be in the store, JSON-ready.

    Args:
        found: the collection, for its head.
        record: of the video.
        vectors: of the kind that the head learned from.
    """
    head, views = found.classifier, len(found.store.provenance.views)
    counts = np.array([len(vectors.vectors)])
    videos = VideoSet((record.id,), vectors.vectors, counts, views, lambda: vectors.timestamps_s)
    probabilities = head.predict_probabilities(videos, device="cpu")
    given = head.decide(probabilities)[0]
    predicted = likeliest(found.names, probabilities[0], given, _IN_DETAIL)
    evidence = evidence_of(head, vectors, record, views)
    return {
        "duration_s": round(record.duration_s, 3),
        "width": record.width_px,
        "height": record.height_px,
        "predicted": predicted,
        **timeline_of(evidence, head.thresholds, [one["label"] for one in predicted]),
        "similar": find_similar(found, Example.of_vectors(found, vectors.vectors), _SIMILAR),
    }


def human_to_json(said: Correction | None) -> dict[str, Any] | None:
    """Return what somebody said of a video JSON-ready; None if nobody did."""
    if said is None or said.labels is None:
        return None
    return {"labels": said.labels, "who": said.who or None, "made_at": said.made_at}
