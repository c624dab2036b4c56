"""Which heads and recipes are worth a try on some videos: the field that `classify.comparison.selection` chooses from.

The first is linear trained to the end, which is logistic regression whatever is asked for, of the videos as asked for:
their vectors, principal components and class weights. Heads that pool then train shorter, with as much
weight decay, with ten times that, and with mixup. The others take up to a hundred times as long: they see principal
components of the vectors, and train for 30 epochs at most.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from classify.errors import HeadError, TrainError
from classify.heads import list_heads
from classify.training import LabelledSet, TrainConfig, configure_head, with_head

_STEPS = 400  # at least, and _EPOCHS: so heads that pool learn all of a small set, and enough of a large one
_EPOCHS = 10
_MOST_EPOCHS = 30  # of heads that do not pool
_COMPONENTS = 128  # that these are given: of 1,280, they let the transformer train in a quarter of the time
# Measured on noise and classes of 16 to 512 dimensions: with ten times the usual rate and twice the steps, Adam gives
# probabilities within 0.04 of scikit-learn's LogisticRegression on the same rows; with the usual ones, within 0.6.
_LINEAR_RATE, _LINEAR_TIMES = 3e-2, 2
_MIXUP = TrainConfig().mixup
LOGISTIC: Mapping[str, Any] = {
    "optimizer": "adam",
    "warm_up": 0.0,
    "clip_norm": None,
    "label_smoothing": 0.0,
    "standardise": True,
}
"""Settings of the first candidate alone: with others it is no logistic regression any more."""

_CHOSEN = ("mixup", "epochs", "learning_rate", "schedule", "weight_decay", "dropout")  # whatever is asked for


def refuse_chosen(config: TrainConfig) -> None:
    """Raise TrainError where a setting is given that the recipes to try have values of their own for."""
    plain = TrainConfig()
    given = [name for name in _CHOSEN if getattr(config, name) != getattr(plain, name)]
    if given:
        named = ", ".join(f"{name} ({getattr(config, name)})" for name in given)
        raise TrainError(f"{config.arch} chooses itself: {named}. Leave them out, or name a head with --arch.")


def list_candidates(dataset: LabelledSet, train: NDArray[np.int64], config: TrainConfig) -> list[TrainConfig]:
    """Return the recipes to try: logistic regression, heads that pool, then the others, each from small to large.

    Args:
        dataset: says how long a vector is, and how many labels there are.
        train: (n,) indices into the dataset.
        config: settings that are not chosen, which `refuse_chosen` lets pass. Dropout is each head's own; positions are
            for those that take them, and the first takes those of `LOGISTIC`.
    """
    pooling, others = _list_archs(dataset, config)
    decay, step_count = 1 / len(train), -(-len(train) // config.batch_size)
    epochs = max(_EPOCHS, -(-_STEPS // step_count))
    components = config.project or (_COMPONENTS if dataset.videos.dimension > _COMPONENTS else None)
    base = replace(config, schedule="cosine", dropout=None, mixup=0.0, weight_decay=decay)
    quick = replace(base, epochs=epochs, learning_rate=3e-3)
    kinds = (quick, replace(quick, mixup=_MIXUP), replace(quick, weight_decay=10 * decay))
    slow = replace(base, epochs=min(epochs, _MOST_EPOCHS), learning_rate=1e-3, weight_decay=0.0, project=components)
    return [
        replace(with_head(base, "linear"), epochs=_LINEAR_TIMES * epochs, learning_rate=_LINEAR_RATE, **LOGISTIC),
        *(with_head(kind, arch) for kind in kinds for arch in pooling),
        *(replace(with_head(slow, arch), mixup=mixup) for mixup in (0.0, _MIXUP) for arch in others),
    ]


def _list_archs(dataset: LabelledSet, config: TrainConfig) -> tuple[list[str], list[str]]:
    """Return the heads that pool, and the others, each by its number of weights."""
    found: dict[bool, list[tuple[int, str]]] = {True: [], False: []}
    for arch in list_heads():
        with suppress(HeadError), torch.device("meta"):  # a head that cannot take such vectors is no candidate
            own = replace(config, arch=arch, dropout=None, positions=None)
            head = configure_head(own, dataset.videos.dimension, len(dataset.names))
            size = sum(parameter.numel() for parameter in head.parameters())
            found[head.pools].append((size, arch))
    pooling, others = ([arch for _, arch in sorted(found[pools])] for pools in (True, False))
    return pooling, others
