"""Predictions as a terminal shows them: a table that fits its width, and a line that counts."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

from classify.classifier.predictions import Prediction, Predictions
from embed.machine import columns_of, counted, cut_columns, pad_left, pad_right, shown

_SHOWN = 100  # rows; a predictions file has them all
_LIKELIEST = 3
_NO_LABEL = "-"
_GAP = "  "
_CUT = "…"
_LEAST_PATH, _LEAST_NAME = 16, 6  # columns that a path and a label keep, where there are more

_Row = tuple[str, ...]


def predictions_text(found: Predictions, width: int = 80) -> str:
    """Return a table of the labelled videos: path, labels, their probabilities, and the three likeliest labels.

    Paths lose their middle and labels their end where the table would be wider than `width` columns. On a narrow
    terminal the likeliest labels are left out, and then the probabilities.

    Args:
        found: what `predict_videos` returns; its failures are not in the table.
        width: columns of a line.
    """
    if not found.videos:
        return ""
    some = found.videos[:_SHOWN]
    header = ("labels", "probability", f"top {min(_LIKELIEST, len(found.names))}")
    places = [shorten_path(_place(video), width) for video in some]
    rows, room = _fit(some, header, width, min(_LEAST_PATH, max(map(columns_of, places))))
    paths = ["path", *(shorten_path(place, room) for place in places)]
    cells = zip(_pad(paths), *_columns([header[: len(rows[0])], *rows]), strict=True)
    lines = [cut_columns(_GAP.join(line).rstrip(), width) for line in cells]
    if len(found.videos) > len(some):
        lines.append(f"... and {counted(len(found.videos) - len(some), 'more video')}: -o FILE writes them all")
    if any(not video.labels for video in some):
        lines.append(f"{_NO_LABEL}: no label reached its threshold")
    return "\n".join(lines)


def count_text(found: Predictions) -> str:
    """Return how many videos were labelled, and how many failed.

    >>> count_text(Predictions(("hug",), (Prediction("a.mp4", ("hug",), {"hug": 1.0}),), ()))
    '1 video labelled, 0 failed'
    """
    return f"{counted(len(found.videos), 'video')} labelled, {len(found.failures):,} failed"


def shorten_path(path: str, width: int) -> str:
    """Return a path of at most `width` columns, which keeps its beginning and, the longer part, its end.

    >>> shorten_path("videos/of the year/a.mp4", 16)
    'video…year/a.mp4'
    >>> shorten_path("videos/a.mp4", 16)
    'videos/a.mp4'
    """
    if columns_of(path) <= width:
        return path
    first = (width - len(_CUT)) // 3
    begins = cut_columns(path, first + len(_CUT))
    start = 0
    while columns_of(path[start:]) > width - columns_of(begins):
        start += 1
    return f"{begins}{path[start:]}"


def _place(video: Prediction) -> str:
    """Return where a video lies, from the current folder on if it lies below it; its id if that is unknown."""
    here = f"{Path.cwd()}/"
    return shown(video.location.removeprefix(here) or video.video_id)


def _fit(videos: Sequence[Prediction], header: _Row, width: int, least: int) -> tuple[list[_Row], int]:
    """Return rows with as many columns and labels as leave `least` for the path, and what they leave."""
    longest = max(columns_of(shown(name)) for video in videos for name in video.probabilities)
    lengths = range(longest, min(longest, _LEAST_NAME) - 1, -1)
    for columns, count, length in product(range(len(header), 0, -1), range(_LIKELIEST, 0, -1), lengths):
        rows = [_row(video, count, length)[:columns] for video in videos]
        taken = (max(map(columns_of, column)) + len(_GAP) for column in zip(header[:columns], *rows, strict=True))
        room = width - sum(taken)
        if room >= least:
            break
    return rows, max(room, _LEAST_NAME)


def _row(video: Prediction, count: int, length: int) -> _Row:
    """Return a row without its path: at most `count` of the labels, each of at most `length` columns."""
    more = f" +{len(video.labels) - count}" if len(video.labels) > count else ""
    given = ", ".join(cut_columns(shown(name), length) for name in video.labels[:count])
    figures = ", ".join(f"{video.probabilities[name]:.2f}" for name in video.labels[:count])
    likeliest = video.likeliest(_LIKELIEST)
    top = ", ".join(f"{cut_columns(shown(name), length)} {figure:.2f}" for name, figure in likeliest)
    return (f"{given}{more}" or _NO_LABEL, figures or _NO_LABEL, top)


def _columns(rows: Sequence[_Row]) -> list[list[str]]:
    """Return the columns of a table, padded: figures to the right, texts to the left."""
    labels, *others = (list(column) for column in zip(*rows, strict=True))
    padded = [[pad_left(figure, max(map(columns_of, figures))) for figure in figures] for figures in others[:1]]
    return [_pad(labels), *padded, *others[1:]]


def _pad(cells: Sequence[str]) -> list[str]:
    return [pad_right(cell, max(map(columns_of, cells))) for cell in cells]
