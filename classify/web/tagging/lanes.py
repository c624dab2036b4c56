"""A lane: an encoder, and the processes that decode for it. A head with another encoder gets a lane of its own."""

import threading
from contextlib import suppress
from pathlib import Path
from queue import Empty, LifoQueue
from typing import final

from classify.web.answers import ApiError
from classify.web.config import UploadLimits
from classify.web.tagging.embedder import WarmEncoder
from classify.web.tagging.jobs import Job, Upload
from embed import EmbedError, Failure, Video, VideoError
from embed.decode_pool import DecodedVideo, DecodeLimits, DecodeProcess


@final
class Lane:
    """Decodes uploads for one encoder. May be asked from any thread.

    Args:
        warm: the encoder.
        limits: what a video may take.
        workers: processes that wait for videos.

    Raises:
        EmbedError: none can be started.
    """

    def __init__(self, warm: WarmEncoder, limits: UploadLimits, workers: int) -> None:
        self.warm, self._limits = warm, limits
        self._plan = warm.plan(limits.duration_s)
        self._free: LifoQueue[DecodeProcess] = LifoQueue()
        self._busy: dict[Path, DecodeProcess] = {}
        self._lock = threading.Lock()
        for _ in range(workers):
            self._free.put(self._start())

    def decode(self, job: Job, file: Upload) -> DecodedVideo:
        """Decode a file.

        Raises:
            ApiError: it cannot be decoded within the limits, or there is no process for it.
        """
        process = self._free.get()
        try:
            with self._lock:
                self._busy[file.path] = process
            if job.has_ended:
                raise ApiError(409, "cancelled", "The job was cancelled.")
            found = process.decode(Video(file.name, file.name), str(file.path))
        except VideoError as error:  # the process has died
            process.close()
            process = self._again(process)
            raise _told(error.reason, error.detail, file) from error
        finally:
            with self._lock:
                self._busy.pop(file.path, None)
            self._free.put(process)
        if isinstance(found, Failure):
            raise _told(found.reason, found.detail, file)
        return found

    def interrupt(self, file: Upload) -> None:
        """End the decoding of a file, if it is under way."""
        with self._lock:
            process = self._busy.get(file.path)
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the processes. Those that decode end with what they do."""
        with self._lock:
            busy = [*self._busy.values()]
        for process in busy:
            process.kill()
        with suppress(Empty):
            while True:
                self._free.get_nowait().close()

    def _start(self) -> DecodeProcess:
        limits = DecodeLimits(timeout_s=self._limits.timeout_s, memory_bytes=self._limits.memory_bytes)
        return DecodeProcess(self._plan, limits)

    def _again(self, dead: DecodeProcess) -> DecodeProcess:
        """Return another process; the dead one, which fails at once, if none can be started."""
        try:
            return self._start()
        except EmbedError:
            return dead


def _told(reason: str, detail: str, file: Upload) -> ApiError:
    """Return a failure as it is told to a visitor: with the file's own name, and without options of embed-videos."""
    said = detail.replace(str(file.path), file.name)
    if reason == "timeout":
        said = f"{file.name} was not decoded in time. Check that it plays, or cut it"
    if reason == "out_of_memory":
        said = f"{file.name} takes more memory than an upload may. Make it smaller"
    if reason == "crashed":
        said = f"{file.name} ended the process that decoded it. Encode it again, e.g. with ffmpeg"
    return ApiError(422, reason, said if said.endswith(".") else f"{said}.")
