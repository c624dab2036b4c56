"""Train a head on vectors in memory.

A video has one label: softmax and cross-entropy with soft targets. Some video has several (or none): a sigmoid a class
and binary cross-entropy. The training videos' labels choose. The weights of the last epoch are the result: nothing is
chosen by validation, and nothing here sees a test video.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from classify.batches import DeviceSet, LabelledSet, VideoBatch, VideoSet
from classify.errors import TrainError
from classify.heads import StandardisedHead, build_head
from classify.metrics import decide_labels, micro_f1
from classify.mixup import draw_weight, mix_batches

_PREDICTION_BATCH = 64  # videos; bounds memory, and changes no result


@dataclass(frozen=True)
class TrainConfig:
    """How a head is trained. The defaults are the recipe of the project's first experiment (README, results).

    Args:
        arch: the head, one of `classify.list_heads()`.
        mixup: alpha of Beta(alpha, alpha), which draws the weights of mixed videos; 0 mixes nothing.
        epochs: passes over the training videos.
        batch_size: videos a step.
        learning_rate: of Adam.
        seed: of fresh weights, order, mixup and dropout.
        device: "cpu", "cuda", or "auto" for a GPU where there is one.
        standardise: bring each dimension to mean 0 and deviation 1 over the training videos (heads/standardised.py).
    """

    arch: str = "linear"
    mixup: float = 0.4
    epochs: int = 10
    batch_size: int = 16
    learning_rate: float = 1e-3
    seed: int = 0
    device: str = "auto"
    standardise: bool = True

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise TrainError(f"{name} is {getattr(self, name)}. Give a number above 0.")
        if not self.mixup >= 0 or not self.seed >= 0:
            raise TrainError(f"mixup is {self.mixup} and seed {self.seed}. Give numbers from 0; mixup 0 is off.")


@dataclass(frozen=True)
class EpochRecord:
    """Figures at the end of one epoch.

    Args:
        epoch: from 1.
        step: batches seen so far.
        train_loss: mean over the epoch's batches, as they were seen: mixed, and with dropout.
        train_f1: micro-F1 over the same batches, a mixed video counted for the labels that have half its weight
            or, with one label a video, the most.
        validation_loss: None without validation videos.
        validation_f1: micro-F1; None without validation videos.
    """

    epoch: int
    step: int
    train_loss: float
    train_f1: float
    validation_loss: float | None = None
    validation_f1: float | None = None


@dataclass(frozen=True)
class TrainingRun:
    """A trained head and how it came about.

    Args:
        head: on the CPU, in evaluation mode.
        thresholds: (C,) 0.5 for each label where a video may have several; None where it has one, the likeliest.
        config: as asked.
        history: one record an epoch.
        seconds: wall time of the training.
    """

    head: StandardisedHead
    thresholds: tuple[float, ...] | None
    config: TrainConfig
    history: tuple[EpochRecord, ...]
    seconds: float


def fit_head(
    dataset: LabelledSet,
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    config: TrainConfig = TrainConfig(),
    *,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> TrainingRun:
    """Train a head on the videos at `train`, and follow it on those at `validation`.

    The same arguments on the same machine's CPU give the same weights, bit by bit; on a GPU, as far as torch's own
    kernels repeat themselves. torch's global random generator draws fresh weights and dropout, since its modules take
    no other; it is seeded here and restored afterwards.

    Args:
        dataset: videos and labels. No other videos than those at the indices are looked at.
        train: (n,) indices into the dataset.
        validation: (m,) indices into the dataset; may be empty.
        config: how to train.
        on_epoch: called with each epoch's record.

    Raises:
        TrainError: there is nothing to train on, the device is absent, or the loss leaves the numbers.
        HeadError: there is no such head, or it cannot take such vectors.
    """
    _refuse_untrainable(dataset, train)
    device = find_device(config.device)
    started = time.perf_counter()
    thresholds = _thresholds(dataset.targets[train])
    with _seeded(config.seed, device):
        head = build_head(config.arch, dataset.videos.dimension, len(dataset.names)).to(device)
        if config.standardise:
            head.learn_scale(dataset.videos.rows_of(train))
        data = DeviceSet(dataset.videos, head, device, targets=dataset.targets)
        history = []
        for record in _epochs(_Fit(head, data, train, validation, thresholds, config)):
            history.append(record)
            if on_epoch is not None:
                on_epoch(record)
    head = head.to(torch.device("cpu")).eval()
    return TrainingRun(head, thresholds, config, tuple(history), time.perf_counter() - started)


def predict_probabilities(
    head: StandardisedHead, videos: VideoSet, thresholds: tuple[float, ...] | None, *, device: str = "cpu"
) -> NDArray[np.float32]:
    """Return the probability of each label for each video.

    Args:
        head: moved to the device and left there.
        videos: N videos, 1 or more.
        thresholds: as in `TrainingRun`: None means one label a video, so that probabilities sum to 1.
        device: as in `TrainConfig`.

    Returns:
        (N, C) float32.
    """
    place = find_device(device)
    head = head.to(place).eval()
    logits, _ = _logits(head, DeviceSet(videos, head, place), np.arange(len(videos)))
    return _probabilities(logits, thresholds)


def find_device(name: str) -> torch.device:
    """Return the device of a name: "cpu", "cuda", or "auto" for a GPU where there is one.

    Raises:
        TrainError: there is no such device here.
    """
    has_gpu = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if has_gpu else "cpu")
    if name == "cpu" or (name == "cuda" and has_gpu):
        return torch.device(name)
    raise TrainError(f"There is no device {name!r} here. Choose one of: auto, cpu{', cuda' if has_gpu else ''}.")


@dataclass(frozen=True)
class _Fit:
    """All that the training loop works on."""

    head: StandardisedHead
    data: DeviceSet
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    thresholds: tuple[float, ...] | None
    config: TrainConfig


@dataclass(frozen=True)
class _Seen:
    """What came out of one batch."""

    loss: Tensor
    logits: Tensor
    targets: Tensor


def _epochs(fit: _Fit) -> Iterator[EpochRecord]:
    rng = np.random.default_rng(fit.config.seed)
    optimizer = torch.optim.Adam(fit.head.parameters(), lr=fit.config.learning_rate, fused=True)
    step = 0
    for epoch in range(1, fit.config.epochs + 1):
        fit.head.train()
        seen = [_step(fit, optimizer, batch) for batch in _epoch_batches(fit, rng)]
        step += len(seen)
        yield _record(fit, epoch, step, seen)


def _step(fit: _Fit, optimizer: torch.optim.Optimizer, batch: VideoBatch) -> _Seen:
    logits = fit.head(batch.vectors, batch.mask)
    loss = _loss(logits, batch.targets, fit.thresholds)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return _Seen(loss.detach(), logits.detach(), batch.targets)


def _epoch_batches(fit: _Fit, rng: np.random.Generator) -> Iterator[VideoBatch]:
    """Give each training video once, in random order, mixed with a second random order where mixup is on."""
    firsts = _shuffled(fit, rng)
    if not fit.config.mixup:
        yield from map(fit.data.batch, firsts)
        return
    for first, second in zip(firsts, _shuffled(fit, rng), strict=True):
        weight = draw_weight(fit.config.mixup, rng)
        yield mix_batches(fit.data.batch(first), fit.data.batch(second), weight)


def _shuffled(fit: _Fit, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    order = rng.permutation(fit.train)
    size = fit.config.batch_size
    return [order[start : start + size] for start in range(0, len(order), size)]


def _record(fit: _Fit, epoch: int, step: int, seen: list[_Seen]) -> EpochRecord:
    loss = float(torch.stack([batch.loss for batch in seen]).mean())
    if not np.isfinite(loss):
        raise TrainError(
            f"The loss is {loss} in epoch {epoch}. Lower learning_rate ({fit.config.learning_rate}), or look for "
            "vectors that are not finite with inspect-embeddings --verify."
        )
    logits, targets = (torch.cat([getattr(batch, name) for batch in seen]) for name in ("logits", "targets"))
    record = EpochRecord(epoch, step, loss, _f1(logits, targets, fit.thresholds))
    if not len(fit.validation):
        return record
    logits, targets = _logits(fit.head, fit.data, fit.validation)
    loss = float(_loss(logits, targets, fit.thresholds))
    return replace(record, validation_loss=loss, validation_f1=_f1(logits, targets, fit.thresholds))


def _loss(logits: Tensor, targets: Tensor, thresholds: tuple[float, ...] | None) -> Tensor:
    if thresholds is None:
        return F.cross_entropy(logits, targets)
    return F.binary_cross_entropy_with_logits(logits, targets)


def _probabilities(logits: Tensor, thresholds: tuple[float, ...] | None) -> NDArray[np.float32]:
    probabilities = logits.softmax(dim=1) if thresholds is None else logits.sigmoid()
    return np.asarray(probabilities.cpu().numpy(), dtype=np.float32)


def _f1(logits: Tensor, targets: Tensor, thresholds: tuple[float, ...] | None) -> float:
    """Return the micro-F1 of logits (n, C) against shares of labels (n, C)."""
    predicted = decide_labels(_probabilities(logits, thresholds), thresholds)
    return micro_f1(decide_labels(targets.cpu().numpy(), thresholds), predicted)


@torch.inference_mode()
def _logits(head: StandardisedHead, data: DeviceSet, indices: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Return logits (n, C) and targets (n, C) of the videos at the indices, without dropout."""
    head.eval()
    logits, targets = [], []
    for start in range(0, len(indices), _PREDICTION_BATCH):
        batch = data.batch(indices[start : start + _PREDICTION_BATCH])
        logits.append(head(batch.vectors, batch.mask))
        targets.append(batch.targets)
    return torch.cat(logits), torch.cat(targets)


def _thresholds(targets: NDArray[np.bool_]) -> tuple[float, ...] | None:
    """Return None where every video has one label, and 0.5 for each label otherwise."""
    if (targets.sum(axis=1) == 1).all():
        return None
    return tuple([0.5] * targets.shape[1])


def _refuse_untrainable(dataset: LabelledSet, train: NDArray[np.int64]) -> None:
    present = int(dataset.targets[train].any(axis=0).sum())
    if present < 2:
        raise TrainError(
            f"The {len(train)} training videos show {present} of {len(dataset.names)} labels. "
            "Give videos of two labels at least."
        )


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global random generators, and put them back afterwards."""
    gpus = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.manual_seed(seed)
        yield
