"""The settings of a training run, each with its default and what it does.

The command line makes its options from them, so each setting is described once. Settings that are None by default
depend on the head and on the number of training videos: `classify.training.defaults` fills them in. `RECIPES` are sets
of settings with a name.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from classify.errors import TrainError

EVERYBODY = "Options"
GROUPS = (EVERYBODY, "Labels", "Head", "Regularisation", "Steps", "Machine")
"""The groups of settings, in the order of `train-head --help`."""

RECIPES: Mapping[str, Mapping[str, Any]] = {
    "clip-mixup": {
        "mixup": 0.4,
        "epochs": 10,
        "batch_size": 16,
        "learning_rate": 1e-3,
        "optimizer": "adam",
        "weight_decay": 0.0,
        "schedule": "constant",
    },
}
"""Name -> settings that belong together, for `TrainConfig(**RECIPES[name])`.

clip-mixup is the recipe of the project's first experiment, heads on CLIP's vectors of 1,553 videos.
"""

_SEEDS = 2**64  # torch's generators hold 64 bits


def _setting(default: object, group: str, text: str, **more: object) -> Any:
    """Return a field with its default, the group of options that it belongs to, and a text on what it does.

    More may be `choices`; `metavar`, the name of its value in --help; and for a setting that is None by default `kind`,
    the type of its other values.
    """
    return field(default=default, metadata={"group": group, "help": text, **more})


@dataclass(frozen=True)
class TrainConfig:
    """The settings of a training run. By default, a head that pools trains as logistic regression does: to the end.

    Each field's metadata describes it; `train-head --help` prints the descriptions.

    Raises:
        TrainError: a setting is out of its range.
    """

    arch: str = _setting(
        "linear",
        EVERYBODY,
        "The head: linear, mlp, random-frame, transformer, clip4clip, attention, statistics, motion, cnn-lstm, "
        "rnn, lstm, moe, dbof or nextvlad; or auto, which tries several and keeps the best.",
        metavar="NAME",
    )
    mixup: float = _setting(
        0.0,
        EVERYBODY,
        "Train on mixed pairs of videos, with weights drawn from Beta(ALPHA, ALPHA); 0 turns mixup off.",
        metavar="ALPHA",
    )
    epochs: int | None = _setting(
        None,
        "Steps",
        "Passes over the training videos.  [default: 10; more on small sets, which have few steps in a pass]",
        kind=int,
        metavar="N",
    )
    batch_size: int = _setting(16, "Steps", "Training videos per step.", metavar="N")
    learning_rate: float | None = _setting(
        None,
        "Steps",
        "The highest learning rate.  [default: 4 / dimensions for heads that pool, 0.001 for the rest]",
        kind=float,
        metavar="RATE",
    )
    seed: int = _setting(0, "Steps", "Seed of first weights, order of videos, mixup and dropout.", metavar="N")
    device: str = _setting("auto", "Machine", "auto, cpu or cuda; auto uses a GPU if there is one.", metavar="NAME")
    standardise: bool = _setting(
        True, "Head", "Scale each dimension to mean 0 and standard deviation 1 over the training videos."
    )
    project: int | None = _setting(
        None,
        "Head",
        "Reduce vectors to N principal components of the training videos' vectors.",
        kind=int,
        metavar="N",
    )
    max_frames: int | None = _setting(
        None, "Head", "Use at most N vectors of each video, evenly spaced.", kind=int, metavar="N"
    )
    dropout: float | None = _setting(
        None,
        "Regularisation",
        "Share of values to drop in training, in heads with dropout.  [default: the head's own]",
        kind=float,
        metavar="SHARE",
    )
    positions: str | None = _setting(
        None,
        "Head",
        "How transformer and clip4clip see the order of vectors. sinusoidal: waves of a vector's index. timestamps: "
        "the same waves of its seconds. Both extend beyond the trained length. learned: 128 positions; those that no "
        "training video reaches stay random, and a longer video spreads them over its length.  [default: the head's "
        "own]",
        choices=("sinusoidal", "learned", "timestamps"),
    )
    optimizer: str = _setting(
        "adam", "Steps", "How the weights are updated: by Adam or AdamW.", choices=("adam", "adamw")
    )
    weight_decay: float | None = _setting(
        None,
        "Regularisation",
        "Weight decay of all weights: adam adds it to the gradient, adamw does not.  [default: as in "
        "logistic regression for heads that pool, 0 for the rest]",
        kind=float,
        metavar="FACTOR",
    )
    schedule: str = _setting(
        "cosine",
        "Steps",
        "How the learning rate changes over the steps; cosine falls to 0.",
        choices=("constant", "cosine"),
    )
    warm_up: float = _setting(
        0.0, "Steps", "Share of all steps in which the learning rate rises from 0.", metavar="SHARE"
    )
    clip_norm: float | None = _setting(
        None,
        "Steps",
        "Scale gradients longer than this down to this length.  [default: off]",
        kind=float,
        metavar="LENGTH",
    )
    patience: int | None = _setting(
        None,
        "Steps",
        "Stop after N epochs without a better validation micro-F1, and keep the weights of the best epoch.  [default: "
        "off]",
        kind=int,
        metavar="N",
    )
    label_smoothing: float = _setting(
        0.0,
        "Regularisation",
        "Share of each label that is spread evenly: over all labels, or over yes and no if videos may have several.",
        metavar="SHARE",
    )
    class_weights: str = _setting(
        "none",
        "Labels",
        "balanced: rare labels count more, in inverse proportion to their training videos.",
        choices=("none", "balanced"),
    )
    thresholds: str = _setting(
        "half",
        "Labels",
        "Threshold of each label, if videos have several. half: 0.5. micro-f1, label-f1: the best for micro-F1, or for "
        "each label's F1, on validation videos.",
        choices=("half", "micro-f1", "label-f1"),
    )
    mixed_precision: bool = _setting(False, "Machine", "Multiply in bfloat16 while training on a GPU.")
    stream: bool | None = _setting(
        None,
        "Machine",
        "Read vectors from disk batch by batch, or keep them in memory. Heads that pool keep one row per video in "
        "memory in both cases.  [default: stream if they need more than half of the memory]",
        kind=bool,
    )

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate", "project", "max_frames", "clip_norm", "patience"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise TrainError(f"{name} is {value}. Use a number above 0.")
        for name in ("mixup", "weight_decay"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise TrainError(f"{name} is {value}. Use 0 or more; 0 is off.")
        for name in ("dropout", "warm_up", "label_smoothing"):
            share = getattr(self, name)
            if share is not None and not 0 <= share < 1:
                raise TrainError(f"{name} is {share}. Use a share of at least 0 and below 1; 0 is off.")
        if not 0 <= self.seed < _SEEDS:
            raise TrainError(f"seed is {self.seed}. Use a whole number from 0 to 2**64 - 1.")
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if isinstance(value, float) and not math.isfinite(value):
                raise TrainError(f"{name} is {value}. Use a finite number.")
        self._refuse_unknown_choices()

    @property
    def head_options(self) -> Mapping[str, object]:
        """The options of the head's own constructor, besides its sizes."""
        options = {"dropout": self.dropout, "positions": self.positions}
        return {name: value for name, value in options.items() if value is not None}

    def _refuse_unknown_choices(self) -> None:
        for name, setting in self.__dataclass_fields__.items():
            choices = setting.metadata.get("choices")
            if choices and getattr(self, name) not in (*choices, setting.default):
                raise TrainError(f"{name} is {getattr(self, name)!r}. Choose one of: {', '.join(choices)}.")
