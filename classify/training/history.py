"""The history of a training run, epoch by epoch, and its best epoch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from torch import Tensor

from classify.errors import TrainError
from classify.training.recipe import TrainConfig

_NUMBERS_AT_ONCE = 1 << 22  # logits that wait to be counted: 16 MB


@dataclass(frozen=True)
class EpochRecord:
    """Figures at the end of an epoch.

    Args:
        epoch: number of the epoch; the first is 1.
        step: number of batches so far.
        train_loss: mean over the epoch's batches as training sees them: mixed, smoothed, weighted, with dropout.
        train_f1: micro-F1 over the same batches. A mixed video counts for the labels with at least half of its weight
            or, with one label for each video, for the label with the most.
        validation_loss: plain cross-entropy; None without validation videos.
        validation_f1: micro-F1; None without validation videos.
        epochs: number of epochs that are planned.
    """

    epoch: int
    step: int
    train_loss: float
    train_f1: float
    validation_loss: float | None = None
    validation_f1: float | None = None
    epochs: int | None = None


@final
class Tally:
    """Mean loss and micro-F1 of batches. It keeps no epoch's logits, which are many with thousands of labels.

    Args:
        is_multi_label: predicts labels with a probability of 0.5 or more; otherwise the most probable label.
    """

    def __init__(self, *, is_multi_label: bool) -> None:
        self._is_multi_label = is_multi_label
        self._losses: list[Tensor] = []
        self._waiting: list[tuple[Tensor, Tensor]] = []
        self._numbers_waiting = 0
        self._hits = self._size = 0

    def add(self, losses: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Count a batch: mean loss (), or those (S,) of several batches, logits (n, C), and shares of labels (n, C)."""
        self._losses.append(losses.detach().reshape(-1))
        self._waiting.append((logits.detach(), targets))
        self._numbers_waiting += logits.numel()
        if self._numbers_waiting > _NUMBERS_AT_ONCE:
            self._count()

    @property
    def loss(self) -> float:
        """Mean loss over the batches."""
        return float(torch.cat(self._losses).mean())

    @property
    def f1(self) -> float:
        """Micro-F1 over all videos."""
        self._count()
        return self._hits / self._size if self._size else 0.0

    def _count(self) -> None:
        if not self._waiting:
            return
        logits, targets = (torch.cat(tensors) for tensors in zip(*self._waiting, strict=True))
        self._waiting, self._numbers_waiting = [], 0
        if self._is_multi_label:
            given, wanted = logits >= 0, targets >= 0.5
            self._hits += 2 * int((given & wanted).sum())
            self._size += int(given.sum() + wanted.sum())
        else:
            self._hits += int((logits.argmax(dim=1) == targets.argmax(dim=1)).sum())
            self._size += len(logits)


@final
class Course:
    """The records of one training run and, with `patience`, the weights of its best epoch.

    Args:
        config: how to train, with no setting left open.
    """

    def __init__(self, config: TrainConfig) -> None:
        assert config.epochs is not None, "settle fills it in"
        self._config = config
        self.epoch_count = config.epochs
        self._best: tuple[float, float] = (-1.0, 0.0)
        self.records: list[EpochRecord] = []
        self.best_weights: Mapping[str, Tensor] = {}
        self.best_epoch = 0

    @property
    def is_over(self) -> bool:
        """True if all epochs are done or patience is used up."""
        done, patience = len(self.records), self._config.patience
        is_spent = patience is not None and done - self.best_epoch >= patience
        return done == self.epoch_count or is_spent

    def note(
        self, train: Tally, validation: Tally | None, step: int, weights: Callable[[], Mapping[str, Tensor]]
    ) -> EpochRecord:
        """Return the record of an epoch, and keep its weights if they are the best so far.

        Raises:
            TrainError: the loss is not finite.
        """
        epoch, loss = len(self.records) + 1, train.loss
        if not np.isfinite(loss):
            raise TrainError(
                f"The loss is {loss} in epoch {epoch}. Lower learning_rate ({self._config.learning_rate}), or look for "
                "vectors with NaN or infinity with inspect-embeddings --verify."
            )
        record = EpochRecord(epoch, step, loss, train.f1, epochs=self.epoch_count)
        if validation is not None:
            record = replace(record, validation_loss=validation.loss, validation_f1=validation.f1)
        self.records.append(record)
        self._keep_best(record, weights)
        return record

    def _keep_best(self, record: EpochRecord, weights: Callable[[], Mapping[str, Tensor]]) -> None:
        """Keep the weights of the highest validation micro-F1, then the lowest loss. Without patience, keep none."""
        if self._config.patience is None or record.validation_f1 is None or record.validation_loss is None:
            self.best_epoch = record.epoch
            return
        reached = (record.validation_f1, -record.validation_loss)
        if reached > self._best or not self.best_epoch:
            self._best, self.best_epoch = reached, record.epoch
            self.best_weights = {name: tensor.detach().clone() for name, tensor in weights().items()}
