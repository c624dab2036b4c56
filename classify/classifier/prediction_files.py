"""Predictions files, recognised by what they hold (`classify.classifier.prediction` says what that is)."""

import csv
from pathlib import Path

from classify.data import SEPARATOR
from embed.machine import counted

COLUMNS, OF_LABEL = ["id", "path", "labels", "probability", "error"], "probability_"
"""The first columns, and what begins the name of each further one."""


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def plain_cell(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula.

    Source: https://owasp.org/www-community/attacks/CSV_Injection.
    """
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _without_quote(cell: str) -> str:
    """Return what `plain_cell` was given.

    >>> _without_quote(plain_cell("=x")), _without_quote("'x'")
    ('=x', "'x'")
    """
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULA) else cell


def describe_predictions_file(path: Path) -> str | None:
    """Return what a predictions file holds, in words; None if `predict_videos` did not write it, or it was edited.

    Labels may have been corrected in it. They then no longer fit their probabilities.
    """
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = csv.reader(file)
        try:
            columns = next(rows)
            names = [column.removeprefix(OF_LABEL) for column in columns[len(COLUMNS) :]]
            if columns != [*COLUMNS, *(f"{OF_LABEL}{name}" for name in names)]:
                return None
            count = 0
            for row in rows:
                of_label = dict(zip(names, row[len(COLUMNS) :], strict=True))
                given = [of_label[label] for label in _without_quote(row[2]).split(SEPARATOR) if label]
                if row[3] != SEPARATOR.join(given):
                    return None
                count += 1
        except (csv.Error, LookupError, StopIteration, ValueError):
            return None
    return f"the predictions for {counted(count, 'video')}"
