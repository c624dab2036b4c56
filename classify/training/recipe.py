"""How a head is trained: the settings of `train-head`, each with what it does.

The command line takes its options from here, so a setting is described once.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from classify.errors import TrainError

_SEEDS = 2**64  # torch's generators hold 64 bits


def _setting(default: object, group: str, text: str, **more: object) -> Any:
    """Describe a setting: its default, the group of options it stands in, and what it does.

    More may be `choices`, or for a setting that is off at None: `kind`, the type of its other values.
    """
    return field(default=default, metadata={"group": group, "help": text, **more})


@dataclass(frozen=True)
class TrainConfig:
    """How a head is trained. The defaults are the recipe of the project's first experiment (README, results).

    Each field's metadata says what it does; `train-head --help` prints it.

    Raises:
        TrainError: a setting is out of its range.
    """

    arch: str = _setting("linear", "Head", "The head; an unknown name lists all, and auto chooses.")
    mixup: float = _setting(0.4, "Regularisation", "Alpha of the mixing weights; 0 is off.")
    epochs: int = _setting(10, "Steps", "Passes over the training videos.")
    batch_size: int = _setting(16, "Steps", "Videos a step.")
    learning_rate: float = _setting(1e-3, "Steps", "The largest, where it changes.")
    seed: int = _setting(0, "Machine", "Of fresh weights, order, mixup and dropout.")
    device: str = _setting("auto", "Machine", "auto, cpu or cuda.")
    standardise: bool = _setting(
        True, "Head", "Bring each dimension to mean 0 and deviation 1 over the training videos."
    )
    project: int | None = _setting(
        None, "Head", "Keep this many principal components of the training videos' vectors.", kind=int
    )
    max_frames: int | None = _setting(
        None, "Head", "Take at most this many of a video's vectors, evenly spaced.", kind=int
    )
    dropout: float | None = _setting(
        None, "Regularisation", "Share that is dropped, in heads that drop; otherwise the head's own.", kind=float
    )
    positions: str | None = _setting(
        None,
        "Head",
        "By what transformer and clip4clip know when a vector stands. sinusoidal: waves of its index. timestamps: the "
        "same waves of its seconds. Both go on beyond the trained length. learned: 128 places, which stay random where "
        "no training video reached, and which a longer video spreads over its length. Otherwise the head's own.",
        choices=("sinusoidal", "learned", "timestamps"),
    )
    optimizer: str = _setting("adam", "Steps", "Which optimizer.", choices=("adam", "adamw"))
    weight_decay: float = _setting(0.0, "Regularisation", "Of all weights; adamw takes it apart from the gradient.")
    schedule: str = _setting(
        "constant", "Steps", "Learning rate over the steps; cosine falls to 0.", choices=("constant", "cosine")
    )
    warm_up: float = _setting(0.0, "Steps", "Share of all steps over which the learning rate rises from 0.")
    clip_norm: float | None = _setting(None, "Steps", "Longest gradient; longer ones are shortened to it.", kind=float)
    patience: int | None = _setting(
        None,
        "Steps",
        "Stop after this many epochs without a better validation micro-F1, and keep the best epoch's weights.",
        kind=int,
    )
    label_smoothing: float = _setting(0.0, "Regularisation", "Share of each label spread evenly over all.")
    class_weights: str = _setting(
        "none",
        "Labels",
        "balanced: a label counts the more, the fewer training videos have it.",
        choices=("none", "balanced"),
    )
    thresholds: str = _setting(
        "half",
        "Labels",
        "Where videos have several labels: 0.5 for each, or those that give validation videos the best micro-F1, "
        "or the best F1 of each label.",
        choices=("half", "micro-f1", "label-f1"),
    )
    mixed_precision: bool = _setting(False, "Machine", "Multiply in bfloat16 in training, on a GPU.")
    stream: bool | None = _setting(
        None,
        "Machine",
        "Read vectors from disk batch by batch; otherwise where they take more than half of the memory. Heads that "
        "pool keep one row a video all the same.",
        kind=bool,
    )

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate", "project", "max_frames", "clip_norm", "patience"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise TrainError(f"{name} is {value}. Give a number above 0.")
        if not self.mixup >= 0 or not self.seed >= 0:
            raise TrainError(f"mixup is {self.mixup} and seed {self.seed}. Give numbers from 0; mixup 0 is off.")
        if not self.weight_decay >= 0:
            raise TrainError(f"weight_decay is {self.weight_decay}. Give a number from 0; 0 is off.")
        for name in ("dropout", "warm_up", "label_smoothing"):
            share = getattr(self, name)
            if share is not None and not 0 <= share < 1:
                raise TrainError(f"{name} is {share}. Give a share from 0 to below 1; 0 is off.")
        if self.seed >= _SEEDS:
            raise TrainError(f"seed is {self.seed}. Give one below 2**64.")
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if isinstance(value, float) and not math.isfinite(value):
                raise TrainError(f"{name} is {value}. Give a finite number.")
        self._refuse_unknown_choices()

    @property
    def head_options(self) -> Mapping[str, object]:
        """What the head's own constructor is given beside its sizes."""
        options = {"dropout": self.dropout, "positions": self.positions}
        return {name: value for name, value in options.items() if value is not None}

    def _refuse_unknown_choices(self) -> None:
        for name, setting in self.__dataclass_fields__.items():
            choices = setting.metadata.get("choices")
            if choices and getattr(self, name) not in (*choices, setting.default):
                raise TrainError(f"{name} is {getattr(self, name)!r}. Choose one of: {', '.join(choices)}.")
