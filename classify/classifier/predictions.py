"""What videos show, and its text as a predictions file.

A predictions file is a CSV with one row a video, first those that have predictions, then those that failed. Its
columns are:

    id                     the video's id
    path                   where the video lies: an absolute path or an address; empty where a store does not know it
    labels                 the labels given to it, likeliest first, with `|` between them; empty where no label reached
                           its threshold, and where the video failed
    probability            of each of these labels, in their order, with `|` between them
    error                  empty, except where the video failed: the reason's code, a colon, and what happened
    probability_{label}    one column for each label that the head knows; empty where the video failed

In YouTube-8M's format, `classify.classifier.youtube8m_files` says what it holds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from classify.classifier.prediction_files import COLUMNS, OF_LABEL, plain_cell
from classify.classifier.youtube8m_files import PAIR_COLUMNS, PAIRS
from classify.data import SEPARATOR
from classify.files import csv_text
from classify.moments import Moment
from embed.store import Failure


@dataclass(frozen=True)
class Prediction:
    """What one video shows.

    Args:
        video_id: its id.
        labels: the labels given to it, likeliest first; none where no label reached its threshold.
        probabilities: label -> probability, for every label that the head knows.
        location: where it lies, an absolute path or an address; empty where the store does not know it.
        moments: the spans that speak for its labels, in order of time; empty if they were not asked for.
        how: how they were found (`classify.moments.Evidence`); empty if they were not asked for.
    """

    video_id: str
    labels: tuple[str, ...]
    probabilities: Mapping[str, float]
    location: str = ""
    moments: tuple[Moment, ...] = ()
    how: str = ""

    def likeliest(self, count: int) -> list[tuple[str, float]]:
        """Return the labels with the highest probabilities, and these, highest first.

        >>> Prediction("a.mp4", (), {"hug": 0.1, "kick": 0.7, "wave": 0.2}).likeliest(2)
        [('kick', 0.7), ('wave', 0.2)]
        """
        if isinstance(self.probabilities, Probabilities):
            return self.probabilities.likeliest(count)
        return nlargest(count, self.probabilities.items(), key=lambda entry: entry[1])

    def to_json(self) -> dict[str, Any]:
        """Return the prediction JSON-ready."""
        said = {"id": self.video_id, "path": self.location, "labels": self.labels}
        moments = {"moments": [moment.to_json() for moment in self.moments], "how": self.how} if self.how else {}
        return {**said, "probabilities": {**self.probabilities}, **moments}

    def cells(self, names: Sequence[str]) -> list[str]:
        """Return the row of a predictions file, whose columns are for labels of these names."""
        given = SEPARATOR.join(f"{self.probabilities[label]:.4f}" for label in self.labels)
        every = [f"{self.probabilities[name]:.4f}" for name in names]
        return [self.video_id, self.location, SEPARATOR.join(self.labels), given, "", *every]


def failure_to_json(failure: Failure) -> dict[str, Any]:
    """Return a video that failed JSON-ready."""
    return {"id": failure.id, "path": failure.location, "reason": failure.reason, "detail": failure.detail}


def failure_cells(failure: Failure, count: int) -> list[str]:
    """Return the row of a predictions file for a video that failed, with empty cells for `count` labels."""
    return [failure.id, failure.location, "", "", failure_text(failure), *([""] * count)]


def failure_text(failure: Failure) -> str:
    """Return why a video failed, as files of predictions say it."""
    return f"{failure.reason}: {failure.detail}"


@dataclass(frozen=True)
class Predictions:
    """What `predict_videos` found.

    Args:
        names: (C,) labels that the head knows.
        videos: one prediction for each video: first those of stores, then those that were embedded, each in the order
            of the sources.
        failures: the videos that could not be embedded, and why.
        replaced: a sentence about what the predictions file replaced; None if nothing.
        numbers: (C,) YouTube-8M's numbers of the labels, for a predictions file in its format; else empty.
    """

    names: tuple[str, ...]
    videos: tuple[Prediction, ...]
    failures: tuple[Failure, ...]
    replaced: str | None = None
    numbers: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the predictions JSON-ready, with what a predictions file says."""
        return {
            "videos": [video.to_json() for video in self.videos],
            "failures": [failure_to_json(failure) for failure in self.failures],
        }

    def to_csv(self, *, spreadsheet_safe: bool = False) -> str:
        """Return the text of a predictions file.

        Args:
            spreadsheet_safe: True writes `'` before each cell that a spreadsheet would take for a formula.
        """
        rows = self._pair_rows() if self.numbers else self._rows()
        return csv_text(map(plain_cell, row) for row in rows) if spreadsheet_safe else csv_text(rows)

    def _rows(self) -> Iterator[list[str]]:
        """Yield the rows of a predictions file, one at a time: all cells of a large set would fill the memory."""
        yield [*COLUMNS, *(f"{OF_LABEL}{name}" for name in self.names)]
        for video in self.videos:
            yield video.cells(self.names)
        for failure in self.failures:
            yield failure_cells(failure, len(self.names))

    def _pair_rows(self) -> Iterator[list[str]]:
        """Yield the rows of a predictions file in YouTube-8M's format. Videos that failed have none."""
        number_of = dict(zip(self.names, self.numbers, strict=True))
        yield [*PAIR_COLUMNS]
        for video in self.videos:
            yield pair_cells(video, number_of)


def pair_cells(video: Prediction, number_of: Mapping[str, int]) -> list[str]:
    """Return a video's row of a file in YouTube-8M's format, with the numbers of the labels."""
    pairs = (f"{number_of[name]} {probability:g}" for name, probability in video.likeliest(PAIRS))
    return [video.video_id, " ".join(pairs)]


@final
class Probabilities(Mapping[str, float]):
    """Label -> probability, read from a row (C,) of all videos' array, since dicts take 16 times its memory."""

    def __init__(self, place_of: Mapping[str, int], row: NDArray[np.floating]) -> None:
        self._place_of, self._row = place_of, row

    @property
    def row(self) -> NDArray[np.floating]:
        """(C,) the probabilities, in the order of the labels."""
        return self._row

    def __getitem__(self, name: str) -> float:
        return float(self._row[self._place_of[name]])

    def __iter__(self) -> Iterator[str]:
        return iter(self._place_of)

    def __len__(self) -> int:
        return len(self._place_of)

    def likeliest(self, count: int) -> list[tuple[str, float]]:
        """Return the labels with the highest probabilities, and these, highest first."""
        names = [*self._place_of]
        return [(names[place], float(self._row[place])) for place in np.argsort(-self._row, kind="stable")[:count]]

    def __repr__(self) -> str:
        return repr({**self})
