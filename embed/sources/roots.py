"""Which videos belong to some sources: those that lie below a folder, prefix or pattern, or that a list has named.

A run may tell or drop only videos that belong to its own sources, since a store may hold those of others as well.
"""

import glob
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from embed.machine import real_path
from embed.sources.kept_addresses import without_secrets
from embed.sources.locations import is_remote, is_web, suffix_of
from embed.sources.video_lists import LIST_READERS
from embed.sources.videos import Sources, each_source, fixed_folder, is_named_as_video, path_of, walk


@dataclass(frozen=True)
class Roots:
    """The places of some sources.

    Args:
        folders: absolute paths of folders, as given and with all links resolved.
        prefixes: addresses that were searched like folders, without secrets.
        lists: absolute paths of lists.
    """

    folders: frozenset[str]
    prefixes: frozenset[str]
    lists: frozenset[str]

    def have_lost(self, location: str, listed_in: str) -> bool:
        """Return True if a video belongs here that the sources name no more.

        That is true of what one of the lists had named; of a local file below one of the folders that does not exist
        any more; and of an address below one of the prefixes, which were listed just now.

        Args:
            location: where the video was, without secrets.
            listed_in: the list that had named it, or "".
        """
        if self.source_of(location, listed_in) is None:
            return False
        return listed_in in self.lists or is_remote(location) or is_gone(location)

    def source_of(self, location: str, listed_in: str) -> str | None:
        """Return the list, prefix or folder that a video belongs to; None if it belongs to none.

        Args:
            location: where the video was, without secrets.
            listed_in: the list that had named it, or "".
        """
        if listed_in in self.lists:
            return listed_in
        if is_remote(location):
            return _above(location, self.prefixes)
        absolute = os.path.abspath(location)  # noqa: PTH100 (Path.absolute keeps `..`)
        return _above(place_of(location), self.folders) or _above(absolute, self.folders)

    def emptied_folder(self, location: str, holds_video: Callable[[str], bool]) -> str | None:
        """Return the outermost folder above a lost file that is there but holds no video; None if there is none.

        A disk that is not mounted leaves such a folder, or a link to a folder or file that leads nowhere; that link is
        returned, too. A folder, link or file that somebody removed is not there.

        Args:
            location: a path below one of the folders.
            holds_video: `holds_video`, or one that remembers what it found.
        """
        file = os.path.abspath(location)  # noqa: PTH100
        found, folder = file if Path(file).is_symlink() else None, os.path.dirname(file)  # noqa: PTH120
        while self.source_of(folder, "") and not holds_video(folder):
            found = folder if os.path.lexists(folder) else found
            folder = os.path.dirname(folder)  # noqa: PTH120
        return found


def roots_of(sources: Sources) -> Roots:
    """Return the places of sources, as `find_videos` takes them."""
    folders, prefixes, lists = set[str](), set[str](), set[str]()
    for source in map(str, each_source(sources)):
        if is_remote(source):
            if not is_web(source) and ("*" in source or not suffix_of(source)):
                fixed_part = source.partition("*")[0].rpartition("/")[0] if "*" in source else source
                prefixes.add(without_secrets(fixed_part).rstrip("/"))
            continue
        path = path_of(source)
        if not path.exists() and glob.has_magic(str(path)):
            path = fixed_folder(path)
        if path.is_dir():
            folders |= {os.path.abspath(path), os.path.realpath(path)}  # noqa: PTH100
        elif path.suffix.lower() in LIST_READERS:
            lists.add(os.path.abspath(path))  # noqa: PTH100
    return Roots(frozenset(folders), frozenset(prefixes), frozenset(lists))


def _above(location: str, places: Iterable[str]) -> str | None:
    """Return the shortest of the places that a location lies below."""
    above = [place for place in places if location.startswith(f"{place.rstrip('/')}/")]
    return min(above, key=len, default=None)


def holds_video(folder: str) -> bool:
    """Return True if a search of a folder would find a video; False also where it cannot be searched."""
    try:
        return any(is_named_as_video(path.name) and path.is_file() for path in walk(Path(folder)))
    except OSError:
        return False


def is_gone(location: str) -> bool:
    """Return True if a local file certainly does not exist: not where its folder or disk cannot be read.

    A folder, a pipe or a device that took its name is no file.
    """
    try:
        return not stat.S_ISREG(Path(location).stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):  # also a name that the encoding of this system cannot write
        return False


def place_of(location: str) -> str:
    """Return a location without secrets in a form that is equal for all ways to the same file.

    Links to folders are resolved. A link to a file is a file of its own, since it may stand in a class folder of its
    own.

    >>> place_of("http://host/a.mp4") == place_of("https://host/a.mp4")
    True
    """
    if is_remote(location):
        return location.partition("://")[2]
    folder, _, name = os.path.abspath(location).rpartition("/")  # noqa: PTH100
    return f"{_resolved(folder or '/')}/{name}"


@cache
def _resolved(folder: str) -> str:
    return str(real_path(folder))
