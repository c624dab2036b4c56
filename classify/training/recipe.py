"""The settings of a training run, each with its default and what it does.

The command line makes its options from them, so each setting is described once. Settings that are None by default
depend on the head and on the number of training videos: `settle` fills in epochs, learning rate and weight decay.
`RECIPES` are sets of settings with a name.

A small set has few steps in a pass, so ten passes teach little: 96 videos make 60 steps of 16. A head that is linear in
a video's mean takes at least 2,400 steps with the weight decay of logistic regression, and ends where scikit-learn's
does; one that is linear in other rows takes at least 800. Other heads that pool take at least 400 steps. Heads that
read every vector take up to a hundred times as long for a step; they take at least 100 steps.

A step of Adam moves every weight by about the learning rate, so it moves a logit by the rate times the sum of the
inputs, which grows with their number. So the rate of heads that pool is 4 / D: a logit moves by about 3. With three
times that, `statistics` loses 3 points on ut_interaction6, and its probabilities are far too high.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from classify.errors import TrainError

if TYPE_CHECKING:
    from classify.heads import StandardisedHead

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
    "last-block": {
        "mixup": 0.0,
        "epochs": 10,
        "batch_size": 32,
        "learning_rate": 1e-3,
        "optimizer": "adam",
        "weight_decay": 0.0,
        "schedule": "constant",
    },
    "last-block-adamw": {
        "mixup": 0.0,
        "epochs": 15,
        "batch_size": 32,
        "learning_rate": 5e-5,
        "optimizer": "adamw",
        "weight_decay": 0.05,
        "schedule": "cosine",
    },
}
"""Name -> settings that belong together, for `TrainConfig(**RECIPES[name])`.

clip-mixup is the recipe of the project's first experiment, heads on CLIP's vectors of 1,553 videos. The other two are
for the last-block head: last-block that of fine-tuned MViT, Swin and R(2+1)D, and last-block-adamw that of VideoMAE.
"""

_EPOCHS = 10
_STEPS_OF_MEANS, _STEPS_OF_LINEAR_ROWS, _STEPS_OF_ROWS, _STEPS_OF_VECTORS = 2400, 800, 400, 100
_LOGIT_STEP = 4.0  # learning rate x D
_HIGHEST_RATE, _HIGHEST_DEEP_RATE = 0.01, 0.003  # of linear heads, and of those with hidden layers, on few dimensions
_RATE_OF_VECTORS = 0.001
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
        "The head: linear, mlp, random-frame, transformer, clip4clip, clip4clip-mean, clip4clip-lstm, attention, "
        "statistics, motion, cnn-lstm, rnn, lstm, moe, dbof or nextvlad; auto, which tries several and keeps the best; "
        "or last-block, for what embed-videos --stop-before stored.",
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
        "each label's F1, on videos that the head did not learn from.",
        choices=("half", "micro-f1", "label-f1"),
    )
    pretrained: str | None = _setting(
        None,
        "Head",
        "Checkpoint of the store's encoder for --arch last-block, if it has moved since the videos were embedded.",
        kind=str,
        metavar="FILE",
    )
    tail: str = ""
    """The encoder that the last-block head is a part of, as `describe_tail` says it; `train_head` sets it."""
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
        options = {"dropout": self.dropout, "positions": self.positions, "tail": self.tail or None}
        return {name: value for name, value in options.items() if value is not None}

    def _refuse_unknown_choices(self) -> None:
        for name, setting in self.__dataclass_fields__.items():
            choices = setting.metadata.get("choices")
            if choices and getattr(self, name) not in (*choices, setting.default):
                raise TrainError(f"{name} is {getattr(self, name)!r}. Choose one of: {', '.join(choices)}.")


def settle(config: TrainConfig, head: "StandardisedHead", video_count: int) -> TrainConfig:
    """Return the configuration with numbers for epochs, learning rate and weight decay. Those that are given stay.

    Args:
        config: how to train.
        head: the head that it builds.
        video_count: number of training videos. Numbers that make as many steps an epoch have the same settings.
    """
    steps_an_epoch = -(-video_count // config.batch_size)
    steps, rate, decay = _STEPS_OF_VECTORS, _RATE_OF_VECTORS, 0.0
    if head.pools:
        steps = (_STEPS_OF_MEANS if head.pools_mean else _STEPS_OF_LINEAR_ROWS) if head.is_linear else _STEPS_OF_ROWS
        # Rows of several parts are divided by their number, which makes weights as much larger.
        highest = _HIGHEST_RATE if head.is_linear else _HIGHEST_DEEP_RATE
        rate = min(highest * head.part_count, _LOGIT_STEP / len(head.mean))
        decay = 1 / (steps_an_epoch * config.batch_size) / head.part_count
    own = {"epochs": max(_EPOCHS, -(-steps // steps_an_epoch)), "learning_rate": rate, "weight_decay": decay}
    missing = {name: value for name, value in own.items() if getattr(config, name) is None}
    if head.abilities.pretrained:  # its first weights are for vectors as they are
        missing["standardise"] = False
    return replace(config, **missing)  # type: ignore[arg-type]
