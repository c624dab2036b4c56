"""Lists of videos -> rows of (path, id): CSV, TSV, TXT and Parquet files."""

import codecs
import csv
import io
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from embed.errors import SourceError
from embed.machine import read_regular

PATH_COLUMNS = ("path", "link", "url")
"""The column with the videos' paths or addresses: the first of these that a list has, in upper or lower case."""

ID_COLUMN = "id"


def read_list(source: Path) -> list[tuple[str, str]]:
    """Return the (path, id) rows of a list; the id is empty where the list gives none.

    Raises:
        SourceError: the file cannot be read as a list, or lists no video.
    """
    rows = [(path.strip(), video_id.strip()) for path, video_id in LIST_READERS[source.suffix.lower()](source)]
    named = [row for row in rows if row[0]]
    if not named:
        raise SourceError(f"{source} lists no video. Write one path or address per row.")
    for number, row in enumerate(named, 1):
        if "\0" in "".join(row):
            raise SourceError(f"{source}, entry {number}: a path or id has a NUL in it. Write the list again as UTF-8.")
    return named


def _read_csv(source: Path) -> list[tuple[str, str]]:
    text = _decoded(source)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=_separator_of(text))
    try:
        path_column, id_column = _columns_of(source, reader.fieldnames or [])
        return [(row[path_column] or "", (row[id_column] or "") if id_column else "") for row in reader]
    except csv.Error as error:  # mostly a field beyond csv's limit of 128 KB
        raise SourceError(
            f"{source} cannot be read at line {reader.line_num}: {error}. Look above that line for a quote that is "
            "not closed, or remove that column."
        ) from error


def _separator_of(text: str) -> str:
    """Return what stands between the columns: a semicolon or a tab, if the header has a path column with it."""
    first_line = text.partition("\n")[0]
    for separator in (";", "\t"):
        header = next(csv.reader([first_line], delimiter=separator, strict=False), [])
        if {column.strip().lower() for column in header} & {*PATH_COLUMNS}:
            return separator
    return ","


def _read_txt(source: Path) -> list[tuple[str, str]]:
    lines = _decoded(source).splitlines()
    return [(line, "") for line in lines if not line.lstrip().startswith("#")]


def _decoded(source: Path) -> str:
    """Return a list's text: UTF-16 if its byte order mark says so (from spreadsheets and PowerShell), else UTF-8.

    No other encoding is guessed: a path that is decoded wrongly is a video that is not found.
    """
    content = read_regular(source)
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        if is_utf16:
            raise SourceError(f"{source} begins as UTF-16, but is damaged. Write it again, as UTF-8.") from error
        line = content.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f"{source} is not UTF-8 (line {line}). Save it as UTF-8 (in a spreadsheet: CSV UTF-8), or convert it: "
            f"iconv -f WINDOWS-1252 -t UTF-8 {shlex.quote(str(source))} > new{source.suffix}"
        ) from error


def _read_parquet(source: Path) -> list[tuple[str, str]]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise SourceError(
            f"{source} needs a package that is not installed. Install it: pip install '.[parquet]' "
            "in framehead's folder"
        ) from error
    try:
        with parquet.ParquetFile(source) as file:
            schema = file.schema_arrow
            path_column, id_column = _columns_of(source, schema.names)
            _require_text(source, path_column, schema.field(path_column).type)
            table = file.read(columns=[path_column, id_column] if id_column else [path_column])
    except (pyarrow.ArrowException, OSError) as error:
        raise SourceError(f"{source} cannot be read as a Parquet file. Write it again, or write it as CSV.") from error
    paths = table[path_column].to_pylist()
    ids = table[id_column].to_pylist() if id_column else [None] * len(paths)
    return [(_text_of(path), _text_of(video_id)) for path, video_id in zip(paths, ids, strict=True)]


def _require_text(source: Path, column: str, kind: Any) -> None:
    """Raise SourceError if the values of a Parquet column are not texts."""
    from pyarrow import types

    values = kind.value_type if types.is_dictionary(kind) else kind
    if not (types.is_string(values) or types.is_large_string(values) or types.is_string_view(values)):
        raise SourceError(f"The column {column} of {source} has values of the type {kind}. Write paths as texts.")


def _text_of(value: object) -> str:
    return "" if value is None else str(value)


def _columns_of(source: Path, columns: Sequence[str]) -> tuple[str, str | None]:
    """Return the names, as written, of the path column and of the id column; None if there is no id column."""
    names = [column.strip().lower() for column in columns]
    written = dict(zip(names, columns, strict=True))
    if twice := next((name for name in (*PATH_COLUMNS, ID_COLUMN) if names.count(name) > 1), None):
        raise SourceError(f"{source} has {names.count(twice)} columns `{twice}`. Keep one of them.")
    path_column = next((written[name] for name in PATH_COLUMNS if name in written), None)
    if path_column is None:
        raise SourceError(
            f"{source} has the columns {', '.join(columns) or '(none)'}, but no `path`, `link` or `url`. "
            "Name the column with the videos' paths `path`; a column with their ids, which is optional, is named `id`."
        )
    return path_column, written.get(ID_COLUMN)


LIST_READERS: dict[str, Callable[[Path], list[tuple[str, str]]]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".tsv": _read_csv,
    ".txt": _read_txt,
}
"""The suffixes of list files, and the function that reads each."""
