"""Extend a split: its videos keep their parts, and only the videos that it lacks are placed.

So a video that tested last month's head never trains this month's, and figures of both months compare.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from classify.data.label_sources import list_first
from classify.data.labels import LabelTable
from classify.data.sharing import learn_first, share_videos, shown_targets
from classify.data.split_files import PARTS, Split
from classify.errors import SplitError
from embed.machine import counted

_FREE = -1


def extend_split(
    table: LabelTable,
    content_hashes: Sequence[str],
    kept: Split,
    *,
    name: str,
    shares: tuple[float, float, float],
    seed: int,
    is_grouped: bool,
) -> tuple[Split, tuple[str, ...]]:
    """Return a split in which the videos of an earlier one keep their parts, and notes on it.

    A video belongs to the earlier split by its id, by its content (the file was moved or copied), or by its group. The
    others go where videos, and videos of their labels, are missing from the shares of all videos; but one of each label
    that train lacks goes there.

    Args:
        table: the labels and groups of N videos.
        content_hashes: (N,) hash of each video's file, "" where unknown.
        kept: the earlier split.
        name: its file, for messages.
        shares: shares of all videos for train, validation and test.
        seed: chooses between equally good parts.
        is_grouped: True if groups were asked for. Equal videos are grouped in any case.

    Raises:
        SplitError: the earlier split has groups that were asked for, and this one has not; or videos that now belong
            together have different parts in it.
    """
    if not is_grouped and not _are_copies(kept):
        raise SplitError(f"{name} keeps groups whole. Use --group-by, or --group-near-duplicates, as when it was made.")
    own, moved = _known_parts(table, content_hashes, kept)
    parts = _follow_groups(table, own, kept, name)
    free = np.flatnonzero(parts == _FREE)
    if len(free):
        parts[free] = _place(table, parts, free, shares, seed)
    present = set(content_hashes) - {""}
    named = zip(kept.ids, _hashes_of(kept), strict=True)
    gone = {video_id for video_id, content_hash in named if content_hash not in present} - set(table.ids)
    held_out = [video_id for video_id, part in zip(kept.ids, kept.parts, strict=True) if part != "train"]
    notes = _describe(gone, [video_id for video_id in held_out if video_id in gone], moved, name, own, parts)
    return Split(table.ids, tuple(PARTS[part] for part in parts), table.groups), notes


def _are_copies(kept: Split) -> bool:
    """Return True if nobody asked for groups: each is called as one of its videos is, and all of these are equal."""
    members: dict[str, list[tuple[str, str]]] = {}
    for group, video_id, content in zip(kept.groups or (), kept.ids, _hashes_of(kept), strict=False):
        members.setdefault(group, []).append((video_id, content))
    return all(
        any(video_id == group for video_id, _ in videos)
        and (len(videos) == 1 or (len({content for _, content in videos}) == 1 and videos[0][1]))
        for group, videos in members.items()
    )


def _known_parts(
    table: LabelTable, content_hashes: Sequence[str], kept: Split
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return each video's part in the earlier split, int64 (N,), as a place in PARTS; -1 if it is not there.

    The content decides before the name: a video that took the name of another keeps its own part. The ids of videos
    that only their content tells are returned, too.
    """
    by_id, by_hash = dict(zip(kept.ids, kept.parts, strict=True)), _parts_of_hashes(table, content_hashes, kept)
    same = set(zip(kept.ids, _hashes_of(kept), strict=True))
    parts, moved = np.full(len(table.ids), _FREE), []
    for row, (video_id, content_hash) in enumerate(zip(table.ids, content_hashes, strict=True)):
        part = by_id.get(video_id)
        if (video_id, content_hash) not in same and content_hash in by_hash:
            part = by_hash[content_hash]
            moved.append(video_id)
        if part is not None:
            parts[row] = PARTS.index(part)
    return parts, tuple(moved)


def _hashes_of(kept: Split) -> tuple[str, ...]:
    return kept.content_hashes or ("",) * len(kept.ids)


def _parts_of_hashes(table: LabelTable, content_hashes: Sequence[str], kept: Split) -> Mapping[str, str]:
    """Return content hash -> part; of several videos with a hash, one that is no longer there counts: it was moved."""
    present = set(zip(table.ids, content_hashes, strict=True))
    hashes = _hashes_of(kept)
    rows = sorted(range(len(kept.ids)), key=lambda row: (kept.ids[row], hashes[row]) in present, reverse=True)
    return {hashes[row]: kept.parts[row] for row in rows if hashes[row]}


def _follow_groups(table: LabelTable, own: NDArray[np.int64], kept: Split, name: str) -> NDArray[np.int64]:
    """Return the part of each video, int64 (N,), or -1: its own, else that of its group."""
    if table.groups is None:
        return own.copy()
    part_of = {group: PARTS.index(part) for group, part in zip(kept.groups or (), kept.parts, strict=False)}
    first: dict[str, int] = {}
    for row in np.flatnonzero(own != _FREE):
        group = table.groups[row]
        other = first.setdefault(group, int(row))
        if own[other] != own[row]:
            raise SplitError(
                f"{table.ids[other]!r} ({PARTS[own[other]]}) and {table.ids[row]!r} ({PARTS[own[row]]}) have different "
                f"parts in {name}, but they are now one group ({group!r}). Delete one of the two from the label file "
                "or the store, or make the split anew without --keep."
            )
        part_of[group] = int(own[row])
    return np.array(
        [part if part != _FREE else part_of.get(group, _FREE) for part, group in zip(own, table.groups, strict=True)],
        dtype=np.int64,
    )


def _place(
    table: LabelTable, parts: NDArray[np.int64], free: NDArray[np.int64], shares: Sequence[float], seed: int
) -> NDArray[np.int64]:
    """Return the parts of the videos at `free`, int64."""
    wanted = np.array(shares)
    held = np.array([(parts == part).sum() for part in range(len(PARTS))])
    sizes = _round(_missing(wanted * len(parts), held, len(free)), len(free))
    shown = shown_targets(table)
    of_class = np.stack([shown[parts == part].sum(axis=0) for part in range(len(PARTS))], axis=1)  # (C + 1, P)
    totals, placed = shown.sum(axis=0), shown[free].sum(axis=0)
    rows = [_missing(wanted * total, here, count) for total, here, count in zip(totals, of_class, placed, strict=True)]
    new = table.take(free)
    first = learn_first(new, len(PARTS))
    unlearned = first.classes & ~table.targets[parts == 0].any(axis=0)
    coverage = replace(first, classes=unlearned, may_empty=True)  # validation and test have videos already
    return share_videos(new, sizes, seed, wanted=np.stack(rows), coverage=coverage)


def _missing(wanted: NDArray[np.float64], held: NDArray[np.integer], count: int) -> NDArray[np.float64]:
    """Return how `count` new videos should fill what the parts lack, (P,): in proportion to what is missing.

    >>> _missing(np.array([8.0, 1.0, 1.0]), np.array([4, 2, 0]), 4)
    array([3.2, 0. , 0.8])
    """
    lacking = np.maximum(wanted - held, 0)
    # If no part lacks anything, the wanted shares themselves.
    weights = lacking if lacking.sum() else wanted
    return np.asarray(count * weights / max(float(weights.sum()), 1e-12))


def _round(sizes: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Return whole numbers that sum to `total`, by largest remainders."""
    whole = np.floor(sizes).astype(np.int64)
    order = np.argsort(whole - sizes, kind="stable")
    whole[order[: total - whole.sum()]] += 1
    return whole


def _describe(
    gone: Set[str],
    held_out: Sequence[str],
    moved: Sequence[str],
    name: str,
    own: NDArray[np.int64],
    parts: NDArray[np.int64],
) -> tuple[str, ...]:
    """Return notes: how many videos kept their parts, where the others went, how many are gone, which did not train."""
    fresh = parts[own == _FREE]
    placed = ", ".join(f"{(fresh == place).sum()} in {part}" for place, part in enumerate(PARTS))
    notes = [f"{counted(int((own != _FREE).sum()), 'video')} kept the parts of {name}; {len(fresh)} new: {placed}."]
    if moved:
        notes.append(f"{counted(len(moved), 'video')} known by content under a new id, e.g. {moved[0]!r}.")
    if gone:
        left = counted(len(gone), "id")
        notes.append(f"Left out, since the store has no labelled video of them now: {left} of {name}.")
    if held_out:
        notes.append(
            f"Of these, {len(held_out)} validated or tested: {list_first(held_out)}. When they are back, --keep {name} "
            "places them as before, so keep that file."
        )
    return tuple(notes)
