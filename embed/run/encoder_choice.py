"""Choose the encoder of a run and its precision."""

from collections.abc import Sequence
from pathlib import Path

from embed.decode_pool import DecodePlan
from embed.encoders import Encoder, load_encoder, other_window
from embed.reduction import read_pca
from embed.run.config import EmbedConfig, window_of
from embed.run.fidelity import first_frames, is_faithful, measure_fidelity, too_unfaithful
from embed.sources import Video
from embed.store import (
    EmbeddingStore,
    Fidelity,
    Precision,
    Provenance,
    Storage,
    is_store,
    library_versions,
    refuse_other_provenance,
)

_DEFAULT_WEIGHTS = ("openai", "bundled")


def choose_encoder(config: EmbedConfig, store: str | Path, videos: Sequence[Video]) -> tuple[Encoder, Fidelity | None]:
    """Load the encoder with which a store is made or continued.

    Before a store is made in a lower precision, the change of the vectors is measured on the user's own frames.

    Args:
        config: model, weights, device and precision.
        store: path of the store, which may not exist yet.
        videos: their first frames are used to measure.

    Returns:
        The encoder, and what was measured, now or when the store was made; None if nothing was measured.

    Raises:
        EncoderError: the encoder cannot be built, or `config.precision` changes its vectors too much.
    """

    def load(precision: Precision | None) -> Encoder:
        return load_encoder(
            config.model,
            pretrained=config.pretrained,
            device=config.device,
            precision=precision,
            pca=config.pca,
            window=window_of(config.sampling),
            stop_before=config.stop_before,
        )

    known = provenance_of(store)
    is_continued = known is not None and known.encoder.model == config.model
    encoder = load(config.precision or (known.encoder.precision if known and is_continued else None))
    if encoder.identity.precision == "float32" or known:
        return encoder, known.fidelity if known else None
    plan = DecodePlan(config.sampling, encoder.identity.preprocessing, config.decoder, playlists=config.playlists)
    rgb = first_frames(videos, plan, config.limits, public_only=config.public_only)
    if rgb is None:
        return encoder, None
    reference = load("float32")
    fidelity = measure_fidelity(encoder, reference, rgb)
    if is_faithful(fidelity):
        return encoder, fidelity
    if config.precision is None:
        return reference, None
    raise too_unfaithful(fidelity, encoder.identity)


def choose_same_encoder(
    provenance: Provenance, config: EmbedConfig, store: str | Path, videos: Sequence[Video]
) -> Encoder:
    """Load the encoder of a store, whose provenance was taken for what the configuration asks for.

    Raises:
        StoreMismatch: it is another one. EncoderError: as for `choose_encoder`.
    """
    encoder, _ = choose_encoder(config, store, videos)
    refuse_other_provenance(Path(store), provenance, provenance_by(encoder, config, None))
    return encoder


def provenance_by(encoder: Encoder | None, config: EmbedConfig, fidelity: Fidelity | None) -> Provenance:
    """Return the provenance of what an encoder, which is not None, makes by a configuration.

    Raises:
        EncoderError: the configuration's frames are no clips as the encoder takes them.
    """
    assert encoder
    window = window_of(config.sampling)
    if window is not None and window != encoder.identity.window:
        raise other_window(encoder.identity, window)
    return Provenance(
        encoder=encoder.identity,
        sampling=config.sampling.to_json(),
        decoder=config.decoder,
        versions=library_versions(),
        fidelity=fidelity,
        views=config.views,
        storage=_storage_of(config),
    )


def _storage_of(config: EmbedConfig) -> Storage:
    return "uint8" if config.is_quantised else "float16"


def needs_no_encoder(config: EmbedConfig, known: Provenance) -> bool:
    """Return True if a configuration surely means the encoder of a store, as far as names tell."""
    identity = known.encoder
    is_default = config.pretrained is None and identity.pretrained in _DEFAULT_WEIGHTS
    return (
        config.model == identity.model
        and config.stop_before == identity.stop_before
        and config.precision in (None, identity.precision)
        and (is_default or config.pretrained == identity.pretrained)
        and _hash_of(config.pca) == (identity.reduction.sha256 if identity.reduction else None)
    )


def _hash_of(pca: str | None) -> str | None:
    return None if pca is None else read_pca(pca).sha256


def refuse_other_frames(config: EmbedConfig, store: str | Path, known: Provenance) -> None:
    """Raise StoreMismatch if a store has other frames or views than a configuration asks for, whatever the encoder."""
    sampling = config.sampling.to_json()
    asked = Provenance(known.encoder, sampling, views=config.views, storage=_storage_of(config))
    refuse_other_provenance(Path(store), known, asked)


def provenance_of(store: str | Path) -> Provenance | None:
    """Return what made a store; None if there is none yet."""
    if not is_store(store):
        return None
    with EmbeddingStore(store) as made:
        return made.provenance
