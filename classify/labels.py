"""What each video shows: a label file, or the folders' names, as a table in the store's order.

A label file is a CSV. One column names the video: `id` (its id in the store) or `path` (its id, or the place of the
file, relative to the CSV's folder). One column, `label` or `labels`, says what it shows, with `|` between several
labels. Any other column can serve to group videos.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from classify.errors import LabelError
from embed.store import EmbeddingStore

SEPARATOR = "|"
"""Stands between several labels of one video, in label files, split files and predictions."""

_LISTED = 10  # names spelled out in a message before "and 7 more"


@dataclass(frozen=True)
class LabelTable:
    """The labels of N videos over C classes.

    Args:
        ids: (N,) ids of the videos, in the order of the store.
        names: (C,) names of the labels, sorted; their order is that of every array of classes.
        targets: (N, C) bool, True where the video has the label. Every video has one at least.
        groups: (N,) what the videos are grouped by, or None.
        notes: sentences about what was left out and why, for people.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    targets: NDArray[np.bool_]
    groups: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        expected = (len(self.ids), len(self.names))
        if self.targets.shape != expected or self.targets.dtype != np.bool_:
            raise LabelError(
                f"Targets are {self.targets.dtype} {self.targets.shape}, but the ids and names say bool {expected}."
            )
        if self.groups is not None and len(self.groups) != len(self.ids):
            raise LabelError(f"There are {len(self.groups)} groups for {len(self.ids)} videos. Give one a video.")

    def labels_of(self, index: int) -> str:
        """Return the labels of one video as a label file would write them."""
        return SEPARATOR.join(name for name, has in zip(self.names, self.targets[index], strict=True) if has)

    @classmethod
    def from_labels(
        cls,
        labels: Mapping[str, Iterable[str]],
        *,
        groups: Mapping[str, str] | None = None,
        notes: Sequence[str] = (),
    ) -> "LabelTable":
        """Make a table of what each video shows.

        Args:
            labels: id -> the video's labels.
            groups: id -> its group.
            notes: kept with the table.

        >>> table = LabelTable.from_labels({"b.mp4": ["hug"], "a.mp4": ["kick", "hug"]})
        >>> table.ids, table.names
        (('a.mp4', 'b.mp4'), ('hug', 'kick'))
        >>> table.targets.tolist()
        [[True, True], [True, False]]
        """
        ids = tuple(sorted(labels))
        sets = [frozenset(labels[video_id]) for video_id in ids]
        names = tuple(sorted(frozenset().union(*sets)))
        targets = np.array([[name in video for name in names] for video in sets], dtype=np.bool_)
        found = None if groups is None else tuple(groups[video_id] for video_id in ids)
        return cls(ids, names, targets.reshape(len(ids), len(names)), found, tuple(notes))


def read_labels(store: EmbeddingStore, path: str | Path | None = None, *, group_by: str | None = None) -> LabelTable:
    """Read what the videos of a store show.

    Args:
        store: the videos. Those without a label are left out, with a note.
        path: a label file; None takes the name of the folder that each id lies in.
        group_by: the label file's column to group videos by.

    Raises:
        LabelError: the file cannot be read, says two things about one video, or fits no video of the store.
    """
    if path is not None:
        return _file_labels(store, Path(path), group_by)
    if group_by is not None:
        raise LabelError(f"There is no label file to take the column {group_by!r} from. Name it with --labels.")
    return _folder_labels(store)


@dataclass(frozen=True)
class _Row:
    """One row of a label file; `line` is where it stands, counted from 1 as editors do."""

    line: int
    key: str
    labels: frozenset[str]
    group: str


def _folder_labels(store: EmbeddingStore) -> LabelTable:
    folders = {video_id: PurePosixPath(video_id).parent.name for video_id in store.ids}
    labels = {video_id: [folder] for video_id, folder in folders.items() if folder}
    if not labels:
        raise LabelError(
            f"No id in {store.path} lies in a folder that could be its label, e.g. {next(iter(folders), '')!r}. "
            "Name a label file with --labels."
        )
    return LabelTable.from_labels(labels, notes=_note("without a label (their ids name no folder)", folders, labels))


def _file_labels(store: EmbeddingStore, path: Path, group_by: str | None) -> LabelTable:
    rows = _read_rows(path, group_by)
    ids = _ids_of(rows, store, path)
    found = _merge(rows, ids, path)
    failed = {failure.id for failure in store.failures}
    known = {video_id: row for video_id, row in found.items() if video_id in store and row.labels}
    if not known:
        raise LabelError(
            f"{path} labels no video of {store.path}: it names e.g. {rows[0].key!r}, the store holds e.g. "
            f"{store.ids[0] if store.ids else '(nothing)'!r}. Write the store's ids into a column `id`, or paths that "
            "are relative to the label file into a column `path`."
        )
    unlabelled = [video_id for video_id, row in found.items() if not row.labels]
    absent = [video_id for video_id, row in found.items() if row.labels and video_id not in store]
    notes = (
        *_note("labelled but not embedded, since they failed", absent, set(absent) - failed),
        *_note("labelled but not in the store", absent, failed),
        *_note(f"without a label in {path.name}", [*unlabelled, *store.ids], known),
    )
    groups = {video_id: row.group for video_id, row in known.items()} if group_by else None
    return LabelTable.from_labels({i: row.labels for i, row in known.items()}, groups=groups, notes=notes)


def _read_rows(path: Path, group_by: str | None) -> list[_Row]:
    try:
        # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
            key, label = _columns(path, reader.fieldnames, group_by)
            rows = [_row(path, reader.line_num, cells, (key, label, group_by)) for cells in reader]
    except OSError as error:
        raise LabelError(f"{path} cannot be read: {error.strerror}. Name a CSV file with --labels.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise LabelError(f"{path} is not a CSV file in UTF-8: {error}. Save it as one.") from error
    found = [row for row in rows if row is not None]
    if not found:
        raise LabelError(f"{path} has no rows below its header. Write one row a video.")
    return found


def _columns(path: Path, columns: Sequence[str], group_by: str | None) -> tuple[str, str]:
    """Return the names of the columns that hold the videos and the labels."""
    key = next((name for name in ("id", "path") if name in columns), None)
    labels = [name for name in ("label", "labels") if name in columns]
    listed = ", ".join(columns) or "(none)"
    if key is None or len(labels) != 1:
        raise LabelError(
            f"{path} has the columns {listed}, but needs `id` or `path`, and either `label` or `labels`. "
            "Rename the columns in its first line."
        )
    if group_by is not None and group_by not in columns:
        raise LabelError(f"{path} has no column {group_by!r} to group by. It has: {listed}.")
    return key, labels[0]


def _row(path: Path, line: int, cells: Mapping[str, str | None], columns: tuple[str, str, str | None]) -> _Row | None:
    """Read one row; None where all its cells are blank."""
    if None in cells:  # DictReader's key for what stands beyond the header's last column
        raise LabelError(f"{path}, line {line}, has more cells than the header. Quote cells that hold a comma.")
    texts = {name: (cell or "").strip() for name, cell in cells.items()}
    if not any(texts.values()):
        return None
    key, labels, group = (texts[name] if name else "" for name in columns)
    if not key:
        raise LabelError(f"{path}, line {line}, names no video: its {columns[0]} is blank. Fill it in.")
    if columns[2] and not group:
        raise LabelError(f"{path}, line {line}, has no {columns[2]}. Give every video a group, if only its own.")
    return _Row(line, key, frozenset(filter(None, map(str.strip, labels.split(SEPARATOR)))), group)


def _ids_of(rows: Sequence[_Row], store: EmbeddingStore, path: Path) -> dict[str, str]:
    """Map each row's key to the id of the video it means; a key that fits no video stands for itself."""
    known = {*store.ids, *(failure.id for failure in store.failures)}
    if all(row.key in known for row in rows):
        return {row.key: row.key for row in rows}  # locations of all videos are slower to read than ids
    places = {_place(failure.location, Path()): failure.id for failure in store.failures}
    places |= {_place(store.video(video_id).location, Path()): video_id for video_id in store.ids}
    return {row.key: row.key if row.key in known else places.get(_place(row.key, path.parent), row.key) for row in rows}


def _place(location: str, folder: Path) -> str:
    return location if "://" in location else str((folder / location).resolve())


def _merge(rows: Sequence[_Row], ids: Mapping[str, str], path: Path) -> dict[str, _Row]:
    """Join rows that say the same about one video; refuse rows that do not."""
    found: dict[str, _Row] = {}
    for row in rows:
        first = found.setdefault(ids[row.key], row)
        if (first.labels, first.group) != (row.labels, row.group):
            raise LabelError(
                f"{path} says two things about {ids[row.key]!r}, in lines {first.line} and {row.line}. "
                f"Keep one line a video, with {SEPARATOR!r} between several labels."
            )
    return found


def _note(what: str, ids: Iterable[str], without: Iterable[str]) -> tuple[str, ...]:
    """Say which of the ids are not in `without`; nothing where there are none."""
    left = sorted(set(ids) - set(without))
    if not left:
        return ()
    more = f" and {len(left) - _LISTED} more" if len(left) > _LISTED else ""
    return (f"{len(left)} video{'s' if len(left) > 1 else ''} {what}: {', '.join(left[:_LISTED])}{more}.",)
