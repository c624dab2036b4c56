"""Pooled rows that several training runs share: recipes and folds that pool the same videos in the same way."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from classify.heads import StandardisedHead
from classify.training.device_sets import PooledSet
from classify.training.recipe import TrainConfig

_AFTER_POOLING = frozenset(
    {
        *("mixup", "epochs", "batch_size", "learning_rate", "seed", "dropout", "optimizer", "weight_decay"),
        *("schedule", "warm_up", "clip_norm", "patience", "label_smoothing", "class_weights", "thresholds"),
    }
)
_SAME: dict[str, Any] = {
    setting.name: setting.default for setting in fields(TrainConfig) if setting.name in _AFTER_POOLING
}


@final
class SharedRows:
    """Pooled rows of one dataset.

    Args:
        most_bytes: what would take more is pooled anew each time.
    """

    def __init__(self, most_bytes: int = 1 << 30) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._found: dict[object, tuple[StandardisedHead, PooledSet]] = {}

    def of(
        self, train: NDArray[np.int64], config: TrainConfig, pool: Callable[[], tuple[StandardisedHead, PooledSet]]
    ) -> tuple[StandardisedHead, PooledSet]:
        """Return a head that has learned the scale of rows, and the rows.

        Args:
            train: (n,) videos that the scale is learned from.
            config: a recipe; only its settings that pooling depends on count.
            pool: called where such rows are not here yet.
        """
        key = np.sort(train).tobytes(), replace(config, **_SAME)
        if key in self._found:
            return self._found[key]
        made = pool()
        if self._bytes + made[1].byte_count() <= self._most_bytes:
            self._found[key] = made
            self._bytes += made[1].byte_count()
        return made
