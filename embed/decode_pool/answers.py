"""What a worker process is asked and what it answers: pickles over a socket, pixels through shared memory.

Pixels are in an anonymous file, whose descriptor is sent beside the answer. That file has no name in /dev/shm or /tmp,
so nothing is left behind if either side is killed.
"""

import mmap
import os
import socket
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import IO

import numpy as np
from numpy.typing import NDArray

from embed.machine import remedy_for
from embed.sources import Span
from embed.store import Failure, VideoRecord
from embed.video import CENTRE, DecodeDevice, Decoder, Preprocessing, Sampling, ViewCutter, windows_of


@dataclass(frozen=True)
class DecodePlan:
    """How every video is decoded.

    Args:
        sampling: chooses the frames.
        preprocessing: how they are cut.
        decoder: the library.
        thread_count: threads of the decoder; 0 is one per core.
        decode_device: "cpu", or "cuda" to use the video engine of an NVIDIA GPU where it can (`embed.video.nvdec`).
        views: V names of `embed.video.views`.
        playlists: True if local videos may be playlists, which read the files that they name.
    """

    sampling: Sampling
    preprocessing: Preprocessing
    decoder: Decoder = "pyav"
    thread_count: int = 0
    decode_device: DecodeDevice = "cpu"
    views: tuple[str, ...] = (CENTRE,)
    playlists: bool = False

    @property
    def cutter(self) -> ViewCutter:
        """The object that cuts the views out of a frame."""
        return ViewCutter(self.preprocessing, self.views)


@dataclass(frozen=True)
class DecodedVideo:
    """A video's frames, ready to be encoded.

    Args:
        record: its properties.
        pictures: (V x U, side_px, side_px, 3) uint8, each frame once: all U of the first view, then of the second, ...
        places: (V x T, W) int64, which pictures make each window: all T windows of the first view, ...
        timestamps_s: (V x T,) float64, the mean moment of each window.
        spans_s: (V x T, 2) float64, the moments of its first and its last frame.
        decode_s: wall time of decoding.
        cpu_s: processor time of decoding, all threads.
        fetch_s: wall time until the needed parts of its file were on this machine.
        fetched_bytes: bytes that were fetched.
        cpu_reason: why the CPU decoded it although a GPU was requested, else "".
    """

    record: VideoRecord
    pictures: NDArray[np.uint8]
    places: NDArray[np.int64]
    timestamps_s: NDArray[np.float64]
    spans_s: NDArray[np.float64]
    decode_s: float = 0.0
    cpu_s: float = 0.0
    fetch_s: float = 0.0
    fetched_bytes: int = 0
    cpu_reason: str = ""

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """The (V x T, W, side_px, side_px, 3) windows. Those that overlap are copied."""
        return windows_of(self.pictures, self.places)


@dataclass(frozen=True)
class Wanted:
    """A worker's request for bytes that are not on this machine. The reply is True once they are, False if they fail.

    Args:
        spans: parts of the video's file.
    """

    spans: list[Span]


def send_decoded(channel: socket.socket, connection: Connection, result: DecodedVideo | Failure) -> None:
    """Send an answer; `receive_decoded` receives it on the other side."""
    if isinstance(result, Failure):
        connection.send((result, None))
        return
    try:
        file = _file_of(result.pictures)
    except (MemoryError, OSError) as error:
        said = getattr(error, "strerror", None) or error
        remedy = remedy_for(error, "Free memory, or use fewer frames or --workers")
        lack = f"there is no place in memory for the frames of {result.record.location}: {said}. {remedy}"
        connection.send((Failure(result.record.id, result.record.location, "out_of_memory", lack), None))
        return
    with file:
        connection.send((replace(result, pictures=result.pictures[:0]), result.pictures.shape))
        socket.send_fds(channel, [b"f"], [file.fileno()])


def receive_decoded(channel: socket.socket, connection: Connection) -> DecodedVideo | Failure | Wanted:
    """Receive an answer, or a request for bytes that the worker needs before it can answer.

    The pixels of an answer are read-only shared memory, which lasts as long as the array.

    Raises:
        EOFError, OSError: the worker died.
    """
    result, shape = connection.recv()
    if isinstance(result, Failure | Wanted):
        return result
    _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    if not descriptors:
        raise EOFError
    populate = getattr(mmap, "MAP_POPULATE", 0)
    try:
        memory = mmap.mmap(descriptors[0], 0, flags=mmap.MAP_SHARED | populate, prot=mmap.PROT_READ)
    finally:
        os.close(descriptors[0])
    pictures = np.frombuffer(memory, dtype=np.uint8).reshape(shape)
    decoded: DecodedVideo = replace(result, pictures=pictures)
    return decoded


def _file_of(rgb: NDArray[np.uint8]) -> IO[bytes]:
    """Return an anonymous file with these pixels."""
    file = _anonymous_file()
    try:
        # write() rather than a mapping: the kernel fills the pages without a page fault for each of them.
        file.write(np.ascontiguousarray(rgb).data)
        file.flush()
    except BaseException:
        with suppress(OSError):  # on a full disk, closing writes again what is left
            file.close()
        raise
    return file


def _anonymous_file() -> IO[bytes]:
    """Open a file without a name: in memory if the system has such files, else one that is already deleted."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("frames"), "wb")
    return tempfile.TemporaryFile()
