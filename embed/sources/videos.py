"""Sources -> videos: which files there are, and the id of each.

A video's id is the first of these that applies:
- its value in the `id` column of a list;
- its path below the source, with forward slashes, if the source is a folder, a prefix or a pattern (below its fixed
  part);
- if a list names it: its path below the list's folder, or the path as written if the file is elsewhere;
- for an address: everything after the host or bucket (`embed.sources.locations.id_of_address`).

Ids stay the same when the whole folder moves, so labels and stores still match each other.
"""

import glob
import itertools
import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

from embed.errors import SourceError
from embed.machine import VIDEO_SUFFIXES, require_regular
from embed.sources.kept_addresses import has_address, why_mistyped, without_secrets
from embed.sources.locations import (
    id_of_address,
    is_remote,
    is_web,
    open_filesystem,
    path_on,
    require_address,
    suffix_of,
)
from embed.sources.video_lists import LIST_READERS, read_list

Sources = str | Path | Sequence[str | Path]
"""What names videos: one folder, file, pattern, address or list, or several of them."""

_WAYS = "Give a folder, a video file, a pattern, an address, or a CSV, TSV, TXT or Parquet list."
_PATTERN = re.compile(r"[*?]|\[.+\]")
_NO_VIDEOS = frozenset({".json", ".jsonl", ".ods", ".xls", ".xlsx", ".yaml", ".yml", ".zip"})
"""Suffixes of files that somebody may take for lists, and that a decoder would try for seconds."""


@dataclass(frozen=True)
class Video:
    """One video to embed.

    Args:
        id: its name in stores, labels and splits.
        location: an absolute path or an address. It may be stored and shown: secrets are removed from it.
        address: the address to fetch it from, secrets included; if empty, it is `location` as given.
        listed_in: absolute path of the list that names it; empty if another kind of source does.
    """

    id: str
    location: str
    address: str = field(default="", repr=False, compare=False)
    listed_in: str = field(default="", repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", self.address or self.location)
        object.__setattr__(self, "location", without_secrets(self.location))


def each_source(sources: Sources) -> Sequence[str | Path]:
    """Return the sources as a sequence, also if there is only one.

    >>> each_source("videos/"), each_source(["a.mp4", "b.mp4"])
    (['videos/'], ['a.mp4', 'b.mp4'])
    """
    return [sources] if isinstance(sources, str | Path) else sources


def find_videos(sources: Sources) -> list[Video]:
    """List the videos that the sources name.

    Args:
        sources: one, or several; each is one of
            - a folder, searched recursively for files with a video's suffix; links to folders are followed;
            - a video file;
            - a pattern such as `videos/**/*.mp4`;
            - an address: `https://` of a file or of a page that shows a video, `s3://` or another protocol of fsspec.
              A bucket's prefix (`s3://bucket/videos/`) is searched like a folder;
            - a CSV or Parquet list with a column `path`, `link` or `url`, and optionally `id`; or a TXT list with one
              path per line. Paths in a list are relative to the list's folder.

    Returns:
        The videos in the order of the sources; those of a folder are sorted by id. A file that a list names, or an
        address, need not exist: if it does not, it becomes a failure when it is embedded, and the run continues.

    Raises:
        SourceError: a source does not exist, names no video or has a part that cannot be read; two files have the same
            id; or an address needs a package that is not installed.
    """
    videos: dict[str, Video] = {}
    for source in each_source(sources):
        if "\0" in str(source):
            raise SourceError(f"The source {str(source)!r} has a NUL in it, which no name has. Name it again.")
        if not str(source).strip():
            raise SourceError(f"A source is empty, as an unset variable is. {_WAYS}")
        for video in _videos_of(str(source)):
            if "\0" in video.id + video.location:
                raise SourceError(f"The video {video.id!r} has a NUL in its name. Rename it, or leave it out.")
            known = videos.setdefault(video.id, video)
            if known.address != video.address:
                raise SourceError(_same_id(known, video))
    if not videos:
        raise SourceError(f"There is no video to embed. {_WAYS}")
    return list(videos.values())


def _videos_of(source: str) -> list[Video]:
    if is_remote(source):
        return _remote_videos(source)
    try:
        return _local_videos(source)
    except RecursionError:
        raise SourceError(
            f"{source} matches in folders that lie too deep for a pattern. Name the folder in place of the pattern."
        ) from None
    except OSError as error:
        raise SourceError(
            f"{error.filename or source} cannot be read: {error.strerror or error}. Make it readable, or give sources "
            "that do not include it: other folders, or a pattern."
        ) from error


def _same_id(known: Video, video: Video) -> str:
    """Return that two videos of one run cannot have one id, and what to do."""
    if known.location == video.location:
        return (
            f"Two links to {video.location} differ only in what signs them, which is not kept. If they are one video, "
            "remove one; if not, give them different ids in a CSV list with the columns id and path."
        )
    return (
        f"{known.location} and {video.location} would both be called {video.id!r}. Name a folder that both lie in, "
        "whose subfolders then tell them apart, or a CSV list with the columns id and path."
    )


def _local_videos(source: str) -> list[Video]:
    _refuse_mistyped(source, Path())
    path = path_of(source)
    if path.is_dir():
        return _folder_videos(path)
    if not path.exists() and _PATTERN.search(str(path)):
        return _pattern_videos(path)
    if not path.exists():
        raise SourceError(f"{source} does not exist. {_WAYS}")
    if path.suffix.lower() in LIST_READERS:
        return [_listed_video(path, number, *row) for number, row in enumerate(read_list(path), 1)]
    if path.suffix.lower() in _NO_VIDEOS:
        raise SourceError(f"{source} is no video, and no list of videos that is understood. {_WAYS}")
    require_regular(path)
    return [_local_video(path.name, path)]


def _refuse_mistyped(source: str, folder: Path) -> None:
    """Raise SourceError for what is meant as an address, which would be kept as a path, secrets included."""
    slip = why_mistyped(source)
    if slip and not os.path.lexists(folder / source):
        raise SourceError(
            f"A source {slip}. Write an address as https://host/a.mp4, or a path of this machine as ./folder/a.mp4."
        )


def path_of(source: str) -> Path:
    """Return the path that a source names, also as file:///folder/a.mp4.

    Raises:
        SourceError: a file:// address names another machine, or holds another address.
    """
    if not source.lower().startswith("file://"):
        return Path(source)
    parts = urlsplit(source)
    if parts.netloc.lower() not in ("", "localhost") or has_address(source[len("file://") :]):
        raise SourceError("A file:// address names a path of this machine: file:///folder/a.mp4. Write the path alone.")
    return Path(unquote(parts.path))


def _folder_videos(folder: Path) -> list[Video]:
    return _known_by_ending(str(folder), _files_below(folder, walk(folder)))


def walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, including those behind links to folders.

    Each folder is visited once, so links may form circles. Its own path is preferred over that of a link to it.

    Raises:
        OSError: a folder cannot be read.
    """
    seen: set[tuple[int, int]] = set()
    roots = deque([folder])
    while roots:
        waiting = [roots.popleft()]  # not by os.walk, which calls itself and fails 1,000 folders deep (Python 3.11)
        while waiting:
            here = waiting.pop()
            status = here.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            subfolders, linked, files = _content_of(here)
            yield from files
            waiting += reversed(subfolders)
            roots += linked


def _content_of(folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Return the folders in a folder, the links to folders, both sorted, and the files.

    Raises:
        OSError: it cannot be read. `lost+found` counts as empty.
    """
    folders, linked, files = list[Path](), list[Path](), list[Path]()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                kind = files if not entry.is_dir() else linked if entry.is_symlink() else folders
                kind.append(folder / entry.name)
    except OSError:
        if folder.name != "lost+found":
            raise
    return sorted(folders), sorted(linked), files


def _pattern_videos(pattern: Path) -> list[Video]:
    """List the files that a pattern matches. Their ids are their paths below the pattern's fixed folder."""
    wrong = next((part for part in pattern.parts if "**" in part and part != "**"), None)
    if wrong:
        right = f"**/{wrong.replace('**', '*')}"
        raise SourceError(f"In {pattern}, ** must stand alone between slashes: write {right} in place of {wrong}.")
    root = fixed_folder(pattern)
    below = pattern.parts[len(root.parts) :]
    return _known_by_ending(str(pattern), _files_below(root, root.glob(str(Path(*below)))))


def fixed_folder(pattern: Path) -> Path:
    """Return the folder that contains all matches of a pattern: its parts before the first with a wildcard."""
    return Path(*itertools.takewhile(lambda part: not glob.has_magic(part), pattern.parts))


def _files_below(root: Path, paths: Iterator[Path]) -> list[Video]:
    return [_local_video(path.relative_to(root).as_posix(), path) for path in paths if path.is_file()]


def is_named_as_video(name: str) -> bool:
    """Return True if a search takes a file of this name: it has a video's suffix.

    It does not take `._clip.mp4`, which macOS writes beside clip.mp4 on other disks, and which is no video.
    """
    return suffix_of(name) in VIDEO_SUFFIXES and not name.rpartition("/")[2].startswith("._")


def _local_video(video_id: str, path: Path, listed_in: str = "") -> Video:
    """Return a file's video, located by its absolute path, which later runs understand from any working directory.

    FFmpeg takes `a:b.mp4` for a file of the protocol `a`; it does not do so with `/videos/a:b.mp4`.
    """
    return Video(video_id, str(path.absolute()), listed_in=listed_in)


def _remote_videos(source: str) -> list[Video]:
    require_address(source)
    if suffix_of(source) in LIST_READERS:
        raise SourceError(f"{without_secrets(source)} is a remote list. Copy it to this machine and give the copy.")
    if is_web(source) or (suffix_of(source) in VIDEO_SUFFIXES and not _is_remote_pattern(source)):
        return [Video(id_of_address(source), source)]
    return _stored_videos(source)


def _is_remote_pattern(source: str) -> bool:
    """Return True if an address has a `*`. `?` and `[` do not count, since they are common in the keys of objects."""
    return "*" in source


def _stored_videos(source: str) -> list[Video]:
    """List the videos of a remote store below a prefix, or those that a pattern matches there."""
    try:
        filesystem = open_filesystem(source)
        path = path_on(filesystem, source)
        names = filesystem.glob(path) if _is_remote_pattern(source) else filesystem.find(path)
    except SourceError:
        raise
    except Exception as error:  # each storage library has its own exceptions, and their texts may contain secrets
        raise SourceError(
            f"{without_secrets(source)} cannot be listed ({type(error).__name__}). "
            "Check the name, and check that the environment holds the credentials, e.g. AWS_PROFILE."
        ) from None
    if names == [path] and not source.endswith("/"):  # an object without a video's suffix, named by the user
        return [Video(id_of_address(source), source)]
    # Some protocols name files by their path alone, so host and login are taken from the source.
    ids = [name.removeprefix(_fixed_part(path)).lstrip("/") for name in names]
    found = [Video(video_id, f"{_fixed_part(source)}/{video_id}") for video_id in ids]
    return _known_by_ending(without_secrets(source), found)


def _fixed_part(source: str) -> str:
    """Return the folder that a prefix names, or the folder that contains all matches of a pattern."""
    return source.partition("*")[0].rpartition("/")[0] if _is_remote_pattern(source) else source.rstrip("/")


def _known_by_ending(source: str, files: list[Video]) -> list[Video]:
    videos = [file for file in files if is_named_as_video(file.id)]
    if not videos:
        raise SourceError(
            f"{source} holds no video file. A folder or pattern finds files with these suffixes: "
            f"{', '.join(sorted(VIDEO_SUFFIXES))}. Name a video with another suffix directly, or in a list."
        )
    return sorted(videos, key=lambda video: video.id)


def _listed_video(source: Path, number: int, path: str, video_id: str) -> Video:
    """Return the video of a list's entry; the first entry has the number 1."""
    listed_in = os.path.abspath(source)  # noqa: PTH100 (Path.absolute keeps `..`)
    try:
        if is_remote(path):
            require_address(path)
            return Video(video_id or id_of_address(path), path, listed_in=listed_in)
        _refuse_mistyped(path, source.parent)
        path = str(path_of(path))
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise SourceError(
            f"{source}, entry {number}: names of files are {error.encoding} here, which has no {path[error.start]!a}. "
            "Set PYTHONUTF8=1."
        ) from None
    except SourceError as error:
        raise SourceError(f"{source}, entry {number}: {error}") from None
    return _local_video(video_id or _id_of(source, path), source.parent / path, listed_in)


def _id_of(source: Path, path: str) -> str:
    """Return a path relative to the list's folder if it is below it, else the path as written.

    The folder is made absolute, so a list gives the same ids from every working directory.
    """
    folder = Path(os.path.abspath(source.parent))  # noqa: PTH100 (Path.absolute keeps `..`)
    file = folder / path
    return (file.relative_to(folder) if file.is_relative_to(folder) else PurePath(path)).as_posix()
