"""Embed videos: fetch | decode | encode | write, all at once, and resumable at any moment."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from embed.decode_pool import DecodePlan
from embed.encoders import Encoder, foresee_preprocessing, reduce_encoder, suited_batch_size
from embed.machine import Progress, StageClock, in_background, keep_freed_memory
from embed.run.absent import absent_among, failure_of_absent, refuse_if_all
from embed.run.changes import Changes, SizeAndTime, find_changes, may_succeed_now, name_once, state_of
from embed.run.config import EmbedConfig, EmbedSummary
from embed.run.encode_time import TimedEncoding
from embed.run.encoder_choice import (
    Chosen,
    choose_encoder,
    choose_same_encoder,
    needs_no_encoder,
    provenance_by,
    provenance_of,
    refuse_other_frames,
)
from embed.run.encoding import EncodedVideo, encode_batches, fill_batches, vectors_of_videos
from embed.run.frames_ahead import FramesAhead
from embed.run.log import RunListener, RunLog, as_stored, refuse_log
from embed.run.pruning import refuse_most
from embed.run.space import note_space
from embed.sources import Roots, Sources, Video, find_videos, is_same_place, roots_of
from embed.store import (
    EmbeddingStore,
    Failure,
    StoreWriter,
    VideoRecord,
    find_copies,
    refuse_store_place,
)
from embed.video import Preprocessing


def embed_videos(
    sources: Sources,
    store: str | Path,
    config: EmbedConfig | None = None,
    *,
    encoder: Encoder | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    listener: RunListener | None = None,
) -> EmbedSummary:
    """Embed the frames of videos into a store, which is made, or continued if it exists.

    Videos that the store holds are skipped, so an interrupted run continues where it stopped. Local files whose content
    has changed are embedded again; a file that was moved keeps its vectors under its new id. A video that cannot be
    read is stored as a failure, and the run continues.

    Args:
        sources: one or several of those of `find_videos`: folders, video files, CSV or TXT lists.
        store: path of the `.h5` file, or of a folder of shards.
        config: settings; None uses the defaults (CLIP ViT-B/32, 100 frames).
        encoder: an encoder to use in place of `config.model`; `config.pca` reduces its vectors, unless they are
            reduced already.
        on_progress: called when the encoder is loaded, after every video, and every second in between.
        listener: chooses among the videos, and gets the vectors of each as soon as they are there.

    Raises:
        SourceError: there is nothing to embed, a name in the store means another video here, or most videos of a source
            would be pruned.
        EncoderError: the encoder cannot be built, or `config.precision` changes its vectors too much.
        ReductionError: `config.pca` cannot be read.
        StoreError: the store cannot be written. StoreMismatch: its vectors were made in another way.
    """
    started = time.monotonic()
    config = config or EmbedConfig()
    refuse_store_place(store)
    refuse_log(config.log, store)
    if encoder and config.pca and encoder.identity.reduction is None:
        encoder = reduce_encoder(encoder, config.pca)
    keep_freed_memory()  # before there are threads, whose memory would be freed and allocated again for every batch
    videos, doubles = name_once([video for video in find_videos(sources) if listener is None or listener.wants(video)])
    known = provenance_of(store)
    if known:
        refuse_other_frames(config, store, known)
    else:  # of a store, only those are looked for that it lacks
        refuse_if_all(absent_among(videos), len(videos))
    with ExitStack() as stack:
        early = None if encoder or known else _begin_early(config, videos)
        if early:
            stack.enter_context(early)
        chosen = Chosen(encoder) if encoder else None
        if encoder is None and not (known and needs_no_encoder(config, known)):
            chosen = choose_encoder(config, store, videos)
            encoder = chosen.encoder
        provenance = provenance_by(chosen, config) if chosen else known
        assert provenance, "a new store has an encoder"
        note = f"{chosen.note if chosen else ''} {note_space(provenance, config.sampling, store, videos)}".strip()
        log, writer = stack.enter_context(RunLog(config.log)), stack.enter_context(StoreWriter(store, provenance))
        run = _Run(writer, config, log, note, listener)
        missing = run.compare(store, videos, roots_of(sources))
        if missing and encoder is None:
            encoder = run.tell(choose_same_encoder(provenance, config, store, videos))
        missing = run.follow(missing)
        if missing and encoder is None:  # rows that could not be taken over
            encoder = run.tell(choose_same_encoder(provenance, config, store, videos))
        load_seconds = time.monotonic() - started
        if missing and encoder:
            with _go_on(early, missing, encoder.identity.preprocessing, config) as frames:
                run.embed(frames, encoder, on_progress)
    return run.summary(store, doubles, seconds=time.monotonic() - started, load_seconds=load_seconds)


def _begin_early(config: EmbedConfig, videos: Sequence[Video]) -> FramesAhead | None:
    """Begin to decode the videos of a new store while the encoder loads, if its preprocessing is known in advance."""
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

    def __init__(
        self, writer: StoreWriter, config: EmbedConfig, log: RunLog, note: str, listener: RunListener | None
    ) -> None:
        self._writer, self._config, self._log, self._note, self._listener = writer, config, log, note, listener
        self._started = time.monotonic()
        self._clock = StageClock()
        self._embedded = self._vectors = self._encoded = self._failed = 0
        self._changes = Changes(())
        self._dropped: tuple[str, ...] = ()
        self._moved_states: dict[str, SizeAndTime | None] = {}
        self._listed_in: dict[str, str] = {}
        self._decoded_on_cpu: Counter[str] = Counter()

    def tell(self, chosen: Chosen) -> Encoder:
        """Return an encoder, whose note the next progress shows."""
        self._note = " ".join(filter(None, (self._note, chosen.note)))
        return chosen.encoder

    def compare(self, store: str | Path, videos: Sequence[Video], roots: Roots) -> list[Video]:
        """Compare the videos with the store, and return those whose files are to be embedded. Nothing is written.

        Raises:
            SourceError: a name in the store means another video here, no file exists, or most videos of a source would
                be pruned.
        """
        self._changes = Changes(tuple(videos))
        if self._writer.embedded or self._writer.failed:
            self._changes = find_changes(store, videos, roots)
        if self._config.is_pruning and not self._config.is_pruning_anyway:
            refuse_most(store, self._changes.losses)
        self._listed_in = {video.id: video.listed_in for video in self._changes.videos if video.listed_in}
        self._moved_states = {old: state_of(video) for old, video in self._changes.moved.items()}
        open_videos = self._open_videos()
        absent = absent_among(open_videos)
        refuse_if_all(absent, len(self._changes.videos))
        gone = {video.id for video in absent}
        return [video for video in open_videos if video.id not in gone]

    def follow(self, missing: Sequence[Video]) -> list[Video]:
        """Let the store follow the files that moved or are gone, and return the videos that are left to embed.

        Args:
            missing: what `compare` returned.
        """
        moved, changes = self._moved_records(), self._changes
        if self._config.is_pruning_anyway:
            self._dropped = tuple(changes.gone)
        elif self._config.is_pruning:
            kept_back = set().union(*changes.emptied.values())
            self._dropped = tuple(video_id for video_id in changes.gone if video_id not in kept_back)
        damaged = self._writer.revise(moved, self._dropped)
        kept = {old: video for old, video in changes.moved.items() if old in moved and old not in damaged}
        lost = [video for old, video in changes.moved.items() if old not in kept]
        left_out = {video.id for video in lost}
        self._changes = replace(changes, moved=kept)
        for old, video in kept.items():
            self._log.moved(old, video)
        for video_id in self._dropped:
            self._log.dropped(video_id, changes.gone[video_id])
        self._writer.embedded -= changes.changed | left_out
        absent = absent_among(self._open_videos())
        for video in absent:
            self._fail(failure_of_absent(video))
        gone = {video.id for video in absent}
        others = [video for video in missing if video.id not in left_out]
        return [video for video in (*others, *lost) if video.id not in gone]

    def _moved_records(self) -> dict[str, VideoRecord]:
        """Return id in the store -> the record under which the video goes on, if its file is as it was compared."""
        if not self._changes.moved:
            return {}
        records = {}
        with EmbeddingStore(self._writer.path) as store:
            for old, video in self._changes.moved.items():
                state = self._moved_states[old]
                if state is None or state_of(video) != state:
                    continue
                size_bytes, modified_s = state
                records[old] = replace(
                    store.video(old),
                    id=video.id,
                    location=video.location,
                    modified_s=modified_s,
                    size_bytes=size_bytes,
                    listed_in=video.listed_in,
                )
        return records

    def _open_videos(self) -> list[Video]:
        """Return the videos that have no vectors yet, or others than their files now ask for."""
        taken = {video.id for video in self._changes.moved.values()}
        return [video for video in self._changes.videos if video.id not in taken and not self._is_settled(video)]

    def _is_settled(self, video: Video) -> bool:
        """Return True if an earlier run has embedded the video, or has failed to and is not to be repeated."""
        if video.id in self._writer.embedded:
            return video.id not in self._changes.changed
        failure = self._writer.failed.get(video.id)
        if failure is None or not is_same_place(failure.location, video.location):
            return False
        return not self._config.is_retrying and not may_succeed_now(failure)

    def embed(self, frames: FramesAhead, encoder: Encoder, on_progress: Callable[[Progress], None] | None) -> None:
        """Embed decoded videos. Fetching, decoding, encoding and writing happen at once."""
        encoding = TimedEncoding(encoder, self._clock)
        batches = in_background(fill_batches(frames.results, self._config.batch_size or suited_batch_size(encoder)))
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
        self, store: str | Path, doubles: Mapping[str, str], *, seconds: float, load_seconds: float
    ) -> EmbedSummary:
        """Return what was done for the videos of the sources, and how long it took.

        Args:
            store: the store's path; it is written.
            doubles: id -> the id that stays, of files that the sources name twice.
            seconds: how long the run took.
            load_seconds: part of it until the encoder was loaded.
        """
        videos, changes, dropped = self._changes.videos, self._changes, frozenset(self._dropped)
        known_as = {here: changes.known_as.get(there, there) for here, there in doubles.items()}
        with EmbeddingStore(store) as written:
            copies, size_bytes = find_copies(written), written.size_bytes
        failures = tuple(self._writer.failed[video.id] for video in videos if video.id in self._writer.failed)
        return EmbedSummary(
            store=str(store),
            embedded=self._embedded,
            changed=len(changes.changed & self._writer.embedded),
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
            moved={old: video.id for old, video in changes.moved.items()},
            gone=tuple(video_id for video_id in changes.gone if video_id not in dropped),
            emptied={folder: ids for folder, ids in changes.emptied.items() if not dropped.issuperset(ids)},
            dropped=self._dropped,
            known_as=known_as | dict(changes.known_as),
            copies=copies,
            size_bytes=size_bytes,
            clipped_share=self._writer.loss.clipped_share,
            quantisation_error=self._writer.loss.error,
        )

    def _settle(self, result: EncodedVideo | Failure) -> None:
        if isinstance(result, Failure):
            self._fail(result)
        else:
            self._write(result)

    def _progress(self, videos_total: int) -> Progress:
        done, seconds = self._embedded + self._failed, time.monotonic() - self._started
        note, self._note = self._note, ""  # told once
        return Progress(done, videos_total, self._failed, self._vectors, seconds, self._clock.shares(), note)

    def _fail(self, failure: Failure) -> None:
        before = self._writer.failed.get(failure.id)
        attempts, listed_in = before.attempts + 1 if before else 1, self._listed_in.get(failure.id, "")
        failure = replace(failure, attempts=attempts, listed_in=listed_in)
        self._writer.append_failure(failure)
        self._log.failed(failure)
        self._failed += 1
        if self._listener:
            self._listener.take_failure(failure)

    def _write(self, result: EncodedVideo) -> None:
        started = time.monotonic()
        record, vectors = result.video.record, result.vectors
        self._clock.fetch_s += result.video.fetch_s
        self._clock.decode_s += result.video.decode_s
        self._clock.decode_cpu_s += result.video.cpu_s
        if not np.all(np.abs(vectors) <= np.finfo(np.float16).max):
            block = self._config.stop_before
            what = f"what enters {block}" if block else "a vector"
            detail = f"{what} holds values beyond float16, which ends at 65,504"
            self._fail(Failure(record.id, record.location, "encode_error", detail))
            return
        with self._log.embedding(result, lambda: record.id in self._writer.embedded):
            self._writer.append(record, vectors, result.video.timestamps_s, result.video.spans_s)
        self._embedded += 1
        self._vectors += len(vectors)
        self._encoded += result.encoded_count
        if result.video.cpu_reason:
            self._decoded_on_cpu[result.video.cpu_reason] += 1
        self._clock.write_s += time.monotonic() - started
        if self._listener:
            self._listener.take(record, as_stored(result, self._writer.provenance))
