"""The file of a video of the store, if it is there and is a video."""

import os
import stat
from pathlib import Path

from classify.web.answers import ApiError
from classify.web.media.kinds import SNIFFED_BYTES, kind_of
from embed import is_remote
from embed.machine import open_regular


def local_video(location: str) -> tuple[str, str, os.stat_result]:
    """Return the path of a video's file, its media type, and what the file is now.

    A store may come from elsewhere, and may name any file of this machine: only what begins as a video does is shown.

    Args:
        location: from the store's own table.

    Raises:
        ApiError: it lies elsewhere (404), is gone (410), cannot be read (403), or is no video (415).
    """
    if not location or is_remote(location) or not Path(location).is_absolute():
        raise ApiError(
            404,
            "not_on_this_machine",
            "The store does not name a file on this machine for this video, so it cannot be played here. Its labels "
            "and moments are still shown.",
        )
    try:
        with open_regular(location) as file:
            head, status = file.read(SNIFFED_BYTES), os.fstat(file.fileno())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _gone() from error
    except (OSError, ValueError) as error:
        raise ApiError(
            403, "unreadable", "The file of this video cannot be read. Look whether the server may read it."
        ) from error
    kind = kind_of(head)
    if kind is None or not stat.S_ISREG(status.st_mode):
        raise ApiError(415, "no_video", "The file that the store names for this video is none. Embed it again.")
    return location, kind, status


def _gone() -> ApiError:
    return ApiError(
        410,
        "gone",
        "The file of this video is gone from where it was embedded. Put it back, or run embed-videos again, which "
        "follows files that moved.",
    )
