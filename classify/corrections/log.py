"""Corrections of labels, in a table to which rows are only added.

    corrections    number, batch, made_at, who, video_id, content_hash, labels, undoes

What was said together is a batch. A batch that undoes another is a row without a video. A correction holds unless its
batch is undone; of several of one video, the last holds. Nothing is ever deleted, so the file tells who said what when.

The file is SQLite's, with a write-ahead log: several processes may read and write at once, and one that is killed
leaves whole batches only.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import final

from classify.data import SEPARATOR
from classify.errors import LabelError
from classify.files import csv_text

_SCHEMA = """
create table if not exists corrections (
    number integer primary key,
    batch integer not null,
    made_at text not null,
    who text not null,
    video_id blob,
    content_hash text not null,
    labels text,
    undoes integer
)
"""
_COLUMNS = "batch, made_at, who, video_id, content_hash, labels, undoes"
_WAIT_S = 30.0
_LONGEST_NAME = 1000
"""Characters of a label or of somebody's name."""


@final
@dataclass(frozen=True)
class Correction:
    """What somebody said of a video.

    Args:
        video_id: its id in the store.
        labels: its right labels; () says that it has none of those that are known, None that nobody knows any more.
        content_hash: of its file, where the store knows it: it finds the video under another id.
        who: who said it; "" if unknown.
        made_at: when, ISO 8601 in UTC. The log fills it in.
        batch: the number of what was said together. The log fills it in.
    """

    video_id: str
    labels: tuple[str, ...] | None
    content_hash: str = ""
    who: str = ""
    made_at: str = ""
    batch: int = 0


def state_path(store: str | Path) -> Path:
    """Return where the corrections of a store are: beside it.

    >>> str(state_path("sets/embeddings.h5"))
    'sets/embeddings.state.sqlite'
    """
    return Path(store).with_suffix(".state.sqlite")


@final
class CorrectionLog:
    """Reads corrections, and adds to them. It may be shared by threads.

    Args:
        path: the file, which the first correction makes.

    Raises:
        LabelError: on each call, if the file cannot be read or written, or is something else.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def append(self, corrections: Sequence[Correction], *, who: str = "") -> int:
        """Add what was said together, and return the number of this batch.

        Args:
            corrections: one for each video.
            who: who said it, if the corrections do not say it themselves.

        Raises:
            LabelError: there is none, a name cannot be a label's, or the file cannot be written.
        """
        if not corrections:
            raise LabelError("There is no correction to store. Name at least one video.")
        for correction in corrections:
            _check(correction, correction.who or who)
        rows = [
            (
                given.who or who,
                given.video_id.encode("utf-8", "surrogateescape"),
                given.content_hash,
                None if given.labels is None else json.dumps(list(dict.fromkeys(given.labels))),
                None,
            )
            for given in corrections
        ]
        with self._open(is_writing=True) as connection:
            return _insert(connection, rows)

    def undo(self, batch: int, *, who: str = "") -> int:
        """Take back what was said together, and return the number of the batch that does so: undo it to redo.

        Raises:
            LabelError: there is no such batch, it is undone already, or the file cannot be written.
        """
        with self._open(is_writing=True) as connection:
            rows = _read(connection)
            if batch not in {row.batch for row in rows}:
                raise LabelError(f"There is no batch {batch} of corrections, so none is taken back.")
            if batch not in _holding(rows):
                raise LabelError(f"The batch {batch} of corrections is taken back already.")
            return _insert(connection, [(who, None, "", None, batch)])

    def current(self) -> dict[str, Correction]:
        """Return what holds now: id -> its correction, in the order in which videos were first corrected."""
        rows = self._rows()
        holding = _holding(rows)
        found: dict[str, Correction] = {}
        for row in rows:
            if row.correction is not None and row.batch in holding:
                found[row.correction.video_id] = row.correction
        return {video_id: correction for video_id, correction in found.items() if correction.labels is not None}

    def history(self) -> list[Correction]:
        """Return every correction ever made, in order, those that were taken back included."""
        return [row.correction for row in self._rows() if row.correction is not None]

    def version(self) -> int:
        """Return a number that grows with every batch; 0 while there is none."""
        return max((row.batch for row in self._rows()), default=0)

    def to_csv(self) -> str:
        """Return what holds now as a label file, which `split-videos --labels` takes, with when and by whom."""
        rows = (
            (correction.video_id, SEPARATOR.join(correction.labels or ()), correction.made_at, correction.who)
            for correction in self.current().values()
        )
        return csv_text([("id", "labels", "made_at", "who"), *rows])

    def _rows(self) -> "list[_Row]":
        if not self.path.exists():
            return []
        with self._open() as connection:
            return _read(connection)

    @contextmanager
    def _open(self, *, is_writing: bool = False) -> Iterator[sqlite3.Connection]:
        """Open the file; what is written in the block is stored whole when it ends, or not at all."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=_WAIT_S, isolation_level=None)
            try:
                connection.execute("pragma journal_mode = wal")
                connection.execute("pragma synchronous = full")
                connection.execute("begin immediate" if is_writing else "begin")
                connection.execute(_SCHEMA)
                yield connection
                connection.execute("commit")
            finally:
                connection.close()
        except (sqlite3.Error, OSError) as error:
            raise LabelError(
                f"The corrections in {self.path} cannot be {'written' if is_writing else 'read'}: {error}. Make the "
                "file readable and writable, or move it away if it is something else; then begin anew."
            ) from error


@final
@dataclass(frozen=True)
class _Row:
    batch: int
    correction: Correction | None
    undoes: int | None


def _read(connection: sqlite3.Connection) -> list[_Row]:
    found = []
    for batch, made_at, who, video_id, content_hash, labels, undoes in connection.execute(
        f"select {_COLUMNS} from corrections order by number"
    ):
        correction = None
        if video_id is not None:
            names = None if labels is None else tuple(json.loads(labels))
            name = bytes(video_id).decode("utf-8", "surrogateescape")
            correction = Correction(name, names, content_hash, who, made_at, batch)
        found.append(_Row(batch, correction, undoes))
    return found


def _insert(connection: sqlite3.Connection, rows: Sequence[tuple[object, ...]]) -> int:
    """Add rows as one batch, made now, and return its number."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    (batch,) = connection.execute("select coalesce(max(batch), 0) + 1 from corrections").fetchone()
    marks = ", ".join("?" * 7)
    connection.executemany(
        f"insert into corrections ({_COLUMNS}) values ({marks})",
        [(batch, now, *row) for row in rows],
    )
    return int(batch)


def _holding(rows: Sequence[_Row]) -> set[int]:
    """Return the batches that hold. An undone undo undoes nothing, and only a later batch undoes one."""
    undone: set[int] = set()
    undoers: Mapping[int, int] = {row.batch: row.undoes for row in rows if row.undoes is not None}
    for batch in sorted(undoers, reverse=True):
        if batch not in undone:
            undone.add(undoers[batch])
    return {row.batch for row in rows} - undone


def _check(correction: Correction, who: str) -> None:
    if "\0" in correction.video_id or not correction.video_id:
        raise LabelError(f"{correction.video_id!r} is no id of a video.")
    for name in (*(correction.labels or ()), *([who] if who else [])):
        if not name.strip() or SEPARATOR in name or "\0" in name or len(name) > _LONGEST_NAME:
            raise LabelError(
                f"{name[:_LONGEST_NAME]!r} cannot be a label or a name: it needs 1 to {_LONGEST_NAME:,} characters, "
                f"without {SEPARATOR!r}, which separates labels in files."
            )
