"""Embed videos: fetch | decode | encode | write, all at once, and resumable at any moment."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from embed.decode_pool import DecodePlan
from embed.encoders import Encoder, foresee_preprocessing
from embed.machine import Progress, StageClock, in_background, keep_freed_memory
from embed.run.changes import changed_videos
from embed.run.config import EmbedConfig, EmbedSummary
from embed.run.encode_time import TimedEncoding
from embed.run.encoder_choice import choose_encoder
from embed.run.encoding import EncodedVideo, encode_batches, fill_batches, vectors_of_videos
from embed.run.frames_ahead import FramesAhead
from embed.run.log import RunLog, refuse_log
from embed.sources import Video, find_videos, is_same_place
from embed.store import Failure, Provenance, StoreWriter, is_store, library_versions, refuse_store_place
from embed.video import Preprocessing


def embed_videos(
    sources: Sequence[str | Path],
    store: str | Path,
    config: EmbedConfig | None = None,
    *,
    encoder: Encoder | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> EmbedSummary:
    """Embed the frames of videos into a store, which is made, or continued if it exists.

    Videos that the store holds are skipped, so an interrupted run continues where it stopped. Local files whose content
    has changed are embedded again. A video that cannot be read is stored as a failure, and the run continues.

    Args:
        sources: the sources of `find_videos`: folders, video files, CSV or TXT lists.
        store: path of the `.h5` file, or of a folder of shards.
        config: settings; None uses the defaults (CLIP ViT-B/32, 100 frames).
        encoder: an encoder to use in place of `config.model`.
        on_progress: called when the encoder is loaded, after every video, and every second in between.

    Raises:
        SourceError: there is nothing to embed, or a name in the store means another video here.
        EncoderError: the encoder cannot be built, or `config.precision` changes its vectors too much.
        StoreError: the store cannot be written. StoreMismatch: its vectors were made in another way.
    """
    started = time.monotonic()
    config = config or EmbedConfig()
    refuse_log(config.log)
    refuse_store_place(store)
    keep_freed_memory()  # before there are threads, whose memory would be freed and allocated again for every batch
    videos = find_videos(sources)
    with ExitStack() as stack:
        early = None if encoder else _begin_early(config, store, videos)
        if early:
            stack.enter_context(early)
        encoder, fidelity = (encoder, None) if encoder else choose_encoder(config, store, videos)
        load_seconds = time.monotonic() - started
        provenance = Provenance(
            encoder.identity, config.sampling.to_json(), config.decoder, library_versions(), fidelity, config.views
        )
        log, writer = stack.enter_context(RunLog(config.log)), stack.enter_context(StoreWriter(store, provenance))
        run = _Run(writer, encoder, config, log)
        run.forget_changed(store, videos)
        missing = [video for video in videos if not run.is_settled(video)]
        if missing:
            with _go_on(early, missing, encoder.identity.preprocessing, config) as frames:
                run.embed(frames, on_progress)
    return run.summary(store, videos, seconds=time.monotonic() - started, load_seconds=load_seconds)


def _begin_early(config: EmbedConfig, store: str | Path, videos: Sequence[Video]) -> FramesAhead | None:
    """Begin to decode while the encoder loads, if the store is new and the preprocessing is known in advance."""
    if Path(store).exists() or is_store(store):
        return None
    foreseen = foresee_preprocessing(config.model)
    return _begin(videos, foreseen, config) if foreseen else None


def _begin(videos: Sequence[Video], preprocessing: Preprocessing, config: EmbedConfig) -> FramesAhead:
    plan = DecodePlan(
        config.sampling,
        preprocessing,
        config.decoder,
        decode_device=config.decode_device,
        views=config.views,
        playlists=config.playlists,
    )
    return FramesAhead(videos, plan, workers=config.workers, limits=config.limits, public_only=config.public_only)


def _go_on(
    early: FramesAhead | None, videos: Sequence[Video], preprocessing: Preprocessing, config: EmbedConfig
) -> FramesAhead:
    """Return the early decoding if it decodes these videos in the right way, or begin anew."""
    if early:
        if early.videos == videos and early.plan.preprocessing.cuts_as(preprocessing):
            return early
        early.close()
    return _begin(videos, preprocessing, config)


class _Run:
    """The parts and counts of one run over one store."""

    def __init__(self, writer: StoreWriter, encoder: Encoder, config: EmbedConfig, log: RunLog) -> None:
        self._writer, self._encoder, self._config, self._log = writer, encoder, config, log
        self._started = time.monotonic()
        self._clock = StageClock()
        self._embedded = self._vectors = self._encoded = self._failed = 0
        self._changed: set[str] = set()
        self._decoded_on_cpu: Counter[str] = Counter()

    def forget_changed(self, store: str | Path, videos: Sequence[Video]) -> None:
        """Find the videos that changed since they were embedded. Their new vectors will replace the old ones."""
        if self._writer.embedded:
            self._changed = changed_videos(store, videos)
            self._writer.embedded -= self._changed

    def is_settled(self, video: Video) -> bool:
        """Return True if an earlier run has embedded the video, or has failed to and is not to be repeated."""
        failure = self._writer.failed.get(video.id)
        is_known = failure is not None and is_same_place(failure.location, video.location)
        return video.id in self._writer.embedded or (is_known and not self._config.is_retrying)

    def embed(self, frames: FramesAhead, on_progress: Callable[[Progress], None] | None) -> None:
        """Embed decoded videos. Fetching, decoding, encoding and writing happen at once."""
        encoding = TimedEncoding(self._encoder, self._clock)
        batches = in_background(fill_batches(frames.results, self._config.batch_size))
        begun = encode_batches(self._clock.waited_for(batches), encoding.begin)

        def report() -> None:
            if on_progress:
                on_progress(self._progress(len(frames.videos)))

        with closing(in_background(begun, meanwhile=report)) as encoded:
            report()
            for result in vectors_of_videos(encoded):
                self._settle(result)
                report()

    def summary(
        self, store: str | Path, videos: Sequence[Video], *, seconds: float, load_seconds: float
    ) -> EmbedSummary:
        """Return what was done for the videos of the sources, and how long it took."""
        failures = tuple(self._writer.failed[video.id] for video in videos if video.id in self._writer.failed)
        return EmbedSummary(
            store=str(store),
            embedded=self._embedded,
            changed=len(self._changed & self._writer.embedded),
            skipped=len(videos) - self._embedded - len(failures),
            failed=len(failures),
            vectors=self._vectors,
            repeated=self._vectors - self._encoded,
            seconds=seconds,
            load_seconds=load_seconds,
            encode_seconds=self._clock.encode_s,
            decode_cpu_seconds=self._clock.decode_cpu_s,
            encode_cpu_seconds=self._clock.encode_cpu_s,
            shares=self._clock.shares(),
            failures=failures,
            decoded_on_cpu=dict(self._decoded_on_cpu),
        )

    def _settle(self, result: EncodedVideo | Failure) -> None:
        if isinstance(result, Failure):
            self._fail(result)
        else:
            self._write(result)

    def _progress(self, videos_total: int) -> Progress:
        done, seconds = self._embedded + self._failed, time.monotonic() - self._started
        return Progress(done, videos_total, self._failed, self._vectors, seconds, self._clock.shares())

    def _fail(self, failure: Failure) -> None:
        before = self._writer.failed.get(failure.id)
        failure = replace(failure, attempts=before.attempts + 1 if before else 1)
        self._writer.append_failure(failure)
        self._log.failed(failure)
        self._failed += 1

    def _write(self, result: EncodedVideo) -> None:
        started = time.monotonic()
        record, vectors = result.video.record, result.vectors
        self._clock.fetch_s += result.video.fetch_s
        self._clock.decode_s += result.video.decode_s
        self._clock.decode_cpu_s += result.video.cpu_s
        if not np.all(np.abs(vectors) <= np.finfo(np.float16).max):
            self._fail(Failure(record.id, record.location, "encode_error", "a vector holds values beyond float16"))
            return
        self._writer.append(record, vectors, result.video.timestamps_s)
        self._log.embedded(result)
        self._embedded += 1
        self._vectors += len(vectors)
        self._encoded += result.encoded_count
        if result.video.cpu_reason:
            self._decoded_on_cpu[result.video.cpu_reason] += 1
        self._clock.write_s += time.monotonic() - started
