"""Videos of equal content under several ids: they belong into one part of a split, and should have one label.

Contents are equal if the content hashes in the store are: the sizes, and the first and last mebibyte of the files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from classify.data.labels import LabelTable
from classify.data.near_duplicates import join_groups
from embed.machine import counted
from embed.store import EmbeddingStore, find_copies


def content_hashes(store: EmbeddingStore, ids: Sequence[str]) -> tuple[str, ...]:
    """Return the content hash of each video's file, (N,); "" where the store knows none."""
    hashes = dict(zip(store.ids, store.column("content_hash").tolist(), strict=True))
    return tuple(hashes[video_id].decode("utf-8", "surrogateescape") for video_id in ids)


def group_copies(table: LabelTable, store: EmbeddingStore) -> LabelTable:
    """Return a table in which videos of equal content are in one group, with a note on them.

    A table without copies is returned as it is.
    """
    found = _copies_in(table.ids, store)
    if not found:
        return table
    joined, _ = join_groups(table, [(group[0], other) for group in found for other in group[1:]])
    extra = counted(sum(map(len, found)) - len(found), "video")
    copied = frozenset(video_id for group in found for video_id in group)
    labels = {video_id: table.labels_of(row) for row, video_id in enumerate(table.ids) if video_id in copied}
    what = f"{extra} with the content of another stay in its part, e.g. {_named(found[0], labels)}."
    torn = [group for group in found if len({labels[video_id] for video_id in group}) > 1]
    notes = [what]
    if torn:
        groups = counted(len(torn), "group")
        notes.append(f"Equal videos have different labels in {groups}, e.g. {_named(torn[0], labels)}. Correct them.")
    return replace(table, groups=joined, notes=(*table.notes, *notes))


def note_torn_copies(ids: Sequence[str], parts: Sequence[str], store: EmbeddingStore) -> tuple[str, ...]:
    """Return a note on videos of equal content that a split has in several parts; none if there are no such videos."""
    part_of = dict(zip(ids, parts, strict=True))
    torn = [group for group in _copies_in(ids, store) if len({part_of[video_id] for video_id in group}) > 1]
    if not torn:
        return ()
    groups = counted(len(torn), "group")
    return (
        f"{groups} of videos with the same content in several parts, e.g. {_named(torn[0], part_of)}. The head is "
        "measured on what it has learned from. Make the split again with split-videos, which keeps them together.",
    )


def _copies_in(ids: Sequence[str], store: EmbeddingStore) -> list[tuple[str, ...]]:
    """Return the groups of these ids whose contents are equal."""
    known = frozenset(ids)
    groups = [tuple(video_id for video_id in group if video_id in known) for group in find_copies(store)]
    return [group for group in groups if len(group) > 1]


def _named(group: Sequence[str], said: Mapping[str, str]) -> str:
    return " = ".join(f"{video_id} ({said[video_id]})" for video_id in group[:3])
