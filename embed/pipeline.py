"""Embed videos: fetch | decode | encode | write, overlapped, and resumable at any moment."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from embed.allocation import keep_freed_memory
from embed.background import in_background
from embed.changes import changed_videos
from embed.decode_pool import DecodeLimits, DecodePlan
from embed.decoding import DecodeDevice, Decoder
from embed.encode_time import TimedEncoding
from embed.encoders import Encoder, load_encoder
from embed.encoders.foreseen import foresee_preprocessing
from embed.encoding import EncodedVideo, encode_batches, fill_batches, vectors_of_videos
from embed.fidelity import first_frames, is_faithful, measure_fidelity, too_unfaithful
from embed.frames_ahead import FramesAhead
from embed.locations import is_same_place
from embed.preprocessing import Preprocessing
from embed.progress import HINTS, Progress, Stage, StageClock, slowest
from embed.provenance import Fidelity, Precision, Provenance, library_versions
from embed.run_log import RunLog
from embed.sampling import Sampling, UniformFrames, sampling_from_json
from embed.store import EmbeddingStore, StoreWriter, is_store
from embed.tables import Failure
from embed.videos import Video, find_videos
from embed.views import CENTRE, check_views


@dataclass(frozen=True)
class EmbedConfig:
    """How videos are embedded.

    Args:
        model: an encoder of `embed.encoders.load_encoder`.
        pretrained: its weights: a tag or a file; None takes the family's default.
        sampling: which frames are embedded.
        device: "auto", or a torch device.
        precision: of the encoder's arithmetic. None takes the store's; for a new one bfloat16 for CLIP on CUDA where it
            keeps the vectors (`embed.fidelity`), else float32.
        batch_size: frames encoded at once.
        decoder: "pyav" or "opencv".
        decode_device: "cpu", or "cuda": decode on an NVIDIA GPU what it decodes to the same pixels (`embed.nvdec`).
        is_retrying: try videos again that failed in an earlier run.
        workers: videos decoded at once; None takes one a core, at most 16, since one thread each wastes least.
        limits: seconds and bytes that decoding one video may take; its server may be silent for as many seconds.
        log: a file that gets one JSON object a video (`embed.run_log`); None keeps none.
        views: of each frame, names of `embed.views`; V views cost V times the encoding.
    """

    model: str = "ViT-B-32"
    pretrained: str | None = None
    sampling: Sampling = field(default_factory=UniformFrames)
    device: str = "auto"
    precision: Precision | None = None
    batch_size: int = 32
    decoder: Decoder = "pyav"
    decode_device: DecodeDevice = "cpu"
    is_retrying: bool = False
    workers: int | None = None
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    log: str | None = None
    views: tuple[str, ...] = (CENTRE,)

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size is at least 1, got {self.batch_size}")
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers is at least 1, got {self.workers}")
        if self.decode_device != "cpu" and self.decoder != "pyav":
            raise ValueError(f"decode_device {self.decode_device} wants decoder pyav, got {self.decoder}")
        check_views(self.views)

    @classmethod
    def from_provenance(
        cls, provenance: Provenance, *, pretrained: str | None = None, device: str = "auto", batch_size: int = 32
    ) -> "EmbedConfig":
        """Return the configuration that makes vectors like a store's.

        Args:
            provenance: what made the store.
            pretrained: where its weights lie on this machine, if they were a file that has moved.
            device: where to encode.
            batch_size: frames encoded at once.
        """
        encoder = provenance.encoder
        bundled = encoder.pretrained == "bundled"
        return cls(
            model=encoder.model,
            pretrained=pretrained or (None if bundled else encoder.pretrained),
            sampling=sampling_from_json(provenance.sampling),
            device=device,
            precision=encoder.precision,
            batch_size=batch_size,
            decoder="opencv" if provenance.decoder == "opencv" else "pyav",
            views=provenance.views,
        )


@dataclass(frozen=True)
class EmbedSummary:
    """What a run did.

    Args:
        store: the store's path.
        embedded: videos embedded by this run.
        changed: of these, those that an earlier run had embedded from other content.
        skipped: videos that were in the store already.
        failed: videos of these sources without vectors, from this run or an earlier one.
        vectors: vectors written by this run.
        repeated: of these, those of a frame that equals the one before, which were not computed again.
        seconds: wall time, loading the encoder included.
        load_seconds: of these, the time until the encoder was loaded.
        encode_seconds: of these, the time inside the encoder.
        decode_cpu_seconds, encode_cpu_seconds: processor time of the two, all threads of all processes.
        shares: the share of the time that each stage made the run wait (`embed.progress`).
        failures: why each failed video failed.
        decoded_on_cpu: reason -> videos that were to be decoded on a GPU, and were not.
    """

    store: str
    embedded: int
    changed: int
    skipped: int
    failed: int
    vectors: int
    repeated: int
    seconds: float
    load_seconds: float
    encode_seconds: float
    decode_cpu_seconds: float
    encode_cpu_seconds: float
    shares: Mapping[Stage, float]
    failures: tuple[Failure, ...]
    decoded_on_cpu: Mapping[str, int]

    @property
    def cores_used(self) -> float:
        """How many cores decoding and encoding kept busy on average; near all of them, the machine does what it can."""
        return (self.decode_cpu_seconds + self.encode_cpu_seconds) / self.seconds

    @property
    def hint(self) -> str | None:
        """What would make such a run faster; None where this one embedded nothing."""
        stage = slowest(self.shares)
        if stage and self.load_seconds > self.seconds / 2:
            return f"loading the encoder took {self.load_seconds / self.seconds:.0%} of the time: embed more in one run"
        return f"{stage} took {self.shares[stage]:.0%} of the time: {HINTS[stage]}" if stage else None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return {**asdict(self), "cores_used": self.cores_used, "hint": self.hint}


def embed_videos(
    sources: Sequence[str | Path],
    store: str | Path,
    config: EmbedConfig | None = None,
    *,
    encoder: Encoder | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> EmbedSummary:
    """Embed the frames of videos into a store, which is made, or continued where it stands.

    Videos that the store holds are skipped, so an interrupted run goes on where it was; local files whose content has
    changed since are embedded anew. A video that cannot be read is stored as a failure and the run goes on.

    Args:
        sources: what `find_videos` takes: folders, video files, CSV or TXT lists.
        store: path of the `.h5` file.
        config: how; None takes the defaults (CLIP ViT-B/32, 100 frames).
        encoder: an encoder at hand, in place of `config.model`.
        on_progress: called when the encoder is loaded, after every video, and every second in between.

    Raises:
        SourceError: there is nothing to embed, or a name of the store stands for another video here.
        EncoderError: the encoder cannot be built, or `config.precision` changes its vectors too much.
        StoreError: the store cannot be written; StoreMismatch where its vectors were made otherwise.
    """
    started = time.monotonic()
    config = config or EmbedConfig()
    keep_freed_memory()  # before there are threads: theirs would be given back, and taken anew for every batch
    videos = find_videos(sources)
    with ExitStack() as stack:
        early = None if encoder else _begin_early(config, store, videos)
        if early:
            stack.enter_context(early)
        encoder, fidelity = (encoder, None) if encoder else _choose_encoder(config, store, videos)
        load_seconds = time.monotonic() - started
        provenance = Provenance(
            encoder.identity, config.sampling.to_json(), config.decoder, library_versions(), fidelity, config.views
        )
        log, writer = stack.enter_context(RunLog(config.log)), stack.enter_context(StoreWriter(store, provenance))
        changed = changed_videos(store, videos) if writer.embedded else set[str]()
        writer.embedded -= changed  # what is appended anew takes the place of what is there
        run = _Run(writer, encoder, config, log)
        missing = [video for video in videos if not run.is_settled(video)]
        if missing:
            with _go_on(early, missing, encoder.identity.preprocessing, config) as frames:
                run.embed(frames, on_progress)
        failures = tuple(writer.failed[video.id] for video in videos if video.id in writer.failed)
    return EmbedSummary(
        store=str(store),
        embedded=run.embedded,
        changed=len(changed & writer.embedded),
        skipped=len(videos) - run.embedded - len(failures),
        failed=len(failures),
        vectors=run.vectors,
        repeated=run.vectors - run.encoded,
        seconds=time.monotonic() - started,
        load_seconds=load_seconds,
        encode_seconds=run.clock.encode_s,
        decode_cpu_seconds=run.clock.decode_cpu_s,
        encode_cpu_seconds=run.clock.encode_cpu_s,
        shares=run.clock.shares(),
        failures=failures,
        decoded_on_cpu=dict(run.decoded_on_cpu),
    )


def _begin_early(config: EmbedConfig, store: str | Path, videos: Sequence[Video]) -> FramesAhead | None:
    """Begin to decode while the encoder loads, where the store is new and the encoder's preprocessing can be told."""
    if Path(store).exists() or is_store(store):
        return None
    foreseen = foresee_preprocessing(config.model)
    return _begin(videos, foreseen, config) if foreseen else None


def _begin(videos: Sequence[Video], preprocessing: Preprocessing, config: EmbedConfig) -> FramesAhead:
    plan = DecodePlan(
        config.sampling, preprocessing, config.decoder, decode_device=config.decode_device, views=config.views
    )
    return FramesAhead(videos, plan, workers=config.workers, limits=config.limits)


def _go_on(
    early: FramesAhead | None, videos: Sequence[Video], preprocessing: Preprocessing, config: EmbedConfig
) -> FramesAhead:
    """Return what was begun early where it decodes these videos as they must be, or begin."""
    if early:
        if early.videos == videos and early.plan.preprocessing.cuts_as(preprocessing):
            return early
        early.close()
    return _begin(videos, preprocessing, config)


def _choose_encoder(config: EmbedConfig, store: str | Path, videos: Sequence[Video]) -> tuple[Encoder, Fidelity | None]:
    """Load the encoder. Before a store is made in a lower precision, measure what that costs."""

    def load(precision: Precision | None) -> Encoder:
        return load_encoder(config.model, pretrained=config.pretrained, device=config.device, precision=precision)

    known = _provenance_of(store)
    is_continued = known is not None and known.encoder.model == config.model
    encoder = load(config.precision or (known.encoder.precision if known and is_continued else None))
    if encoder.identity.precision == "float32" or known:
        return encoder, known.fidelity if known else None
    plan = DecodePlan(config.sampling, encoder.identity.preprocessing, config.decoder)
    rgb = first_frames(videos, plan, config.limits)
    if rgb is None:
        return encoder, None
    reference = load("float32")
    fidelity = measure_fidelity(encoder, reference, rgb)
    if is_faithful(fidelity):
        return encoder, fidelity
    if config.precision is None:
        return reference, None
    raise too_unfaithful(fidelity, encoder.identity)


def _provenance_of(store: str | Path) -> Provenance | None:
    if not is_store(store):
        return None
    with EmbeddingStore(store) as made:
        return made.provenance


class _Run:
    """One run over one store: its parts and its counts."""

    def __init__(self, writer: StoreWriter, encoder: Encoder, config: EmbedConfig, log: RunLog) -> None:
        self._writer, self._encoder, self._config, self._log = writer, encoder, config, log
        self._started = time.monotonic()
        self.clock = StageClock()
        self.embedded = self.vectors = self.encoded = self.failed = 0
        self.decoded_on_cpu: Counter[str] = Counter()

    def is_settled(self, video: Video) -> bool:
        """Say whether an earlier run has dealt with the video."""
        failure = self._writer.failed.get(video.id)
        is_known = failure is not None and is_same_place(failure.location, video.location)
        return video.id in self._writer.embedded or (is_known and not self._config.is_retrying)

    def embed(self, frames: FramesAhead, on_progress: Callable[[Progress], None] | None) -> None:
        """Embed the videos of frames: fetching, decoding, encoding and writing go on at once."""
        encoding = TimedEncoding(self._encoder, self.clock)
        batches = in_background(fill_batches(frames.results, self._config.batch_size))
        begun = encode_batches(self.clock.waited_for(batches), encoding.begin)

        def report() -> None:
            if on_progress:
                on_progress(self._progress(len(frames.videos)))

        with closing(in_background(begun, meanwhile=report)) as encoded:
            report()
            for result in vectors_of_videos(encoded):
                self._settle(result)
                report()

    def _settle(self, result: EncodedVideo | Failure) -> None:
        if isinstance(result, Failure):
            self._fail(result)
        else:
            self._write(result)

    def _progress(self, videos_total: int) -> Progress:
        done, seconds = self.embedded + self.failed, time.monotonic() - self._started
        return Progress(done, videos_total, self.failed, self.vectors, seconds, self.clock.shares())

    def _fail(self, failure: Failure) -> None:
        before = self._writer.failed.get(failure.id)
        failure = replace(failure, attempts=before.attempts + 1 if before else 1)
        self._writer.append_failure(failure)
        self._log.failed(failure)
        self.failed += 1

    def _write(self, result: EncodedVideo) -> None:
        started = time.monotonic()
        record, vectors = result.video.record, result.vectors
        self.clock.fetch_s += result.video.fetch_s
        self.clock.decode_s += result.video.decode_s
        self.clock.decode_cpu_s += result.video.cpu_s
        if not np.all(np.abs(vectors) <= np.finfo(np.float16).max):
            self._fail(Failure(record.id, record.location, "encode_error", "a vector holds values beyond float16"))
            return
        self._writer.append(record, vectors, result.video.timestamps_s)
        self._log.embedded(result)
        self.embedded += 1
        self.vectors += len(vectors)
        self.encoded += result.encoded_count
        if result.video.cpu_reason:
            self.decoded_on_cpu[result.video.cpu_reason] += 1
        self.clock.write_s += time.monotonic() - started
