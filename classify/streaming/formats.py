"""Predictions as text and as Parquet, one result at a time.

    csv      a predictions file (`classify.classifier.predictions`): one row a video. With moments, one row a moment:
             id, path, label, start_s, end_s, best_s, score, probability, how, error
    jsonl    one object a line: id, path, labels, probabilities, and moments with how; or id, path, reason, detail
    json     one object, as `Predictions.to_json` returns it
    parquet  id, path, labels, probability (of these), error, probability_{label}; with moments also moments and how
    yt8m     VideoId,LabelConfidencePairs (`classify.classifier.youtube8m_files`)

A video without any label has one row, and so has a video that failed, whose error is not empty.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from classify.classifier import (
    COLUMNS,
    OF_LABEL,
    PAIR_COLUMNS,
    describe_pairs_file,
    describe_predictions_file,
    failure_cells,
    failure_text,
    failure_to_json,
    pair_cells,
    plain_cell,
)
from classify.errors import ClassifyError
from classify.files import csv_text
from classify.streaming.config import StreamConfig
from classify.streaming.journal import Result
from embed.machine import counted
from embed.store import Failure

MOMENT_COLUMNS = ("id", "path", "label", "start_s", "end_s", "best_s", "score", "probability", "how", "error")
_ROWS_AT_ONCE = 256  # of a Parquet file
_MADE_BY = b"framehead predictions"
_JSON_BEGINS, _JSON_FAILURES, _JSON_ENDS = '{"videos": [', '],\n"failures": [', "]}\n"


@dataclass(frozen=True)
class TextFormat:
    """How results become text.

    Args:
        header: what comes before all of them.
        text_of: the text of one result, with its line's end; empty if the format does not have it.
        errors: how characters are written that UTF-8 does not have: bytes of file names.
    """

    header: str
    text_of: Callable[[Result], str]
    errors: str = "surrogateescape"

    def encode(self, text: str) -> bytes:
        """Return the bytes of a text."""
        return text.encode("utf-8", self.errors)


def text_format(config: StreamConfig, names: Sequence[str], numbers: Sequence[int] = ()) -> TextFormat:
    """Return how a result becomes one or several lines.

    Args:
        config: the format csv, jsonl or yt8m; json has the lines of jsonl.
        names: (C,) labels.
        numbers: (C,) their numbers, for yt8m.
    """
    if config.file_format in ("json", "jsonl"):
        return TextFormat("", _json_line, "backslashreplace")
    number_of = dict(zip(names, numbers, strict=True)) if numbers else {}
    header, rows_of = _csv_rows(config, names, number_of)

    def text_of(result: Result) -> str:
        rows = rows_of(result)
        return csv_text([[*map(plain_cell, row)] for row in rows] if config.spreadsheet_safe else rows)

    return TextFormat(csv_text([header]), text_of)


def write_results(
    file: BinaryIO, config: StreamConfig, names: Sequence[str], results: Iterable[Result], numbers: Sequence[int] = ()
) -> None:
    """Write results into an open file.

    Args:
        file: of bytes.
        config: the format.
        names: (C,) labels.
        results: first those of videos that were labelled, where the format is json.
        numbers: (C,) numbers of the labels, for yt8m.
    """
    if config.file_format == "parquet":
        _write_parquet(file, config, names, results)
        return
    form = text_format(config, names, numbers)
    texts = _json_texts(results) if config.file_format == "json" else map(form.text_of, results)
    for text in chain([form.header], texts):
        file.write(form.encode(text))


def describe_output(path: Path) -> str | None:
    """Return what a file holds, in words; None if no run wrote it, or if labels of a predictions file were edited."""
    return describe_predictions_file(path) or describe_pairs_file(path) or _describe_other(path)


def describe_torn(path: Path) -> str | None:
    """Return what a file holds that a killed run was writing, by its first line; None if no run wrote it."""
    with path.open("rb") as file:
        first = file.readline(1 << 16).strip()
    begins = (b"id,path,", ",".join(PAIR_COLUMNS).encode(), b'{"id": ')
    return "what an unfinished run had written" if not first or first.startswith(begins) else None


def refuse_without_parquet() -> None:
    """Raise ClassifyError if the package that writes Parquet is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise ClassifyError(
            "--format parquet needs a package that is not installed. Install it: pip install '.[parquet]', or choose "
            "--format csv or jsonl."
        ) from None


def _csv_rows(
    config: StreamConfig, names: Sequence[str], number_of: Mapping[str, int]
) -> tuple[Sequence[str], Callable[[Result], list[list[str]]]]:
    """Return the header of a CSV, and the rows of a result."""
    if config.file_format == "yt8m":
        return PAIR_COLUMNS, lambda own: [] if isinstance(own, Failure) else [pair_cells(own, number_of)]
    if config.moments:
        return MOMENT_COLUMNS, _moment_rows
    header = [*COLUMNS, *(f"{OF_LABEL}{name}" for name in names)]
    return header, lambda own: [failure_cells(own, len(names)) if isinstance(own, Failure) else own.cells(names)]


def _moment_rows(result: Result) -> list[list[str]]:
    """Return a row for each moment; one with empty cells for a video that has none."""
    if isinstance(result, Failure):
        return [[result.id, result.location, *[""] * 7, failure_text(result)]]
    begins = [result.video_id, result.location]
    rows = [
        [
            *(*begins, own.label, f"{own.start_s:.3f}", f"{own.end_s:.3f}", f"{own.best_s:.3f}", f"{own.score:.4f}"),
            *(f"{result.probabilities[own.label]:.4f}", result.how, ""),
        ]
        for own in result.moments
    ]
    return rows or [[*begins, *[""] * 6, result.how, ""]]


def _json_line(result: Result) -> str:
    told = failure_to_json(result) if isinstance(result, Failure) else result.to_json()
    return json.dumps(told, ensure_ascii=False) + "\n"


def _json_texts(results: Iterable[Result]) -> Iterator[str]:
    """Yield the text of one object, a piece a result."""
    yield _JSON_BEGINS
    between, has_failures = "\n", False
    for result in results:
        if isinstance(result, Failure) and not has_failures:
            has_failures, between = True, "\n"
            yield _JSON_FAILURES
        yield f"{between}{_json_line(result)[:-1]}"
        between = ",\n"
    yield "" if has_failures else _JSON_FAILURES
    yield _JSON_ENDS


def _write_parquet(file: BinaryIO, config: StreamConfig, names: Sequence[str], results: Iterable[Result]) -> None:
    import pyarrow
    from pyarrow import parquet

    schema = _parquet_schema(pyarrow, config, names)
    rest = iter(results)
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while rows := [_parquet_row(result, names) for result in islice(rest, _ROWS_AT_ONCE)]:
            columns = {column: [row.get(column) for row in rows] for column in schema.names}
            writer.write_table(pyarrow.table(columns, schema=schema))


def _parquet_schema(pyarrow: Any, config: StreamConfig, names: Sequence[str]) -> Any:
    text, share = pyarrow.string(), pyarrow.float32()
    columns = [("id", text), ("path", text), ("labels", pyarrow.list_(text)), ("probability", pyarrow.list_(share))]
    columns += [("error", text), *((f"{OF_LABEL}{_whole(name)}", share) for name in names)]
    if config.moments:
        times = [(name, pyarrow.float64()) for name in ("start_s", "end_s", "best_s")]
        moment = pyarrow.struct([("label", text), *times, ("score", share)])
        columns += [("moments", pyarrow.list_(moment)), ("how", text)]
    return pyarrow.schema(columns, metadata={b"made by": _MADE_BY})


def _parquet_row(result: Result, names: Sequence[str]) -> dict[str, Any]:
    if isinstance(result, Failure):
        return {"id": _whole(result.id), "path": _whole(result.location), "error": _whole(failure_text(result))}
    moments = [{**own.to_json(), "label": _whole(own.label)} for own in result.moments]
    return {
        "id": _whole(result.video_id),
        "path": _whole(result.location),
        "labels": [*map(_whole, result.labels)],
        "probability": [result.probabilities[label] for label in result.labels],
        **{f"{OF_LABEL}{_whole(name)}": result.probabilities[name] for name in names},
        "moments": moments if result.how else None,
        "how": result.how or None,
    }


def _whole(text: str) -> str:
    r"""Return a text that UTF-8 can write: bytes of file names that are none become \udc and two digits."""
    return text.encode("utf-8", "backslashreplace").decode()


def _describe_other(path: Path) -> str | None:
    """Return what a file of the other formats holds, by how it begins; None if it is none."""
    with path.open("rb") as file:
        begins = file.read(1 << 16)
    first = begins.splitlines()[0] if begins else b""
    if begins.startswith(b"PAR1"):
        return _describe_parquet(path)
    if first == ",".join(MOMENT_COLUMNS).encode():
        return "the moments of videos"
    if first == _JSON_BEGINS.encode() or first.startswith((_JSON_BEGINS + _JSON_FAILURES[:2]).encode()):
        return "the predictions of an earlier run"
    try:
        told = json.loads(first)
    except ValueError:
        return None
    keys = set(told) if isinstance(told, dict) else set()
    return "the predictions of an earlier run" if {"id", "path"} < keys and keys & {"probabilities", "reason"} else None


def _describe_parquet(path: Path) -> str | None:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        return None
    try:
        with parquet.ParquetFile(path) as file:
            count, metadata = file.metadata.num_rows, file.schema_arrow.metadata or {}
    except (ArrowException, OSError):
        return None
    return f"the predictions for {counted(count, 'video')}" if metadata.get(b"made by") == _MADE_BY else None
