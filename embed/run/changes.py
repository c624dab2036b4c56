"""Compare a store with the videos of a run: which have changed, moved, gone, or are known under another id."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from embed.errors import SourceError
from embed.machine import counted
from embed.run.pruning import Loss, Place, emptied_folders, losses_of
from embed.sources import Roots, Video, hash_content, is_gone, is_remote, is_same_place, place_of
from embed.store import EmbeddingStore, Failure, decode_text

SizeAndTime = tuple[int, float]
"""Bytes, and seconds since 1970."""


class _Embedded(NamedTuple):
    """What a store holds about a video, texts as bytes."""

    location: bytes
    modified_s: float
    size_bytes: int
    content_hash: bytes
    listed_in: bytes


@dataclass(frozen=True)
class Changes:
    """How a store differs from the videos of a run.

    Args:
        videos: the videos of the run, each under the id that it keeps.
        changed: ids of videos whose files have other content than the store's vectors.
        moved: id in the store -> the video whose file has that content now: under another id, or in another place.
        gone: id in the store -> its location, of videos and failures that the sources name no more and that nothing has
            taken over.
        emptied: folder or link -> ids of `gone` that lay there; it is there but leads to no video now.
        losses: what would go of each source if `gone` were dropped, without what is `emptied`.
        known_as: id here -> id in the store, of files that it has under another id.
    """

    videos: tuple[Video, ...]
    changed: frozenset[str] = frozenset()
    moved: Mapping[str, Video] = field(default_factory=dict)
    gone: Mapping[str, str] = field(default_factory=dict)
    emptied: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    losses: tuple[Loss, ...] = ()
    known_as: Mapping[str, str] = field(default_factory=dict)


def name_once(videos: Sequence[Video]) -> tuple[list[Video], dict[str, str]]:
    """Return each file once, and the other ids of files that have several: id -> the id that stays.

    The id with more folders stays if one ends with the other, since its folders may be the label: `hug/a.mp4` rather
    than `a.mp4`. Otherwise the first stays.
    """
    first: dict[str, Video] = {}
    for video in videos:
        place = place_of(video.location)
        known = first.setdefault(place, video)
        if _extends(video.id, known.id):
            first[place] = video
    kept = {video.id for video in first.values()}
    others = {video.id: first[place_of(video.location)].id for video in videos if video.id not in kept}
    return list(first.values()), others


def find_changes(store: str | Path, videos: Sequence[Video], roots: Roots) -> Changes:
    """Compare the videos of a run with a store.

    A file is read (its beginning and end) only if its size or modification time differs from what is stored, if it is
    in another place than the file that was embedded, or if it is new and as large as a video whose file is gone.
    Remote videos are not compared.

    Args:
        store: an existing store.
        videos: each file once.
        roots: the places of their sources; only what belongs to them can be gone.

    Raises:
        SourceError: a video in another place has the name of a video in the store, but other content.
        StoreError: the store cannot be read.
    """
    with EmbeddingStore(store) as opened:
        columns = [opened.column(name).tolist() for name in _Embedded._fields]
        embedded = dict(zip(opened.ids, map(_Embedded._make, zip(*columns, strict=True)), strict=True))
        failures = opened.failures
    named = {video.id: video for video in videos}
    known_as, moved = _find_by_place(embedded, named)
    for here, there in known_as.items():
        video = named.pop(here)
        named[there] = Video(there, video.location, video.address, video.listed_in)
    changed, relocated, clashing = _compare(embedded, named)
    moved |= relocated
    places = {
        video_id: Place(decode_text(was.location), decode_text(was.listed_in)) for video_id, was in embedded.items()
    }
    lost = [
        video_id
        for video_id, place in places.items()
        if video_id not in named and video_id not in moved and roots.have_lost(*place)
    ]
    exchanged = {video.id for video, _ in clashing}  # perhaps: their contents may be in the store under other ids
    moved |= _find_by_content(embedded, named, {*lost, *changed, *exchanged}, changed | exchanged, moved)
    taken = {video.id for video in moved.values()}
    if others := [(video, old_location) for video, old_location in clashing if video.id not in taken]:
        raise _name_clash(store, others)
    gone = {video_id: places[video_id] for video_id in lost if video_id not in moved}
    gone |= {
        failure.id: Place(failure.location, failure.listed_in)
        for failure in failures
        if failure.id not in named and roots.have_lost(failure.location, failure.listed_in)
    }
    emptied = emptied_folders(gone, roots)
    return Changes(
        videos=tuple(named.values()),
        changed=frozenset(changed - taken),
        moved=moved,
        gone={video_id: place.location for video_id, place in gone.items()},
        emptied=emptied,
        losses=tuple(losses_of(places, gone.keys() - set().union(*emptied.values()), roots) if gone else ()),
        known_as=known_as,
    )


def _find_by_place(
    embedded: Mapping[str, _Embedded], named: Mapping[str, Video]
) -> tuple[dict[str, str], dict[str, Video]]:
    """Find new ids of files that the store has: id here -> id in the store, and id in the store -> video.

    The second are those whose new id has more folders, which it gets in the store too.
    """
    new = [video for video in named.values() if video.id not in embedded]
    known_as, moved = dict[str, str](), dict[str, Video]()
    if not new:
        return known_as, moved
    others = ((video_id, was) for video_id, was in embedded.items() if video_id not in named)
    places = {place_of(decode_text(was.location)): video_id for video_id, was in others}
    for video in new:
        stored = places.pop(place_of(video.location), None)
        if stored is None:
            continue
        was = embedded[stored]
        if _extends(video.id, stored) and not (_is_touched(video, was) and _has_other_content(video, was)):
            moved[stored] = video
        else:
            known_as[video.id] = stored
    return known_as, moved


def _compare(
    embedded: Mapping[str, _Embedded], named: Mapping[str, Video]
) -> tuple[set[str], dict[str, Video], list[tuple[Video, str]]]:
    """Return which videos have other content now, and which lie in another place and no longer in the old one.

    The third are videos in another place that have the name of one with other content, and where that one lies.
    """
    changed, relocated, clashing = set[str](), dict[str, Video](), list[tuple[Video, str]]()
    for video in named.values():
        was = embedded.get(video.id)
        if was is None:
            continue
        old_location = decode_text(was.location)
        if is_same_place(old_location, video.location):
            changed |= {video.id} if _is_touched(video, was) and _has_other_content(video, was) else set()
        elif is_remote(video.address) or _has_other_content(video, was):
            clashing.append((video, old_location))
        elif not is_gone(video.location) and not is_remote(old_location) and is_gone(old_location):
            relocated[video.id] = video
    return changed, relocated, clashing


def _find_by_content(
    embedded: Mapping[str, _Embedded],
    named: Mapping[str, Video],
    free: set[str],
    changed: set[str],
    moved: Mapping[str, Video],
) -> dict[str, Video]:
    """Find the videos, new or changed, that have the content of one whose own file has it no more."""
    free -= moved.keys()
    sizes = {embedded[video_id].size_bytes for video_id in free}
    by_hash: defaultdict[bytes, list[str]] = defaultdict(list)
    for video_id in sorted(free):
        if embedded[video_id].content_hash:
            by_hash[embedded[video_id].content_hash].append(video_id)
    settled = {video.id for video in moved.values()}
    found: dict[str, Video] = {}
    for video in named.values():
        is_open = video.id in changed or (video.id not in embedded and video.id not in settled)
        if not free or not is_open or is_remote(video.address):
            continue
        if not sizes & {0, _size_of(video.location)}:
            continue
        candidates = by_hash[_hash_of(video.location)]
        if candidates:
            alike = [old for old in candidates if old.rpartition("/")[2] == video.id.rpartition("/")[2]]
            old = (alike or candidates)[0]
            candidates.remove(old)
            found[old] = video
    return found


def state_of(video: Video) -> SizeAndTime | None:
    """Return the size and time of a local file; None if it cannot be found."""
    try:
        found = Path(video.location).stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime


def may_succeed_now(failure: Failure) -> bool:
    """Return True if the local file of a failed video is another one now, or exists now and did not then."""
    if is_remote(failure.location):
        return False
    try:
        found = Path(failure.location).stat()
    except (OSError, ValueError):  # also a name that the encoding of this system cannot write
        return False
    was_read = failure.size_bytes or failure.modified_s
    is_other = (found.st_size, found.st_mtime) != (failure.size_bytes, failure.modified_s)
    return failure.reason == "not_found" or bool(was_read and is_other)


def _extends(longer: str, shorter: str) -> bool:
    return longer.endswith(f"/{shorter}")


def _is_touched(video: Video, was: _Embedded) -> bool:
    if is_remote(video.address):
        return False
    try:
        found = Path(video.location).stat()
    except OSError:  # the vectors of a file that is gone, or cannot be read, stay as they are
        return False
    # 0: a store from before sizes were kept.
    return found.st_mtime != was.modified_s or was.size_bytes not in (0, found.st_size)


def _has_other_content(video: Video, was: _Embedded) -> bool:
    try:
        return hash_content(video.location).encode() != was.content_hash
    except OSError:
        return False


def _size_of(location: str) -> int:
    try:
        return os.stat(location).st_size  # noqa: PTH116
    except OSError:
        return -1


def _hash_of(location: str) -> bytes:
    try:
        return hash_content(location).encode()
    except OSError:
        return b""


def _name_clash(store: str | Path, clashing: Sequence[tuple[Video, str]]) -> SourceError:
    video, old_location = clashing[0]
    others = f" The same is true of {counted(len(clashing) - 1, 'other video')}." if len(clashing) > 1 else ""
    return SourceError(
        f"{video.id} in {store} was embedded from {old_location}, but {video.location} is another video of that name."
        f"{others} Embed a folder above both, so that their names differ, or write to another store with -o."
    )
