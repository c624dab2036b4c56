"""Label files -> rows: a video, its labels and its group.

`label_text.py` says what a file may be. One column names the video: `id` (its id in the store), or `path`,
`link` or `url` (its id, or its location, relative to the file's folder), or another usual name (`KEY_COLUMNS`).
The labels are in the first of these columns that the file has:

    label, class                one label of the video; several with `|` between them; more rows of it repeat the label
    labels, category            all labels of the video, with `|` between them; in JSON perhaps a list
    hashtags                    words, with or without #
    description, text, caption, title    every #tag in them, in lower case, if the file has any
    columns of 0 and 1          one column for each label; blank is 0

Names of columns are read in upper or lower case, with spaces, hyphens, underscores or none: `File Name` is `file_name`.
Any other column can group videos. Labels and groups are normalised to NFC, so that an accent is the same however it
was typed; ids stay as they are written.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

from classify.data.label_sources.label_text import SEPARATOR, Record, bare_name, read_records
from classify.errors import LabelError

KEY_COLUMNS = (
    *("id", "path", "link", "url", "video_id", "video_path", "file_path", "file_name", "video", "file", "clip"),
)
"""The column that names the videos: the first of these that a file has."""

TEXT_COLUMNS = ("description", "text", "caption", "title")

_HASH = re.compile(r"(?<!&)[#\uFE5F\uFF03]")  # the # of an entity (&#x27;) opens no tag; the others are wide or small
_WORD_CATEGORIES = frozenset("LMN")  # letters, marks (vowels of Hindi and Thai, accents), numbers
_JOINERS = "\u200c\u200d"  # invisible; between letters they are part of how Persian or Sinhala is written
_ONE = frozenset({"1", "1.0", "1,0"})  # pandas writes 1.0 if a column has blanks; spreadsheets in Europe write 1,0
_ZERO_OR_ONE = _ONE | {"0", "0.0", "0,0", ""}
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
        label_column: the column, as it is written, that gives one label of a video; None if the labels of a row are
            all that its video has.
        notes: which columns were taken for labels, if their names do not decide it.
    """

    path: Path
    rows: tuple[LabelRow, ...]
    label_column: str | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Columns:
    """Columns of a label file that were asked for by name; None takes those that the file's header suggests.

    Args:
        path: the column that names the videos.
        label: the column of the labels.
        group: the column of the groups; None reads no groups.
    """

    path: str | None = None
    label: str | None = None
    group: str | None = None


def read_label_file(
    path: Path, asked: Columns = Columns(), *, count_known: Callable[[Sequence[str]], int] | None = None
) -> LabelFile:
    """Read a label file of any of the shapes above.

    Args:
        path: the file.
        asked: the columns that were asked for.
        count_known: returns how many of some names are those of videos. Where several columns could name the videos,
            that with the most such names does; a column `id` may just number the rows.

    Raises:
        LabelError: it cannot be read, or lacks a column of videos or labels, or one that was asked for.
    """
    keys = {bare_name(name) for name in (asked.path, *KEY_COLUMNS) if name}
    columns, records = read_records(path, keys)
    if columns and not records:
        raise LabelError(f"{path} has no rows below its header. Write one row for each video.")
    chosen = _choose_columns(path, columns, records, asked, count_known)
    rows = tuple(_row(path, line, cells, chosen) for line, cells in records)
    return LabelFile(path, rows, chosen.single, chosen.notes)


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


@dataclass(frozen=True)
class _Labels:
    """How the labels of a row are read, the column of single labels if it is one, and notes on the choice."""

    read: _ReadLabels
    single: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Chosen(_Labels):
    """The same, and the columns that name the videos and their groups."""

    key: str = ""
    group: str | None = None


def _choose_columns(
    path: Path,
    columns: Sequence[str],
    records: Sequence[Record],
    asked: Columns,
    count_known: Callable[[Sequence[str]], int] | None,
) -> _Chosen:
    """Return the columns to read."""
    group = _asked_column(path, columns, asked.group, "to group by (--group-by)")
    label = _asked_column(path, columns, asked.label, "of labels (--label-column)")
    key = _asked_column(path, columns, asked.path, "that names the videos (--path-column)")
    key = key or _key_column(columns, records, count_known)
    others = [name for name in columns if name not in ("", key, group) and bare_name(name) not in KEY_COLUMNS[:4]]
    if key is not None and label is not None:
        return _with(_named_labels(label), key, group)
    if key is not None and not (_find(columns, "label") and _find(columns, "labels")):
        for choose in (_named_column, _tagged_columns, _wide_columns):
            found = choose(others, records)
            if found is not None:
                return _with(found, key, group)
    if group is not None and asked.label is None and _named_column([group], records):
        raise LabelError(
            f"The column {group!r} of {path} has the labels, so it cannot group the videos: no class would be in two "
            "parts. Name another column with --group-by, or that of the labels with --label-column."
        )
    raise LabelError(_unfit(path, columns, [name for name in others if name.lower() not in TEXT_COLUMNS], records))


def _key_column(
    columns: Sequence[str], records: Sequence[Record], count_known: Callable[[Sequence[str]], int] | None
) -> str | None:
    """Return the column that names the videos; None if there is none."""
    found = list(dict.fromkeys(filter(None, (_find(columns, name) for name in KEY_COLUMNS))))
    if len(found) < 2 or count_known is None:
        return found[0] if found else None
    return max(found, key=lambda name: count_known([cells.get(name, "") for _, cells in records]))


def _with(labels: _Labels, key: str, group: str | None) -> _Chosen:
    return _Chosen(labels.read, labels.single, labels.notes, key, group)


def _asked_column(path: Path, columns: Sequence[str], name: str | None, purpose: str) -> str | None:
    """Return a column that was asked for, as it is written; None if none was."""
    if name is None:
        return None
    found = _find(columns, name)
    if found is None:
        raise LabelError(f"{path} has no column {name!r} {purpose}. It has: {', '.join(columns) or '(none)'}.")
    return found


def _find(columns: Sequence[str], name: str) -> str | None:
    """Return the column of a name as it is written: the one spelled so, else one in other case, else `bare_name`'s."""
    for form in (str, str.lower, bare_name):
        found = next((column for column in columns if form(column) == form(name)), None)
        if found is not None:
            return found
    return None


def _unfit(path: Path, columns: Sequence[str], others: Sequence[str], records: Sequence[Record]) -> str:
    """Return what is wrong with a file whose columns say nothing of videos or of labels."""
    odd, remedy = "", "Rename the columns in its first line"
    if found := _find_odd(others, records):
        odd = f"; other values are in {_show_odd(found, _LISTED)}"
        remedy += ", or write 0 and 1"
    return (
        f"{path} has the columns {', '.join(columns) or '(none)'}, but needs one of the videos ('id', 'path', 'link' "
        "or 'url'), and labels: in a column 'label' or 'labels', as hashtags in a 'description', or as a column of 0 "
        f"and 1 for each label{odd}. {remedy}; or name them with --path-column and --label-column."
    )


def _named_column(columns: Sequence[str], _: Sequence[Record]) -> _Labels | None:
    name = next(filter(None, (_find(columns, name) for name in _NAMED)), None)
    return None if name is None else _named_labels(name)


def _named_labels(name: str) -> _Labels:
    """Return how the labels in one column are read."""
    known = bare_name(name)
    if known in TEXT_COLUMNS:
        return _Labels(lambda cells: find_hashtags(cells.get(name, "")))
    read = _NAMED.get(known, _split_bars)
    return _Labels(lambda cells: read(cells.get(name, "")), None if known in _COMPLETE else name)


def _tagged_columns(columns: Sequence[str], records: Sequence[Record]) -> _Labels | None:
    texts = [name for name in columns if name.lower() in TEXT_COLUMNS]
    texts.sort(key=lambda name: TEXT_COLUMNS.index(name.lower()))

    def read(cells: Cells) -> frozenset[str]:
        return find_hashtags("\n".join(cells.get(name, "") for name in texts))

    if not any(read(cells) for _, cells in records):
        return None
    return _Labels(read, notes=(f"The labels are the hashtags in {' and '.join(texts)}.",))


def _wide_columns(columns: Sequence[str], records: Sequence[Record]) -> _Labels | None:
    odd = _find_odd(columns, records)
    names = [name for name in columns if name not in odd]
    if not any(cells.get(name) in _ONE for name in names for _, cells in records):
        return None
    notes = [
        f"The labels are the columns of 0 and 1: {', '.join(names)}.",
        f"Not labels, since they have other values: {_show_odd(odd)}.",
    ]
    return _Labels(
        lambda cells: frozenset(name for name in names if cells.get(name) in _ONE),
        notes=tuple(notes if odd else notes[:1]),
    )


def _find_odd(columns: Sequence[str], records: Sequence[Record]) -> dict[str, str]:
    """Return column -> its first value other than 0, 1 or nothing, for the columns that have one."""
    found = ((name, _first_odd(name, records)) for name in columns)
    return {name: odd for name, odd in found if odd is not None}


def _first_odd(name: str, records: Sequence[Record]) -> str | None:
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
    "class": _split_bars,
    "labels": _split_bars,
    "category": _split_bars,
    "hashtags": _words,
}
_COMPLETE = ("labels", "category", "hashtags")  # columns that have all labels of a video in each row


def _row(path: Path, line: int, cells: Cells, chosen: _Chosen) -> LabelRow:
    if not cells.get(chosen.key):
        raise LabelError(f"{path}, line {line}, names no video: its {chosen.key} is blank. Fill it in.")
    group = compose(cells.get(chosen.group, "")) if chosen.group else ""
    if chosen.group and not group:
        raise LabelError(
            f"{path}, line {line}, has no {chosen.group}. Write a group for every video, or one of its own if it has "
            "none."
        )
    return LabelRow(line, cells[chosen.key], frozenset(map(compose, chosen.read(cells))), group)
