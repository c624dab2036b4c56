"""What runs in a worker process: a video comes in, its frames go out through shared memory.

A worker is never asked for more than one video at a time, imports no torch, and dies with the process that started it.
Requests and answers are pickles over a socket; pixels travel as an anonymous file, whose descriptor is sent beside the
answer. Nothing in /dev/shm or /tmp bears its name, so nothing is left behind whichever side is killed.
"""

import fcntl
import hashlib
import mmap
import os
import socket
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from embed.errors import VideoError
from embed.sources import END_BYTES, NotFetched, Span, SparseFile, Video, read_few_frames
from embed.store import Failure, VideoRecord
from embed.video import (
    CENTRE,
    DecodeDevice,
    Decoder,
    Frames,
    Preprocessing,
    Sampling,
    ViewCutter,
    read_frames,
    read_frames_by_nvdec,
    rows_by_view,
)

READY = "ready"


@dataclass(frozen=True)
class DecodePlan:
    """What is done to every video.

    Args:
        sampling: which frames.
        preprocessing: how they are cut.
        decoder: by which library.
        thread_count: of the decoder; 0 takes one a core.
        decode_device: "cpu", or "cuda" for an NVIDIA GPU's video engine where it can (`embed.video.nvdec`).
        views: V names of `embed.video.views`.
    """

    sampling: Sampling
    preprocessing: Preprocessing
    decoder: Decoder = "pyav"
    thread_count: int = 0
    decode_device: DecodeDevice = "cpu"
    views: tuple[str, ...] = (CENTRE,)

    @property
    def cutter(self) -> ViewCutter:
        """What cuts the views out of a frame."""
        return ViewCutter(self.preprocessing, self.views)


@dataclass(frozen=True)
class DecodedVideo:
    """A video's frames, ready to be encoded.

    Args:
        record: what is known of it.
        rgb: (V x T, W, side_px, side_px, 3) uint8: all T windows of the first view, then those of the second, ...
        timestamps_s: (V x T,) float64.
        decode_s: wall time of decoding.
        cpu_s: processor time of decoding, all threads.
        fetch_s: wall time until what was needed of its file was at hand.
        fetched_bytes: what came from afar.
        cpu_reason: why the CPU decoded it though a GPU was asked to, else "".
    """

    record: VideoRecord
    rgb: NDArray[np.uint8]
    timestamps_s: NDArray[np.float64]
    decode_s: float = 0.0
    cpu_s: float = 0.0
    fetch_s: float = 0.0
    fetched_bytes: int = 0
    cpu_reason: str = ""


@dataclass(frozen=True)
class Wanted:
    """What a worker says instead of an answer when bytes are not here. It is told True once they are, False if never.

    Args:
        spans: of the video's file.
    """

    spans: list[Span]


def decode_video(
    video: Video, path: str, plan: DecodePlan, sparse_file: SparseFile | None = None
) -> DecodedVideo | Failure:
    """Decode one video's frames, or say why there are none.

    Args:
        video: under which name.
        path: the local file.
        plan: what is done.
        sparse_file: the same file, where it has holes.
    """
    started, cpu_started = time.monotonic(), time.process_time()
    try:
        frames, cpu_reason = _read_frames(path, plan, sparse_file)
        content_hash = hash_content(path)
        modified_s = Path(path).stat().st_mtime if path == video.location else 0.0
    except VideoError as error:
        return Failure(video.id, video.location, error.reason, error.detail)
    except MemoryError as error:
        return Failure(video.id, video.location, "out_of_memory", f"no memory for what {path} asks for: {error}")
    except Exception as error:  # a broken video never stops a run, whatever it makes a library raise
        return Failure(video.id, video.location, "crashed", f"{path}: {type(error).__name__}: {error}")
    timeline = frames.timeline
    record = VideoRecord(
        id=video.id,
        location=video.location,
        content_hash=content_hash,
        frame_count=timeline.frame_count,
        duration_s=timeline.duration_s,
        fps=timeline.fps,
        width_px=timeline.width_px,
        height_px=timeline.height_px,
        modified_s=modified_s,
    )
    fetch_s = sparse_file.waited_s if sparse_file else 0.0
    decode_s, cpu_s = time.monotonic() - started - fetch_s, time.process_time() - cpu_started
    timestamps_s = np.tile(frames.timestamps_s, len(plan.views))
    return DecodedVideo(
        record, rows_by_view(frames.rgb), timestamps_s, decode_s, cpu_s, fetch_s=fetch_s, cpu_reason=cpu_reason
    )


def _read_frames(path: str, plan: DecodePlan, sparse_file: SparseFile | None) -> tuple[Frames, str]:
    """Return a video's frames, and why they are not from the GPU if they should be."""
    if plan.decode_device == "cpu":
        return _read_frames_by_cpu(path, plan, sparse_file), ""
    if sparse_file:
        return _read_frames_by_cpu(path, plan, sparse_file), "only parts of a far file were fetched"
    found = read_frames_by_nvdec(path, plan.sampling, plan.cutter)
    return (_read_frames_by_cpu(path, plan, None), found) if isinstance(found, str) else (found, "")


def _read_frames_by_cpu(path: str, plan: DecodePlan, sparse_file: SparseFile | None) -> Frames:
    if sparse_file:
        if plan.decoder == "pyav":
            few = read_few_frames(sparse_file, plan.sampling, plan.cutter, thread_count=plan.thread_count)
            if few is not None:
                return few
        sparse_file.need_all()
    return read_frames(path, plan.sampling, plan.cutter, decoder=plan.decoder, thread_count=plan.thread_count)


def hash_content(path: str) -> str:
    """Return the sha256 of a file's size and of its first and last mebibyte.

    That tells files apart without reading gigabytes: a video that was encoded or cut anew differs in both ends.
    """
    size = Path(path).stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with Path(path).open("rb") as file:
        digest.update(file.read(END_BYTES))
        file.seek(max(0, size - END_BYTES))
        digest.update(file.read(END_BYTES))
    return digest.hexdigest()


def serve(socket_descriptor: int, lifeline: int) -> None:
    """Answer requests until the other side hangs up.

    Args:
        socket_descriptor: carries a `DecodePlan`, then one (Video, path, spans) after another: where the file has
            holes, spans are what is here of it, else None.
        lifeline: the reading end of a pipe whose writing end only the parent holds.
    """
    _die_with_parent(lifeline)
    _die_first_without_memory()
    channel = socket.socket(fileno=socket_descriptor)
    connection = Connection(os.dup(socket_descriptor))
    plan = connection.recv()
    connection.send(READY)
    while True:
        try:
            video, path, spans = connection.recv()
        except EOFError:
            sys.exit()
        if spans is None:
            send_decoded(channel, connection, decode_video(video, path, plan))
            continue
        with closing(SparseFile(path, spans, partial(_ask, connection))) as file:
            send_decoded(channel, connection, decode_video(video, path, plan, file))


def _ask(connection: Connection, spans: list[Span]) -> None:
    """Have spans of a file brought.

    Raises:
        NotFetched: they cannot be.
    """
    connection.send((Wanted(spans), None))
    if not connection.recv():
        raise NotFetched("what is needed of the file cannot be had")


def send_decoded(channel: socket.socket, connection: Connection, result: DecodedVideo | Failure) -> None:
    """Send an answer; `receive_decoded` takes it on the other side."""
    if isinstance(result, Failure):
        connection.send((result, None))
        return
    with _anonymous_file() as file:
        # write() rather than a mapping: the pages are filled in the kernel, without a fault for each of them.
        file.write(np.ascontiguousarray(result.rgb).data)
        file.flush()
        connection.send((replace(result, rgb=result.rgb[:0]), result.rgb.shape))
        socket.send_fds(channel, [b"f"], [file.fileno()])


def receive_decoded(channel: socket.socket, connection: Connection) -> DecodedVideo | Failure | Wanted:
    """Receive an answer, or what is wanted before there is one.

    An answer's pixels are read-only shared memory, which lasts as long as the array.

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
    decoded: DecodedVideo = replace(result, rgb=np.frombuffer(memory, dtype=np.uint8).reshape(shape))
    return decoded


def _anonymous_file() -> IO[bytes]:
    """Open a file without a name: in memory where the system has such, else one that is deleted already."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("frames"), "wb")
    return tempfile.TemporaryFile()


def _die_with_parent(lifeline: int) -> None:
    """Have the system end this process when the parent is gone, even while native code runs and never returns.

    The pipe's reader is sent SIGIO when its last writer closes, and on Linux SIGIO's default is to end the process. BSD
    and macOS let it pass: there a thread waits for the pipe's end, which takes native code that lets threads run.
    """
    threading.Thread(target=_leave_at_the_end_of, args=[lifeline], name="lifeline", daemon=True).start()
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


def _leave_at_the_end_of(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(1)


def _die_first_without_memory() -> None:
    """Have Linux end this process, and not the run, where one video takes all the memory there is.

    The parent watches too, but stands still while it imports torch. Source: proc_pid_oom_score_adj(5).
    """
    with suppress(OSError):  # no Linux, or a system that lets nobody set it
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
