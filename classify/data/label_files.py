"""Label files -> rows: a video, its labels and its group.

A file is a CSV, or JSON lines: one object a line. One column names the video: `id` (its id in the store), or `path`,
`link` or `url` (its id, or its location, relative to the file's folder). The labels are in the first of these columns
that the file has:

    label                       one label a row, so several rows for several labels; or several with `|` between them
    labels, category            all labels of the video, with `|` between them; in JSON perhaps a list
    hashtags                    words, with or without #
    description, text, caption, title    every #tag in them, in lower case, if the file has any
    columns of 0 and 1          one column for each label; blank is 0

Any other column can group videos. Labels and groups are normalised to NFC, so that an accent is the same however it was
typed; ids stay as they are written.
"""

import csv
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

from classify.errors import LabelError

SEPARATOR = "|"
"""Separates several labels of one video in label files, split files and predictions."""

KEY_COLUMNS = ("id", "path", "link", "url")
TEXT_COLUMNS = ("description", "text", "caption", "title")

_HASH = re.compile(r"(?<!&)[#\uFE5F\uFF03]")  # the # of an entity (&#x27;) opens no tag; the others are wide or small
_WORD_CATEGORIES = frozenset("LMN")  # letters, marks (vowels of Hindi and Thai, accents), numbers
_JOINERS = "\u200c\u200d"  # invisible; between letters they are part of how Persian or Sinhala is written
_ONE = frozenset({"1", "1.0"})  # pandas writes 1.0 if a column has blanks
_ZERO_OR_ONE = _ONE | {"0", "0.0", ""}
_LISTED = 5  # an error shows the values of at most this many columns

Cells = Mapping[str, str]
_ReadLabels = Callable[[Cells], frozenset[str]]


@dataclass(frozen=True)
class LabelRow:
    """One row of a label file.

    Args:
        line: its line number, counted from 1 as in editors.
        key: the video, as the file names it.
        labels: the labels of the video; may be empty.
        group: its group; "" if none was asked for.
    """

    line: int
    key: str
    labels: frozenset[str]
    group: str


@dataclass(frozen=True)
class LabelFile:
    """The content of a label file.

    Args:
        path: the file.
        rows: one or more rows, in the order of the file.
        is_long: True if each row gives one label, so that the rows of one video add up.
        notes: which columns were taken for labels, if their names do not decide it.
    """

    path: Path
    rows: tuple[LabelRow, ...]
    is_long: bool
    notes: tuple[str, ...] = ()


def read_label_file(path: Path, group_by: str | None = None) -> LabelFile:
    """Read a label file of any of the shapes above.

    Raises:
        LabelError: it cannot be read, or lacks a column of videos or labels, or the column to group by.
    """
    try:
        # utf-8-sig: spreadsheets write a byte order mark before the name of the first column.
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise LabelError(f"{path} cannot be read: {error.strerror}. Name a CSV or JSON lines file.") from error
    except UnicodeDecodeError as error:
        raise LabelError(f"{path} is not a CSV file in UTF-8: {error}. Save it as one.") from error
    records = list((_json_records if text.lstrip().startswith("{") else _csv_records)(path, text))
    columns = list(dict.fromkeys(name for _, cells in records for name in cells))
    filled = [(line, cells) for line, cells in records if any(cells.values())]
    if columns and not filled:
        raise LabelError(f"{path} has no rows below its header. Write one row for each video.")
    key, read, notes = _choose_columns(path, columns, filled, group_by)
    rows = tuple(_row(path, line, cells, (key, read, group_by)) for line, cells in filled)
    return LabelFile(path, rows, "label" in columns, notes)


def compose(name: str) -> str:
    """Return a label in NFC, so that an accent is the same however it was typed."""
    return unicodedata.normalize("NFC", name)


def find_hashtags(text: str) -> frozenset[str]:
    """Return the #tags of a text, in lower case (NFC) and without the #; digits alone (#1) are not a tag.

    Source: Unicode UAX #31, https://www.unicode.org/reports/tr31/, R8: a # of any width, then letters, marks, numbers
    and connectors (_). Emoji, which it allows, end a tag here, as in https://github.com/twitter/twitter-text.

    >>> sorted(find_hashtags("Best #Ramen in town! #food#Tokyo2024 #1 it&#x27;s"))
    ['food', 'ramen', 'tokyo2024']
    """
    pieces = _HASH.split(_fold(text))[1:]
    openings = ((piece, next(_cut_words(piece), "")) for piece in pieces)
    return frozenset(word for piece, word in openings if piece.startswith(word) and any(map(str.isalpha, word)))


def _fold(text: str) -> str:
    return compose(text.casefold())


def _cut_words(text: str) -> Iterator[str]:
    """Yield the words of a text. What begins with a mark, such as the sign of an emoji, is not a word."""
    for is_inside, run in groupby(text, _is_inside_word):
        word = "".join(run).strip(_JOINERS)
        if is_inside and word and unicodedata.category(word[0])[0] != "M":
            yield word


def _is_inside_word(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category[0] in _WORD_CATEGORIES or category == "Pc" or letter in _JOINERS


def _csv_records(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True, strict=True)
    try:
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        _refuse_repeated(path, reader.fieldnames)
        yield reader.line_num, dict.fromkeys(reader.fieldnames, "")  # so that a file with only a header has columns
        for cells in reader:
            if None in cells:  # DictReader's key for cells beyond the last column of the header
                raise LabelError(
                    f"{path}, line {reader.line_num}, has more cells than the header. Quote cells that hold a comma."
                )
            yield reader.line_num, {name: (cell or "").strip() for name, cell in cells.items()}
    except csv.Error as error:
        raise LabelError(f"{path} is not a CSV file in UTF-8: {error}. Save it as one.") from error


def _refuse_repeated(path: Path, columns: Sequence[str]) -> None:
    """Raise LabelError if several columns have one name; columns without a name are not read."""
    twice = next((name for name, count in Counter(columns).items() if name and count > 1), None)
    if twice is not None:
        raise LabelError(
            f"{path} has several columns called {twice!r}; all but one would be lost. Give each its own name. Several "
            f"labels of a video can share one column, with {SEPARATOR!r} between them."
        )


def _json_records(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    for line, written in enumerate(text.split("\n"), start=1):
        if not written.strip():
            continue
        try:
            record = json.loads(written)
        except (ValueError, RecursionError) as error:
            raise LabelError(f"{path}, line {line}, is not JSON: {error}. Write one object a line.") from error
        if not isinstance(record, dict):
            raise LabelError(f'{path}, line {line}, is not a JSON object. Write one a line, such as {{"id": ...}}.')
        yield line, {name: _text_of(value) for name, value in record.items()}


def _text_of(value: object) -> str:
    """Return a JSON value as a cell of a CSV file."""
    if value is None or isinstance(value, bool):
        return str(int(value)) if value is not None else ""
    if isinstance(value, list):
        return SEPARATOR.join(str(entry) for entry in value if entry is not None)
    return str(value).strip()


def _choose_columns(
    path: Path, columns: Sequence[str], records: Sequence[tuple[int, Cells]], group_by: str | None
) -> tuple[str, _ReadLabels, tuple[str, ...]]:
    """Return the column that names the videos, a function that reads the labels of a row, and notes on the choice."""
    key = next((name for name in KEY_COLUMNS if name in columns), None)
    listed, odd, remedy = ", ".join(columns) or "(none)", "", "Rename the columns in its first line"
    if group_by is not None and group_by not in columns:
        raise LabelError(f"{path} has no column {group_by!r} to group by. It has: {listed}.")
    if key is not None and not {"label", "labels"} <= set(columns):
        others = [name for name in columns if name not in ("", *KEY_COLUMNS, group_by)]
        for choose in (_named_column, _tagged_columns, _wide_columns):
            found = choose(others, records)
            if found is not None:
                return key, *found
        if found_odd := _find_odd([name for name in others if name not in TEXT_COLUMNS], records):
            odd = f"; other values are in {_show_odd(found_odd, _LISTED)}"
            remedy += ", or write 0 and 1"
    raise LabelError(
        f"{path} has the columns {listed}, but needs `id`, `path`, `link` or `url`, and either `label` or `labels`, "
        f"or hashtags in `description`, or a column of 0 and 1 for each label{odd}. {remedy}."
    )


_Choice = tuple[_ReadLabels, tuple[str, ...]] | None


def _named_column(columns: Sequence[str], _: Sequence[tuple[int, Cells]]) -> _Choice:
    name = next((name for name in _NAMED if name in columns), None)
    return None if name is None else (lambda cells: _NAMED[name](cells.get(name, "")), ())


def _tagged_columns(columns: Sequence[str], records: Sequence[tuple[int, Cells]]) -> _Choice:
    texts = [name for name in TEXT_COLUMNS if name in columns]

    def read(cells: Cells) -> frozenset[str]:
        return find_hashtags("\n".join(cells.get(name, "") for name in texts))

    if not any(read(cells) for _, cells in records):
        return None
    return read, (f"The labels are the hashtags in {' and '.join(texts)}.",)


def _wide_columns(columns: Sequence[str], records: Sequence[tuple[int, Cells]]) -> _Choice:
    odd = _find_odd(columns, records)
    names = [name for name in columns if name not in odd]
    if not any(cells.get(name) in _ONE for name in names for _, cells in records):
        return None
    notes = [
        f"The labels are the columns of 0 and 1: {', '.join(names)}.",
        f"Not labels, since they have other values: {_show_odd(odd)}.",
    ]
    return lambda cells: frozenset(name for name in names if cells.get(name) in _ONE), tuple(
        notes if odd else notes[:1]
    )


def _find_odd(columns: Sequence[str], records: Sequence[tuple[int, Cells]]) -> dict[str, str]:
    """Return column -> its first value other than 0, 1 or nothing, for the columns that have one."""
    found = ((name, _first_odd(name, records)) for name in columns)
    return {name: odd for name, odd in found if odd is not None}


def _first_odd(name: str, records: Sequence[tuple[int, Cells]]) -> str | None:
    """Return the first value of a column other than 0, 1 or nothing, and its line; None if there is none."""
    odd = ((line, cells[name]) for line, cells in records if cells.get(name, "") not in _ZERO_OR_ONE)
    return next((f"{value!r} in line {line}" for line, value in odd), None)


def _show_odd(odd: Mapping[str, str], count: int | None = None) -> str:
    return "; ".join(f"{name} ({found})" for name, found in islice(odd.items(), count))


def _split_bars(text: str) -> frozenset[str]:
    return frozenset(filter(None, map(str.strip, text.split(SEPARATOR))))


def _words(text: str) -> frozenset[str]:
    return frozenset(_cut_words(_fold(text)))


_NAMED: dict[str, Callable[[str], frozenset[str]]] = {
    "label": _split_bars,
    "labels": _split_bars,
    "category": _split_bars,
    "hashtags": _words,
}


def _row(path: Path, line: int, cells: Cells, columns: tuple[str, _ReadLabels, str | None]) -> LabelRow:
    key, read, group_by = columns
    if not cells.get(key):
        raise LabelError(f"{path}, line {line}, names no video: its {key} is blank. Fill it in.")
    group = compose(cells.get(group_by, "")) if group_by else ""
    if group_by and not group:
        raise LabelError(
            f"{path}, line {line}, has no {group_by}. Write a group for every video, or one of its own if it has none."
        )
    return LabelRow(line, cells[key], frozenset(map(compose, read(cells))), group)
