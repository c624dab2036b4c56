"""The labels of each video, from a label file or the names of folders, as a table in the store's order.

`classify.data.label_files` describes label files. Without one, the label of a video is the name of the folder that it
lies in.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from classify.data.label_files import SEPARATOR, LabelFile, LabelRow, compose, read_label_file
from classify.errors import LabelError
from embed.machine import counted
from embed.store import Failure

_LISTED = 10  # a message lists at most this many names, then "and 7 more"


@dataclass(frozen=True)
class LabelConfig:
    """Which labels to take, and in which order.

    Args:
        path: a label file; None takes the name of the folder that each id lies in.
        min_count: labels that fewer videos have are dropped, unless the vocabulary has them.
        vocabulary: labels that come first, in this order, also if no video has them; others follow, sorted. A text file
            of one label a line, a JSON list, or the folder of a head that was trained earlier.
    """

    path: str | Path | None = None
    min_count: int = 1
    vocabulary: str | Path | None = None

    def __post_init__(self) -> None:
        if self.min_count < 1:
            raise LabelError(f"min_count is {self.min_count}. Use a whole number of 1 or more.")


class Located(Protocol):
    """Something that lies in a place."""

    @property
    def location(self) -> str:
        """An absolute path, or an address."""


class VideoListing(Protocol):
    """Videos that labels are read for: an `EmbeddingStore`, or what will be embedded into one."""

    @property
    def path(self) -> Path:
        """Where the store or the folder is; messages name it."""

    @property
    def ids(self) -> Sequence[str]:
        """Ids of the videos, in their order."""

    @property
    def failures(self) -> Sequence[Failure]:
        """Videos that could not be embedded."""

    def __contains__(self, video_id: object) -> bool:
        """Return True if a video has this id."""

    def video(self, video_id: str) -> Located:
        """Return what is known of the video of this id."""


Labels = str | Path | LabelConfig | None
"""The type of `labels` in library functions: a `LabelConfig`, or only its path."""


@dataclass(frozen=True)
class LabelTable:
    """The labels of N videos over C classes.

    Args:
        ids: (N,) ids of the videos, in the order of the store.
        names: (C,) names of the labels, first those of a vocabulary, then the others, sorted; every array of classes
            has their order.
        targets: (N, C) bool, True where the video has the label. A video may have none, though `read_labels` leaves
            out such videos; a label of the vocabulary may have no video.
        groups: (N,) the group of each video, or None.
        notes: sentences for people about what was left out and why.
        dropped: labels that were left out, since too few videos have them.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    targets: NDArray[np.bool_]
    groups: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    dropped: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        expected = (len(self.ids), len(self.names))
        if self.targets.shape != expected or self.targets.dtype != np.bool_:
            raise LabelError(
                f"Targets are {self.targets.dtype} {self.targets.shape}, but the ids and names need bool {expected}."
            )
        joined = next((name for name in self.names if SEPARATOR in name), None)
        if joined is not None:
            raise LabelError(
                f"The label {joined!r} has a {SEPARATOR!r} in its name, which separates labels in split files and "
                "predictions. Rename the folder or column that it comes from; if it was a folder, embed again."
            )
        if self.groups is not None and len(self.groups) != len(self.ids):
            raise LabelError(
                f"There are {len(self.groups)} groups for {counted(len(self.ids), 'video')}. Pass one for each video."
            )

    def labels_of(self, index: int) -> str:
        """Return the labels of one video as a label file writes them."""
        return SEPARATOR.join(self.names[place] for place in np.flatnonzero(self.targets[index]))

    def take(self, rows: NDArray[np.int64]) -> "LabelTable":
        """Return the table of the videos at `rows`, with all label names."""
        groups = None if self.groups is None else tuple(self.groups[row] for row in rows)
        return replace(self, ids=tuple(self.ids[row] for row in rows), targets=self.targets[rows], groups=groups)

    @classmethod
    def from_labels(
        cls,
        labels: Mapping[str, Iterable[str]],
        *,
        groups: Mapping[str, str] | None = None,
        vocabulary: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> "LabelTable":
        """Return a table of the labels of each video.

        Args:
            labels: id -> the video's labels.
            groups: id -> its group.
            vocabulary: the first names, in this order.
            notes: notes of the table.

        >>> table = LabelTable.from_labels({"b.mp4": ["hug"], "a.mp4": ["kick", "hug"]})
        >>> table.ids, table.names
        (('a.mp4', 'b.mp4'), ('hug', 'kick'))
        >>> table.targets.tolist()
        [[True, True], [True, False]]
        """
        ids = tuple(sorted(labels))
        sets = [frozenset(labels[video_id]) for video_id in ids]
        names = (*vocabulary, *sorted(frozenset().union(*sets) - set(vocabulary)))
        place_of = {name: place for place, name in enumerate(names)}
        targets = np.zeros((len(ids), len(names)), dtype=np.bool_)
        for row, video in zip(targets, sets, strict=True):
            row[[place_of[name] for name in video]] = True
        found = None if groups is None else tuple(groups[video_id] for video_id in ids)
        return cls(ids, names, targets, found, tuple(notes))


def read_labels(store: VideoListing, labels: Labels = None, *, group_by: str | None = None) -> LabelTable:
    """Read the labels of the videos of a store.

    Args:
        store: the videos. Those without a label are left out, with a note.
        labels: which labels to take; a path is a label file, None takes the folders' names.
        group_by: the label file's column to group videos by.

    Raises:
        LabelError: a file cannot be read, contradicts itself about a video, or names no video of the store; or too few
            videos have any label.
    """
    config = labels if isinstance(labels, LabelConfig) else LabelConfig(labels)
    if group_by is not None and config.path is None:
        raise LabelError(f"There is no label file to take the column {group_by!r} from. Name it with --labels.")
    vocabulary = () if config.vocabulary is None else read_vocabulary(Path(config.vocabulary))
    found = _folder_labels(store) if config.path is None else _file_labels(store, Path(config.path), group_by)
    kept = _drop_rare(found, config.min_count, vocabulary)
    groups = {video_id: found.groups[video_id] for video_id in kept.labels} if group_by else None
    table = LabelTable.from_labels(kept.labels, groups=groups, vocabulary=vocabulary, notes=kept.notes)
    return replace(table, dropped=kept.dropped)


def read_vocabulary(path: Path) -> tuple[str, ...]:
    """Read label names in their order from a head's folder, a JSON list, or a text file of one a line.

    Raises:
        LabelError: there are none, one is there twice, or they cannot be read.
    """
    source = path / "head.json" if path.is_dir() else path
    try:
        text = source.read_text(encoding="utf-8-sig")
        found: Any = json.loads(text) if text.lstrip()[:1] in ("[", "{") else text.split("\n")
        names = list(found["label_names"] if isinstance(found, dict) else found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabelError(
            f"{source} is not a vocabulary: {type(error).__name__}: {error}. Name a head's folder, or a file of one "
            "label a line."
        ) from error
    vocabulary = tuple(filter(None, (compose(str(name)).strip() for name in names)))
    twice = next((name for name, count in Counter(vocabulary).items() if count > 1), None)
    if not vocabulary or twice is not None:
        raise LabelError(f"{source} has {f'the label {twice!r} twice' if twice else 'no label'}. Write each once.")
    return vocabulary


def list_first(names: Sequence[str]) -> str:
    """Return names with commas between them; of many, the first ten.

    >>> list_first("abcdefghijklm")
    'a, b, c, d, e, f, g, h, i, j and 3 more'
    """
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


@dataclass(frozen=True)
class _Found:
    """Labels of videos in the store: id -> labels and id -> group; and the rare labels that were dropped."""

    labels: Mapping[str, frozenset[str]]
    groups: Mapping[str, str]
    notes: tuple[str, ...]
    dropped: frozenset[str] = frozenset()


def _folder_labels(store: VideoListing) -> _Found:
    folders = {video_id: compose(PurePosixPath(video_id).parent.name) for video_id in store.ids}
    labels = {video_id: frozenset({folder}) for video_id, folder in folders.items() if folder}
    if not labels:
        raise LabelError(
            f"No id in {store.path} lies in a folder that could be its label, e.g. {next(iter(folders), '')!r}. "
            "Name a label file with --labels."
        )
    return _Found(labels, {}, _note("without a label (their ids name no folder)", folders, labels))


def _file_labels(store: VideoListing, path: Path, group_by: str | None) -> _Found:
    file = read_label_file(path, group_by)
    ids = _ids_of(file.rows, store, path)
    found = _merge(file, ids)
    failed = {failure.id for failure in store.failures}
    known = {video_id: row for video_id, row in found.items() if video_id in store and row.labels}
    if not known:
        raise LabelError(
            f"{path} labels no video of {store.path}: it names e.g. {file.rows[0].key!r}, but the ids are e.g. "
            f"{store.ids[0] if store.ids else '(none)'!r}. Write these ids into a column `id`, or paths relative to "
            "the label file into a column `path`."
        )
    unlabelled = [video_id for video_id, row in found.items() if not row.labels]
    absent = [video_id for video_id, row in found.items() if row.labels and video_id not in store]
    notes = (
        *file.notes,
        *_note(f"with several rows in {path.name}, whose labels add up", _added_up(file, ids), ()),
        *_note("labelled but not embedded (inspect-embeddings lists the reasons)", absent, set(absent) - failed),
        *_note("labelled but not in the store", absent, failed),
        *_note(f"without a label in {path.name}", [*unlabelled, *store.ids], known),
    )
    groups = {video_id: row.group for video_id, row in known.items()}
    return _Found({video_id: row.labels for video_id, row in known.items()}, groups, notes)


def _drop_rare(found: _Found, min_count: int, vocabulary: Sequence[str]) -> _Found:
    """Return the labels without those that too few videos have, and without videos that have no other; note both."""
    counts = Counter(name for names in found.labels.values() for name in names)
    rare = {name: count for name, count in counts.items() if count < min_count and name not in vocabulary}
    if not rare:
        return found
    labels = {video_id: names - rare.keys() for video_id, names in found.labels.items()}
    kept = {video_id: names for video_id, names in labels.items() if names}
    if not kept:
        raise LabelError(
            f"No label has {counted(min_count, 'video')}; the most frequent, "
            f"{max(counts, key=counts.__getitem__)!r}, has {max(counts.values())}. Lower min_count, or label more "
            "videos."
        )
    falling = [f"{name} ({count})" for name, count in sorted(rare.items(), key=lambda entry: (-entry[1], entry[0]))]
    what = f"{counted(len(rare), 'label')} of fewer than {min_count} videos dropped: {list_first(falling)}."
    notes = (*found.notes, what, *_note("without any other label", labels, kept))
    return _Found(kept, found.groups, notes, frozenset(rare))


def _ids_of(rows: Sequence[LabelRow], store: VideoListing, path: Path) -> dict[str, str]:
    """Return the key of each row -> the id of the video that it names; a key that names no video maps to itself."""
    known = {*store.ids, *(failure.id for failure in store.failures)}
    if all(row.key in known for row in rows):
        return {row.key: row.key for row in rows}  # reading the locations of all videos takes longer than their ids
    places = {_place(failure.location, Path()): failure.id for failure in store.failures}
    places |= {_place(store.video(video_id).location, Path()): video_id for video_id in store.ids}
    return {row.key: row.key if row.key in known else places.get(_place(row.key, path.parent), row.key) for row in rows}


def _place(location: str, folder: Path) -> str:
    return location if "://" in location else str((folder / location).resolve())


def _merge(file: LabelFile, ids: Mapping[str, str]) -> dict[str, LabelRow]:
    """Return one row for each video: labels add up if a row gives one label, and must agree otherwise."""
    found: dict[str, LabelRow] = {}
    for row in file.rows:
        first = found.setdefault(ids[row.key], row)
        agrees = file.is_long or first.labels == row.labels
        if not agrees or first.group != row.group:
            raise LabelError(
                f"Lines {first.line} and {row.line} of {file.path} contradict each other about {ids[row.key]!r}. "
                f"Keep one line for each video, with {SEPARATOR!r} between several labels."
            )
        found[ids[row.key]] = replace(first, labels=first.labels | row.labels)
    return found


def _added_up(file: LabelFile, ids: Mapping[str, str]) -> list[str]:
    """Return the videos that have different labels in several rows."""
    sets: dict[str, set[frozenset[str]]] = {}
    for row in file.rows:
        sets.setdefault(ids[row.key], set()).add(row.labels)
    return [video_id for video_id, different in sets.items() if len(different) > 1]


def _note(what: str, ids: Iterable[str], without: Iterable[str]) -> tuple[str, ...]:
    """Return a note on the ids that are not in `without`; none if there are no such ids."""
    left = sorted(set(ids) - set(without))
    if not left:
        return ()
    return (f"{counted(len(left), 'video')} {what}: {list_first(left)}.",)
