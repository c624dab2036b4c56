"""Predictions in the format of YouTube-8M's competitions, and heads that learned from its vectors.

A file has a row for each video: its id, and up to 20 labels with their probabilities, likeliest first.

    VideoId,LabelConfidencePairs
    a1b2,3 0.91 17 0.052 1204 0.0004

Labels are numbers of YouTube-8M's vocabulary. Videos that failed have no row.

Source: https://github.com/google/youtube-8m, `inference.py`.
"""

import csv
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from classify.data import compose
from classify.errors import ClassifyError, HeadError
from embed import has_encoder, read_label_numbers
from embed.machine import counted
from embed.store import EncoderIdentity

PAIR_COLUMNS = ["VideoId", "LabelConfidencePairs"]
PAIRS = 20
"""The most labels of a video."""


def number_labels(names: Sequence[str], vocabulary: str | Path | None) -> tuple[int, ...]:
    """Return YouTube-8M's numbers of labels.

    Args:
        names: (C,) labels of a head: names of the vocabulary, or numbers.
        vocabulary: its `vocabulary.csv`; None if all are numbers.

    Raises:
        ClassifyError: one has no number, or two have the same.
        SourceError: the vocabulary cannot be read.
    """
    known = {compose(name): number for number, name in read_label_numbers(vocabulary).items()} if vocabulary else {}
    unknown = [name for name in names if name not in known and not (name.isascii() and name.isdecimal())]
    if unknown and vocabulary is None:
        raise ClassifyError(
            f"--format yt8m writes labels as numbers, but {unknown[0]!r} is a name. Name the file that has its number "
            "with --vocabulary vocabulary.csv."
        )
    if unknown:
        raise ClassifyError(
            f"{vocabulary} has no label {unknown[0]!r}, which the head knows, so it has no number. Name the vocabulary "
            "that the labels were imported with."
        )
    numbers = tuple(known[name] if name in known else int(name) for name in names)
    if len(set(numbers)) < len(numbers):
        raise ClassifyError(f"Two labels of the head have one number in {vocabulary}. Name another with --vocabulary.")
    return numbers


def refuse_new_videos(encoder: EncoderIdentity) -> None:
    """Raise HeadError if vectors of new videos cannot be made for a head that learned from YouTube-8M's.

    Args:
        encoder: what made the vectors that the head learned from.
    """
    if not has_encoder(encoder):
        raise HeadError(
            f"This head learned from vectors of YouTube-8M ({encoder.model}), and no encoder here makes such vectors, "
            "so it cannot label videos themselves. Name a store of them, which import-yt8m makes. For videos of your "
            "own, embed these with embed-videos, and train a head on their vectors (resources/docs/youtube-8m.md)."
        )


def describe_pairs_file(path: Path) -> str | None:
    """Return what a file holds, in words; None if `predict_videos` did not write it."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = csv.reader(file)
        try:
            if next(rows) != PAIR_COLUMNS:
                return None
            count = 0
            for _, pairs in rows:
                words = pairs.split()
                confidences = [float(word) for word in words[1::2]]
                is_ordered = all(first >= second for first, second in pairwise(confidences))
                if len(words) % 2 or not is_ordered or not all(map(str.isdecimal, words[::2])):
                    return None
                count += 1
        except (csv.Error, StopIteration, ValueError):
            return None
    return f"the predictions for {counted(count, 'video')}"
