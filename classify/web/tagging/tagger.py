"""The queue of uploads, and the threads that empty it.

    submit -> decoding, several at once -> encoding, one thread -> result

Videos that are decoded at about the same time share batches of the encoder. A file is deleted as soon as it is decoded,
or has failed. One whose content the store knows is not decoded at all.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import Empty, Queue, SimpleQueue
from typing import Any, final

from classify.classifier import HeadEmbedder, PredictConfig
from classify.errors import ClassifyError
from classify.web.answers import ApiError
from classify.web.collection import Collection
from classify.web.config import ServeConfig
from classify.web.tagging.embedder import WarmEncoder
from classify.web.tagging.jobs import Job, Upload
from classify.web.tagging.lanes import Lane
from embed import EmbedError, hash_content
from embed.decode_pool import DecodedVideo
from embed.machine import core_count
from embed.store import VideoRecord, VideoVectors

_MOST_WORKERS = 4
_WAITING_VIDEOS = 8  # decoded, with their pixels
_KEPT_S, _KEPT_JOBS = 600.0, 256  # after a job has ended

Describe = Callable[[Collection, VideoRecord, VideoVectors], dict[str, Any]]
"""Returns what is said of a video, JSON-ready, by its vectors."""

_log = logging.getLogger("framehead.web")
_Decoded = tuple[Job, Upload, DecodedVideo, Lane]


@final
class Tagger:
    """Labels uploads.

    Args:
        config: head, device and limits.
        current: returns the newest collection.
        describe: says what a video shows.
    """

    def __init__(self, config: ServeConfig, current: Callable[[], Collection], describe: Describe) -> None:
        self._config, self._current, self._describe = config, current, describe
        self._workers = config.limits.workers or min(_MOST_WORKERS, core_count())
        self._queue: SimpleQueue[tuple[Job, Upload] | None] = SimpleQueue()
        self._decoded: Queue[_Decoded | None] = Queue(_WAITING_VIDEOS)
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._held = 0  # files that are received, wait, or are worked on
        self._seconds = 1.0  # of one file, lately
        self._lane: Lane | None = None
        self.why_not = "The encoder is loading."
        self.counts = {"done": 0, "failed": 0, "refused": 0}

    def start(self) -> None:
        """Start the threads. Nothing is decoded before `use`."""
        for number in range(self._workers):
            threading.Thread(target=self._decode_each, name=f"decode-{number}", daemon=True).start()
        threading.Thread(target=self._encode_each, name="encode", daemon=True).start()

    def use(self, found: Collection) -> None:
        """Take the encoder of a collection's head, if it is another one than before."""
        lane, made = self._lane, found.classifier.provenance
        if lane is not None and lane.warm.provenance.difference(made) is None:
            return
        config = PredictConfig(device=self._config.device, pretrained=self._config.pretrained)
        try:
            warm = WarmEncoder.load(HeadEmbedder(found.classifier, found.head, config))
            fresh = Lane(warm, self._config.limits, self._workers)
        except (ClassifyError, EmbedError, OSError) as error:
            self.why_not = f"Uploads cannot be labelled here: {error}"
            _log.warning("%s", self.why_not)
            return
        self._lane = fresh
        if lane is not None:
            lane.close()

    @property
    def is_ready(self) -> bool:
        """True if uploads are taken."""
        return self._lane is not None

    @property
    def why_not_now(self) -> str:
        """Return why no uploads are taken, or nothing."""
        return "" if self.is_ready else self.why_not

    @property
    def held(self) -> int:
        """The number of files that are received, wait, or are worked on."""
        return self._held

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Hold a place in the queue while a request is received.

        Raises:
            ApiError: the queue is full, or there is no encoder yet.
        """
        if self._lane is None:
            raise ApiError(503, "no_encoder", f"{self.why_not} Try again in a moment.", {"Retry-After": "5"})
        self._hold(1)
        try:
            yield
        finally:
            self._release(1)

    def submit(self, files: Sequence[Upload]) -> Job:
        """Queue received files.

        Raises:
            ApiError: the queue is full. The files are deleted.
        """
        try:
            self._hold(len(files))
        except ApiError:
            for file in files:
                file.path.unlink(missing_ok=True)
            raise
        job = Job(files)
        with self._lock:
            self._forget()
            self._jobs[job.key] = job
        for file in files:
            self._queue.put((job, file))
        return job

    def job(self, key: str) -> Job:
        """Return a job.

        Raises:
            ApiError: there is none of that key.
        """
        with self._lock:
            self._forget()
            found = self._jobs.get(key)
        if found is None:
            raise ApiError(404, "no_such_job", "There is no such job, or it ended more than ten minutes ago.")
        return found

    def ahead_of(self, job: Job) -> int:
        """Return how many files come before a job that waits; 0 if it does not."""
        if job.state != "queued":
            return 0
        with self._lock:
            before = [one for one in self._jobs.values() if not one.has_ended]
        place = before.index(job) if job in before else 0
        return sum(1 for one in before[:place] for file in one.files if file.state == "queued")

    def cancel(self, job: Job) -> None:
        """End what has not ended of a job."""
        lane = self._lane
        running = [file for file in job.files if file.state == "decoding"]
        job.cancel()
        for file in running:
            if lane is not None:
                lane.interrupt(file)

    def stop(self) -> None:
        """End the threads and processes, and delete what waits."""
        with self._lock:
            jobs = [*self._jobs.values()]
        for job in jobs:
            job.cancel()
        for _ in range(self._workers):
            self._queue.put(None)
        if self._lane is not None:
            self._lane.close()

    def _hold(self, count: int) -> None:
        with self._lock:
            if self._held + count > self._config.limits.waiting:
                self.counts["refused"] += 1
                wait_s = max(1, round(self._seconds * self._held / self._workers))
                raise ApiError(
                    503,
                    "queue_full",
                    f"{self._held} uploads are being worked on, and no more may wait. Try again in {wait_s} s.",
                    {"Retry-After": str(wait_s)},
                )
            self._held += count

    def _release(self, count: int) -> None:
        with self._lock:
            self._held -= count

    def _forget(self) -> None:
        """Drop jobs that ended long ago, and the oldest of too many that ended. The caller has the lock."""
        now = time.monotonic()
        ended = [(job.ended_s, key) for key, job in self._jobs.items() if job.ended_s is not None]
        late = {key for ended_s, key in ended if now - ended_s > _KEPT_S}
        late.update(key for _, key in sorted(ended)[: max(0, len(ended) - _KEPT_JOBS)])
        for key in late:
            del self._jobs[key]

    def _decode_each(self) -> None:
        while (item := self._queue.get()) is not None:
            job, file = item
            began = time.monotonic()
            try:
                is_passed_on = self._decode(job, file)
            except ApiError as error:
                self._end(job, file, error)
            except Exception:  # whatever it is, the other uploads go on
                _log.exception("an upload was not decoded")
                self._end(job, file, _fault())
            else:
                if not is_passed_on:
                    self._end(job, file, None)
            self._seconds = 0.8 * self._seconds + 0.2 * (time.monotonic() - began)

    def _decode(self, job: Job, file: Upload) -> bool:
        """Decode a file and pass it on; return False if nothing more is to be done."""
        lane = self._lane
        assert lane is not None, "uploads are admitted once there is an encoder"
        if file.state != "queued":
            return False
        job.change(file, "decoding")
        known = self._known(file.path)
        if known is not None:
            job.change(file, "done", result={"name": file.name, **known})
            return False
        video = lane.decode(job, file)
        file.path.unlink(missing_ok=True)
        job.change(file, "encoding", total=len(video.places))
        self._decoded.put((job, file, video, lane))
        return True

    def _known(self, path: Path) -> dict[str, Any] | None:
        """Return what is said of a file whose content the store knows."""
        found = self._current()
        place = found.places_of_content.get(hash_content(str(path)))
        if place is None:
            return None
        with found.lock:
            vectors = found.store.read(found.ids[place])
        return {**self._describe(found, found.record(place), vectors), "id": found.names_in_addresses[place]}

    def _encode_each(self) -> None:
        while (first := self._decoded.get()) is not None:
            group = [first, *self._more()]
            try:
                self._encode(group)
            except Exception:  # a video that the encoder cannot take; the others are tried alone
                _log.warning("a group of %d uploads was not encoded", len(group), exc_info=True)
                for item in group:
                    self._encode_alone(item)

    def _more(self) -> list[_Decoded]:
        """Return what else is decoded by now."""
        found: list[_Decoded] = []
        while len(found) < _WAITING_VIDEOS:
            try:
                item = self._decoded.get_nowait()
            except Empty:
                break
            if item is not None:
                found.append(item)
        return found

    def _encode_alone(self, item: _Decoded) -> None:
        job, file, _, _ = item
        if file.result is not None or file.error is not None:
            return
        try:
            self._encode([item])
        except Exception:
            _log.exception("an upload was not encoded")
            self._end(job, file, _fault())

    def _encode(self, group: Sequence[_Decoded]) -> None:
        lanes = {id(lane): lane for _, _, _, lane in group}
        for key, lane in lanes.items():
            own = [item for item in group if id(item[3]) == key and item[1].state == "encoding"]
            vectors = lane.warm.encode([video for _, _, video, _ in own])
            for (job, file, _, _), (record, found) in zip(own, vectors, strict=True):
                self._tell(job, file, replace(record, location=""), found)
        for job, file, _, _ in group:
            if file.state == "cancelled":
                self._end(job, file, None)

    def _tell(self, job: Job, file: Upload, record: VideoRecord, vectors: VideoVectors) -> None:
        found, lane = self._current(), self._lane
        if lane is None or lane.warm.provenance.difference(found.classifier.provenance) is not None:
            self._end(job, file, ApiError(503, "head_changed", "The head was replaced just now. Send the video again."))
            return
        job.change(file, "done", done=file.total, result={"name": file.name, **self._describe(found, record, vectors)})
        self._end(job, file, None)

    def _end(self, job: Job, file: Upload, error: ApiError | None) -> None:
        """Count a file whose work has ended, and give its place in the queue to the next."""
        if error is not None:
            job.fail(file, error)
        file.path.unlink(missing_ok=True)
        with self._lock:
            if file.is_settled:
                return
            file.is_settled = True
            self._held -= 1
            self.counts["failed" if error else "done"] += 1


def _fault() -> ApiError:
    return ApiError(500, "fault", "The server has a fault here, which its log tells of. Please report it.")
