"""Find videos of a store that are there more than once: the same file, the same footage, or a part of it.

Three things make two videos copies. Their files have the same content; or they look alike in each eighth of their time
(`near_duplicates`); or one, shifted in time, changes as the other does (`alignment`). Copies of copies are one group.
"""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from embed.machine import refuse_output
from embed.search.alignment import LEAST_AGREEMENT, Alignment, Sequence, align
from embed.search.near_duplicates import SIMILARITY, compare_alike
from embed.store import EmbeddingStore, find_copies, refusal_of, replaced_file

Kind = Literal["same file", "near copy", "shifted copy"]
"""How a video is a copy of another one."""

_COLUMNS = ("group", "id", "path", "kind", "copy_of", "similarity", "shift_s")
_MARGIN = 0.05  # a cut copy is less alike on average than a whole one
_KEPT_SEQUENCES = 256


@dataclass(frozen=True)
class Copy:
    """One video of a group.

    Args:
        video_id, location: of the video.
        kind: how it is a copy; "" for the first of its group.
        copy_of: the id of the video that it is like; "" for the first of its group.
        similarity: 1 for the same file; the cosine of the parts, or the correlation of a shifted copy.
        shift_s: what is at t here is at t + shift_s in `copy_of`.
    """

    video_id: str
    location: str
    kind: Kind | Literal[""] = ""
    copy_of: str = ""
    similarity: float = 1.0
    shift_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        names = {"video_id": "id", "location": "path"}
        return {names.get(key, key): value for key, value in asdict(self).items()}


@dataclass(frozen=True)
class DuplicateGroup:
    """Videos that are copies of each other: the longest first, which is what to keep."""

    videos: tuple[Copy, ...]


@dataclass(frozen=True)
class Duplicates:
    """The copies in a store.

    Args:
        groups: sorted by the id of their first video.
        compared: videos that were compared.
    """

    groups: tuple[DuplicateGroup, ...]
    compared: int

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        groups = [[copy.to_json() for copy in group.videos] for group in self.groups]
        return {"compared": self.compared, "groups": groups}

    def to_csv(self) -> str:
        """Return a table with a row for each video of each group; groups are numbered from 1."""
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for number, group in enumerate(self.groups, 1):
            for own in group.videos:
                figures = (f"{own.similarity:.4f}", f"{own.shift_s:.3f}")
                writer.writerow((number, own.video_id, own.location, own.kind, own.copy_of, *figures))
        return table.getvalue()


@dataclass(frozen=True)
class _Link:
    """Two videos that are copies: what is at t in `other` is at t + shift_s in `one`."""

    one: str
    other: str
    kind: Kind
    similarity: float
    shift_s: float = 0.0


def find_duplicates(
    store: str | Path | EmbeddingStore,
    *,
    similarity: float = SIMILARITY,
    agreement: float = LEAST_AGREEMENT,
    on_progress: Callable[[int], None] | None = None,
) -> Duplicates:
    """Return the groups of videos of a store that are copies of each other.

    Videos of one file are compared once. Memory holds one vector for each video, and blocks.

    Args:
        store: its path, or an open store.
        similarity: near copies have at least this cosine similarity in the eighths of their time.
        agreement: shifted copies change alike with at least this correlation.
        on_progress: called with the number of pairs that were looked at.

    Raises:
        StoreError: the store cannot be read.
        ValueError: a limit is not above 0 and up to 1.
    """
    for name, value in (("similarity", similarity), ("agreement", agreement)):
        if not 0 < value <= 1:
            raise ValueError(f"{name} is {value}, but must be above 0 and up to 1")
    if not isinstance(store, EmbeddingStore):
        with EmbeddingStore(store) as opened:
            return find_duplicates(opened, similarity=similarity, agreement=agreement, on_progress=on_progress)
    same = find_copies(store)
    doubles = {video_id for group in same for video_id in group[1:]}
    counts = dict(zip(store.ids, store.row_counts.tolist(), strict=True))
    ids = [video_id for video_id in store.ids if counts[video_id] and video_id not in doubles]
    links = [_Link(group[0], other, "same file", 1.0) for group in same for other in group[1:]]
    links += _near_copies(store, ids, similarity, agreement, on_progress)
    return Duplicates(tuple(_groups(store, links)), len(ids) + len(doubles))


def write_duplicates(
    found: Duplicates, path: str | Path, *, store: str | Path | None = None, overwrite: bool = False
) -> str | None:
    """Write the groups as CSV, and return a sentence about what was replaced.

    Args:
        found: the groups.
        path: the file.
        store: what they were found in, which is never replaced.
        overwrite: replace also a file that holds something else.

    Raises:
        OutputError: the path holds something else than such a table.
    """
    replaced = refuse_duplicates_file(path, store=store, overwrite=overwrite)
    with refusal_of(Path(path)), replaced_file(Path(path)) as beside:
        beside.write_text(found.to_csv(), encoding="utf-8", errors="surrogateescape")
    return replaced


def refuse_duplicates_file(path: str | Path, *, store: str | Path | None = None, overwrite: bool = False) -> str | None:
    """Raise OutputError unless a table of copies may be written to a path; return what it replaces."""
    inputs = () if store is None else (store,)
    return refuse_output(path, kind="a table of copies", recognise=_recognise, inputs=inputs, overwrite=overwrite)


def _recognise(path: Path) -> str | None:
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        return "an older table of copies" if file.readline(200).rstrip("\r\n") == ",".join(_COLUMNS) else None


def _near_copies(
    store: EmbeddingStore,
    ids: list[str],
    similarity: float,
    agreement: float,
    on_progress: Callable[[int], None] | None,
) -> Iterator[_Link]:
    @lru_cache(maxsize=_KEPT_SEQUENCES)
    def sequence_of(video_id: str) -> Sequence:
        video = store.read(video_id)
        return Sequence.of(video.vectors, video.timestamps_s)

    pairs = compare_alike(store, ids, similarity=max(similarity - _MARGIN, 1e-6))
    for count, (one, other, found) in enumerate(pairs, 1):
        if on_progress:
            on_progress(count)
        if found >= similarity:
            yield _Link(one, other, "near copy", found)
            continue
        best: Alignment = align(sequence_of(one), sequence_of(other))
        if best.agreement >= agreement:
            yield _Link(one, other, "shifted copy", best.agreement, best.shift_s)


def _groups(store: EmbeddingStore, links: list[_Link]) -> Iterator[DuplicateGroup]:
    """Yield the groups that links make: each video is described by the path of links to the longest one."""
    beside: dict[str, list[_Link]] = {}
    for link in links:
        beside.setdefault(link.one, []).append(link)
        beside.setdefault(link.other, []).append(_turned(link))
    places = {video_id: place for place, video_id in enumerate(store.ids)}
    durations_s = np.nan_to_num(store.durations_s)
    seen: set[str] = set()
    groups = []
    for start in sorted(beside):
        if start not in seen:
            members = _reached(start, beside)
            seen |= members
            first = min(members, key=lambda name: (-durations_s[places[name]], name))
            groups.append(DuplicateGroup(tuple(_described(store, first, beside))))
    yield from sorted(groups, key=lambda group: group.videos[0].video_id)


def _turned(link: _Link) -> _Link:
    return _Link(link.other, link.one, link.kind, link.similarity, -link.shift_s)


def _reached(start: str, beside: dict[str, list[_Link]]) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        for link in beside[waiting.pop()]:
            if link.other not in found:
                found.add(link.other)
                waiting.append(link.other)
    return found


def _described(store: EmbeddingStore, first: str, beside: dict[str, list[_Link]]) -> Iterator[Copy]:
    """Yield the videos of a group: the first, then those that are copies of one described before, the surest first."""
    yield Copy(first, store.video(first).location)
    told, waiting = {first}, [first]
    while waiting:
        for link in sorted(beside[waiting.pop(0)], key=lambda link: (-link.similarity, link.other)):
            if link.other not in told:
                told.add(link.other)
                waiting.append(link.other)
                location = store.video(link.other).location
                yield Copy(link.other, location, link.kind, link.one, link.similarity, link.shift_s)
