"""Decode videos ahead of the encoder, several at a time, never more than memory allows.

FFmpeg releases Python's lock while it decodes, so threads are enough to keep the cores busy.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from embed.decoding import Decoder, Frames, read_frames
from embed.errors import VideoError
from embed.pieces import Failure, VideoRecord
from embed.preprocessing import Preprocessing
from embed.sampling import Sampling
from embed.videos import Video

_SAMPLE_BYTES = 1 << 20

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class DecodePlan:
    """What is done to every video: which frames, how they are cut, by which decoder."""

    sampling: Sampling
    preprocessing: Preprocessing
    decoder: Decoder = "pyav"


@dataclass(frozen=True)
class DecodedVideo:
    """A video's frames, ready to be encoded."""

    record: VideoRecord
    frames: Frames


def decode_videos(
    videos: Iterable[Video], plan: DecodePlan, *, workers: int | None = None
) -> Iterator[DecodedVideo | Failure]:
    """Decode videos in the background and yield them in their order.

    Args:
        videos: local files.
        plan: what is done to each.
        workers: videos decoded at once; None takes one a core, at most 8. Twice as many stand in memory.
    """
    workers = workers or min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        yield from _in_order(pool, lambda video: decode_video(video, plan), videos, ahead=2 * workers)


def decode_video(video: Video, plan: DecodePlan) -> DecodedVideo | Failure:
    """Decode one video's frames, or say why there are none."""
    try:
        frames = read_frames(video.location, plan.sampling, plan.preprocessing, decoder=plan.decoder)
    except VideoError as error:
        return Failure(video.id, video.location, error.reason, error.detail)
    timeline = frames.timeline
    record = VideoRecord(
        id=video.id,
        location=video.location,
        content_hash=hash_content(video.location),
        frame_count=timeline.frame_count,
        duration_s=timeline.duration_s,
        fps=timeline.fps,
        width_px=timeline.width_px,
        height_px=timeline.height_px,
    )
    return DecodedVideo(record, frames)


def hash_content(path: str) -> str:
    """Return the sha256 of a file's size and of its first and last mebibyte.

    That tells files apart without reading gigabytes: a video that was encoded or cut anew differs in both ends.
    """
    size = Path(path).stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with Path(path).open("rb") as file:
        digest.update(file.read(_SAMPLE_BYTES))
        file.seek(max(0, size - _SAMPLE_BYTES))
        digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def _in_order(
    pool: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int
) -> Iterator[Result]:
    """Yield function(item) of each item in order, with at most `ahead` results begun and not yet taken."""
    remaining = iter(items)
    running: deque[Future[Result]] = deque(pool.submit(function, item) for item in islice(remaining, ahead))
    try:
        while running:
            result = running.popleft().result()
            running.extend(pool.submit(function, item) for item in islice(remaining, 1))
            yield result
    finally:
        for future in running:
            future.cancel()
