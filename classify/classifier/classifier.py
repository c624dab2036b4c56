"""A trained head with everything that predictions need, and its folder (`classify.classifier.head_folder`).

    head.safetensors   the weights
    head.json          architecture, label names in order, thresholds, temperature, provenance of the vectors, config,
                       metrics, versions, and the sha256 of head.safetensors

Loading reads JSON and plain tensors, and runs no code from the folder.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from classify.classifier.head_folder import (
    DESCRIPTION_FILE,
    FORMAT,
    WEIGHTS_FILE,
    fill_folder,
    read_file,
    refuse_output_folder,
    unwritable,
)
from classify.data import SEPARATOR
from classify.errors import ClassifyError, EncoderMismatch, HeadError
from classify.heads import StandardisedHead
from classify.measures import calibrate, decide_labels
from classify.training import (
    Member,
    TrainConfig,
    Videos,
    configure_average,
    configure_head,
    predict_probabilities,
)
from embed.store import Provenance, describe_sampling, library_versions

_READS = 3  # of a head that is replaced meanwhile


@dataclass(frozen=True)
class VideoClassifier:
    """A head that labels videos by their vectors.

    Args:
        head: a trained head on the CPU.
        names: (C,) label names, in the order of the head's logits.
        thresholds: (C,) lowest probability at which a label is given; None gives each video its likeliest label.
        provenance: how the vectors that the head learned from were made. It takes no others.
        config: how the head was trained.
        metrics: figures to show with the head, JSON-ready.
        temperature: divides the logits, which calibrates the probabilities; thresholds hold for calibrated ones.
        members: the heads that it averages, in the order of their weights' names; empty for a single head.
    """

    head: StandardisedHead
    names: tuple[str, ...]
    thresholds: tuple[float, ...] | None
    provenance: Provenance
    config: TrainConfig
    metrics: Mapping[str, Any] = field(default_factory=dict)
    temperature: float = 1.0
    members: tuple[Member, ...] = ()

    def predict_probabilities(self, videos: Videos, *, device: str = "auto") -> NDArray[np.floating]:
        """Return the calibrated probability of each label for each of N videos, (N, C); device as in `TrainConfig`."""
        if not len(videos):
            return np.zeros((0, len(self.names)), dtype=np.float32)
        found = predict_probabilities(self.head, videos, self.thresholds, device=device)
        return calibrate(found, self.temperature, is_single_label=self.thresholds is None)

    def decide(self, probabilities: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return the labels for probabilities (N, C), as bool (N, C)."""
        return decide_labels(probabilities, self.thresholds)

    def check(self, provenance: Provenance, name: str, *, is_labelled: bool = False) -> None:
        """Raise EncoderMismatch if vectors were not made in the same way as those that the head learned from.

        Args:
            provenance: how the vectors were made.
            name: the name of their source, for the message.
            is_labelled: True if the head is measured on them, and not asked to label them.

        Raises:
            EncoderMismatch: encoder, weights, preprocessing or sampling differ.
        """
        difference = provenance.difference(self.provenance)
        if difference is not None:
            encoder = self.provenance.encoder
            own = f"the head's own encoder ({encoder.model}, weights {encoder.pretrained})"
            sampling = describe_sampling(self.provenance.sampling)
            remedy = f"Embed these videos with {own} and sampling ({sampling}), into another store"
            if not is_labelled:
                remedy = f"Label the videos themselves with {own}"
            raise EncoderMismatch(
                f"{name} does not give vectors of the kind that this head learned from: its {difference}. {remedy}, or "
                "train a head on these vectors."
            )

    def save(
        self, folder: str | Path, *, reports: Mapping[str, str | bytes] | None = None, overwrite: bool = False
    ) -> None:
        """Write the head's folder. An older head there is replaced, but only once the new one is written.

        Args:
            folder: the folder to write.
            reports: name -> content of further files in it: history.csv, report.json.
            overwrite: replace files that have the names of a head's, although they are of no head.

        Raises:
            HeadError: the folder holds something other than a head, or cannot be written.
        """
        folder = Path(folder)
        refuse_output_folder(folder, overwrite=overwrite)
        weights = safetensors.torch.save({name: t.contiguous() for name, t in self.head.state_dict().items()})
        description = json.dumps(self._describe(weights), indent=2) + "\n"
        try:
            fill_folder(folder, {**(reports or {}), WEIGHTS_FILE: weights, DESCRIPTION_FILE: description})
        except OSError as error:
            raise unwritable(folder, error) from error

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a head's folder.

        Raises:
            HeadError: the folder holds no head, a damaged one, or one of an architecture that is not installed.
        """
        folder = Path(folder)
        description, weights = _read_head(folder)
        try:
            return cls._from_description(description, weights)
        except HeadError:
            raise
        # torch raises RuntimeError for sizes that no tensor has.
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, ClassifyError) as error:
            raise HeadError(
                f"{folder / DESCRIPTION_FILE} does not describe a head: {type(error).__name__}: {error}. "
                "Train the head again."
            ) from error

    def _describe(self, weights: bytes) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "arch": self.config.arch,
            "label_names": self.names,
            "thresholds": self.thresholds,
            "temperature": self.temperature,
            "weights_sha256": sha256(weights).hexdigest(),
            "provenance": self.provenance.to_json(),
            "config": asdict(self.config),
            "metrics": self.metrics,
            "versions": library_versions(),
            **({"members": [asdict(member) for member in self.members]} if self.members else {}),
        }

    @classmethod
    def _from_description(cls, description: Mapping[str, Any], weights: dict[str, torch.Tensor]) -> Self:
        names = _check_names(tuple(str(name) for name in description["label_names"]))
        thresholds = description["thresholds"]
        if thresholds is not None:
            thresholds = tuple(float(value) for value in thresholds)
            if len(thresholds) != len(names):
                raise ValueError(f"{len(thresholds)} thresholds for {len(names)} labels")
            if any(map(math.isnan, thresholds)):
                raise ValueError(f"a threshold is no number: {thresholds}")
        provenance = Provenance.from_json(description["provenance"])
        if provenance.encoder.dimension < 1:
            raise ValueError(f"vectors of {provenance.encoder.dimension} dimensions")
        config = TrainConfig(**description["config"])
        members = tuple(
            Member(TrainConfig(**found["config"]), float(found["weight"])) for found in description.get("members", ())
        )
        with torch.device("meta"):  # names, shapes and types are checked before memory is allocated
            sizes = provenance.encoder.dimension, len(names)
            head = (
                configure_average(members, *sizes, is_multi_label=thresholds is not None)
                if members
                else configure_head(config, *sizes)
            )
        article = "an" if config.arch[:1] in "aeiou" else "a"
        _fill_head(head, weights, f"{article} {config.arch} head for {sizes[0]} dimensions and {sizes[1]} labels")
        temperature = float(description["temperature"])
        if not 0 < temperature < math.inf:
            raise ValueError(f"the temperature {temperature}")
        return cls(head, names, thresholds, provenance, config, description["metrics"], temperature, members)


def _check_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return label names, if files can hold each and tell it from the others; bytes of a folder's name are kept."""
    for name in names:
        name.encode("utf-8", "surrogateescape")  # one half of a character raises UnicodeEncodeError, a ValueError
        if not name.strip() or SEPARATOR in name or "\0" in name:
            raise ValueError(f"no label can be called {name!r}")
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"the label {twice!r} is there twice")
    return names


def _read_head(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read description and weights; again, if another process replaced the head between the two."""
    for _ in range(_READS):
        description = _read_description(folder)
        content, tensors = _read_weights(folder)
        if sha256(content).hexdigest() == description.get("weights_sha256"):
            return description, tensors
    raise HeadError(f"{folder / WEIGHTS_FILE} is not the file that {DESCRIPTION_FILE} describes. Train the head again.")


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION_FILE
    if folder.is_file():
        raise HeadError(f"{folder} is a file, not the folder of a head. Name the folder that train-head wrote.")
    try:
        description = json.loads(read_file(folder, DESCRIPTION_FILE).decode())
    except FileNotFoundError as error:
        raise HeadError(
            f"{folder} holds no {DESCRIPTION_FILE}, so it is not a head. Make one with train-head."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise HeadError(f"{path} cannot be read as JSON: {error}. Train the head again.") from error
    found = description.get("format") if isinstance(description, dict) else None
    if found != FORMAT:
        raise HeadError(f"{path} has the format {found!r}; this version reads {FORMAT!r}. Train the head again.")
    return dict(description)


def _read_weights(folder: Path) -> tuple[bytes, dict[str, torch.Tensor]]:
    try:
        content = read_file(folder, WEIGHTS_FILE)
        return content, safetensors.torch.load(content)
    except (OSError, SafetensorError) as error:
        raise HeadError(f"{folder / WEIGHTS_FILE} cannot be read: {error}. Train the head again.") from error


def _fill_head(head: StandardisedHead, weights: Mapping[str, torch.Tensor], what: str) -> None:
    """Give a head without memory these weights, if they are its own.

    Raises:
        HeadError: they belong to another head.
    """
    expected = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in head.state_dict().items()}
    found = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in weights.items()}
    if found != expected:
        raise HeadError(f"The weights in {WEIGHTS_FILE} are not those of {what}. Train the head again.")
    head.load_state_dict(weights, assign=True)
    head.eval()
