"""The code of a worker process: a video comes in, its frames go out.

A worker decodes one video at a time, does not import torch, and dies with the process that started it. Requests and
answers are those of `embed.decode_pool.answers`.
"""

import fcntl
import os
import socket
import sys
import threading
import time
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from embed.decode_pool.answers import DecodedVideo, DecodePlan, Wanted, send_decoded
from embed.errors import VideoError
from embed.sources import FileState, NotFetched, Span, SparseFile, Video, WatchedFile, hash_content, read_few_frames
from embed.store import Failure, VideoRecord
from embed.video import (
    Frames,
    read_frames,
    read_frames_by_nvdec,
    refuse_playlist,
    rows_by_view,
)

READY = "ready"

_ATTEMPTS = 2
"""Of a file that changes while it is decoded. The pool tries it again after all others: a copy may be complete then."""


def decode_video(
    video: Video, path: str, plan: DecodePlan, sparse_file: SparseFile | None = None
) -> DecodedVideo | Failure:
    """Decode the frames of one video, or return why there are none.

    A local file that changes while it is decoded is decoded again, so vectors always belong to the stored hash.

    Args:
        video: its name and location.
        path: the local file.
        plan: how it is decoded.
        sparse_file: the same file, if it has holes.
    """
    if path != video.location:  # a copy of our own, which nobody else changes
        return _with_hash(_decode(video, path, plan, sparse_file), path)
    state: FileState | None = None
    for number in range(1, _ATTEMPTS + 1):
        try:
            file = WatchedFile(path)
        except VideoError as error:
            return Failure(video.id, video.location, error.reason, error.detail)
        except OSError:
            result = _decode(video, path, plan, None)  # says what is wrong with it
            if isinstance(result, Failure):
                return result
            continue  # it came into being meanwhile
        with file:
            result = _decode(video, path, plan, None)
            if not file.has_changed() or (number == _ATTEMPTS and file.has_same_content()):
                return _with_state(result, file.before)
            state = file.before
    detail = f"{path} was written or replaced while it was decoded, {_ATTEMPTS} times. Wait until it is complete"
    failure = Failure(video.id, video.location, "changed_while_read", detail)
    return _with_state(failure, state) if state else failure  # so that a later run sees that it is complete


def _with_state(result: DecodedVideo | Failure, state: FileState) -> DecodedVideo | Failure:
    """Add what the file was when it was decoded."""
    size_bytes, modified_s = state.size_bytes, state.modified_s
    if isinstance(result, Failure):
        return replace(result, size_bytes=size_bytes, modified_s=modified_s)
    content_hash = state.content_hash
    record = replace(result.record, content_hash=content_hash, size_bytes=size_bytes, modified_s=modified_s)
    return replace(result, record=record)


def _with_hash(result: DecodedVideo | Failure, path: str) -> DecodedVideo | Failure:
    if isinstance(result, Failure):
        return result
    try:
        return replace(result, record=replace(result.record, content_hash=hash_content(path)))
    except OSError as error:
        return Failure(result.record.id, result.record.location, "unreadable", f"{path} cannot be read: {error}")


def _decode(video: Video, path: str, plan: DecodePlan, sparse_file: SparseFile | None) -> DecodedVideo | Failure:
    started, cpu_started = time.monotonic(), time.process_time()
    try:
        # What came from elsewhere is no list of files of this machine.
        plan = replace(plan, playlists=plan.playlists and path == video.location)
        frames, cpu_reason = _read_frames(path, plan, sparse_file)
    except VideoError as error:
        return Failure(video.id, video.location, error.reason, error.detail)
    except MemoryError as error:
        return Failure(video.id, video.location, "out_of_memory", f"{path} needs more memory than there is: {error}")
    except Exception as error:  # whatever a library raises stops no run; trying again would raise it again
        return Failure(video.id, video.location, "decode_error", f"{path}: {type(error).__name__}: {error}")
    timeline = frames.timeline
    record = VideoRecord(
        id=video.id,
        location=video.location,
        frame_count=timeline.frame_count,
        duration_s=timeline.duration_s,
        fps=timeline.fps,
        width_px=timeline.width_px,
        height_px=timeline.height_px,
        listed_in=video.listed_in,
        start_s=float(timeline.timestamps_s[0]),
        damaged_count=frames.damaged_count,
    )
    fetch_s = sparse_file.waited_s if sparse_file else 0.0
    decode_s, cpu_s = time.monotonic() - started - fetch_s, time.process_time() - cpu_started
    firsts = np.arange(len(plan.views))[:, None, None] * len(frames.pictures)
    return DecodedVideo(
        record,
        rows_by_view(frames.pictures),
        (firsts + frames.places).reshape(-1, frames.places.shape[1]),
        np.tile(frames.timestamps_s, len(plan.views)),
        np.tile(frames.spans_s, (len(plan.views), 1)),
        decode_s,
        cpu_s,
        fetch_s=fetch_s,
        cpu_reason=cpu_reason,
    )


def _read_frames(path: str, plan: DecodePlan, sparse_file: SparseFile | None) -> tuple[Frames, str]:
    """Return the frames of a video, and why they are not from the GPU if they should be."""
    if not plan.playlists:
        refuse_playlist(path)
    if plan.decode_device == "cpu":
        return _read_frames_by_cpu(path, plan, sparse_file), ""
    if sparse_file:
        return _read_frames_by_cpu(path, plan, sparse_file), "only parts of a remote file were fetched"
    found = read_frames_by_nvdec(path, plan.sampling, plan.cutter)
    return (_read_frames_by_cpu(path, plan, None), found) if isinstance(found, str) else (found, "")


def _read_frames_by_cpu(path: str, plan: DecodePlan, sparse_file: SparseFile | None) -> Frames:
    if sparse_file:
        if plan.decoder == "pyav":
            few = read_few_frames(sparse_file, plan.sampling, plan.cutter, thread_count=plan.thread_count)
            if few is not None:
                return few
        sparse_file.need_all()
    return read_frames(
        path,
        plan.sampling,
        plan.cutter,
        decoder=plan.decoder,
        thread_count=plan.thread_count,
        playlists=plan.playlists,
    )


def serve(socket_descriptor: int, lifeline: int) -> None:
    """Answer requests until the other side closes the socket.

    Args:
        socket_descriptor: carries a `DecodePlan`, then one (Video, path, spans) after another. Spans are the parts of
            the file that are on this machine, or None if it is whole.
        lifeline: the reading end of a pipe. Only the parent holds its writing end.
    """
    _die_with_parent(lifeline)
    _die_first_without_memory()
    channel = socket.socket(fileno=socket_descriptor)
    connection = Connection(os.dup(socket_descriptor))
    try:
        plan = connection.recv()
    except Exception as error:  # its sampling cannot be imported here, and never will be
        connection.send(f"it cannot read how to decode ({type(error).__name__}: {error})")
        sys.exit()
    connection.send(READY)
    while True:
        try:
            video, path, spans = connection.recv()
        except EOFError:
            sys.exit()
        if spans is None:
            send_decoded(channel, connection, decode_video(video, path, plan))
            continue
        try:
            file = SparseFile(path, spans, partial(_ask, connection))
        except OSError as error:
            detail = f"the copy of {path} cannot be opened: {error.strerror}"
            send_decoded(channel, connection, Failure(video.id, video.location, "fetch_error", detail))
            continue
        with closing(file):
            send_decoded(channel, connection, decode_video(video, path, plan, file))


def _ask(connection: Connection, spans: list[Span]) -> None:
    """Ask the parent to fetch spans of a file, and wait for them.

    Raises:
        NotFetched: they cannot be fetched.
    """
    connection.send((Wanted(spans), None))
    if not connection.recv():
        raise NotFetched("the needed parts of the file cannot be fetched")


def _die_with_parent(lifeline: int) -> None:
    """Let the system end this process when the parent has ended, even while native code runs and never returns.

    The reader of the pipe gets SIGIO when the last writer closes it, and on Linux SIGIO ends the process by default.
    BSD and macOS ignore it: there a thread waits for the end of the pipe, which works if native code lets threads run.
    """
    threading.Thread(target=_leave_at_the_end_of, args=[lifeline], name="lifeline", daemon=True).start()
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


def _leave_at_the_end_of(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(1)


def _die_first_without_memory() -> None:
    """Let Linux end this process, and not the run, if one video uses all the memory of the machine.

    The parent watches too, but not while it imports torch. Source: proc_pid_oom_score_adj(5).
    """
    with suppress(OSError):  # not Linux, or a system that does not allow it
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
