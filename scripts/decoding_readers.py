"""The readers that benchmark_decoding.py compares, each in its fastest setting that returns the requested frames.

A reader takes a path and ascending frame indices, and returns small RGB pictures by index. All readers, including
framehead, get the indices; only framehead first reads the true timeline, and this counts in its time.
"""

import ctypes.util
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from embed.video import Timeline, read_frames

THUMBNAIL = (64, 36)

Thumbnails = dict[int, NDArray[np.uint8]]
Reader = Callable[[str, Sequence[int]], Thumbnails]


@dataclass(frozen=True)
class ToThumbnail:
    """Takes the place of a Preprocessing, and makes the small pictures that all readers here return."""

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return one frame, resized."""
        return np.asarray(cv2.resize(rgb, THUMBNAIL, interpolation=cv2.INTER_AREA), dtype=np.uint8)


SMALL: Any = ToThumbnail()


@dataclass(frozen=True)
class FramesAt:
    """A sampling that chooses given indices."""

    at: tuple[int, ...]

    def indices(self, timeline: Timeline) -> NDArray[np.int64]:  # noqa: ARG002
        """Return the given indices."""
        return np.array(self.at, dtype=np.int64)[:, None]

    def to_json(self) -> dict[str, Any]:
        """Return a description."""
        return {"name": "given"}


def by_framehead(path: str, indices: Sequence[int]) -> Thumbnails:
    return dict(zip(indices, read_frames(path, FramesAt(tuple(indices)), SMALL).rgb[:, 0], strict=True))


def by_pyav(path: str, indices: Sequence[int]) -> Thumbnails:
    wanted, last, found = set(indices), max(indices), {}
    with av.open(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        for index, frame in enumerate(container.decode(video=0)):
            if index in wanted:
                found[index] = SMALL.apply(frame.to_ndarray(format="rgb24"))
            if index == last:
                break
    return found


def by_opencv(path: str, indices: Sequence[int]) -> Thumbnails:
    capture, wanted, found = cv2.VideoCapture(path, cv2.CAP_FFMPEG), set(indices), {}
    for index in range(max(indices) + 1):
        if not capture.grab():
            break
        if index in wanted:
            found[index] = SMALL.apply(capture.retrieve()[1][..., ::-1])
    return found


def by_opencv_seeks(path: str, indices: Sequence[int]) -> Thumbnails:
    capture, found = cv2.VideoCapture(path, cv2.CAP_FFMPEG), {}
    for index in indices:
        capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        is_read, bgr = capture.read()
        if is_read:
            found[index] = SMALL.apply(bgr[..., ::-1])
    return found


def by_decord(path: str, indices: Sequence[int]) -> Thumbnails:
    import decord

    frames = decord.VideoReader(path, num_threads=0).get_batch(list(indices)).asnumpy()
    return {index: SMALL.apply(rgb) for index, rgb in zip(indices, frames, strict=True)}


def by_torchcodec(path: str, indices: Sequence[int]) -> Thumbnails:
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(path, dimension_order="NHWC", seek_mode="approximate", num_ffmpeg_threads=0)
    frames = decoder.get_frames_at(list(indices)).data.numpy()
    return {index: SMALL.apply(rgb) for index, rgb in zip(indices, frames, strict=True)}


def by_ffmpeg_pipe(path: str, indices: Sequence[int]) -> Thumbnails:
    program = ffmpeg_program()
    if program is None:
        raise FileNotFoundError("no ffmpeg")
    chosen = "+".join(f"eq(n\\,{index})" for index in indices)
    wide, high = THUMBNAIL
    filters = f"select='{chosen}',scale={wide}:{high}:flags=area"
    command = [program, "-v", "error", "-i", path, "-vf", filters, "-fps_mode", "passthrough", "-frames:v"]
    command += [str(len(indices)), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    content = subprocess.run(command, check=True, capture_output=True).stdout
    return dict(zip(indices, np.frombuffer(content, np.uint8).reshape(-1, high, wide, 3), strict=False))


SEQUENTIAL = "PyAV sequential"
KEY_FRAMES = "framehead, key frames"
READERS: dict[str, Reader] = {
    "framehead": by_framehead,
    SEQUENTIAL: by_pyav,
    "OpenCV sequential": by_opencv,
    "OpenCV seeks": by_opencv_seeks,
    "decord": by_decord,
    "torchcodec": by_torchcodec,
    "ffmpeg pipe": by_ffmpeg_pipe,
    KEY_FRAMES: by_framehead,
}


def absent_readers() -> dict[str, str]:
    """Load the other readers' libraries; return the reason for each that is absent."""
    absent = {}
    for name, module in (("decord", "decord"), ("torchcodec", "torchcodec.decoders")):
        try:
            importlib.import_module(module)
        except (ImportError, OSError, RuntimeError) as error:
            absent[name] = str(error).strip().splitlines()[0]
    if ffmpeg_program() is None:
        absent["ffmpeg pipe"] = "no ffmpeg on PATH, and no imageio-ffmpeg"
    return absent


def ffmpeg_program() -> str | None:
    """Return the ffmpeg on PATH, or the one that imageio-ffmpeg includes."""
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        return shutil.which("ffmpeg")
    return shutil.which("ffmpeg") or str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())


def lend_ffmpeg(folder: Path) -> None:
    """Restart this program so that torchcodec finds PyAV's FFmpeg libraries, if the system has none.

    PyAV includes them under names of its own. Links in `folder` give them the names that torchcodec asks the loader
    for. If nothing needs to be done, this returns.
    """
    libraries = Path(av.__file__).parents[1] / "av.libs"
    is_lent = str(folder) in os.environ.get("LD_LIBRARY_PATH", "")
    wants = importlib.util.find_spec("torchcodec") and not ctypes.util.find_library("avcodec")
    if is_lent or not wants or not libraries.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for library in libraries.glob("lib[as][vw]*-*.so.*"):
        name, version = library.name.split("-")[0], library.name.split(".so.")[1].split(".")[0]
        link = folder / f"{name}.so.{version}"
        link.unlink(missing_ok=True)
        link.symlink_to(library)
    environment = os.environ | {"LD_LIBRARY_PATH": f"{folder}:{os.environ.get('LD_LIBRARY_PATH', '')}"}
    os.execve(sys.executable, [sys.executable, *sys.argv], environment)
