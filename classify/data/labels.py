"""The labels of each video, from a label file or the names of folders, as a table in the store's order.

`classify.data.label_sources` describes label files, how they name videos, and which folder is a label.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.data.label_sources import (
    INNERMOST,
    OUTERMOST,
    SEPARATOR,
    Columns,
    FoundLabels,
    VideoListing,
    compose,
    file_labels,
    folder_labels,
    is_utf_8,
    list_first,
    note_alike,
    note_blanks,
    note_several,
    note_videos,
)
from classify.errors import LabelError
from embed.machine import counted, read_regular


@dataclass(frozen=True)
class LabelConfig:
    """Which labels to take, and in which order.

    Args:
        path: a label file; None takes the name of the folder that each id lies in.
        min_count: labels that fewer videos have are dropped, unless the vocabulary has them.
        vocabulary: labels that come first, in this order, also if no video has them; others follow, sorted. A text file
            of one label a line, a JSON list, or the folder of a head that was trained earlier.
        path_column: the label file's column that names the videos; None takes the first of `KEY_COLUMNS`.
        label_column: the label file's column of labels; None takes what `classify.data.label_sources` describes.
        multi_label: True if the labels of a video are those of all its rows in the label file; else rows that differ
            are an error.
        label_folder: without a label file, the folder that is the label: "innermost", "outermost", or 1 for the
            outermost, 2 for the next. None is the innermost, with a note where another could be meant.
    """

    path: str | Path | None = None
    min_count: int = 1
    vocabulary: str | Path | None = None
    path_column: str | None = None
    label_column: str | None = None
    multi_label: bool = False
    label_folder: str | int | None = None

    def __post_init__(self) -> None:
        if self.min_count < 1:
            raise LabelError(f"min_count is {self.min_count}. Use a whole number of 1 or more.")
        for option, value in (
            ("--path-column", self.path_column),
            ("--label-column", self.label_column),
            ("--multi-label", self.multi_label),
        ):
            if value and self.path is None:
                raise LabelError(f"{option} is for label files, but there is none. Name it with --labels.")
        if self.label_folder is not None:
            self._check_folder(self.label_folder)

    def _check_folder(self, level: str | int) -> None:
        if self.path is not None:
            raise LabelError(f"The labels are those in {self.path}, not folders. Give --labels or --label-folder.")
        if level not in (INNERMOST, OUTERMOST) and not (isinstance(level, int) and level >= 1):
            raise LabelError(
                f"The label folder is {level!r}. Use innermost, outermost, or a number: 1 is the outermost folder."
            )


Labels = str | Path | LabelConfig | None
"""The type of `labels` in library functions: a `LabelConfig`, or only its path."""


def label_config(labels: Labels) -> LabelConfig:
    """Return what library functions accept as labels as a configuration."""
    return labels if isinstance(labels, LabelConfig) else LabelConfig(labels)


def label_inputs(labels: Labels) -> tuple[str | Path, ...]:
    """Return the files and folders that labels are read from."""
    config = label_config(labels)
    return tuple(path for path in (config.path, config.vocabulary) if path is not None)


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

    def names_of(self, index: int) -> tuple[str, ...]:
        """Return the labels of one video."""
        return tuple(self.names[place] for place in np.flatnonzero(self.targets[index]))

    def labels_of(self, index: int) -> str:
        """Return the labels of one video as a label file writes them."""
        return SEPARATOR.join(self.names_of(index))

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
    config = label_config(labels)
    if group_by is not None and config.path is None:
        raise LabelError(f"There is no label file to take the column {group_by!r} from. Name it with --labels.")
    if config.path is None:
        found = folder_labels(store, config.label_folder)
    else:
        columns = Columns(config.path_column, config.label_column, group_by)
        found = file_labels(store, Path(config.path), columns, adds_up=config.multi_label)
    shown = frozenset().union(*found.labels.values())
    vocabulary = () if config.vocabulary is None else read_vocabulary(Path(config.vocabulary), shown)
    kept = _drop_rare(found, config.min_count, vocabulary)
    groups = {video_id: found.groups[video_id] for video_id in kept.labels} if group_by else None
    table = LabelTable.from_labels(kept.labels, groups=groups, vocabulary=vocabulary, notes=kept.notes)
    counts = dict(zip(table.names, table.targets.sum(axis=0).tolist(), strict=True))
    notes = (*table.notes, *note_alike(counts), *note_blanks(counts), *note_several(kept.labels))
    return replace(table, dropped=kept.dropped, notes=notes)


def read_vocabulary(path: Path, shown: Set[str] = frozenset()) -> tuple[str, ...]:
    """Read label names in their order from a head's folder, a JSON list, or a text file of one a line.

    Args:
        path: the folder or file. A label may have bytes that are no UTF-8, as names of folders have.
        shown: labels that videos have. Others with such bytes are of a file in another encoding.

    Raises:
        LabelError: there are none, one is there twice, or they cannot be read.
    """
    source = path / "head.json" if path.is_dir() else path
    try:
        text = read_regular(source).decode("utf-8-sig", "surrogateescape")
        found: Any = json.loads(text) if text.lstrip()[:1] in ("[", "{") else map(str.strip, text.split("\n"))
        names = list(found["label_names"] if isinstance(found, dict) else found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabelError(
            f"{source} is not a vocabulary: {type(error).__name__}: {error}. Name a head's folder, or a file of one "
            "label a line."
        ) from error
    vocabulary = tuple(filter(None, (compose(str(name)) for name in names)))
    odd = next((name for name in vocabulary if not is_utf_8(text) and not is_utf_8(name) and name not in shown), None)
    if odd is not None:
        raise LabelError(f"{source} is not in UTF-8: no video has the label {odd!r}. Save it as a text in UTF-8.")
    twice = next((name for name, count in Counter(vocabulary).items() if count > 1), None)
    if not vocabulary or twice is not None:
        raise LabelError(f"{source} has {f'the label {twice!r} twice' if twice else 'no label'}. Write each once.")
    return vocabulary


def _drop_rare(found: FoundLabels, min_count: int, vocabulary: Sequence[str]) -> FoundLabels:
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
    notes = (*found.notes, what, *note_videos("without any other label", labels, kept))
    return FoundLabels(kept, found.groups, notes, frozenset(rare))
