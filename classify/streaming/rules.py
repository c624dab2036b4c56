"""Which labels a video is given: those of the head's own thresholds, of thresholds that are typed, or the likeliest."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classify.classifier import VideoClassifier
from classify.errors import ClassifyError
from classify.measures import decide_labels

_COLUMNS = ("label", "threshold")
_LIKELIEST = math.nan  # in place of a threshold: the label must be the likeliest


@dataclass(frozen=True)
class LabelRule:
    """Which labels a video is given.

    Args:
        top: at most this number of labels, the likeliest. Without thresholds here, exactly this number, whatever the
            head's own thresholds say.
        threshold: lowest probability of all labels; None is the head's own threshold of each.
        thresholds: label -> its lowest probability, which goes before `threshold`.

    Raises:
        ClassifyError: a number is out of its range.
    """

    top: int | None = None
    threshold: float | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.top is not None and self.top < 1:
            raise ClassifyError(f"--top is {self.top}. Use a number of at least 1.")
        for value in (*filter(lambda value: value is not None, [self.threshold]), *self.thresholds.values()):
            _check_share(value)

    @classmethod
    def parse(cls, top: int | None, typed: Sequence[str]) -> "LabelRule":
        """Return the rule of thresholds as they are typed.

        Args:
            top: as above.
            typed: each is `0.5` for all labels, `LABEL=0.4` for one, or a CSV file with columns label and threshold.

        Raises:
            ClassifyError: one is none of these, or two are for the same label.
        """
        every: list[float] = []
        single: list[tuple[str, float]] = []
        for text in typed:
            name, is_for_label, value = text.rpartition("=")
            if (whole := _number(text)) is not None:
                every.append(whole)
            elif is_for_label and (share := _number(value)) is not None:
                single.append((name, share))
            else:
                single += _read_thresholds(text)
        twice = next((name for place, (name, _) in enumerate(single) if name in dict(single[:place])), None)
        if len(every) > 1 or twice is not None:
            what = "for all labels" if twice is None else f"for the label {twice!r}"
            raise ClassifyError(f"There are two thresholds {what}. Give one.")
        return cls(top, every[0] if every else None, dict(single))

    @property
    def is_own(self) -> bool:
        """True if the labels are those of the head's own thresholds."""
        return self.top is None and self.threshold is None and not self.thresholds

    def check(self, classifier: VideoClassifier) -> None:
        """Raise ClassifyError if a threshold is for a label that the head does not know."""
        for name in self.thresholds:
            if name not in classifier.names:
                close = get_close_matches(name, classifier.names, n=1)
                hint = f"Did you mean {close[0]!r}?" if close else f"It knows {_listed(classifier.names)}."
                raise ClassifyError(f"--threshold {name}=...: the head has no label {name!r}. {hint}")

    def lowest(self, classifier: VideoClassifier) -> tuple[float, ...] | None:
        """Return the threshold of each label (C,), NaN where it must be the likeliest; None if all must be."""
        own = classifier.thresholds or (_LIKELIEST,) * len(classifier.names)
        every = own if self.threshold is None else (self.threshold,) * len(own)
        found = tuple(self.thresholds.get(name, value) for name, value in zip(classifier.names, every, strict=True))
        return None if all(map(math.isnan, found)) else found

    def decide(self, classifier: VideoClassifier, probabilities: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return the labels for calibrated probabilities (N, C), as bool (N, C)."""
        lowest, is_likeliest = self.lowest(classifier), decide_labels(probabilities, None)
        given = is_likeliest
        if lowest is not None:
            given = np.where(np.isnan(lowest), is_likeliest, probabilities >= np.array(lowest))
        if self.top is None:
            return given
        ranks = np.argsort(np.argsort(-probabilities, axis=1, kind="stable"), axis=1)
        is_top = ranks < self.top
        return is_top if self.threshold is None and not self.thresholds else given & is_top


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _check_share(value: float | None) -> None:
    if value is None or not 0 <= value <= 1:
        raise ClassifyError(f"--threshold is {value}. Use a probability from 0 to 1.")


def _read_thresholds(path: str) -> list[tuple[str, float]]:
    """Read a file of thresholds."""
    if not Path(path).is_file():
        raise ClassifyError(
            f"--threshold {path} is no number, no LABEL=NUMBER and no file. Type 0.5, dog=0.4, or the name of a CSV "
            "file with the columns label and threshold."
        )
    try:
        with Path(path).open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            rows = csv.DictReader(file)
            if not set(_COLUMNS) <= set(rows.fieldnames or ()):
                raise ClassifyError(
                    f"{path} has the columns {', '.join(rows.fieldnames or ()) or 'of no table'}, but thresholds need "
                    "label and threshold. Rename its columns."
                )
            return [(row["label"], _row_value(path, rows.line_num, row["threshold"])) for row in rows]
    except (OSError, csv.Error) as error:
        raise ClassifyError(f"{path} cannot be read as a CSV file: {error}. Name another file.") from error


def _row_value(path: str, line: int, text: str | None) -> float:
    value = _number(text or "")
    if value is None:
        raise ClassifyError(f"{path}, line {line}: the threshold {text!r} is no number. Use a probability from 0 to 1.")
    return value


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10:,} more" if len(names) > 10 else "")
