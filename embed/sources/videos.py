"""Sources -> videos: which files there are, and what each is called.

A video's id is, in this order,
- the `id` column of a list;
- its path below the source, with forward slashes, where that is a folder, a prefix or a pattern's fixed part;
- its path below the list's folder, where a list names it, or the path as written where it lies elsewhere;
- of an address, everything behind the host or bucket (`embed.sources.locations.id_of_address`).

Ids stay the same when the whole folder moves, so labels and stores keep fitting each other.
"""

import glob
import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

from embed.errors import SourceError
from embed.sources.locations import (
    id_of_address,
    is_remote,
    is_web,
    open_filesystem,
    path_on,
    protocol_of,
    require_protocol,
    suffix_of,
    without_secrets,
)
from embed.sources.video_lists import LIST_READERS, read_list

VIDEO_SUFFIXES = frozenset(
    [
        ".3g2",
        ".3gp",
        ".asf",
        ".avi",
        ".divx",
        ".dv",
        ".f4v",
        ".flv",
        ".gif",
        ".h264",
        ".h265",
        ".hevc",
        ".ivf",
        ".m2ts",
        ".m2v",
        ".m4v",
        ".mjpeg",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".mts",
        ".mxf",
        ".nut",
        ".ogm",
        ".ogv",
        ".ts",
        ".vob",
        ".webm",
        ".wmv",
        ".y4m",
    ]
)
"""Endings that a folder search takes for videos, in lower case. A file named by the user may have any."""

_WAYS = "Name a folder, a video file, a pattern, an address, or a CSV, TXT or Parquet list."


@dataclass(frozen=True)
class Video:
    """One video to embed.

    Args:
        id: what it is called.
        location: where it lies, an absolute path or an address. May be stored and shown: secrets are taken out of it.
        address: what to fetch it by, secrets included; empty takes `location` as it was given.
    """

    id: str
    location: str
    address: str = field(default="", repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", self.address or self.location)
        object.__setattr__(self, "location", without_secrets(self.location))


def find_videos(sources: Sequence[str | Path]) -> list[Video]:
    """List the videos that the sources name.

    Args:
        sources: each one of
            - a folder, searched recursively for files with a video's ending, also behind links to folders;
            - a video file;
            - a pattern such as `videos/**/*.mp4`;
            - an address: `https://` of a file or of a page that shows a video, `s3://` or another protocol of fsspec;
              a store's prefix (`s3://bucket/videos/`) is searched like a folder;
            - a CSV or Parquet list with a column `path`, `link` or `url`, and perhaps `id`; or a TXT list of one path a
              line. Paths in a list are relative to it.

    Returns:
        The videos in the order of the sources, those of a folder sorted by id. A file named by a list, and an address,
        need not exist: it becomes a failure when it is embedded, not the end of the run.

    Raises:
        SourceError: a source is absent, cannot be read in all its parts or names no video, one id stands for two
            files, or an address needs a package that is not installed.
    """
    videos: dict[str, Video] = {}
    for source in sources:
        for video in _videos_of(str(source)):
            known = videos.setdefault(video.id, video)
            if known.address != video.address:
                raise SourceError(
                    f"{known.location} and {video.location} would both be called {video.id!r}. "
                    "Embed them into two stores, or give a CSV list with an id column."
                )
    if not videos:
        raise SourceError(f"There is no video to embed. {_WAYS}")
    for address in {protocol_of(video.address): video.address for video in videos.values()}.values():
        if is_remote(address):
            require_protocol(address)
    return list(videos.values())


def _videos_of(source: str) -> list[Video]:
    if is_remote(source):
        return _remote_videos(source)
    try:
        return _local_videos(source)
    except OSError as error:
        raise SourceError(
            f"{error.filename or source} cannot be read: {error.strerror or error}. Make it readable, or name sources "
            "that leave it out: other folders, or a pattern."
        ) from error


def _local_videos(source: str) -> list[Video]:
    path = _path_of(source)
    if path.is_dir():
        return _folder_videos(path)
    if not path.exists() and glob.has_magic(source):
        return _pattern_videos(path)
    if not path.exists():
        raise SourceError(f"{source} does not exist. {_WAYS}")
    if path.suffix.lower() in LIST_READERS:
        return [_listed_video(path, *row) for row in read_list(path)]
    return [_local_video(path.name, path)]


def _path_of(source: str) -> Path:
    return Path(unquote(urlsplit(source).path)) if source.startswith("file://") else Path(source)


def _folder_videos(folder: Path) -> list[Video]:
    return _known_by_ending(str(folder), _files_below(folder, _walk(folder)))


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, behind links to folders too.

    Each folder is gone through once, so that links may lead in circles: under its own name, else that of a link.
    """
    seen: set[tuple[int, int]] = set()
    roots = deque([folder])
    while roots:
        for name, subfolders, files in os.walk(roots.popleft(), onerror=_refuse):
            here = Path(name)
            status = here.stat()
            if (status.st_dev, status.st_ino) in seen:
                subfolders.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
            subfolders.sort()
            yield from (here / file for file in files)
            roots.extend(here / subfolder for subfolder in subfolders if (here / subfolder).is_symlink())


def _refuse(error: OSError) -> None:
    """Have a walk end where it would pass over a folder in silence; a disk's repairs are nobody's videos."""
    if Path(error.filename).name != "lost+found":
        raise error


def _pattern_videos(pattern: Path) -> list[Video]:
    """List the files that a pattern matches; their ids are those that its fixed folder would give them."""
    fixed = next(number for number, part in enumerate(pattern.parts) if glob.has_magic(part))
    root = Path(*pattern.parts[:fixed])
    return _known_by_ending(str(pattern), _files_below(root, root.glob(str(Path(*pattern.parts[fixed:])))))


def _files_below(root: Path, paths: Iterator[Path]) -> list[Video]:
    return [_local_video(path.relative_to(root).as_posix(), path) for path in paths if path.is_file()]


def _local_video(video_id: str, path: Path) -> Video:
    """Name a file by its absolute path, which means the same to later runs, wherever they are started.

    FFmpeg would take `a:b.mp4` for a file of the protocol `a`; `/videos/a:b.mp4` it does not.
    """
    return Video(video_id, str(path.absolute()))


def _remote_videos(source: str) -> list[Video]:
    if suffix_of(source) in LIST_READERS:
        raise SourceError(f"{without_secrets(source)} is a list. Copy it to this machine and name the copy.")
    if is_web(source) or (suffix_of(source) in VIDEO_SUFFIXES and not _is_remote_pattern(source)):
        return [Video(id_of_address(source), source)]
    return _stored_videos(source)


def _is_remote_pattern(source: str) -> bool:
    """Tell whether an address holds a `*`; `?` and `[` are common in the keys of objects."""
    return "*" in source


def _stored_videos(source: str) -> list[Video]:
    """List what a far store holds below a prefix, or what a pattern matches there."""
    filesystem = open_filesystem(source)
    path = path_on(filesystem, source)
    try:
        names = filesystem.glob(path) if _is_remote_pattern(source) else filesystem.find(path)
    except Exception as error:  # each store's library has kinds of its own, and theirs may hold secrets
        raise SourceError(
            f"{without_secrets(source)} cannot be listed ({type(error).__name__}). "
            "Check the name, and that the environment holds the credentials, e.g. AWS_PROFILE."
        ) from None
    if names == [path] and not source.endswith("/"):  # an object without a video's ending, named by the user
        return [Video(id_of_address(source), source)]
    # Some protocols name files by their path alone: host and login stand in the source.
    ids = [name.removeprefix(_fixed_part(path)).lstrip("/") for name in names]
    found = [Video(video_id, f"{_fixed_part(source)}/{video_id}") for video_id in ids]
    return _known_by_ending(without_secrets(source), found)


def _fixed_part(source: str) -> str:
    """Return the folder that a prefix is, or that a pattern's matches lie below."""
    return source.partition("*")[0].rpartition("/")[0] if _is_remote_pattern(source) else source.rstrip("/")


def _known_by_ending(source: str, files: list[Video]) -> list[Video]:
    videos = [file for file in files if suffix_of(file.id) in VIDEO_SUFFIXES]
    if not videos:
        raise SourceError(
            f"{source} holds no video file. Files are known by their ending ({', '.join(sorted(VIDEO_SUFFIXES))}); "
            "name one with another ending itself, or in a list."
        )
    return sorted(videos, key=lambda video: video.id)


def _listed_video(source: Path, path: str, video_id: str) -> Video:
    if is_remote(path):
        return Video(video_id or id_of_address(path), path)
    path = str(_path_of(path))
    return _local_video(video_id or _id_of(source, path), source.parent / path)


def _id_of(source: Path, path: str) -> str:
    """Return the path below the list's folder, where it lies below it, and the path as written elsewhere.

    Below its absolute folder, so that a list gives the same ids whatever folder it is named from.
    """
    folder = Path(os.path.abspath(source.parent))  # noqa: PTH100 (Path.absolute keeps `..`)
    file = folder / path
    return (file.relative_to(folder) if file.is_relative_to(folder) else PurePath(path)).as_posix()
