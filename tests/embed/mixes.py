"""Codecs, the ways in which their pictures depend on each other, and the containers that hold them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import moving_frame, write_moving_video

FRAME_COUNT = 96
X264 = {"g": "16", "preset": "veryfast"}
CODECS: dict[str, tuple[str, dict[str, str], str]] = {
    "H.264 closed": ("libx264", X264 | {"bf": "3", "x264-params": "open-gop=0:b-pyramid=none"}, "yuv420p"),
    "H.264 open": ("libx264", X264 | {"bf": "3", "x264-params": "open-gop=1:b-pyramid=none:b-adapt=0"}, "yuv420p"),
    "H.264 open pyramid": ("libx264", X264 | {"bf": "5", "x264-params": "open-gop=1:b-pyramid=normal"}, "yuv420p"),
    "H.264 pyramid": ("libx264", X264 | {"bf": "5", "x264-params": "b-pyramid=normal:b-adapt=0"}, "yuv420p"),
    "H.264 pyramid of one reference": (
        "libx264",
        X264 | {"bf": "3", "refs": "1", "x264-params": "b-pyramid=normal:b-adapt=0"},
        "yuv420p",
    ),
    "H.264 no B": ("libx264", X264 | {"bf": "0"}, "yuv420p"),
    "H.264 slices": ("libx264", X264 | {"bf": "2", "x264-params": "slices=4"}, "yuv420p"),
    "H.264 interlaced": ("libx264", X264 | {"bf": "2", "x264-params": "interlaced=1"}, "yuv420p"),
    "H.264 intra refresh": ("libx264", X264 | {"x264-params": "intra-refresh=1:bframes=0"}, "yuv420p"),
    "H.264 10 bit": ("libx264", X264 | {"bf": "2"}, "yuv420p10le"),
    "HEVC open": ("libx265", {"preset": "veryfast", "x265-params": "log-level=none:keyint=16:open-gop=1"}, "yuv420p"),
    "HEVC open pyramid": (
        "libx265",
        {"preset": "veryfast", "x265-params": "log-level=none:keyint=16:open-gop=1:bframes=6:b-pyramid=1:b-adapt=0"},
        "yuv420p",
    ),
    "HEVC closed": ("libx265", {"preset": "veryfast", "x265-params": "log-level=none:keyint=16:open-gop=0"}, "yuv420p"),
    "HEVC layers": (
        "libx265",
        {"preset": "veryfast", "x265-params": "log-level=none:keyint=16:temporal-layers=3:b-adapt=0:bframes=3"},
        "yuv420p",
    ),
    "VP9": ("libvpx-vp9", {"g": "16", "deadline": "realtime", "cpu-used": "8", "lag-in-frames": "12"}, "yuv420p"),
    "VP8": (
        "libvpx",
        {"g": "16", "deadline": "good", "cpu-used": "5", "auto-alt-ref": "1", "lag-in-frames": "12"},
        "yuv420p",
    ),
    "AV1": ("libsvtav1", {"g": "16", "preset": "12", "svtav1-params": "lp=1"}, "yuv420p"),  # more threads may deadlock
    "MPEG-2": ("mpeg2video", {"g": "12", "bf": "2"}, "yuv420p"),
    "MPEG-2-P without B": ("mpeg2video", {"g": "12", "bf": "0"}, "yuv420p"),
    "MPEG-4": ("mpeg4", {"g": "12", "bf": "2"}, "yuv420p"),
    "MPEG-4 no B": ("mpeg4", {"g": "12", "bf": "0"}, "yuv420p"),
    "Motion JPEG": ("mjpeg", {}, "yuvj420p"),
    "ProRes": ("prores_ks", {}, "yuv422p10le"),
    "PNG": ("png", {}, "rgb24"),
    "GIF": ("gif", {}, "rgb8"),
}
EVERYWHERE = ("mp4", "mkv", "ts", "avi")
ENDINGS: dict[str, tuple[str, ...]] = {
    "H.264": (*EVERYWHERE, "h264", "flv"),
    "HEVC": ("mp4", "mkv", "ts", "hevc"),
    "VP9": ("webm", "mp4", "mkv", "ivf", "avi"),
    "VP8": ("webm", "mkv", "avi"),
    "AV1": ("mp4", "mkv", "webm", "ivf", "obu"),
    "MPEG-2": (*EVERYWHERE, "mpg", "m2v"),
    "MPEG-2-P": (*EVERYWHERE, "mpg", "m2v"),
    "MPEG-4": (*EVERYWHERE, "mov", "m4v"),
    "Motion": ("avi", "mov", "mkv", "mp4"),
    "ProRes": ("mov", "mkv"),
    "PNG": ("mov", "avi"),
    "GIF": ("gif",),
}
MIXES = [
    pytest.param((name, ending), id=f"{name} in {ending}") for name in CODECS for ending in ENDINGS[name.split()[0]]
]
UNPLANNED = {"GIF", "H.264 intra refresh"}  # no rule, or only one entry point, the first
# Nothing is planned without the presentation times of all frames.
UNTIMED = {("H.264", "h264"), ("HEVC", "hevc"), ("H.264", "avi"), ("MPEG-2", "mpg")}


@dataclass(frozen=True)
class Mix:
    """A video of `FRAME_COUNT` moving pictures, with the name of its coding and the ending of its container."""

    path: Path
    name: str
    ending: str

    @property
    def is_planned(self) -> bool:
        """True if its frames can be decoded by plan."""
        return self.name not in UNPLANNED and (self.name.split()[0], self.ending) not in UNTIMED


def write_mix(folder: Path, name: str, ending: str) -> Mix:
    """Encode a video of moving pictures."""
    codec, options, pixel_format = CODECS[name]
    path = folder / f"a.{ending}"
    write_moving_video(path, FRAME_COUNT, codec=codec, options=options, pixel_format=pixel_format)
    return Mix(path, name, ending)


def numbers_of(pictures: Iterable[NDArray[np.uint8]]) -> list[int]:
    """Return the numbers of pictures: those of the most similar drawn pictures."""
    return [int(np.abs(_drawn() - rgb[::4, ::4]).mean(axis=(1, 2, 3)).argmin()) for rgb in pictures]


@cache
def _drawn() -> NDArray[np.int16]:
    """Return (F, H / 4, W_px / 4, 3): every fourth row and column of the moving pictures."""
    return np.stack([moving_frame(number, 128, 96)[::4, ::4] for number in range(FRAME_COUNT)]).astype(np.int16)
