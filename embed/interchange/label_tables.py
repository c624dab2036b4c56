"""The label files that an import writes beside a store: each run adds rows, and keeps those of earlier runs."""

import csv
import glob
import io
from collections.abc import Callable, Sequence, Set
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import IO, Any, Self, final

from embed.errors import SourceError
from embed.interchange.vocabulary import SEPARATOR
from embed.machine import counted, is_left_over, read_regular
from embed.store import refusal_of, replaced_file

_TEXT: dict[str, str] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
_LINE_END = "\r\n"
_LABEL_COLUMNS = (("id", "path"), ("labels", "label"))


@final
class LabelTable:
    """A CSV file that is written whole or not at all, with the rows of an earlier run behind those of this one.

    Args:
        path: the file. If this run has no row for it, and there is no earlier one, none is made.
        columns: its header; `video` names the video, or else `id`.
        seen: ids of the videos of this run, which may grow until the end. Earlier rows of them go.
    """

    def __init__(self, path: Path, columns: Sequence[str], seen: Set[str]) -> None:
        self.path, self._columns, self._seen = path, [*columns], seen
        self._open = ExitStack()
        self._rows: Any = None

    @property
    def is_written(self) -> bool:
        """True if the file has rows of this run, or of an earlier one."""
        return self._rows is not None

    def add(self, *cells: str) -> None:
        """Add a row.

        Raises:
            StoreError: the disk cannot write it.
        """
        if self._rows is None:
            self._begin()
        self._rows.writerow(cells)

    def _begin(self) -> None:
        self._open.enter_context(refusal_of(self.path))
        beside = self._open.enter_context(replaced_file(self.path))
        file: IO[str] = self._open.enter_context(beside.open("w", **_TEXT))  # type: ignore[call-overload]
        # A cell with a carriage return is quoted only if lines end in one.
        sink = SimpleNamespace(write=lambda line: file.write(f"{line.removesuffix(_LINE_END)}\n"))
        self._rows = csv.writer(sink, lineterminator=_LINE_END)
        self._rows.writerow(self._columns)

    def __enter__(self) -> Self:
        with refusal_of(self.path):
            for left in self.path.parent.glob(f"{glob.escape(self.path.name)}.*.tmp"):
                if is_left_over(left.name.removesuffix(".tmp").replace(".", "-")):  # by a killed run
                    left.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._keep_earlier()
        self._open.__exit__(kind, error, trace)

    def _keep_earlier(self) -> None:
        """Copy the rows of earlier runs."""
        if not self.path.exists():
            return
        if self._rows is None:
            self._begin()
        place = _video_column(self._columns)
        with self.path.open(**_TEXT) as file:  # type: ignore[call-overload]
            rows = csv.reader(file)
            next(rows, None)
            self._rows.writerows(row for row in rows if len(row) > place and row[place] not in self._seen)


def recogniser(columns: Sequence[str]) -> Callable[[Path], str | None]:
    """Return what tells an earlier file of a run from others: "the labels of 24 videos", or None."""

    def recognise(path: Path) -> str | None:
        place = _video_column(columns)
        with path.open(**_TEXT) as file:  # type: ignore[call-overload]
            rows = csv.reader(file)
            if next(rows, None) != [*columns]:
                return None
            return f"the labels of {counted(len({row[place] for row in rows if len(row) > place}), 'video')}"

    return recognise


def read_label_file(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Return id -> labels of a CSV file with the columns id (or path) and labels (or label).

    Raises:
        SourceError: it cannot be read, or lacks a column.
    """
    try:
        text = read_regular(path).decode("utf-8-sig", "surrogateescape")
        rows = csv.DictReader(io.StringIO(text, newline=""), restval="")
        columns = rows.fieldnames or ()
        ids, labels = (next((name for name in names if name in columns), "") for names in _LABEL_COLUMNS)
        if not ids or not labels:
            raise SourceError(f"{path} lacks the column id or labels. Name a CSV file that has both with --labels.")
        found: dict[str, dict[str, None]] = {}
        for row in rows:
            own = filter(None, (name.strip() for name in row[labels].split(SEPARATOR)))
            found.setdefault(row[ids], {}).update(dict.fromkeys(own))
    except (OSError, csv.Error) as error:
        raise SourceError(f"{path} cannot be read: {error}. Name a CSV file with --labels.") from error
    return {video_id: tuple(names) for video_id, names in found.items()}


def _video_column(columns: Sequence[str]) -> int:
    """Return the place of the column that names the video: its own, or else that of ids."""
    return columns.index("video" if "video" in columns else "id")
