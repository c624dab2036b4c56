"""The candidates (heads with recipes) that `classify.comparison.selection` chooses from.

The first two are the linear head and the statistics head with their default recipes: the head that is trained where
nothing is chosen is among them. Where settings are asked for with which linear is no logistic regression, it follows
without them. Then comes the statistics head with a strong weight decay, that of the baseline `logistic-statistics`.
Next are all heads that pool, with few epochs: with the weight decay of logistic regression, with ten times that, and
with mixup. The other heads take up to a hundred times as long: they get principal components of the vectors, and train
for at most 30 epochs.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from classify.comparison.baselines import STATISTICS_STRICTNESS
from classify.errors import HeadError, TrainError
from classify.heads import StandardisedHead, list_heads
from classify.training import LabelledSet, TrainConfig, configure_head, settle, with_head

_STEPS = 400  # at least this many and at least _EPOCHS: enough for heads that pool, on small sets and large ones
_EPOCHS = 10
_MOST_EPOCHS = 30  # for heads that do not pool
_COMPONENTS = 128  # for these heads: instead of 1,280, the transformer trains in a quarter of the time
_STRICT_TIMES = 2  # as many steps: with four times those, and a third to three times the rate, it ends at the same
_MIXUP = 0.4
LOGISTIC: Mapping[str, Any] = {
    "optimizer": "adam",
    "warm_up": 0.0,
    "clip_norm": None,
    "label_smoothing": 0.0,
    "standardise": True,
}
"""Settings with which the default recipe of `linear` ends where logistic regression does."""

_CHOSEN = ("mixup", "epochs", "learning_rate", "schedule", "weight_decay", "dropout")  # the candidates' own


def refuse_chosen(config: TrainConfig) -> None:
    """Raise TrainError if a setting is given for which the candidates have their own values."""
    plain = TrainConfig()
    given = [name for name in _CHOSEN if getattr(config, name) != getattr(plain, name)]
    if given:
        named = ", ".join(f"`{name}` is {getattr(config, name)}" for name in given)
        raise TrainError(
            f"{config.arch} chooses these itself, but {named}. Leave them out, or name a head with --arch."
        )


def list_candidates(dataset: LabelledSet, train: NDArray[np.int64], config: TrainConfig) -> list[TrainConfig]:
    """Return the candidates: the default recipes, heads that pool, then the others, each from small to large.

    No setting of them is left open.

    Args:
        dataset: the videos; their dimension and number of labels decide which heads fit.
        train: (n,) indices into the dataset.
        config: the settings that are not chosen, as `refuse_chosen` accepts them. Each head keeps its own dropout;
            positions go to the heads that take them; `LOGISTIC` says what the regressions do not take.
    """
    pooling, others = _list_archs(dataset, config)
    decay, step_count = 1 / len(train), -(-len(train) // config.batch_size)
    epochs = max(_EPOCHS, -(-_STEPS // step_count))
    components = config.project or (_COMPONENTS if dataset.videos.dimension > _COMPONENTS else None)
    base = replace(config, schedule="cosine", dropout=None, mixup=0.0, weight_decay=decay)
    quick = replace(base, epochs=epochs, learning_rate=3e-3)
    kinds = (quick, replace(quick, mixup=_MIXUP), replace(quick, weight_decay=10 * decay))
    slow = replace(base, epochs=min(epochs, _MOST_EPOCHS), learning_rate=1e-3, weight_decay=0.0, project=components)
    first = [_default(arch, dataset, train, config) for arch in ("linear", "statistics")]
    regression = _default("linear", dataset, train, replace(config, **LOGISTIC))
    strict = replace(with_head(quick, "statistics"), epochs=_STRICT_TIMES * epochs, **LOGISTIC)
    return [
        *first,
        *([regression] if regression not in first else []),
        _strict(strict, dataset),
        *(with_head(kind, arch) for kind in kinds for arch in pooling),
        *(replace(with_head(slow, arch), mixup=mixup) for mixup in (0.0, _MIXUP) for arch in others),
    ]


def _default(arch: str, dataset: LabelledSet, train: NDArray[np.int64], config: TrainConfig) -> TrainConfig:
    """Return the recipe with which `train-head --arch ARCH` trains on these videos."""
    own: TrainConfig = with_head(config, arch)
    settled: TrainConfig = settle(own, _build(own, dataset), len(train))
    return settled


def _strict(recipe: TrainConfig, dataset: LabelledSet) -> TrainConfig:
    """Return a recipe with a weight decay of 1 / n as strict as that of scikit-learn with a small C.

    Rows of several parts are divided by their number, so weights are as much larger, and what decay costs by its
    square. Decay also holds the bias, which scikit-learn leaves free: where labels are uneven, the two differ.
    """
    strictness = STATISTICS_STRICTNESS * _build(recipe, dataset).part_count ** 2
    return replace(recipe, weight_decay=(recipe.weight_decay or 0.0) / strictness)


def _list_archs(dataset: LabelledSet, config: TrainConfig) -> tuple[list[str], list[str]]:
    """Return the heads that pool, and the others, both sorted by number of weights."""
    found: dict[bool, list[tuple[int, str]]] = {True: [], False: []}
    for arch in list_heads():
        with suppress(HeadError):  # see `note_left_out`
            head = _build(_plain(arch, config), dataset)
            size = sum(parameter.numel() for parameter in head.parameters())
            found[head.pools].append((size, arch))
    pooling, others = ([arch for _, arch in sorted(found[pools])] for pools in (True, False))
    return pooling, others


def note_left_out(dataset: LabelledSet, config: TrainConfig) -> tuple[str, ...]:
    """Return a sentence for each head that is no candidate: it cannot take such vectors, or its package is broken."""
    notes = []
    for arch in list_heads():
        try:
            _build(_plain(arch, config), dataset)
        except HeadError as error:
            notes.append(f"The {arch} head is not among the candidates: {error}")
    return tuple(notes)


def _plain(arch: str, config: TrainConfig) -> TrainConfig:
    """Return a configuration of a head without options of its own."""
    return replace(config, arch=arch, dropout=None, positions=None)


def _build(config: TrainConfig, dataset: LabelledSet) -> StandardisedHead:
    """Return a head without memory.

    Raises:
        HeadError: it cannot take such vectors, or it is another package's and broken.
    """
    with torch.device("meta"):
        return configure_head(config, dataset.videos.dimension, len(dataset.names))
