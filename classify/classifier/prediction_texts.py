"""Predictions as a terminal shows them: a table that fits its width, and a line that counts."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

from classify.classifier.prediction import Prediction, Predictions
from embed.machine import counted

_SHOWN = 100  # rows; a predictions file has them all
_LIKELIEST = 3
_NO_LABEL = "-"
_GAP = "  "
_CUT = "…"
_LEAST_PATH, _LEAST_NAME = 16, 6  # characters that a path and a label keep, where there are more

_Row = tuple[str, str, str]


def predictions_text(found: Predictions, width: int = 80) -> str:
    """Return a table of the labelled videos: path, labels, their probabilities, and the three likeliest labels.

    Paths lose their middle and labels their end where the table would be wider than `width` characters.

    Args:
        found: what `predict_videos` returns; its failures are not in the table.
        width: characters in a line, 80 or more.
    """
    if not found.videos:
        return ""
    shown = found.videos[:_SHOWN]
    header = ("labels", "probability", f"top {min(_LIKELIEST, len(found.names))}")
    places = [shorten_path(_place(video), width) for video in shown]
    rows, room = _fit(shown, header, width, min(_LEAST_PATH, max(map(len, places))))
    paths = ["path", *(shorten_path(place, room) for place in places)]
    lines = [_GAP.join(cells).rstrip() for cells in zip(_pad(paths), *_columns([header, *rows]), strict=True)]
    if len(found.videos) > len(shown):
        lines.append(f"... and {counted(len(found.videos) - len(shown), 'more video')}: -o FILE writes them all")
    if any(not video.labels for video in shown):
        lines.append(f"{_NO_LABEL}: no label reached its threshold")
    return "\n".join(lines)


def count_text(found: Predictions) -> str:
    """Return how many videos were labelled, and how many failed.

    >>> count_text(Predictions(("hug",), (Prediction("a.mp4", ("hug",), {"hug": 1.0}),), ()))
    '1 video labelled, 0 failed'
    """
    return f"{counted(len(found.videos), 'video')} labelled, {len(found.failures):,} failed"


def shorten_path(path: str, width: int) -> str:
    """Return a path of at most `width` characters, which keeps its beginning and, the longer part, its end.

    >>> shorten_path("videos/of the year/a.mp4", 16)
    'video…year/a.mp4'
    >>> shorten_path("videos/a.mp4", 16)
    'videos/a.mp4'
    """
    if len(path) <= width:
        return path
    first = (width - len(_CUT)) // 3
    return f"{path[:first]}{_CUT}{path[len(path) - (width - len(_CUT) - first) :]}"


def _place(video: Prediction) -> str:
    """Return where a video lies, from the current folder on if it lies below it; its id if that is unknown."""
    here = f"{Path.cwd()}/"
    return video.location.removeprefix(here) or video.video_id


def _fit(videos: Sequence[Prediction], header: _Row, width: int, least: int) -> tuple[list[_Row], int]:
    """Return the rows with as many labels, and as much of them, as leave `least` for the path; and what they leave."""
    longest = max(len(name) for video in videos for name in video.probabilities)
    lengths = range(longest, min(longest, _LEAST_NAME) - 1, -1)
    for count, length in product(range(_LIKELIEST, 0, -1), lengths):
        rows = [_row(video, count, length) for video in videos]
        room = width - sum(max(map(len, column)) + len(_GAP) for column in zip(header, *rows, strict=True))
        if room >= least:
            break
    return rows, max(room, _LEAST_NAME)


def _row(video: Prediction, count: int, length: int) -> _Row:
    """Return a row without its path: at most `count` of the labels, each of at most `length` characters."""
    more = f" +{len(video.labels) - count}" if len(video.labels) > count else ""
    given = ", ".join(_cut(name, length) for name in video.labels[:count])
    figures = ", ".join(f"{video.probabilities[name]:.2f}" for name in video.labels[:count])
    top = ", ".join(f"{_cut(name, length)} {figure:.2f}" for name, figure in video.likeliest(_LIKELIEST))
    return (f"{given}{more}" or _NO_LABEL, figures or _NO_LABEL, top)


def _cut(name: str, length: int) -> str:
    return name if len(name) <= length else f"{name[: length - len(_CUT)]}{_CUT}"


def _columns(rows: Sequence[_Row]) -> list[list[str]]:
    """Return the columns of a table, padded: figures to the right, texts to the left."""
    labels, figures, top = (list(column) for column in zip(*rows, strict=True))
    return [_pad(labels), [figure.rjust(max(map(len, figures))) for figure in figures], top]


def _pad(cells: Sequence[str]) -> list[str]:
    return [cell.ljust(max(map(len, cells))) for cell in cells]
