"""Uploads -> vectors like those of the head's store, with an encoder that stays loaded and processes that stay warm."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.classifier import HeadEmbedder
from classify.errors import ClassifyError
from embed import EmbedConfig, Encoder, VideoError
from embed.decode_pool import DecodedVideo, DecodePlan
from embed.encoders import begin_encoding, suited_batch_size
from embed.run import EncodedVideo, as_stored, encode_batches, fill_batches, vectors_of_videos
from embed.store import Provenance, VideoRecord, VideoVectors
from embed.video import Sampling, Timeline


@dataclass(frozen=True)
class NoLonger:
    """A rule that picks frames of videos that are not too long.

    Args:
        sampling: picks the frames.
        duration_s: of the longest video.
    """

    sampling: Sampling
    duration_s: float

    def indices(self, timeline: Timeline) -> NDArray[np.int64]:
        """Return the (T, W) indices of the frames to embed.

        Raises:
            VideoError: the video is too long.
        """
        if timeline.duration_s > self.duration_s:
            raise VideoError(
                "refused",
                f"It lasts {timeline.duration_s:,.0f} s, but uploads may last {self.duration_s:,.0f} s. Cut it; or "
                "start serve-videos with a larger --duration-limit",
            )
        return self.sampling.indices(timeline)

    def to_json(self) -> dict[str, Any]:
        """Return the description of the rule that picks the frames."""
        return self.sampling.to_json()


@dataclass(frozen=True)
class WarmEncoder:
    """An encoder, and how videos are decoded for it.

    Args:
        encoder: loaded.
        config: how videos are embedded.
        provenance: of the vectors that it makes.
    """

    encoder: Encoder
    config: EmbedConfig
    provenance: Provenance

    @classmethod
    def load(cls, embedder: HeadEmbedder) -> "WarmEncoder":
        """Load the encoder of a head.

        Raises:
            ClassifyError: it sees vectors of several encoders, or those of a store that was imported.
            EncoderMismatch: the encoder here is another one than the head's.
            EmbedError: it cannot be loaded.
        """
        if embedder.is_joined:
            raise ClassifyError(
                "This head sees vectors of several encoders, so the page cannot label uploads. Label them with "
                "predict-videos."
            )
        config, encoder = embedder.load()
        found = cls(encoder, config, embedder.classifier.provenance)
        side = encoder.identity.preprocessing.side_px
        window = encoder.identity.window
        encoder.encode(np.zeros((found.batch_size, window, side, side, 3), np.uint8))  # the first call is the slowest
        return found

    @property
    def batch_size(self) -> int:
        """Windows that are encoded at once, as embed-videos does: other numbers change the last digits."""
        return self.config.batch_size or suited_batch_size(self.encoder)

    def plan(self, duration_s: float) -> DecodePlan:
        """Return how uploads are decoded."""
        config = self.config
        return DecodePlan(
            NoLonger(config.sampling, duration_s),
            self.encoder.identity.preprocessing,
            config.decoder,
            thread_count=1,
            views=config.views,
        )

    def encode(
        self, videos: Sequence[DecodedVideo], on_batch: Callable[[int], None] = lambda _: None
    ) -> Iterator[tuple[VideoRecord, VideoVectors]]:
        """Yield each video's vectors, as they would be read from a store, in order.

        Args:
            videos: decoded by the plan.
            on_batch: called with the number of windows of each batch, once they are encoded.
        """
        for result in vectors_of_videos(self._batches(videos, on_batch)):
            assert isinstance(result, EncodedVideo)
            yield result.video.record, as_stored(result, self.provenance)

    def _batches(self, videos: Sequence[DecodedVideo], on_batch: Callable[[int], None]) -> Iterator[Any]:
        for item in encode_batches(fill_batches(videos, self.batch_size), self._begin):
            assert isinstance(item, tuple)
            on_batch(item[0].window_count)
            yield item

    def _begin(self, rgb: NDArray[np.uint8]) -> Any:
        return begin_encoding(self.encoder, rgb)
