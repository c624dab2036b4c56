"""New videos embedded as those were that a head learned from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from classify.classifier.classifier import VideoClassifier
from classify.classifier.kept_pca import pca_of
from classify.classifier.predict_config import PredictConfig
from classify.errors import ClassifyError
from embed import EmbedConfig, EmbedSummary, Encoder, RunListener, embed_videos, join_like, load_configured
from embed.machine import temporary_folder
from embed.store import EmbeddingStore, Failure, Provenance


@dataclass(frozen=True)
class HeadEmbedder:
    """Embeds videos for a head. Each encoder is loaded once.

    Args:
        classifier: the head.
        head: its folder, which may hold a PCA.
        config: device, weights, batch size and what is allowed.
    """

    classifier: VideoClassifier
    head: str | Path
    config: PredictConfig
    _encoders: dict[int, tuple[EmbedConfig, Encoder]] = field(default_factory=dict, repr=False)

    @property
    def is_joined(self) -> bool:
        """True if the head sees vectors of several encoders, side by side: all are made, and then joined."""
        return bool(self.classifier.provenance.parts)

    def embed(
        self,
        sources: Sequence[str | Path],
        path: Path,
        *,
        on_progress: Callable[[Any], None] | None = None,
        listener: RunListener | None = None,
    ) -> EmbedSummary:
        """Embed videos into a store.

        Raises:
            EncoderMismatch: the encoder here is another one than the head's.
            EmbedError: a source is absent, the encoder cannot be loaded, or the store cannot be written.
        """
        embedding, encoder = self.load()
        return embed_videos(sources, path, embedding, encoder=encoder, on_progress=on_progress, listener=listener)

    def embed_parts(
        self,
        sources: Sequence[str | Path],
        path: Path,
        *,
        on_progress: Callable[[Any], None] | None = None,
        listener: RunListener | None = None,
    ) -> tuple[Failure, ...]:
        """Embed videos with each encoder of a joined head, and write the joined store.

        Returns:
            The videos that one of the encoders has no vectors for.

        Raises:
            ClassifyError: a setting is for heads of one encoder.
            EmbedError: as in `embed`.
        """
        self.refuse_for_parts()
        made = self.classifier.provenance
        with temporary_folder("predict") as folder:
            parts = [folder / f"part-{number}.h5" for number in range(len(made.parts))]
            for number, (part, place) in enumerate(zip(made.parts, parts, strict=True)):
                embedding, encoder = self._load(number, part)
                embed_videos(sources, place, embedding, encoder=encoder, on_progress=on_progress, listener=listener)
            failures = _failures_of(parts)
            join_like(parts, path, made)
        return failures

    def load(self) -> tuple[EmbedConfig, Encoder]:
        """Return how videos are embedded for a head of one encoder, and this encoder. It is loaded once.

        Raises:
            EncoderMismatch: the encoder here is another one than the head's.
            EmbedError: it cannot be loaded.
        """
        made = self.classifier.provenance
        embedding, encoder = self._load(0, made)
        self.classifier.check(replace(made, encoder=encoder.identity), f"{self.config.pretrained or embedding.model}")
        return embedding, encoder

    def refuse_for_parts(self) -> None:
        """Raise ClassifyError for settings that cannot hold for several encoders at once."""
        for option, value in (("--pretrained", self.config.pretrained), ("--store", self.config.store)):
            if self.is_joined and value is not None:
                models = " and ".join(part.encoder.model for part in self.classifier.provenance.parts)
                raise ClassifyError(
                    f"{option} is for heads of one encoder, but this head sees vectors of {models}. Leave it out; or "
                    "embed the videos with each of them, run join-stores, and name that store in place of the videos."
                )

    def _load(self, number: int, made: Provenance) -> tuple[EmbedConfig, Encoder]:
        """Return how videos are embedded as those of a provenance were, and the encoder."""
        if number not in self._encoders:
            config, pca = self.config, pca_of(self.head, made)
            embedding = EmbedConfig.from_provenance(
                made, pretrained=config.pretrained, device=config.device, batch_size=config.batch_size
            )
            embedding = replace(embedding, playlists=config.playlists, public_only=config.public_only, pca=pca)
            self._encoders[number] = embedding, load_configured(embedding, window=made.encoder.window)
        return self._encoders[number]


def _failures_of(stores: Sequence[Path]) -> tuple[Failure, ...]:
    """Return the videos that one of several stores lacks, each once."""
    found: dict[str, Failure] = {}
    for path in stores:
        with EmbeddingStore(path) as store:
            found = {failure.id: failure for failure in store.failures} | found
    return tuple(found[video_id] for video_id in sorted(found))
