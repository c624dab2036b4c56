"""What `embed_videos` is told, and what it tells when it is done."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from embed.decode_pool import DecodeLimits
from embed.machine import HINTS, Stage, slowest
from embed.store import Failure, Precision, Provenance
from embed.video import CENTRE, DecodeDevice, Decoder, Sampling, UniformFrames, check_views, sampling_from_json


@dataclass(frozen=True)
class EmbedConfig:
    """How videos are embedded.

    Args:
        model: an encoder of `embed.encoders.load_encoder`.
        pretrained: its weights: a tag or a file; None takes the family's default.
        sampling: which frames are embedded.
        device: "auto", or a torch device.
        precision: of the encoder's arithmetic. None takes the store's; for a new one bfloat16 for CLIP on CUDA where it
            keeps the vectors (`embed.run.fidelity`), else float32.
        batch_size: frames encoded at once.
        decoder: "pyav" or "opencv".
        decode_device: "cpu", or "cuda": decode on an NVIDIA GPU what it decodes to the same pixels
            (`embed.video.nvdec`).
        is_retrying: try videos again that failed in an earlier run.
        workers: videos decoded at once; None takes one a core, at most 16, since one thread each wastes least.
        limits: seconds and bytes that decoding one video may take; its server may be silent for as many seconds.
        log: a file that gets one JSON object a video (`embed.run.log`); None keeps none.
        views: of each frame, names of `embed.video.views`; V views cost V times the encoding.
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
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")
        if self.decode_device != "cpu" and self.decoder != "pyav":
            raise ValueError(f"decode_device {self.decode_device} needs pyav, but decoder is {self.decoder!r}")
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
        return cls(
            model=encoder.model,
            pretrained=pretrained or encoder.weights_source,
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
        shares: the share of the time that each stage made the run wait (`embed.machine.progress`).
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
