r"""Names of videos in a label file -> ids of the videos that they mean.

Rules are tried one after another; what a rule finds, the next ones leave alone:

    1. the id itself
    2. the place: a path from the file's folder, an absolute path, an address, compared without its secrets
    3. an id or a place that is spelled otherwise: ./ or \, an accent typed otherwise, .AVI for .avi
    4. a place that ends in the name, by two or more parts: hug/a.mp4 for /videos/hug/a.mp4
    5. an id in which the name ends, likewise: D:\old\hug\a.mp4 for hug/a.mp4
    6. the last part alone, if only one video has it: a.mp4 for hug/a.mp4. Where both name folders and these differ, no
       two names of the file and no two videos may share a last part: 0001.mp4 in each folder says nothing.
    7. the last part without its suffix, likewise: a for hug/a.mp4

A name that a rule gives to several videos is an error, and so are several names that rules 4 to 7 give to one video.
"""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from classify.errors import LabelError
from embed.machine import counted, real_path
from embed.store import Failure, kept_location

_SHOWN = 3  # candidates that an error names


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


@dataclass(frozen=True)
class Matches:
    """What names mean.

    Args:
        ids: name -> id of the video that it means; a name that means none maps to itself.
        notes: a sentence on the names that rules 3 to 7 matched, if there are any.
    """

    ids: Mapping[str, str]
    notes: tuple[str, ...] = ()


def match_videos(names: Iterable[str], videos: VideoListing, path: Path) -> Matches:
    """Find the videos that the names in a label file mean.

    Args:
        names: as the file writes them.
        videos: those that may be meant; failed ones too.
        path: the label file; relative paths count from its folder.

    Raises:
        LabelError: a name may mean several videos, or several names mean one.
    """
    names = list(dict.fromkeys(names))
    known = {*videos.ids, *(failure.id for failure in videos.failures)}
    found = {name: name for name in names if name in known}
    if len(found) == len(names):
        return Matches(found)  # reading the locations of all videos takes longer than their ids
    places = {failure.id: failure.location for failure in videos.failures}
    places |= {video_id: videos.video(video_id).location for video_id in videos.ids}
    at = {_place(location, Path()): video_id for video_id, location in places.items()}
    found |= {name: at[place] for name in names if name not in found and (place := _place(name, path.parent)) in at}
    left = [name for name in names if name not in found and "://" not in name]
    looser = _Looser(path, places, names) if left else None
    found |= {} if looser is None else looser.match(left, found)
    return Matches({name: found.get(name, name) for name in names}, () if looser is None else looser.notes)


def _place(location: str, folder: Path) -> str:
    return kept_location(location) if "://" in location else str(real_path(folder / location))


def spell(path: str) -> str:
    r"""Return a path in one spelling: / between its parts, accents composed, its suffix in lower case.

    >>> spell(".\\Hug\\Clip.AVI"), spell("/videos//hug/./a.mp4")
    ('Hug/Clip.avi', '/videos/hug/a.mp4')
    """
    parts = unicodedata.normalize("NFC", path).replace("\\", "/").split("/")
    kept: list[str] = []
    for part in parts:
        if part == ".." and kept and kept[-1] not in ("", ".."):
            kept.pop()
        elif part not in (".", "") or (part == "" and not kept and path[:1] in "/\\"):
            kept.append(part)
    stem, dot, suffix = kept[-1].rpartition(".") if kept else ("", "", "")
    return "/".join([*kept[:-1], f"{stem}{dot}{suffix.lower()}" if stem else suffix])


_Rule = Callable[[str], list[str]]


class _Looser:
    """Rules 3 to 7, for the names that no id and no place is written like.

    Args:
        path: the label file.
        places: id -> location, of all videos.
        names: all names of the file.
    """

    def __init__(self, path: Path, places: Mapping[str, str], names: Sequence[str]) -> None:
        self.notes: tuple[str, ...] = ()
        self._path = path
        self._spelled: dict[str, list[str]] = {}
        self._ends: dict[str, list[tuple[str, list[str], list[str]]]] = {}  # last part -> id, its parts, its place's
        self._stems: dict[str, list[tuple[str, list[str], list[str]]]] = {}
        for video_id, location in places.items():
            forms = (spell(video_id), location if "://" in location else spell(location))
            for form in dict.fromkeys(forms):
                self._spelled.setdefault(form, []).append(video_id)
            id_parts, place_parts = (form.split("/") for form in forms)
            for last in {id_parts[-1], place_parts[-1]}:
                self._ends.setdefault(last, []).append((video_id, id_parts, place_parts))
                if stem := last.rpartition(".")[0]:
                    self._stems.setdefault(stem, []).append((video_id, _bare(id_parts), _bare(place_parts)))
        lasts = [spell(name).split("/")[-1] for name in names]
        # Whether a last part is as good as an id in this file and these videos.
        self._has_unique_ends = len(set(lasts)) == len(lasts) and all(len(own) == 1 for own in self._ends.values())

    def match(self, left: Sequence[str], strictly: Mapping[str, str]) -> dict[str, str]:
        """Return name -> id for those that a rule matches; `strictly` are the matches by the first two rules."""
        told, found, taken = [], dict[str, str](), set(strictly.values())
        for rule, words, is_spelling in (
            (self._by_spelling, "in another spelling", True),
            (self._by_place_end, "by the end of a path", False),
            (self._by_id_end, "by the end of a path", False),
            (self._by_last_part, "by the last part alone", False),
            (self._by_stem, "by the last part without a suffix", False),
        ):
            own: dict[str, str] = {}
            for name in left:
                meant = self._one_of(name, rule(name))
                if meant is not None and (is_spelling or meant not in taken):
                    own[name] = meant
            if not is_spelling:
                self._refuse_doubled(own)
            if own:
                first = next(iter(own))
                told.append(f"{len(own)} {words} ({first!r} is {own[first]!r})")
            found |= own
            taken |= set(own.values())
            left = [name for name in left if name not in own]
        if told:
            what = counted(len(found), "video")
            self.notes = (f"{what} in {self._path.name} matched by another name than the id: {', '.join(told)}.",)
        return found

    def _by_spelling(self, name: str) -> list[str]:
        return self._spelled.get(spell(name)) or self._spelled.get(spell(_place(spell(name), self._path.parent)), [])

    def _by_place_end(self, name: str) -> list[str]:
        parts = spell(name).split("/")
        near = self._ends.get(parts[-1], []) if len(parts) > 1 else []
        return [video_id for video_id, own, place in near if _is_end(parts, place) or _is_end(parts, own)]

    def _by_id_end(self, name: str) -> list[str]:
        parts = spell(name).split("/")
        return [video_id for video_id, own, _ in self._ends.get(parts[-1], []) if len(own) > 1 and _is_end(own, parts)]

    def _by_last_part(self, name: str) -> list[str]:
        parts = spell(name).split("/")
        near = self._ends.get(parts[-1], [])
        if len(parts) > 1 and not self._has_unique_ends:
            near = [entry for entry in near if len(entry[1]) == 1]
        return [video_id for video_id, *_ in near]

    def _by_stem(self, name: str) -> list[str]:
        parts = spell(name).split("/")
        near = self._stems.get(parts[-1], [])
        if len(parts) > 1:
            ends = [entry for entry in near if _is_end(parts, entry[1]) or _is_end(parts, entry[2])]
            near = ends or (near if self._has_unique_ends else [])
        return [video_id for video_id, *_ in near]

    def _one_of(self, name: str, meant: Sequence[str]) -> str | None:
        """Return the id that a name means, None if none."""
        if len(set(meant)) > 1:
            candidates = sorted(set(meant))
            more = f" and {len(candidates) - _SHOWN} more" if len(candidates) > _SHOWN else ""
            raise LabelError(
                f"{name!r} in {self._path} may be any of {', '.join(map(repr, candidates[:_SHOWN]))}{more}. Write the "
                "id of the video, or its path from the folder of the label file."
            )
        return meant[0] if meant else None

    def _refuse_doubled(self, own: Mapping[str, str]) -> None:
        """Raise LabelError if several names, each in a spelling of its own, mean one video."""
        first: dict[str, str] = {}
        for name, video_id in own.items():
            other = first.setdefault(video_id, name)
            if spell(other) != spell(name):
                raise LabelError(
                    f"{other!r} and {name!r} in {self._path} may both be {video_id!r}. Write the id of each video, "
                    "or its path from the folder of the label file."
                )


def _bare(parts: Sequence[str]) -> list[str]:
    """Return the parts of a path, the last one without its suffix."""
    return [*parts[:-1], parts[-1].rpartition(".")[0]]


def _is_end(parts: Sequence[str], whole: Sequence[str]) -> bool:
    return len(parts) <= len(whole) and list(whole[-len(parts) :]) == list(parts)
