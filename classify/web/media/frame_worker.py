"""The code of a process that makes JPEGs of frames. It does not import torch.

A request is JSON, [path, seconds, width]; an answer is the JPEG, or nothing if there is none. Each has its length in
front, 4 bytes. The process ends itself when a frame takes too long, even if it hangs in a library, and when the server
is gone. What it answers is never more than bytes to pass on: it has read a stranger's file.
"""

import io
import json
import resource
import signal
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from embed import EmbedError
from embed.video import Timeline, read_frames

MOST_BYTES = 4 << 30
_QUALITY = 82


@dataclass(frozen=True)
class FrameAt:
    """The frame that is shown at a moment.

    Args:
        at_s: on the clock of the file; before the first frame it is that one.
    """

    at_s: float

    def indices(self, timeline: Timeline) -> NDArray[np.int64]:
        """Return its (1, 1) index."""
        shown = np.searchsorted(timeline.timestamps_s, self.at_s + 1e-3, side="right") - 1
        return np.array([[max(0, int(shown))]], dtype=np.int64)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return {"name": "frame-at", "at_s": self.at_s}


@dataclass(frozen=True)
class Shrink:
    """Makes frames no wider than `width_px`."""

    width_px: int

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a frame (H, W_px, 3), smaller if it is wide."""
        from PIL import Image

        height, width = rgb.shape[:2]
        if width <= self.width_px:
            return rgb
        size = self.width_px, max(1, round(height * self.width_px / width))
        return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))


def make_jpeg(path: str, at_s: float, width_px: int) -> bytes:
    """Return the frame at a moment as a JPEG.

    Raises:
        VideoError: it cannot be decoded.
    """
    from PIL import Image

    frames = read_frames(path, FrameAt(at_s), Shrink(width_px), thread_count=1)
    content = io.BytesIO()
    Image.fromarray(frames.rgb[0, 0]).save(content, format="JPEG", quality=_QUALITY)
    return content.getvalue()


def serve(limit_s: int) -> None:
    """Answer requests on stdin until it ends.

    Args:
        limit_s: longest time for one frame.
    """
    with suppress(OSError, ValueError):  # the system's own limit is lower
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    while (request := receive(sys.stdin.buffer)) is not None:
        signal.alarm(limit_s)  # its default is the end of the process
        try:
            answer = make_jpeg(*json.loads(request))
        except (EmbedError, MemoryError, ValueError, OSError, RuntimeError):
            answer = b""
        signal.alarm(0)
        send(sys.stdout.buffer, answer)


def send(pipe: IO[bytes], content: bytes) -> None:
    """Write one message."""
    pipe.write(struct.pack(">I", len(content)) + content)
    pipe.flush()


def receive(pipe: IO[bytes]) -> bytes | None:
    """Read one message; None at the end of the pipe."""
    size = pipe.read(4)
    return pipe.read(struct.unpack(">I", size)[0]) if len(size) == 4 else None
