"""`watch_folders`: label new videos as they arrive in folders, until somebody stops it.

A file is labelled when its size and its time have stayed the same for a few seconds, so that a copy under way waits.
A file that cannot be read is tried again when it has changed; the output then has a second row of it.
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from classify.errors import ClassifyError
from classify.streaming.config import StreamConfig, StreamSummary
from classify.streaming.journal import Key, Result
from classify.streaming.labelling import Labeller, Progress
from classify.streaming.predicting import Run, open_run
from embed import Video, find_videos
from embed.machine import VIDEO_SUFFIXES
from embed.store import Failure

SETTLED_S = 3.0
"""A file that has not changed for this long is whole. Copies write at least each second."""
_LEAST_PAUSE_S = 0.5
_PAUSES_A_SCAN = 10  # a large folder takes longer to look through, and a tenth of the time at most is spent on that


class _State(NamedTuple):
    """Size and time of a file, and since when it has them by our clock."""

    size_bytes: int
    modified_ns: int
    since_s: float


def watch_folders(
    head: str | Path,
    folders: Sequence[str | Path],
    output: str | Path | None = None,
    *,
    config: StreamConfig,
    on_result: Callable[[Result], None] | None = None,
    on_progress: Progress = None,
) -> StreamSummary:
    """Label videos of folders, and those that arrive, until KeyboardInterrupt, which ends it in good order.

    The rows are in the output as soon as a video is done. The next run with this output goes on.

    Args:
        head: as for `stream_predictions`, and so are the others.
        folders: local folders; they may be empty.
        output: CSV or JSON lines.
        config: how videos are labelled.
        on_result: gets each result.
        on_progress: handed to `embed_videos`.

    Raises:
        ClassifyError: as in `stream_predictions`; or a source is no folder, or the format is written at the end only.
    """
    if config.file_format in ("json", "parquet"):
        raise ClassifyError(
            f"--watch writes each row as its video is done, and --format {config.file_format} has an end. Use --format "
            "csv or jsonl."
        )
    for folder in folders:
        if not Path(folder).is_dir() or "://" in str(folder):
            raise ClassifyError(f"--watch is for folders, and {folder} is none. Name the folder that videos arrive in.")
    with open_run(head, folders, output, config=config, on_result=on_result, is_live=True) as run:
        watch = _Watch(run, folders)
        if run.live:
            run.live.begin()
        try:
            while True:
                started = time.monotonic()
                watch.look(on_progress)
                time.sleep(max(_LEAST_PAUSE_S, _PAUSES_A_SCAN * (time.monotonic() - started) if watch.is_idle else 0))
        except KeyboardInterrupt:
            return run.summary


class _Watch:
    """Folders, and what was seen in them.

    Args:
        run: labels.
        folders: to look through.
    """

    def __init__(self, run: Run, folders: Sequence[str | Path]) -> None:
        self.is_idle = True
        self._run, self._folders = run, folders
        self._states: dict[str, _State] = {}
        self._failed: dict[Key, _State] = {}
        self._taken: set[Key] = set()

    def look(self, on_progress: Progress) -> None:
        """Label the files that are whole and not done."""
        ready = [video for video in self._videos() if self._is_whole(video) and not self._is_done(video)]
        self.is_idle = not ready
        if not ready:
            return
        labeller = Labeller(self._run.classifier, self._run.embedder, self._run.config, self._take, lambda _: False)
        named = [folder for folder in self._folders if _holds_video(folder)]
        self._run.summary.reused += labeller.label_videos(named, ready, named=(), on_progress=on_progress)

    def _videos(self) -> list[Video]:
        """Return the videos of the folders; none if all are empty."""
        named = [folder for folder in self._folders if _holds_video(folder)]
        return find_videos(named) if named else []

    def _is_whole(self, video: Video) -> bool:
        """Return True if a file has stayed as it is for long enough, by our clock."""
        try:
            found = os.stat(video.location)  # noqa: PTH116
        except OSError:  # moved away since
            return False
        now, before = time.monotonic(), self._states.get(video.location)
        if before is None or (before.size_bytes, before.modified_ns) != (found.st_size, found.st_mtime_ns):
            # What had not changed for long before we came need not wait.
            age_s = max(0.0, time.time() - found.st_mtime)
            since_s = now - SETTLED_S if before is None and age_s > 10 * SETTLED_S else now
            self._states[video.location] = before = _State(found.st_size, found.st_mtime_ns, since_s)
        return now - before.since_s >= SETTLED_S

    def _is_done(self, video: Video) -> bool:
        key = (video.id, video.location)
        if key in self._failed:
            return self._failed[key] == self._states.get(video.location)
        return key in self._taken or self._run.is_done(key)

    def _take(self, result: Result) -> None:
        if isinstance(result, Failure):
            key = (result.id, result.location)
            self._failed[key] = self._states.get(result.location, _State(0, 0, 0.0))
        else:
            key = (result.video_id, result.location)
            self._failed.pop(key, None)
        self._taken.add(key)
        self._run.take(result)


def _holds_video(folder: str | Path) -> bool:
    return any(
        os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES  # noqa: PTH122
        for _, _, names in os.walk(folder, followlinks=True)
        for name in names
    )
