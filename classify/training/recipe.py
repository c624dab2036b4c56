"""The settings of training, each with its default and its help text.

The command line makes its options from these, so that each setting is described once.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from classify.errors import TrainError

_SEEDS = 2**64  # torch's generators take 64 bits


def _setting(default: object, group: str, text: str, **more: object) -> Any:
    """Return a field with the default of a setting, the group of its option in the help, and its help text.

    `more` may hold `choices`, or, for a setting that is off at None, `kind`: the type of its other values.
    """
    return field(default=default, metadata={"group": group, "help": text, **more})


@dataclass(frozen=True)
class TrainConfig:
    """How a head is trained. The defaults are the recipe of the project's first experiment (README, results).

    The metadata of each field explains it. `train-head --help` prints these texts.

    Raises:
        TrainError: a setting is out of range.
    """

    arch: str = _setting("linear", "Head", "Architecture of the head. auto chooses one; an unknown name lists all.")
    mixup: float = _setting(
        0.4,
        "Regularisation",
        "Alpha of mixup: the weights of mixed videos are drawn from Beta(alpha, alpha). 0 is off.",
    )
    epochs: int = _setting(10, "Steps", "Passes over the training videos.")
    batch_size: int = _setting(16, "Steps", "Videos in a step.")
    learning_rate: float = _setting(1e-3, "Steps", "Learning rate; with a schedule or warm-up, the highest one.")
    seed: int = _setting(0, "Machine", "Seed of fresh weights, order, mixup and dropout.")
    device: str = _setting("auto", "Machine", "Where to train: auto, cpu or cuda. auto uses a GPU if there is one.")
    standardise: bool = _setting(
        True, "Head", "Scale each dimension to mean 0 and deviation 1 over the training videos."
    )
    project: int | None = _setting(
        None, "Head", "Project vectors on this number of principal components of the training videos.", kind=int
    )
    max_frames: int | None = _setting(
        None, "Head", "Use at most this number of vectors of each video, evenly spaced.", kind=int
    )
    dropout: float | None = _setting(
        None,
        "Regularisation",
        "Share that is dropped in training, for heads with dropout. The default depends on the head.",
        kind=float,
    )
    positions: str | None = _setting(
        None,
        "Head",
        "How transformer and clip4clip see when a vector occurs. sinusoidal: waves of its index. timestamps: the same "
        "waves of its time in seconds. Both continue beyond the length of training videos. learned: 128 places. Places "
        "that no training video reached stay random, and a longer video spreads all of them over its length. The "
        "default depends on the head.",
        choices=("sinusoidal", "learned", "timestamps"),
    )
    optimizer: str = _setting("adam", "Steps", "Optimizer.", choices=("adam", "adamw"))
    weight_decay: float = _setting(
        0.0, "Regularisation", "Weight decay of all weights. adamw decouples it from the gradient. 0 is off."
    )
    schedule: str = _setting(
        "constant", "Steps", "Learning rate over the steps. cosine falls to 0.", choices=("constant", "cosine")
    )
    warm_up: float = _setting(0.0, "Steps", "Share of all steps in which the learning rate rises from 0. 0 is off.")
    clip_norm: float | None = _setting(
        None, "Steps", "Largest norm of the gradient; longer gradients are scaled down to it.", kind=float
    )
    patience: int | None = _setting(
        None,
        "Steps",
        "Stop after this number of epochs without a better validation micro-F1, and keep the best epoch's weights.",
        kind=int,
    )
    label_smoothing: float = _setting(
        0.0,
        "Regularisation",
        "Share of each label that is spread evenly: over all labels, or over yes and no if videos may have several. "
        "0 is off.",
    )
    class_weights: str = _setting(
        "none",
        "Labels",
        "balanced: labels of few training videos count more.",
        choices=("none", "balanced"),
    )
    thresholds: str = _setting(
        "half",
        "Labels",
        "Probability from which each label is predicted, if videos may have several. half: 0.5. micro-f1: those with "
        "the best micro-F1 on validation videos. label-f1: for each label, the one with its best F1 there.",
        choices=("half", "micro-f1", "label-f1"),
    )
    mixed_precision: bool = _setting(False, "Machine", "Multiply in bfloat16 in training. Needs an NVIDIA GPU.")
    stream: bool | None = _setting(
        None,
        "Machine",
        "Read vectors from disk, batch by batch. By default this is done if they need more than half of the memory. "
        "Heads that pool always keep one row of each video in memory.",
        kind=bool,
    )

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate", "project", "max_frames", "clip_norm", "patience"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise TrainError(f"{name} is {value}. Use a number above 0.")
        if not self.mixup >= 0 or not self.seed >= 0:
            raise TrainError(f"mixup is {self.mixup} and seed is {self.seed}. Use 0 or more; mixup 0 is off.")
        if not self.weight_decay >= 0:
            raise TrainError(f"weight_decay is {self.weight_decay}. Use 0 or more; 0 is off.")
        for name in ("dropout", "warm_up", "label_smoothing"):
            share = getattr(self, name)
            if share is not None and not 0 <= share < 1:
                raise TrainError(f"{name} is {share}. Use 0 or more, and less than 1; 0 is off.")
        if self.seed >= _SEEDS:
            raise TrainError(f"seed is {self.seed}. Use a number below 2**64.")
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if isinstance(value, float) and not math.isfinite(value):
                raise TrainError(f"{name} is {value}. Use a finite number.")
        self._refuse_unknown_choices()

    @property
    def head_options(self) -> Mapping[str, object]:
        """Options for the head's own constructor, beside its sizes."""
        options = {"dropout": self.dropout, "positions": self.positions}
        return {name: value for name, value in options.items() if value is not None}

    def _refuse_unknown_choices(self) -> None:
        for name, setting in self.__dataclass_fields__.items():
            choices = setting.metadata.get("choices")
            if choices and getattr(self, name) not in (*choices, setting.default):
                raise TrainError(f"{name} is {getattr(self, name)!r}. Choose one of: {', '.join(choices)}.")
