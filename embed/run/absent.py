"""Local files that do not exist: which they are, and what may be wrong with their paths."""

import os
from collections.abc import Sequence
from pathlib import Path

from embed.errors import SourceError
from embed.machine import counted
from embed.sources import Video, is_gone, is_remote
from embed.store import Failure


def absent_among(videos: Sequence[Video]) -> list[Video]:
    """Return the local videos whose files do not exist."""
    return [video for video in videos if not is_remote(video.address) and is_gone(video.location)]


def failure_of_absent(video: Video) -> Failure:
    """Return the failure of a video whose file does not exist."""
    if os.path.exists(video.location):  # noqa: PTH110 (a name that this system cannot write raises no error)
        return Failure(video.id, video.location, "not_found", f"{video.location} is a folder, pipe or device, no file")
    return Failure(video.id, video.location, "not_found", f"{video.location} does not exist. {_advice(video)}")


def refuse_if_all(absent: Sequence[Video], count: int) -> None:
    """Raise SourceError if the absent videos are all of `count`."""
    if not absent or len(absent) < count:
        return
    example = absent[0]
    where = f" that {example.listed_in} names" if example.listed_in else ""
    raise SourceError(
        f"None of {counted(len(absent), 'video')}{where} exists, e.g. {example.location}. {_advice(example)} Nothing "
        "was stored."
    )


def _advice(video: Video) -> str:
    if not video.listed_in:
        return "Check the path."
    folder = os.path.dirname(video.listed_in)  # noqa: PTH120
    said = f"Paths in a list count from the list's folder, {folder}"
    here = Path.cwd() / os.path.relpath(video.location, folder)
    if Path.cwd() == Path(folder) or not here.exists():
        return f"{said}; nor does it exist below {Path.cwd()}, where the command runs. Correct the path."
    return f"{said}; but {here} exists. Move the list to {Path.cwd()}, or write paths from its folder on."
