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
    8. rules 3 to 7 with upper and lower case alike: Hug_01.MP4 for hug_01.mp4

A name that a rule gives to several videos is an error, and so are several names that rules 4 to 7 give to one video.
Rule 8 leaves both alone, since case may tell videos apart.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

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
        notes: a sentence on the names that rules 3 to 8 matched, if there are any.
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
    loose: dict[str, str] = {}
    told: list[str] = []
    for folds_case in (False, True):
        left = [name for name in names if name not in found and name not in loose and "://" not in name]
        if left:
            looser = _Looser(path, places, names, folds_case=folds_case)
            loose |= looser.match(left, {*found.values(), *loose.values()})
            told += looser.told
    what = f"{counted(len(loose), 'video')} in {path.name} matched by another name than the id: {', '.join(told)}."
    return Matches({name: found.get(name, loose.get(name, name)) for name in names}, (what,) if told else ())


def count_exact(names: Sequence[str], videos: VideoListing, path: Path) -> int:
    """Return how many of the names rules 1 and 2 match. The arguments are those of `match_videos`."""
    known = {*videos.ids, *(failure.id for failure in videos.failures)}
    others = [name for name in names if name not in known]
    places = {_place(videos.video(video_id).location, Path()) for video_id in videos.ids} if others else set[str]()
    return len(names) - len(others) + sum(bool(name) and _place(name, path.parent) in places for name in others)


def _place(location: str, folder: Path) -> str:
    if location.lower().startswith("file://"):
        location = unquote(urlsplit(location).path)
    return kept_location(location) if "://" in location else str(real_path(folder / location))


def spell(path: str) -> str:
    r"""Return a path in one spelling: / and no blanks between its parts, accents composed, its suffix in lower case.

    >>> spell(".\\Hug\\Clip.AVI"), spell("/videos//hug/./a.mp4")
    ('Hug/Clip.avi', '/videos/hug/a.mp4')
    """
    path = path.strip()
    parts = [part.strip() for part in unicodedata.normalize("NFC", path).replace("\\", "/").split("/")]
    kept: list[str] = []
    for part in parts:
        if part == ".." and kept and kept[-1] not in ("", ".."):
            kept.pop()
        elif part not in (".", "") or (part == "" and not kept and path[:1] in "/\\"):
            kept.append(part)
    stem, dot, suffix = kept[-1].rpartition(".") if kept else ("", "", "")
    return "/".join([*kept[:-1], f"{stem}{dot}{suffix.lower()}" if stem else suffix])


class _Looser:
    """Rules 3 to 7, for the names that no id and no place is written like.

    Args:
        path: the label file.
        places: id -> location, of all videos.
        names: all names of the file.
        folds_case: True for upper and lower case alike (rule 8). Then a name or video that may be one of several
            matches none.
    """

    def __init__(self, path: Path, places: Mapping[str, str], names: Sequence[str], *, folds_case: bool) -> None:
        self.told: list[str] = []  # how many names each rule matched, with an example
        self._path, self._folds_case = path, folds_case
        # Each video: its id and, if known and another, its place, as `_form` spells them.
        self._forms = {
            video_id: tuple(dict.fromkeys((self._form(video_id), *([self._form_of(place)] if place else []))))
            for video_id, place in places.items()
        }
        self._deepest = max((form.count("/") + 1 for forms in self._forms.values() for form in forms), default=0)
        self._by_id = _index((forms[0], video_id) for video_id, forms in self._forms.items())
        self._spelled = _index((form, video_id) for video_id, forms in self._forms.items() for form in forms)
        self._flat = _index(
            (last, video_id)
            for video_id, forms in self._forms.items()
            for last in {form.rpartition("/")[2] for form in forms}
            if "/" not in forms[0]
        )
        self._tails: dict[tuple[int, bool], Mapping[str, list[str]]] = {}
        self._names = {name: self._form(name) for name in names}
        lasts = [form.rpartition("/")[2] for form in self._names.values()]
        # Whether a last part is as good as an id in this file and these videos.
        self._has_unique_ends = len(set(lasts)) == len(lasts) and all(
            len(own) == 1 for own in self._ending(1, is_bare=False).values()
        )

    def match(self, left: Sequence[str], taken: Set[str]) -> dict[str, str]:
        """Return name -> id for those that a rule matches; ids that are `taken` have a better name."""
        found, taken = dict[str, str](), set(taken)
        for rule, words, is_spelling in (
            (self._by_spelling, "in another spelling", not self._folds_case),
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
                self._settle_doubled(own)
            if own:
                first = next(iter(own))
                case = " and in another case" if self._folds_case else ""
                self.told.append(f"{len(own)} {words}{case} ({first!r} is {own[first]!r})")
            found |= own
            taken |= set(own.values())
            left = [name for name in left if name not in own]
        return found

    def _form(self, path: str) -> str:
        return spell(path).casefold() if self._folds_case else spell(path)

    def _form_of(self, place: str) -> str:
        return place if "://" in place else self._form(place)

    def _by_spelling(self, name: str) -> list[str]:
        return self._spelled.get(self._names[name]) or self._spelled.get(
            self._form(_place(spell(name), self._path.parent)), []
        )

    def _by_place_end(self, name: str) -> list[str]:
        form = self._names[name]
        return self._ending(form.count("/") + 1, is_bare=False).get(form, []) if "/" in form else []

    def _by_id_end(self, name: str) -> list[str]:
        parts = self._names[name].split("/")
        ends = ("/".join(parts[-count:]) for count in range(2, min(len(parts), self._deepest) + 1))
        return [video_id for end in ends for video_id in self._by_id.get(end, [])]

    def _by_last_part(self, name: str) -> list[str]:
        *folders, last = self._names[name].split("/")
        return (self._flat if folders and not self._has_unique_ends else self._ending(1, is_bare=False)).get(last, [])

    def _by_stem(self, name: str) -> list[str]:
        form = self._names[name]
        found = self._ending(form.count("/") + 1, is_bare=True).get(form, [])
        if found or not self._has_unique_ends:
            return found
        return self._ending(1, is_bare=True).get(form.rpartition("/")[2], [])

    def _ending(self, count: int, *, is_bare: bool) -> Mapping[str, list[str]]:
        """Return the videos by the last `count` parts of their ids and places; bare ones are without a suffix."""
        if count > self._deepest:
            return {}
        if (count, is_bare) not in self._tails:
            self._tails[count, is_bare] = _index(
                (tail, video_id)
                for video_id, forms in self._forms.items()
                for tail in {_tail(form, count, is_bare=is_bare) for form in forms}
                if tail is not None
            )
        return self._tails[count, is_bare]

    def _one_of(self, name: str, meant: Sequence[str]) -> str | None:
        """Return the id that a name means, None if none."""
        if len(meant) > 1 and self._folds_case:
            return None
        if len(meant) > 1:
            candidates = sorted(meant)
            more = f" and {len(candidates) - _SHOWN} more" if len(candidates) > _SHOWN else ""
            raise LabelError(
                f"{name!r} in {self._path} may be any of {', '.join(map(repr, candidates[:_SHOWN]))}{more}. Write the "
                "id of the video, or its path from the folder of the label file."
            )
        return meant[0] if meant else None

    def _settle_doubled(self, own: dict[str, str]) -> None:
        """Raise LabelError if several names, each in a spelling of its own, mean one video; drop them if case folds."""
        first: dict[str, str] = {}
        for name, video_id in [*own.items()]:
            other = first.setdefault(video_id, name)
            if spell(other) == spell(name):
                continue
            if not self._folds_case:
                raise LabelError(
                    f"{other!r} and {name!r} in {self._path} may both be {video_id!r}. Write the id of each video, "
                    "or its path from the folder of the label file."
                )
            own.pop(other, None)
            del own[name]


def _index(entries: Iterable[tuple[str, str]]) -> Mapping[str, list[str]]:
    """Return key -> all ids that have it."""
    found: dict[str, list[str]] = {}
    for key, video_id in entries:
        found.setdefault(key, []).append(video_id)
    return found


def _tail(form: str, count: int, *, is_bare: bool) -> str | None:
    """Return the last parts of a path, perhaps without a suffix; None if it has fewer parts, or nothing but a suffix.

    >>> _tail("data/hug/a.mp4", 2, is_bare=True), _tail("a.mp4", 2, is_bare=False), _tail("hug/a", 1, is_bare=True)
    ('hug/a', None, None)
    """
    parts = form.rsplit("/", count)[-count:]
    if is_bare:
        parts[-1] = parts[-1].rpartition(".")[0]
    return "/".join(parts) if len(parts) == count and (parts[-1] or not is_bare) else None
