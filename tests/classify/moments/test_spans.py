"""Moments: neighbouring vectors whose scores reach a threshold."""

import numpy as np
import pytest

from classify import ClassifyError
from classify.moments import Evidence, Moment, spans_of

NAN = float("nan")


def evidence(*rows: tuple[float, float]) -> Evidence:
    """Return scores of hug and kick, one row a second, each of which speaks for its own second."""
    begins = np.arange(len(rows), dtype=np.float32)
    scores = np.array(rows, dtype=np.float32)
    return Evidence(("hug", "kick"), begins + 0.5, np.column_stack([begins, begins + 1]), scores, "exact")


SEEN = evidence((0.9, 0.1), (0.6, 0.2), (0.3, 0.8), (0.2, 0.3), (0.7, 0.5))


def test_neighbours_that_reach_the_threshold_are_one_moment_with_its_best() -> None:
    found = spans_of(SEEN, (0.5, 0.5))
    assert [(own.label, own.start_s, own.end_s, own.best_s, round(own.score, 2)) for own in found] == [
        ("hug", 0, 2, 0.5, 0.9),
        ("kick", 2, 3, 2.5, 0.8),
        ("hug", 4, 5, 4.5, 0.7),
        ("kick", 4, 5, 4.5, 0.5),
    ]


def test_without_thresholds_a_moment_has_its_likeliest_label() -> None:
    found = spans_of(SEEN, None)
    assert [(own.label, own.start_s, own.end_s) for own in found] == [
        ("hug", 0, 2),
        ("kick", 2, 4),
        ("hug", 4, 5),
    ]


def test_a_label_without_a_threshold_beside_others_must_be_the_likeliest() -> None:
    assert [(own.label, own.start_s) for own in spans_of(SEEN, (0.65, NAN))] == [("hug", 0), ("kick", 2), ("hug", 4)]


def test_labels_that_are_asked_for_have_their_best_moment_at_least() -> None:
    found = spans_of(SEEN, (0.95, 0.95), labels=["kick"])
    assert [(own.label, own.start_s, own.end_s, own.best_s) for own in found] == [("kick", 2, 3, 2.5)]
    assert spans_of(SEEN, (0.95, 0.95)) == []
    assert spans_of(SEEN, (0.95, 0.95), labels=[]) == []


def test_overlapping_clips_make_one_moment_of_the_widest_span() -> None:
    rows = evidence((0.9, 0), (0.8, 0))
    clips = Evidence(rows.names, rows.timestamps_s, np.array([[0, 3], [1, 2]], dtype=np.float32), rows.scores, "exact")
    assert [(own.start_s, own.end_s) for own in spans_of(clips, (0.5, 0.5))] == [(0, 3)]


def test_a_moment_is_json() -> None:
    assert Moment("hug", 0.12345, 1, 0.5, 0.987654).to_json() == {
        "label": "hug",
        "start_s": 0.123,
        "end_s": 1,
        "best_s": 0.5,
        "score": 0.9877,
    }


@pytest.mark.parametrize(
    ("thresholds", "labels", "message"),
    [
        ((0.5,), None, r"1 thresholds for 2 labels. Pass one for each"),
        (None, ["wave"], r"no label 'wave'. Choose from hug, kick"),
    ],
)
def test_other_thresholds_and_labels_are_refused(
    thresholds: tuple[float, ...] | None, labels: list[str] | None, message: str
) -> None:
    with pytest.raises(ClassifyError, match=message):
        spans_of(SEEN, thresholds, labels=labels)
