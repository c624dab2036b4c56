"""Choose the encoder of a run and its precision."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import final

from embed.decode_pool import DecodePlan
from embed.encoders import Encoder, default_tag, licence_of, load_encoder, other_window, resolve_device
from embed.errors import StoreMismatch
from embed.reduction import read_pca
from embed.run.config import EmbedConfig, window_of
from embed.run.fidelity import first_frames, is_faithful, measure_fidelity, too_unfaithful
from embed.run.self_check import check_encoder_itself, compare_with_store, name_device
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


@final
@dataclass(frozen=True)
class Chosen:
    """An encoder, what was measured of it before the store was made, and a note on it; None, {} or "" for nothing."""

    encoder: Encoder
    fidelity: Fidelity | None = None
    references: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


def load_configured(config: EmbedConfig, *, window: int | None) -> Encoder:
    """Load the encoder of a configuration.

    Args:
        config: model, weights, device, precision, PCA, and where the model stops.
        window: W, the frames behind one vector; None is the encoder's own number.

    Raises:
        EncoderError, WeightsUnavailable, ReductionError: as for `embed.encoders.load_encoder`.
    """
    return load_encoder(
        config.model,
        pretrained=config.pretrained,
        device=config.device,
        precision=config.precision,
        pca=config.pca,
        window=window,
        stop_before=config.stop_before,
    )


def choose_encoder(config: EmbedConfig, store: str | Path, videos: Sequence[Video]) -> Chosen:
    """Load the encoder with which a store is made or continued.

    Before a store is made or continued, the encoder is tried on made frames (`embed.run.self_check`). If a new store's
    is of a lower precision, the change of the vectors is measured on the user's own frames.

    Args:
        config: model, weights, device and precision.
        store: path of the store, which may not exist yet.
        videos: their first frames are used to measure.

    Raises:
        EncoderError: the encoder cannot be built, gives vectors that cannot be right, or `config.precision` changes its
            vectors too much.
    """

    def load(precision: Precision | None) -> Encoder:
        return load_configured(replace(config, precision=precision), window=window_of(config.sampling))

    known = provenance_of(store)
    is_continued = known is not None and known.encoder.model == config.model
    encoder = load(config.precision or (known.encoder.precision if known and is_continued else None))
    device = resolve_device(config.device)
    if known:
        asked, made = encoder.identity, known.encoder
        is_same = (asked.weights_sha256, asked.precision) == (made.weights_sha256, made.precision)
        note = compare_with_store(encoder, device, known) if is_same else ""
        return Chosen(encoder, known.fidelity, known.references, note)
    fidelity, reference = None, check_encoder_itself(encoder)
    if encoder.identity.precision != "float32":
        faithful, fidelity = _faithful(encoder, config, videos, load)
        if faithful is not encoder:
            encoder, reference = faithful, check_encoder_itself(faithful)
    return Chosen(encoder, fidelity, {name_device(device): reference})


def _faithful(
    encoder: Encoder, config: EmbedConfig, videos: Sequence[Video], load: Callable[[Precision], Encoder]
) -> tuple[Encoder, Fidelity | None]:
    """Return an encoder of lower precision if it changes vectors little, else one in float32 if that may be chosen."""
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
) -> Chosen:
    """Load the encoder of a store, whose provenance was taken for what the configuration asks for.

    Raises:
        StoreMismatch: it is another one. EncoderError: as for `choose_encoder`.
    """
    chosen = choose_encoder(config, store, videos)
    refuse_other_provenance(Path(store), provenance, provenance_by(chosen, config))
    return chosen


def provenance_by(chosen: Chosen, config: EmbedConfig) -> Provenance:
    """Return the provenance of what an encoder makes by a configuration.

    Raises:
        EncoderError: the configuration's frames are no clips as the encoder takes them.
    """
    identity, window = chosen.encoder.identity, window_of(config.sampling)
    if window is not None and window != identity.window:
        raise other_window(identity, window)
    return Provenance(
        encoder=identity,
        sampling=config.sampling.to_json(),
        decoder=config.decoder,
        versions=library_versions(),
        fidelity=chosen.fidelity,
        views=config.views,
        storage=_storage_of(config),
        licence=licence_of(identity.model, identity.pretrained),
        references=chosen.references,
    )


def _storage_of(config: EmbedConfig) -> Storage:
    return "uint8" if config.is_quantised else "float16"


def needs_no_encoder(config: EmbedConfig, known: Provenance) -> bool:
    """Return True if a configuration surely means the encoder of a store, as far as names tell."""
    identity = known.encoder
    is_default = config.pretrained is None and identity.pretrained in ("openai", default_tag(config.model))
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
    if known.parts:
        parts = " and ".join(part.encoder.model for part in known.parts)
        raise StoreMismatch(
            f"{store} was joined of vectors of {parts}, so no single encoder continues it. Embed the videos into each "
            "of the stores that it was made of, and run join-stores again."
        )
    sampling = config.sampling.to_json()
    asked = Provenance(known.encoder, sampling, views=config.views, storage=_storage_of(config))
    refuse_other_provenance(Path(store), known, asked)


def provenance_of(store: str | Path) -> Provenance | None:
    """Return what made a store; None if there is none yet."""
    if not is_store(store):
        return None
    with EmbeddingStore(store) as made:
        return made.provenance
