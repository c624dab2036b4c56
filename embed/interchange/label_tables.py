"""The label files that an import writes beside a store: each run adds rows, and keeps those of earlier runs."""

import csv
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, final

from embed.machine import counted
from embed.store import refusal_of, replaced_file

_TEXT: dict[str, str] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


@final
class LabelTable:
    """A CSV file that is written whole or not at all, with the rows of an earlier run behind those of this one.

    Rows of an earlier run stay if their path is not among the new ones. Without a new row, the file is not touched.

    Args:
        path: the file.
        columns: its header; the first column is the video's id.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self._columns = path, [*columns]
        self._open = ExitStack()
        self._rows: Any = None
        self._written: set[str] = set()

    @property
    def is_written(self) -> bool:
        """True if a row was added."""
        return self._rows is not None

    def add(self, video_id: str, *cells: object) -> None:
        """Add a row.

        Raises:
            StoreError: the disk cannot write it.
        """
        if self._rows is None:
            self._open.enter_context(refusal_of(self.path))
            beside = self._open.enter_context(replaced_file(self.path))
            file: IO[str] = self._open.enter_context(beside.open("w", **_TEXT))  # type: ignore[call-overload]
            self._rows = csv.writer(file, lineterminator="\n")
            self._rows.writerow(self._columns)
        self._rows.writerow([video_id, *cells])
        self._written.add(video_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._rows is not None and kind is None:
            self._keep_earlier()
        self._open.__exit__(kind, error, trace)

    def _keep_earlier(self) -> None:
        """Copy the rows of earlier runs."""
        if not self.path.exists():
            return
        with self.path.open(**_TEXT) as file:  # type: ignore[call-overload]
            rows = csv.reader(file)
            next(rows, None)
            self._rows.writerows(row for row in rows if row and row[0] not in self._written)


def recogniser(columns: Sequence[str]) -> Callable[[Path], str | None]:
    """Return what tells an earlier file of a run from others: "the labels of 24 videos", or None."""

    def recognise(path: Path) -> str | None:
        with path.open(**_TEXT) as file:  # type: ignore[call-overload]
            rows = csv.reader(file)
            if next(rows, None) != [*columns]:
                return None
            return f"the labels of {counted(len({row[0] for row in rows if row}), 'video')}"

    return recognise
