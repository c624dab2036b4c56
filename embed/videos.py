"""Sources -> videos: which files there are, and what each is called.

A video's id is its path below the source root, with forward slashes, or the `id` column of a list. Ids stay the same
when the whole folder moves, so labels and stores keep fitting each other.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from embed.errors import SourceError

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

LIST_SUFFIXES = frozenset({".csv", ".txt"})


@dataclass(frozen=True)
class Video:
    """One video to embed: what it is called and where it lies."""

    id: str
    location: str


def find_videos(sources: Sequence[str | Path]) -> list[Video]:
    """List the videos that the sources name.

    Args:
        sources: folders (searched recursively for files with a video's ending), video files, CSV lists with a `path`
            column and perhaps an `id` column, TXT lists of one path a line. Paths in a list are relative to it.

    Returns:
        The videos in the order of the sources, those of a folder sorted by id. A file named by a list need not
        exist: it becomes a failure when it is embedded, not the end of the run.

    Raises:
        SourceError: a source is absent or names no video, or one id stands for two files.
    """
    videos: dict[str, Video] = {}
    for source in sources:
        for video in _videos_of(Path(source)):
            known = videos.setdefault(video.id, video)
            if known.location != video.location:
                raise SourceError(
                    f"{known.location} and {video.location} would both be called {video.id!r}. "
                    "Embed them into two stores, or give a CSV list with an id column."
                )
    if not videos:
        raise SourceError("There is no video to embed. Name a folder, a video file, or a CSV or TXT list.")
    return list(videos.values())


def _videos_of(source: Path) -> list[Video]:
    if source.is_dir():
        return _folder_videos(source)
    if not source.exists():
        raise SourceError(f"{source} does not exist. Name a folder, a video file, or a CSV or TXT list.")
    if source.suffix.lower() == ".csv":
        return _csv_videos(source)
    if source.suffix.lower() == ".txt":
        return _txt_videos(source)
    return [Video(source.name, str(source))]


def _folder_videos(folder: Path) -> list[Video]:
    files = (path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
    videos = [Video(path.relative_to(folder).as_posix(), str(path)) for path in files if path.is_file()]
    if not videos:
        raise SourceError(
            f"{folder} holds no video file. Files are known by their ending ({', '.join(sorted(VIDEO_SUFFIXES))}); "
            "name one with another ending itself, or in a list."
        )
    return sorted(videos, key=lambda video: video.id)


def _csv_videos(source: Path) -> list[Video]:
    # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
    with source.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or []
        if "path" not in columns:
            raise SourceError(
                f"{source} has the columns {', '.join(columns) or '(none)'}, but no `path`. "
                "Name the column of the videos' paths `path`, and that of their names, if you have one, `id`."
            )
        rows = [(row["path"] or "", row.get("id") or "") for row in reader]
    return _listed_videos(source, rows)


def _txt_videos(source: Path) -> list[Video]:
    lines = source.read_text(encoding="utf-8-sig").splitlines()
    return _listed_videos(source, [(line, "") for line in lines if not line.lstrip().startswith("#")])


def _listed_videos(source: Path, rows: Iterable[tuple[str, str]]) -> list[Video]:
    """Turn (path, id or nothing) rows of a list into videos; rows without a path are blank lines."""
    videos = [
        Video(video_id.strip() or _id_of(source, path.strip()), str(source.parent / path.strip()))
        for path, video_id in rows
        if path.strip()
    ]
    if not videos:
        raise SourceError(f"{source} lists no video. Write one path a row.")
    return videos


def _id_of(source: Path, path: str) -> str:
    """Return the path below the list's folder, where it lies below it, and the path as written elsewhere."""
    if PurePath(path).is_relative_to(source.parent):
        return PurePath(path).relative_to(source.parent).as_posix()
    return PurePath(path).as_posix()
