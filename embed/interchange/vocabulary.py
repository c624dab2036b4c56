"""Names of YouTube-8M's labels."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from embed.errors import SourceError
from embed.machine import read_regular

_NUMBER, _NAME = "Index", "Name"
SEPARATOR = "|"
"""Between the labels of a video in a label file."""


def read_label_numbers(path: str | Path) -> dict[int, str]:
    """Return number -> name of the labels of a `vocabulary.csv`, which has the columns Index and Name.

    A name that several labels have gets each one's number: "Game (17)".

    Raises:
        SourceError: the file cannot be read, or lacks a column.
    """
    try:
        text = read_regular(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read: {error}. Name YouTube-8M's vocabulary.csv.") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = reader.fieldnames or []
    if _NUMBER not in columns or _NAME not in columns:
        raise SourceError(
            f"{path} has the columns {', '.join(columns) or 'none'}, but not {_NUMBER} and {_NAME}. Name YouTube-8M's "
            "vocabulary.csv."
        )
    try:
        names = {int(row[_NUMBER]): (row[_NAME] or row[_NUMBER]).replace(SEPARATOR, "/").strip() for row in reader}
    except (TypeError, ValueError) as error:
        raise SourceError(f"{path}, line {reader.line_num}: {_NUMBER} is no whole number.") from error
    repeated = _repeated(names.values())
    return {number: f"{name} ({number})" if name in repeated else name for number, name in names.items()}


def write_vocabulary(path: Path, names: Mapping[int, str], counts: Mapping[int, int]) -> None:
    """Write number -> name of labels, and number -> count of its videos, as `read_label_numbers` reads them."""
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([_NUMBER, "TrainVideoCount", _NAME])
        rows.writerows([number, counts.get(number, 0), name] for number, name in names.items())


def _repeated(names: Iterable[str]) -> set[str]:
    """Return the names that occur more than once."""
    seen: set[str] = set()
    repeated: set[str] = set()
    for name in names:
        (repeated if name in seen else seen).add(name)
    return repeated
