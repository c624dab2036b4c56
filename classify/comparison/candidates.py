"""The candidates (heads with recipes) that `classify.comparison.selection` chooses from.

The first is the linear head trained to convergence, which is logistic regression: it takes vectors, principal
components and class weights as asked for, and its other settings are fixed. The second is the statistics head trained
so, with a strong weight decay: logistic regression on mean, deviation and change. Next are the heads that pool,
trained for fewer epochs: with the same weight decay, with ten times that, and with mixup. The other heads take up to a
hundred times as long: they get principal components of the vectors, and train for at most 30 epochs.
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
from classify.training import LabelledSet, TrainConfig, configure_head, with_head

_STEPS = 400  # at least this many and at least _EPOCHS: enough for heads that pool, on small sets and large ones
_EPOCHS = 10
_MOST_EPOCHS = 30  # for heads that do not pool
_COMPONENTS = 128  # for these heads: instead of 1,280, the transformer trains in a quarter of the time
# Measured on noise and on classes of 16 to 512 dimensions: with ten times the usual rate and twice the steps, Adam's
# probabilities are within 0.04 of scikit-learn's LogisticRegression on the same rows; with the usual ones, within 0.6.
_LINEAR_RATE, _LINEAR_TIMES = 3e-2, 2
_MIXUP = 0.4
LOGISTIC: Mapping[str, Any] = {
    "optimizer": "adam",
    "warm_up": 0.0,
    "clip_norm": None,
    "label_smoothing": 0.0,
    "standardise": True,
}
"""Settings of the first candidate alone: with other values, it would not be logistic regression."""

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
    """Return the candidates: logistic regression, heads that pool, then the others, each from small to large.

    Args:
        dataset: the videos; their dimension and number of labels decide which heads fit.
        train: (n,) indices into the dataset.
        config: the settings that are not chosen, as `refuse_chosen` accepts them. Each head keeps its own dropout;
            positions go to the heads that take them; the first candidate has the settings of `LOGISTIC`.
    """
    pooling, others = _list_archs(dataset, config)
    decay, step_count = 1 / len(train), -(-len(train) // config.batch_size)
    epochs = max(_EPOCHS, -(-_STEPS // step_count))
    components = config.project or (_COMPONENTS if dataset.videos.dimension > _COMPONENTS else None)
    base = replace(config, schedule="cosine", dropout=None, mixup=0.0, weight_decay=decay)
    quick = replace(base, epochs=epochs, learning_rate=3e-3)
    strict = replace(quick, weight_decay=decay / STATISTICS_STRICTNESS)
    kinds = (quick, replace(quick, mixup=_MIXUP), replace(quick, weight_decay=10 * decay))
    slow = replace(base, epochs=min(epochs, _MOST_EPOCHS), learning_rate=1e-3, weight_decay=0.0, project=components)
    return [
        replace(with_head(base, "linear"), epochs=_LINEAR_TIMES * epochs, learning_rate=_LINEAR_RATE, **LOGISTIC),
        replace(with_head(strict, "statistics"), epochs=_LINEAR_TIMES * epochs, **LOGISTIC),
        *(with_head(kind, arch) for kind in kinds for arch in pooling),
        *(replace(with_head(slow, arch), mixup=mixup) for mixup in (0.0, _MIXUP) for arch in others),
    ]


def _list_archs(dataset: LabelledSet, config: TrainConfig) -> tuple[list[str], list[str]]:
    """Return the heads that pool, and the others, both sorted by number of weights."""
    found: dict[bool, list[tuple[int, str]]] = {True: [], False: []}
    for arch in list_heads():
        with suppress(HeadError):  # see `note_left_out`
            head = _build(arch, dataset, config)
            size = sum(parameter.numel() for parameter in head.parameters())
            found[head.pools].append((size, arch))
    pooling, others = ([arch for _, arch in sorted(found[pools])] for pools in (True, False))
    return pooling, others


def note_left_out(dataset: LabelledSet, config: TrainConfig) -> tuple[str, ...]:
    """Return a sentence for each head that is no candidate: it cannot take such vectors, or its package is broken."""
    notes = []
    for arch in list_heads():
        try:
            _build(arch, dataset, config)
        except HeadError as error:
            notes.append(f"The {arch} head is not among the candidates: {error}")
    return tuple(notes)


def _build(arch: str, dataset: LabelledSet, config: TrainConfig) -> StandardisedHead:
    """Return a head without memory.

    Raises:
        HeadError: it cannot take such vectors, or it is another package's and broken.
    """
    with torch.device("meta"):
        own = replace(config, arch=arch, dropout=None, positions=None)
        return configure_head(own, dataset.videos.dimension, len(dataset.names))
