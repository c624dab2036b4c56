"""What a player shows: every frame that FFmpeg's decoder returns, in the order in which it returns them.

It is an independent reference for `embed.video.decoding`: it has no timeline, no plan and no seeking, and the only code
of this project that it uses is the conversion of a decoded frame to RGB (`embed.video.pictures`).
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray

from embed.video.decoding import read_frames
from embed.video.pictures import PictureReader
from embed.video.sampling import UniformFrames


@dataclass(frozen=True)
class Shown:
    """A frame as it is shown."""

    frame: av.VideoFrame
    picture: PictureReader

    @property
    def time_s(self) -> float | None:
        """Its timestamp in seconds, as its decoder states it."""
        return self.frame.time

    @property
    def kind(self) -> PictureType:
        """What it was decoded from: an I-, P- or B-picture."""
        return PictureType(self.frame.pict_type)

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """Its upright (H, W_px, 3) pixels."""
        return self.picture.read(self.frame)


def play(path: Path) -> Iterator[Shown]:
    """Yield a video's frames from its first packet to its last, skipping packets that cannot be decoded.

    It uses one thread, as a run does: what FFmpeg shows in place of damaged pictures depends on the number of threads.
    """
    with av.open(str(path), metadata_errors="ignore") as container:
        stream = container.streams.best("video")
        stream.codec_context.thread_count = 1
        picture = PictureReader(stream.sample_aspect_ratio)
        for packet in container.demux(stream):
            with suppress(av.InvalidDataError):
                for frame in packet.decode():
                    yield Shown(frame, picture)


def middles(available: int, count: int) -> list[int]:
    """Return the frames in the middle of `count` equal parts; all frames if there are at most `count`."""
    if available <= count:
        return list(range(available))
    return [(2 * part + 1) * available // (2 * count) for part in range(count)]


def unlike(path: Path, shown: Sequence[Shown], count: int) -> list[int]:
    """Return the places where the frames read differ from those in the middle of `count` equal parts of the shown."""
    chosen = [shown[place].rgb for place in middles(len(shown), count)]
    read = read_frames(str(path), UniformFrames(count)).rgb[:, 0]
    if len(read) != len(chosen):
        return [*range(max(len(read), len(chosen)))]
    return [place for place, rgb in enumerate(chosen) if not np.array_equal(read[place], rgb)]
