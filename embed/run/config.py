"""The settings of `embed_videos`, and the summary that it returns."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, get_args

from embed.decode_pool import DecodeLimits
from embed.encoders import foresee_window
from embed.machine import HINTS, Stage, slowest
from embed.store import Failure, Precision, Provenance
from embed.video import (
    CENTRE,
    Clips,
    DecodeDevice,
    Decoder,
    FramesPerSecond,
    KeyFrames,
    Sampling,
    UniformFrames,
    check_views,
    is_count,
    sampling_from_json,
)


@dataclass(frozen=True)
class EmbedConfig:
    """How videos are embedded.

    Args:
        model: name of an encoder, as for `embed.encoders.load_encoder`.
        pretrained: its weights: a tag or a file; None uses the family's default.
        sampling: which frames are embedded. None is `UniformFrames()`, or `Clips(W)` for a model of clips of W frames.
        device: "auto", or a torch device.
        precision: arithmetic of the encoder. None uses the store's precision. For a new store, None is bfloat16 with
            CLIP on CUDA if that changes the vectors little enough (`embed.run.fidelity`), else float32.
        batch_size: frames, or clips, encoded at once; None is what suits the encoder: 32 frames, or a few clips.
        decoder: "pyav" or "opencv".
        decode_device: "cpu", or "cuda" to use an NVIDIA GPU for videos that it decodes to the same pixels
            (`embed.video.nvdec`).
        is_retrying: try videos again that failed in an earlier run.
        is_pruning: drop videos and failures of the store that are no longer in the sources (`embed.run.pruning`).
        is_pruning_anyway: drop them also if their folder is there but holds no video now, or if they are more than half
            of what a source had put into the store.
        workers: videos decoded at once; None is one per core, at most 16. Each uses one thread, which wastes least.
        limits: seconds and bytes that decoding one video may take. A server may also be silent for that many seconds.
        log: file to which one JSON object per video is appended (`embed.run.log`); None writes no log.
        views: parts of each frame, names of `embed.video.views`. V views take V times the encoding.
        playlists: True if local files named as playlists (.m3u8, .ffconcat) may play the files that they name.
        public_only: True fetches links from hosts of the public internet only, redirections included
            (`embed.sources.public_hosts`).
        pca: file of `embed.reduction.fit_pca` by which vectors are reduced before they are stored; None keeps them.
        is_quantised: True stores one byte a coefficient (`embed.store.quantisation`), which takes half the space.
        stop_before: path of a submodule of the model, such as "blocks.15": what enters it is stored in place of the
            vector, to fine-tune what follows (`embed.encoders.cutting`). "" stores the vector.
    """

    model: str = "ViT-B-32"
    pretrained: str | None = None
    sampling: Sampling = field(default=None)  # type: ignore[assignment]  # __post_init__ sets it
    device: str = "auto"
    precision: Precision | None = None
    batch_size: int | None = None
    decoder: Decoder = "pyav"
    decode_device: DecodeDevice = "cpu"
    is_retrying: bool = False
    is_pruning: bool = False
    is_pruning_anyway: bool = False
    workers: int | None = None
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    log: str | None = None
    views: tuple[str, ...] = (CENTRE,)
    playlists: bool = False
    public_only: bool = False
    pca: str | None = None
    is_quantised: bool = False
    stop_before: str = ""

    def __post_init__(self) -> None:
        if self.stop_before and (self.pca is not None or self.is_quantised):
            raise ValueError(
                "stop_before stores activations, which a block goes on from, so they are neither reduced (pca) nor cut "
                "to one byte (quantize). Leave those out"
            )
        sampling: object = self.sampling
        if sampling is None:
            object.__setattr__(self, "sampling", default_sampling(self.model))
        if self.batch_size is not None and not is_count(self.batch_size):
            raise ValueError(f"batch_size must be a whole number of at least 1, got {self.batch_size!r}")
        if self.workers is not None and not is_count(self.workers):
            raise ValueError(f"workers must be a whole number of at least 1, got {self.workers!r}")
        if not isinstance(self.limits, DecodeLimits):
            raise ValueError(f"limits must be a DecodeLimits, got {self.limits!r}")
        views: object = self.views
        if isinstance(views, str) or not isinstance(views, Sequence):
            raise ValueError(f"views must be a tuple of names, got {views!r}")
        if self.decode_device != "cpu" and self.decoder != "pyav":
            raise ValueError(f"decode_device {self.decode_device} needs pyav, but decoder is {self.decoder!r}")
        if isinstance(self.sampling, type) or not hasattr(self.sampling, "indices"):
            raise ValueError(
                f"sampling is {self.sampling!r}, which is no rule that picks frames. Use UniformFrames(100), "
                "FramesPerSecond(1), KeyFrames() or Clips(16), all of the package embed."
            )
        for name, kind in (("decoder", Decoder), ("decode_device", DecodeDevice)):
            if (value := getattr(self, name)) not in get_args(kind):
                raise ValueError(f"{name} is {value!r}. Use one of {', '.join(get_args(kind))}.")
        check_views(self.views)

    @classmethod
    def from_provenance(
        cls,
        provenance: Provenance,
        *,
        pretrained: str | None = None,
        device: str = "auto",
        batch_size: int | None = None,
    ) -> "EmbedConfig":
        """Return the configuration that makes vectors like those of a store.

        Args:
            provenance: what made the store.
            pretrained: path of the weights on this machine, if they are a file that has moved.
            device: where to encode.
            batch_size: frames, or clips, encoded at once; None is what suits the encoder.
        """
        encoder = provenance.encoder
        return cls(
            model=encoder.model,
            pretrained=pretrained or encoder.weights_source,
            sampling=sampling_from_json(provenance.sampling),
            device=device,
            precision=encoder.precision,
            batch_size=batch_size,
            decoder="opencv" if provenance.decoder == "opencv" else "pyav",
            views=provenance.views,
            pca=encoder.reduction.source if encoder.reduction else None,
            is_quantised=provenance.storage == "uint8",
            stop_before=encoder.stop_before,
        )


def default_sampling(model: str) -> Sampling:
    """Return the rule for a model that is asked for without one: `UniformFrames()`, or `Clips(W)`."""
    window = foresee_window(model)
    return UniformFrames() if window == 1 else Clips(window)


def window_of(sampling: Sampling) -> int | None:
    """Return W, the frames behind one vector of a rule; None if another package's rule does not say it."""
    if isinstance(sampling, UniformFrames | KeyFrames | FramesPerSecond):
        return 1
    window = getattr(sampling, "window", None)
    return window if is_count(window) else None


@dataclass(frozen=True)
class EmbedSummary:
    """What a run did.

    Args:
        store: the store's path.
        embedded: videos embedded by this run.
        changed: those of them that an earlier run had embedded before their files changed.
        skipped: videos that were in the store already.
        failed: videos of these sources without vectors, from this run or an earlier one.
        vectors: vectors written by this run.
        repeated: those of them that were copied, because the frame equals the one before.
        seconds: wall time, including the loading of the encoder.
        load_seconds: part of it until the encoder was loaded.
        encode_seconds: part of it inside the encoder.
        decode_cpu_seconds, encode_cpu_seconds: processor time of decoding and encoding, all threads of all processes.
        shares: fraction of the time that the run waited for each stage (`embed.machine.progress`).
        failures: the failed videos with their reasons.
        decoded_on_cpu: reason -> number of videos that should have been decoded on a GPU, but were not.
        moved: id in the store before -> id now, of videos whose vectors were taken over without decoding.
        gone: ids of videos and failures that are no longer in these sources and are still in the store.
        emptied: folder or link -> ids of `gone` that lay there; it is there but leads to no video now.
        dropped: ids of those that were dropped from the store.
        known_as: id here -> id in the store, of files that were embedded under another id and were not embedded twice.
        copies: groups of ids in the store whose files have the same content.
        size_bytes: size of the store.
        clipped_share: share of the coefficients beyond +-2 that one byte each has cut off; None without new vectors of
            one byte a coefficient.
        quantisation_error: how much one byte a coefficient changes the vectors: the root mean square of the changes as
            a share of that of the coefficients.
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
    moved: Mapping[str, str] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    emptied: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    known_as: Mapping[str, str] = field(default_factory=dict)
    copies: tuple[tuple[str, ...], ...] = ()
    size_bytes: int = 0
    clipped_share: float | None = None
    quantisation_error: float | None = None

    @property
    def cores_used(self) -> float:
        """Cores that decoding and encoding kept busy on average. Close to all of them, the machine is fully used."""
        return (self.decode_cpu_seconds + self.encode_cpu_seconds) / self.seconds

    @property
    def hint(self) -> str | None:
        """What would make such a run faster; None if this run embedded nothing."""
        stage = slowest(self.shares)
        if stage and self.load_seconds > self.seconds / 2:
            share = self.load_seconds / self.seconds
            return f"loading the encoder took {share:.0%} of the time: embed more videos in one run"
        return f"{stage} took {self.shares[stage]:.0%} of the time: {HINTS[stage]}" if stage else None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return {**asdict(self), "cores_used": self.cores_used, "hint": self.hint}
