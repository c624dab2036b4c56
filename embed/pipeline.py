"""Embed videos: decode | encode | write, overlapped, and resumable at any moment."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.decode_pool import DecodedVideo, DecodePlan, decode_videos
from embed.decoding import Decoder
from embed.encoders import Encoder, load_encoder
from embed.fetching import Fetcher
from embed.pieces import Failure
from embed.provenance import Provenance, library_versions
from embed.sampling import Sampling, UniformFrames, sampling_from_json
from embed.store import StoreWriter
from embed.videos import Video, find_videos


@dataclass(frozen=True)
class EmbedConfig:
    """How videos are embedded.

    Args:
        model: an encoder of `embed.encoders.load_encoder`.
        pretrained: its weights: a tag or a file; None takes the family's default.
        sampling: which frames are embedded.
        device: "auto", or a torch device.
        batch_size: frames encoded at once.
        decoder: "pyav" or "opencv".
        is_retrying: try videos again that failed in an earlier run.
    """

    model: str = "ViT-B-32"
    pretrained: str | None = None
    sampling: Sampling = field(default_factory=UniformFrames)
    device: str = "auto"
    batch_size: int = 32
    decoder: Decoder = "pyav"
    is_retrying: bool = False

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size is at least 1, got {self.batch_size}")

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
            batch_size=batch_size,
            decoder="opencv" if provenance.decoder == "opencv" else "pyav",
        )


@dataclass(frozen=True)
class Progress:
    """Where a run stands: videos done of those to do, frames encoded, seconds since it began."""

    videos_done: int
    videos_total: int
    failed: int
    frames: int
    seconds: float


@dataclass(frozen=True)
class EmbedSummary:
    """What a run did.

    Args:
        store: the store's path.
        embedded: videos embedded by this run.
        skipped: videos that were in the store already.
        failed: videos of these sources without vectors, from this run or an earlier one.
        vectors: vectors written by this run.
        seconds: wall time, loading the encoder included.
        encode_seconds: of these, the time inside the encoder.
        failures: why each failed video failed.
    """

    store: str
    embedded: int
    skipped: int
    failed: int
    vectors: int
    seconds: float
    encode_seconds: float
    failures: tuple[Failure, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)


def embed_videos(
    sources: Sequence[str | Path],
    store: str | Path,
    config: EmbedConfig | None = None,
    *,
    encoder: Encoder | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> EmbedSummary:
    """Embed the frames of videos into a store, which is made, or continued where it stands.

    Videos that the store holds are skipped, so an interrupted run goes on where it was. A video that cannot be read is
    stored as a failure and the run goes on.

    Args:
        sources: what `find_videos` takes: folders, video files, CSV or TXT lists.
        store: path of the `.h5` file.
        config: how; None takes the defaults (CLIP ViT-B/32, 100 frames).
        encoder: an encoder at hand, in place of `config.model`.
        on_progress: called after every video.

    Raises:
        SourceError: there is nothing to embed.
        EncoderError: the encoder cannot be built.
        StoreError: the store cannot be written; StoreMismatch where its vectors were made otherwise.
    """
    started = time.monotonic()
    config = config or EmbedConfig()
    videos = find_videos(sources)
    encoder = encoder or load_encoder(config.model, pretrained=config.pretrained, device=config.device)
    provenance = Provenance(encoder.identity, config.sampling.to_json(), config.decoder, library_versions())
    with StoreWriter(store, provenance) as writer:
        run = _Run(writer, encoder, config, started)
        run.embed([video for video in videos if not run.is_settled(video)], on_progress)
        failures = tuple(writer.failed[video.id] for video in videos if video.id in writer.failed)
    return EmbedSummary(
        store=str(store),
        embedded=run.embedded,
        skipped=len(videos) - run.embedded - len(failures),
        failed=len(failures),
        vectors=run.vectors,
        seconds=time.monotonic() - started,
        encode_seconds=run.encode_seconds,
        failures=failures,
    )


class _Run:
    """One run over one store: its parts and its counts."""

    def __init__(self, writer: StoreWriter, encoder: Encoder, config: EmbedConfig, started: float) -> None:
        self._writer, self._encoder, self._config, self._started = writer, encoder, config, started
        self.embedded = self.vectors = self.failed = 0
        self.encode_seconds = 0.0

    def is_settled(self, video: Video) -> bool:
        """Say whether an earlier run has dealt with the video."""
        known_failure = video.id in self._writer.failed and not self._config.is_retrying
        return video.id in self._writer.embedded or known_failure

    def embed(self, videos: Sequence[Video], on_progress: Callable[[Progress], None] | None) -> None:
        plan = DecodePlan(self._config.sampling, self._encoder.identity.preprocessing, self._config.decoder)
        with Fetcher() as fetcher:
            decoded = decode_videos(fetcher.ahead(videos), plan, fetch=fetcher.local_file)
            sound = self._without_failures(decoded)
            for video, vectors in encode_videos(sound, self._timed_encode, self._config.batch_size):
                self._write(video, vectors)
                if on_progress:
                    done = self.embedded + self.failed
                    seconds = time.monotonic() - self._started
                    on_progress(Progress(done, len(videos), self.failed, self.vectors, seconds))

    def _without_failures(self, results: Iterable[DecodedVideo | Failure]) -> Iterator[DecodedVideo]:
        for result in results:
            if isinstance(result, Failure):
                self._fail(result)
            else:
                yield result

    def _fail(self, failure: Failure) -> None:
        before = self._writer.failed.get(failure.id)
        attempts = before.attempts + 1 if before else 1
        self._writer.append_failure(Failure(**{**asdict(failure), "attempts": attempts}))
        self.failed += 1

    def _write(self, video: DecodedVideo, vectors: NDArray[np.float32]) -> None:
        record = video.record
        if not np.all(np.abs(vectors) <= np.finfo(np.float16).max):
            self._fail(Failure(record.id, record.location, "encode_error", "a vector holds values beyond float16"))
            return
        self._writer.append(record, vectors, video.timestamps_s)
        self.embedded += 1
        self.vectors += len(vectors)

    def _timed_encode(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        started = time.monotonic()
        vectors = self._encoder.encode(rgb)
        self.encode_seconds += time.monotonic() - started
        return vectors


def encode_videos(
    videos: Iterable[DecodedVideo], encode: Callable[[NDArray[np.uint8]], NDArray[np.float32]], batch_size: int
) -> Iterator[tuple[DecodedVideo, NDArray[np.float32]]]:
    """Encode videos in batches that run across their borders.

    Every batch has `batch_size` windows, the last one filled up with black: matrix kernels differ in the last bit
    with the shape of a batch, and a video's vectors must not depend on its neighbours or on where a run was killed.

    Yields:
        Each video with its (T, D) float32 vectors, in order.
    """
    waiting: list[DecodedVideo] = []
    windows: list[NDArray[np.uint8]] = []
    vectors: list[NDArray[np.float32]] = []
    for video in videos:
        waiting.append(video)
        windows.extend(video.rgb)
        while len(windows) >= batch_size:
            vectors.extend(encode(np.stack(windows[:batch_size])))
            del windows[:batch_size]
        yield from _finished(waiting, vectors)
    if windows:
        black = [np.zeros_like(windows[0])] * (batch_size - len(windows))
        vectors.extend(encode(np.stack(windows + black))[: len(windows)])
        yield from _finished(waiting, vectors)


def _finished(
    waiting: list[DecodedVideo], vectors: list[NDArray[np.float32]]
) -> Iterator[tuple[DecodedVideo, NDArray[np.float32]]]:
    """Take the videos off both lists whose vectors are all there."""
    while waiting and len(waiting[0].rgb) <= len(vectors):
        video = waiting.pop(0)
        count = len(video.rgb)
        yield video, np.stack(vectors[:count])
        del vectors[:count]
