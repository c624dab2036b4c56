"""The text of label files -> records: a line number and its cells by column.

A file is a CSV with commas, semicolons or tabs between its columns, or JSON lines; in UTF-8, or in UTF-16 with the byte
order mark that spreadsheets write. Which of the three separates the columns is read from the header alone: texts in the
cells cannot mislead.

The name of a video may have bytes that are no UTF-8, as names of files have. A file with such bytes elsewhere only is
refused: it has another encoding, and none is guessed.
"""

import codecs
import csv
import io
import json
import math
import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from classify.errors import LabelError
from embed.machine import read_regular

SEPARATOR = "|"
"""Separates several labels of one video in label files, split files and predictions."""

Record = tuple[int, dict[str, str]]
"""The number of a line, counted from 1 as in editors, and its cells by column."""

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
_MARK = "\ufeff"  # of the order of bytes; a file that was saved twice may have two
_BLANK_ROWS = re.compile(r"(?:[,;\t \"]*(?:\r\n|\r|\n))+")  # above the header, as spreadsheets leave them
_HINT = re.compile(r'"?sep=([,;\t])"?\r?\n')  # a first line that Excel writes and hides
_OTHER_BYTE = re.compile("[\udc80-\udcff]")  # as Python reads bytes that are no UTF-8
_OTHER_KINDS = {
    b"PK\x03\x04": "a workbook of a spreadsheet",
    b"\xd0\xcf\x11\xe0": "a workbook of a spreadsheet",
    b"PAR1": "a Parquet file",
    b"\x89HDF": "an HDF5 file, such as a store",
}


def bare_name(name: str) -> str:
    """Return a name without what may differ by accident: case, width, spaces, hyphens, underscores.

    >>> bare_name("File Name"), bare_name("video_ID"), bare_name("-")
    ('filename', 'videoid', '-')
    """
    visible = "".join(letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) != "Cf")
    return re.sub(r"[\s_-]+", "", visible.casefold()) or name


def is_utf_8(text: str) -> bool:
    """Return True unless a text has bytes that are no UTF-8, as Python reads those of a file's name."""
    return not _OTHER_BYTE.search(text)


def read_records(path: Path, keys: Collection[str]) -> tuple[list[str], list[Record]]:
    """Return the columns of a label file, as they are written, and its lines that are not blank.

    Args:
        path: the file.
        keys: names as `bare_name` returns them, of which a header has at least one; they tell the separator of the
            columns.

    Raises:
        LabelError: it cannot be read, or is no such file.
    """
    text = _read_text(path)
    if text.lstrip().startswith("["):
        raise LabelError(
            f"{path} is a JSON array, but JSON lines are needed: one object a line, such as "
            f'{{"path": "hug/a.mp4", "label": "hug"}}. Convert it: jq -c ".[]" {shlex.quote(str(path))} > labels.jsonl'
        )
    records = list(_json_records(path, text) if text.lstrip().startswith("{") else _csv_records(path, text, keys))
    _refuse_half_characters(path, records)
    if not is_utf_8(text) and all(
        is_utf_8(cell) for _, cells in records for name, cell in cells.items() if bare_name(name) in keys
    ):
        raise other_encoding(path, text)
    columns = list(dict.fromkeys(name for _, cells in records for name in cells))
    return columns, [(line, cells) for line, cells in records if any(cells.values())]


def _refuse_half_characters(path: Path, records: Sequence[tuple[int, Any]]) -> None:
    """Raise LabelError if JSON has one half of a character (a lone surrogate), which no file can hold."""
    for line, cells in records:
        try:
            json.dumps(cells, ensure_ascii=False, default=str).encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise LabelError(
                f"{path}, line {line}: {error.object[error.start]!r} is half a character, and no text. Write it again."
            ) from error


def require_utf_8(path: Path) -> None:
    """Raise LabelError if a label file has bytes that are no UTF-8."""
    text = _read_text(path)
    if not is_utf_8(text):
        raise other_encoding(path, text)


def other_encoding(path: Path, text: str) -> LabelError:
    """Return what is said of a file whose text has bytes that are no UTF-8."""
    found = _OTHER_BYTE.search(text)
    line = text.count("\n", 0, found.start() if found else 0) + 1
    return LabelError(
        f"{path} is not a CSV file in UTF-8 (line {line}). Save it as one (in Excel: CSV UTF-8), or convert it: "
        f"iconv -f WINDOWS-1252 -t UTF-8 {shlex.quote(str(path))} > new{path.suffix}"
    )


def _read_text(path: Path) -> str:
    """Return the text of a file: UTF-16 if its byte order mark says so, else UTF-8 and perhaps other bytes."""
    try:
        if path.exists() and not path.is_file():
            raise LabelError(f"{path} is not a file. Name a CSV or JSON lines file.")
        content = read_regular(path)
    except OSError as error:
        raise LabelError(f"{path} cannot be read: {error.strerror}. Name a CSV or JSON lines file.") from error
    kind = next((kind for mark, kind in _OTHER_KINDS.items() if content.startswith(mark)), None)
    if kind is not None:
        raise LabelError(f"{path} is {kind}, not a CSV file in UTF-8. Save it as one (in Excel: CSV UTF-8).")
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16") if is_utf16 else content.decode("utf-8", "surrogateescape")
    except UnicodeDecodeError as error:
        raise LabelError(f"{path} is not a CSV file in UTF-16: {error.reason}. Save it as one in UTF-8.") from error
    if "\0" in text:
        raise LabelError(f"{path} has characters of code 0, so it is not a CSV file in UTF-8. Save it as one.")
    return text.lstrip(_MARK)


def _csv_records(path: Path, text: str, keys: Collection[str]) -> Iterator[Record]:
    hint = _HINT.match(text)
    before, text = (1, text[hint.end() :]) if hint else (0, text)
    if blank := _BLANK_ROWS.match(text):
        before, text = before + len(blank[0].splitlines()), text[blank.end() :]
    separator = hint[1] if hint else find_separator(text, keys)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    try:
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        _refuse_repeated(path, reader.fieldnames, keys)
        # So that a file with only a header has columns.
        yield before + reader.line_num, dict.fromkeys(reader.fieldnames, "")
        for cells in reader:
            line = before + reader.line_num
            if None in cells:  # DictReader's key for cells beyond the last column of the header
                raise LabelError(
                    f"{path}, line {line}, has more cells than the header. Quote cells that hold a "
                    f"{_SEPARATORS[separator]}."
                )
            yield line, {name: (cell or "").strip() for name, cell in cells.items()}
    except csv.Error as error:
        line = before + reader.reader.line_num
        raise LabelError(
            f"{path}, line {line}, is not CSV: {error}. Correct it there, or save the file anew."
        ) from error


def find_separator(text: str, keys: Collection[str]) -> str:
    r"""Return what separates the columns of a CSV: that of which the header has a column of `keys`, or most columns.

    >>> find_separator("File Path;label\na, b.mp4;hug\n", {"filepath"}), find_separator("path,a;b\n", {"path"})
    (';', ',')
    """
    headers = {separator: _header(text, separator) for separator in _SEPARATORS}
    return max(headers, key=lambda separator: (bool(set(keys) & set(headers[separator])), len(headers[separator])))


def _header(text: str, separator: str) -> list[str]:
    try:
        cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True), [])
    except csv.Error:
        return []
    return list(map(bare_name, cells))


def _refuse_repeated(path: Path, columns: Sequence[str], keys: Collection[str]) -> None:
    """Raise LabelError if several columns have one name; columns without a name are not read."""
    names = [name.lower() if bare_name(name) in keys else name for name in columns]
    twice = next((name for name, count in Counter(names).items() if name and count > 1), None)
    if twice is not None:
        raise LabelError(
            f"{path} has several columns called {twice!r}; all but one would be lost. Give each its own name. Several "
            f"labels of a video can share one column, with {SEPARATOR!r} between them."
        )


def _json_records(path: Path, text: str) -> Iterator[Record]:
    for line, written in enumerate(text.split("\n"), start=1):
        if not written.strip():
            continue
        try:
            record = json.loads(written)
        except (ValueError, RecursionError) as error:
            raise LabelError(
                f'{path}, line {line}, is not JSON: {error}. Write one object a line, such as {{"path": "hug/a.mp4", '
                '"label": "hug"}.'
            ) from error
        if not isinstance(record, dict):
            raise LabelError(f'{path}, line {line}, is not a JSON object. Write one a line, such as {{"id": ...}}.')
        try:
            yield line, {name.strip(): _text_of(value) for name, value in record.items()}
        except TypeError as error:
            raise LabelError(
                f"{path}, line {line}, has {error} as a value. Write a text, a number, true or false, or a list of "
                "these."
            ) from error


def _text_of(value: object) -> str:
    """Return a JSON value as a cell of a CSV file."""
    if value is None or isinstance(value, bool):
        return str(int(value)) if value is not None else ""
    if isinstance(value, float) and math.isnan(value):  # a blank cell of pandas
        return ""
    if isinstance(value, list):
        return SEPARATOR.join(_text_of(entry) for entry in map(_refuse_nested, value) if entry is not None)
    return str(_refuse_nested(value)).strip()


def _refuse_nested(value: object) -> object:
    """Return a value that is no object and no list."""
    if isinstance(value, dict | list):
        raise TypeError("an object" if isinstance(value, dict) else "a list within a list")
    return value
