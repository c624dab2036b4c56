"""What an import takes, and what the records are that it reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embed.errors import SourceError
from embed.interchange.examples import MessageError
from embed.interchange.tfrecords import Damage, read_tfrecords
from embed.interchange.vocabulary import read_label_numbers
from embed.interchange.youtube8m import FAMILY, FEATURES, MEAN, Feature, Record, model_of, read_record
from embed.machine import counted
from embed.store import EncoderIdentity, Provenance, Storage, library_versions
from embed.video import Preprocessing

_GREY = (128 / 255,) * 3
_INCEPTION = Preprocessing(299, 299, "squash", "bilinear", _GREY, _GREY)
"""What the image network behind `rgb` saw: (x - 128) / 128 of pixels. No frame is at hand to repeat it.

Source: https://github.com/google/youtube-8m, `feature_extractor`, and the graph of Inception (2015) that it loads.
"""


@dataclass(frozen=True)
class ImportConfig:
    """What an import takes of YouTube-8M.

    Args:
        features: the kinds of vectors, joined in this order: "rgb" (1,024 values), "audio" (128 values).
        labels: take only these labels, and only videos that have one of them; empty takes all.
        vocabulary: a file with the labels' names (`vocabulary.csv`); None names them by their numbers.
        max_frames: take only the first frames of each video, one a second; None takes all.
        segments: True takes the segments that people looked at, each as a video of its own, in place of the videos.

    Raises:
        SourceError: an option has a value that it cannot have.
    """

    features: tuple[Feature, ...] = FEATURES
    labels: tuple[int, ...] = ()
    vocabulary: str | Path | None = None
    max_frames: int | None = None
    segments: bool = False

    def __post_init__(self) -> None:
        unknown = [name for name in self.features if name not in FEATURES]
        if unknown or not self.features or len(set(self.features)) < len(self.features):
            raise SourceError(f"--features is {','.join(self.features)!r}. Use rgb, audio, or rgb,audio.")
        if negative := next((label for label in self.labels if label < 0), None):
            raise SourceError(f"--labels has {negative}. Use numbers of YouTube-8M's vocabulary.csv, from 0 on.")
        if self.max_frames is not None and self.max_frames < 1:
            raise SourceError(f"--max-frames is {self.max_frames}. Use a whole number of 1 or more.")
        if self.segments and self.max_frames is not None:
            raise SourceError("--segments takes the frames of each segment, wherever it is. Leave out --max-frames.")


@dataclass(frozen=True)
class Kind:
    """What all records of an import are: at frame level or not, with features of these dimensions."""

    is_frame_level: bool
    dimensions: Mapping[Feature, int]


def read_names(config: ImportConfig) -> dict[int, str]:
    """Return number -> name of labels; none where they are named by their numbers.

    Raises:
        SourceError: the vocabulary cannot be read, or lacks a label that is asked for.
    """
    if config.vocabulary is None:
        return {}
    names = read_label_numbers(config.vocabulary)
    if unknown := [str(number) for number in config.labels if number not in names]:
        raise SourceError(
            f"{config.vocabulary} has no label {', '.join(unknown)}, which --labels names. Use its numbers (Index)."
        )
    return names


def kind_of(files: Sequence[Path], config: ImportConfig) -> Kind:
    """Return what the first record is that can be read.

    Raises:
        SourceError: no file has one.
    """
    problem = ""
    for path in files:
        for found in read_tfrecords(path):
            try:
                if isinstance(found, Damage):
                    raise MessageError(found.detail)
                record = read_record(found)
                _refuse_idle(path, record, config)
                return Kind(record.is_frame_level, {name: record.dimension_of(name) for name in config.features})
            except MessageError as error:
                problem = problem or f"{path}: {error}"
    said = problem or "they are empty"
    raise SourceError(f"No record of YouTube-8M is in {counted(len(files), 'file')}: {said}. Name its TFRecord files.")


def _refuse_idle(path: Path, record: Record, config: ImportConfig) -> None:
    """Raise SourceError if an option is for frames, and a record has none."""
    for option, what in (("--segments", config.segments), ("--max-frames", config.max_frames)):
        if what and not record.is_frame_level:
            raise SourceError(f"{path} has one vector a video, and no frames. Leave out {option}.")


def provenance_of(config: ImportConfig, kind: Kind) -> Provenance:
    """Return what made the vectors: their network is known by name only."""
    sampling: dict[str, Any] = {"name": "fps", "fps": 1.0} if kind.is_frame_level else {"name": MEAN}
    if config.max_frames:
        sampling["first_seconds"] = float(config.max_frames)
    identity = EncoderIdentity(
        family=FAMILY,
        model=model_of(kind.dimensions),
        pretrained=FAMILY,
        weights_sha256="unknown",
        dimension=sum(kind.dimensions.values()),
        preprocessing=_INCEPTION,
    )
    storage: Storage = "uint8" if kind.is_frame_level else "float16"
    return Provenance(identity, sampling, decoder=FAMILY, versions=library_versions(), storage=storage)
