"""Split files: the part of each video, written, read back and checked against the store.

A split file is a CSV with the columns id, part (train, validation or test) and labels (`|` between several). Further
columns, where they are known: group; content_hash, by which `--keep` recognises a video under a new id; labels_from,
the label file (`classify.data.split_labels`), and behind it `&rows=` with digits of a hash of the other columns, which
tell whether somebody edited the file. Without the column labels, it fits any labels of the videos.
"""

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.data.label_sources import SEPARATOR, compose, is_utf_8, list_first
from classify.data.labels import LabelTable
from classify.errors import SplitError
from classify.files import csv_text, hash_text, refuse_output_file, write_whole
from embed.machine import counted, read_regular

PARTS = ("train", "validation", "test")

_ROWS = re.compile(r"[?&]rows=([0-9a-f]{16})$")  # at the end of the column labels_from
_COLUMNS, _MORE_COLUMNS = ["id", "part", "labels"], ["group", "content_hash", "labels_from"]
_GAPS = {
    "train": "A head cannot learn them.",
    "validation": "Validation figures say nothing about them.",
    "test": "Test figures say nothing about them.",
}


@dataclass(frozen=True)
class Split:
    """The part of each of N videos.

    Args:
        ids: (N,) ids of the videos.
        parts: (N,) "train", "validation" or "test".
        groups: (N,) group of each video, or None. No group is in two parts.
        content_hashes: (N,) hash of each video's file, "" where unknown; or None.
        labels_from: the labels that it was made with, as the split file says it (`classify.data.split_labels`).
    """

    ids: tuple[str, ...]
    parts: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    content_hashes: tuple[str, ...] | None = None
    labels_from: str = ""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.parts) - set(PARTS))
        if unknown:
            raise SplitError(f"A split has the part {unknown[0]!r}. Parts are: {', '.join(PARTS)}.")
        twice = next((video_id for video_id, count in Counter(self.ids).items() if count > 1), None)
        if twice is not None:
            raise SplitError(f"A split names {twice!r} twice. Keep one line for each video.")
        _refuse_straddling(self)

    def indices(self, part: str) -> NDArray[np.int64]:
        """Return the places in `ids` of the videos of a part."""
        return np.flatnonzero(np.array(self.parts) == part)

    def take(self, rows: Sequence[int]) -> "Split":
        """Return the same for the videos at `rows` alone, in their order."""
        groups, hashes = (
            None if column is None else tuple(column[row] for row in rows)
            for column in (self.groups, self.content_hashes)
        )
        ids, parts = (tuple(column[row] for row in rows) for column in (self.ids, self.parts))
        return replace(self, ids=ids, parts=parts, groups=groups, content_hashes=hashes)


@dataclass(frozen=True)
class SplitSummary:
    """The result of `split_videos`.

    Args:
        path: the split file.
        names: (C,) label names.
        class_counts: part -> (C,) number of videos of each class.
        video_counts: part -> number of videos.
        group_counts: part -> number of groups; None if videos are not grouped.
        notes: sentences about what was left out, and about parts that are too small.
        replaced: a sentence about what the split file replaced; None if nothing.
    """

    path: Path
    names: tuple[str, ...]
    class_counts: Mapping[str, tuple[int, ...]]
    video_counts: Mapping[str, int]
    group_counts: Mapping[str, int] | None
    notes: tuple[str, ...]
    replaced: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the summary JSON-ready."""
        return {
            "split": str(self.path),
            "videos": self.video_counts,
            "groups": self.group_counts,
            "classes": {part: dict(zip(self.names, counts, strict=True)) for part, counts in self.class_counts.items()},
            "notes": self.notes,
        }


def refuse_split_file(
    path: str | Path, *, inputs: Iterable[str | Path], overwrite: bool = False, keep: str | Path | None = None
) -> str | None:
    """Raise ClassifyError unless a split file may be written at a path; return what it replaces, in a sentence.

    An edited split file is replaced only if it is the one whose parts are kept, since then nothing is lost.
    """
    is_kept = keep is not None and os.path.realpath(keep) == os.path.realpath(path)
    recognise = partial(describe_split_file, edited=is_kept)
    return refuse_output_file(path, kind="a split file", recognise=recognise, inputs=inputs, overwrite=overwrite)


def describe_split_file(path: Path, *, edited: bool = False) -> str | None:
    """Return what a split file holds, in words; None if `write_split` did not write it as it is.

    Args:
        path: the file.
        edited: describe also a file that was edited, or written by hand, if it has no further columns.
    """
    try:
        rows = list(csv.reader(io.StringIO(read_regular(path).decode("utf-8", "surrogateescape"), newline="")))
    except csv.Error:
        return None
    columns, videos = rows[0] if rows else [], rows[1:]
    is_ours = columns[:3] == _COLUMNS and columns[3:] == [name for name in _MORE_COLUMNS if name in columns[3:]]
    if not is_ours or any(len(row) != len(columns) or row[1] not in PARTS for row in videos):
        return None
    said = {found[1] for row in videos if (found := _ROWS.search(row[-1]))}
    if not edited and said != {_hash_rows([columns[:-1], *(row[:-1] for row in videos)])}:
        return None
    return f"the split of {counted(len(videos), 'video')}"


def write_split(path: Path, split: Split, table: LabelTable) -> None:
    """Write a split file, whole or not at all."""
    columns = {"id": split.ids, "part": split.parts, "labels": tuple(map(table.labels_of, range(len(split.ids))))}
    if split.groups:
        columns["group"] = split.groups
    if split.content_hashes and any(split.content_hashes):
        columns["content_hash"] = split.content_hashes
    digits = _hash_rows([list(columns), *zip(*columns.values(), strict=True)])
    source = f"{split.labels_from}{'&' if '?' in split.labels_from else '?'}rows={digits}"
    columns["labels_from"] = (source,) * len(split.ids)
    write_whole(path, csv_text([columns, *zip(*columns.values(), strict=True)]))


def _hash_rows(rows: Iterable[Sequence[str]]) -> str:
    return hash_text(repr([tuple(row) for row in rows]))[:16]


def read_split(path: str | Path, table: LabelTable) -> Split:
    """Read a split file and check it against the labelled videos of a store.

    Returns:
        The split in the order of the table.

    Raises:
        SplitError: the file cannot be read, lacks a labelled video or has one too many, has other labels than the
            table, or has a group in two parts.
    """
    return fit_split(path, *load_split(path), table)


def fit_split(path: str | Path, split: Split, labels: Sequence[str] | None, table: LabelTable) -> Split:
    """Check what `load_split` returned for a file against the labelled videos, and put it into their order.

    Raises:
        SplitError: as in `read_split`.
    """
    _refuse_other_videos(Path(path), split, table)
    if labels is not None:
        _refuse_other_labels(Path(path), dict(zip(split.ids, labels, strict=True)), table)
    order = {video_id: index for index, video_id in enumerate(split.ids)}
    return split.take([order[video_id] for video_id in table.ids])


def load_split(path: str | Path) -> tuple[Split, tuple[str, ...] | None]:
    """Return the split of a file as it is there, and the joined labels of each video if the file has them.

    Raises:
        SplitError: the file cannot be read, lacks a column, names a video twice, or has a group in two parts.
    """
    path = Path(path)
    try:
        # A file name that is no UTF-8 keeps its bytes, as in a store.
        text = read_regular(path).decode("utf-8-sig", "surrogateescape")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        columns = reader.fieldnames or ()
        rows = list(reader)
    except OSError as error:
        raise SplitError(f"{path} cannot be read: {error.strerror}. Make it with split-videos.") from error
    except csv.Error as error:
        raise SplitError(f"{path} is not a CSV file: {error}. Make it with split-videos.") from error
    if "id" not in columns and not is_utf_8(text):  # no split file either
        raise SplitError(f"{path} is not a CSV file in UTF-8. Make it with split-videos.")
    if "id" not in columns or "part" not in columns:
        raise SplitError(
            f"{path} has the columns {', '.join(columns) or '(none)'}, but needs id and part. "
            "Make it with split-videos."
        )
    found = {name: tuple(row[name] or "" for row in rows) for name in columns}
    try:
        split = Split(
            found["id"],
            found["part"],
            found.get("group"),
            found.get("content_hash"),
            _ROWS.sub("", next(filter(None, found.get("labels_from", ())), "")),
        )
    except SplitError as error:
        raise SplitError(f"{path}: {error}") from error
    return split, tuple(map(compose, found["labels"])) if "labels" in found else None


def summarise_split(
    path: Path, split: Split, table: LabelTable, notes: Sequence[str] = (), *, replaced: str | None = None
) -> SplitSummary:
    """Return the classes, videos and groups of each part, counted, with notes on classes that a part lacks.

    Args:
        path: the split file.
        split: its content.
        table: the labels.
        notes: further notes.
        replaced: what the file replaced.
    """
    rows = {part: split.indices(part) for part in PARTS}
    counts = {part: tuple(table.targets[rows[part]].sum(axis=0).tolist()) for part in PARTS}
    groups = split.groups
    return SplitSummary(
        path=path,
        names=table.names,
        class_counts=counts,
        video_counts={part: len(rows[part]) for part in PARTS},
        group_counts=None if groups is None else {part: len({groups[row] for row in rows[part]}) for part in PARTS},
        notes=(*table.notes, *notes, *describe_gaps(split, table)),
        replaced=replaced,
    )


def describe_gaps(split: Split, table: LabelTable) -> list[str]:
    """Return a sentence for each part with videos that lacks a class, with the names of these classes."""
    notes = []
    for part, consequence in _GAPS.items():
        targets = table.targets[split.indices(part)]
        missing = [name for name, count in zip(table.names, targets.sum(axis=0), strict=True) if not count]
        if len(targets) and missing:
            notes.append(f"Classes without a video in {part}: {list_first(missing)}. {consequence}")
    return notes


def _refuse_straddling(split: Split) -> None:
    parts_of: dict[str, set[str]] = {}
    for group, part in zip(split.groups or (), split.parts if split.groups else (), strict=True):
        parts_of.setdefault(group, set()).add(part)
    torn = next((group for group, parts in parts_of.items() if len(parts) > 1), None)
    if torn is not None:
        raise SplitError(
            f"The group {torn!r} is in {' and '.join(sorted(parts_of[torn]))}: the head would be tested on what it saw "
            "in training. Make the split again with split-videos."
        )


def _refuse_other_videos(path: Path, split: Split, table: LabelTable) -> None:
    for what, where, ids in (
        ("has no part for", "", sorted(set(table.ids) - set(split.ids))),
        ("names", " without a label in the store", sorted(set(split.ids) - set(table.ids))),
    ):
        if ids:
            raise SplitError(
                f"{path} {what} {counted(len(ids), 'video')}{where}, e.g. {ids[0]!r}. "
                "Use the same --labels, --label-folder and --min-count as with split-videos, or make a new split that "
                f"keeps the parts: split-videos --keep {path}."
            )


def _refuse_other_labels(path: Path, said: Mapping[str, str], table: LabelTable) -> None:
    """Raise SplitError if labels (id -> joined) differ from the table's, except for those that one dropped as rare."""
    known = {name for text in set(said.values()) for name in text.split(SEPARATOR)}
    for index, video_id in enumerate(table.ids):
        now = table.labels_of(index)
        if now == said[video_id]:
            continue
        before, after = (set(text.split(SEPARATOR)) for text in (said[video_id], now))
        if before - after - table.dropped or (after - before) & known:
            raise SplitError(
                f"{path} has the labels {said[video_id]!r} for {video_id!r}, but they are now {now!r}. Use the same "
                "--labels, or --label-folder, as with split-videos. If labels were corrected since, make a new split "
                f"that keeps the parts: split-videos --keep {path}."
            )
