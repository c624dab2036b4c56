"""Train a head on videos in memory or on disk.

If each video has one label, the loss is a softmax and cross-entropy with soft targets. If some video has several, or
none, it is a sigmoid for each class and binary cross-entropy. The whole label table decides this
(`LabelledSet.is_multi_label`), as it decides the classes. Validation videos only decide, if that is set, which epoch's
weights are kept (`patience`) and the thresholds. Nothing here sees a test video.

Mixed precision is used in training steps only: validation and prediction multiply in float32, as a saved head does.
If videos have several views, each epoch draws one view of each video.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classify.errors import TrainError
from classify.heads import StandardisedHead, build_head, list_options
from classify.measures import HALF, tune_thresholds
from classify.training.batches import LabelledSet, VideoBatch, blocks_of
from classify.training.device_sets import BatchSource, place_videos
from classify.training.devices import explained_memory, find_device, on_one_thread, seeded
from classify.training.history import Course, EpochRecord, Tally
from classify.training.logits import head_logits, view_logits
from classify.training.mixup import Step, draw_views, plan_epoch
from classify.training.objective import Objective, balance_classes
from classify.training.optimisation import Descent
from classify.training.recipe import TrainConfig, settle

_PRODUCTS_OF_ONE_THREAD = 10_000_000  # of a step; they take a tenth of a millisecond


@dataclass(frozen=True)
class TrainingRun:
    """A trained head and its history.

    Args:
        head: on the CPU, in evaluation mode.
        thresholds: (C,) lowest probability at which each label is predicted, if videos may have several; None if each
            video has one label, the most probable.
        config: how it was trained, with the numbers of epochs and others that were left to the head.
        history: one record for each epoch.
        best_epoch: the epoch of the head's weights: the last one or, with `patience`, the best on validation videos.
        seconds: wall time of training; an equal share of it if several heads trained at once.
    """

    head: StandardisedHead
    thresholds: tuple[float, ...] | None
    config: TrainConfig
    history: tuple[EpochRecord, ...]
    best_epoch: int
    seconds: float


def fit_head(
    dataset: LabelledSet,
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    config: TrainConfig = TrainConfig(),  # noqa: B008 - frozen
    *,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> TrainingRun:
    """Train a head on the videos at `train`, and measure each epoch on those at `validation`.

    The same arguments on the same CPU give the same weights, bit by bit, whether videos are in memory or on disk. On a
    GPU this holds as far as torch's kernels are deterministic. torch's global random generator draws fresh weights and
    dropout, because torch's modules take no other generator. It is seeded here and restored afterwards.

    Args:
        dataset: videos and labels. Only the videos at the indices are used. Of the labels of other videos, only
            `LabelledSet.is_multi_label` is used.
        train: (n,) indices into the dataset.
        validation: (m,) indices into the dataset; may be empty.
        config: how to train.
        on_epoch: called with the record of each epoch.
        on_step: called after each step. An exception that it raises ends the training.

    Raises:
        TrainError: there is nothing to train on, or no validation videos though the configuration needs them; the
            device is absent, its memory is full, or the loss is not finite.
        HeadError: there is no such head, or it cannot take such vectors or options.
    """
    started = time.perf_counter()
    device = find_device(config.device)
    with explained_memory(), seeded(config.seed, device):
        fit = prepare_fit(dataset, train, validation, config)
        course = Course(fit.config)
        fit.learn_scale(dataset)
        data = place_videos(dataset.videos, fit.head, device, targets=dataset.targets, train=fit.scaling)
        with with_fitting_threads(fit.head, fit.largest_batch):
            for record in _epochs(fit, data, course, on_step):
                if on_epoch is not None:
                    on_epoch(record)
        return finish_fit(fit, data, course, time.perf_counter() - started)


@dataclass(frozen=True)
class Fit:
    """A head before training, and all that it trains with.

    Args:
        head: with fresh weights, on the device.
        objective: the loss.
        train: (n,) indices of training videos.
        validation: (m,) indices of validation videos; may be empty.
        class_count: C.
        config: how to train, with no setting left open.
        device: where it trains.
        view_count: V, the number of views of each video.
    """

    head: StandardisedHead
    objective: Objective
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    class_count: int
    config: TrainConfig
    device: torch.device
    view_count: int

    @property
    def steps_an_epoch(self) -> int:
        """Number of batches in an epoch."""
        return -(-len(self.train) // self.config.batch_size)

    @property
    def largest_batch(self) -> int:
        """Number of videos of the largest batch."""
        return min(len(self.train), self.config.batch_size)

    def learn_scale(self, dataset: LabelledSet) -> None:
        """Let the head learn scale and components from the rows of its training videos, as configured."""
        if self.config.standardise or self.config.project:
            blocks = map(dataset.videos.rows_of, blocks_of(np.sort(self.train)))
            with nullcontext() if self.config.project else on_one_thread():  # no products: blocks are small
                standardise, is_reduced = self.config.standardise, dataset.is_reduced
                self.head.learn_scale(blocks, standardise=standardise, is_reduced=is_reduced)

    @property
    def scaling(self) -> NDArray[np.int64] | None:
        """The videos from which a head that pools learns the scale of rows; None if it does not."""
        return self.train if self.config.standardise else None

    def plan_epoch(self, rng: np.random.Generator) -> list[Step]:
        """Return the steps of the next epoch, with random order, mixes and views."""
        steps = plan_epoch(self.train, self.config.batch_size, self.config.mixup, rng)
        return [draw_views(step, self.view_count, rng) for step in steps]

    def logits(self, data: BatchSource, indices: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return logits (n, C) and targets (n, C) of the videos at the indices, without dropout."""
        return view_logits(self.head, data, indices, self.objective, self.view_count)


def prepare_fit(
    dataset: LabelledSet, train: NDArray[np.int64], validation: NDArray[np.int64], config: TrainConfig
) -> Fit:
    """Return a head and its objective, with weights drawn from torch's global random generator.

    Raises:
        TrainError: as in `fit_head`.
        HeadError: as in `fit_head`.
    """
    device = find_device(config.device)
    refuse_untrainable(dataset.targets, train, validation, config)
    head = configure_head(config, dataset.videos.dimension, len(dataset.names)).to(device)
    if head.abilities.pretrained:
        head.abilities.pretrained.load_pretrained()
    weights = None
    if config.class_weights == "balanced":
        weights = balance_classes(dataset.targets[train], is_multi_label=dataset.is_multi_label).to(device)
    objective = Objective(dataset.is_multi_label, config.label_smoothing, weights)
    own = settle(config, head, len(train))
    return Fit(head, objective, train, validation, len(dataset.names), own, device, dataset.videos.view_count)


def with_head(config: TrainConfig, arch: str) -> TrainConfig:
    """Return the configuration with another head. Options that this head does not take are reset.

    Raises:
        HeadError: no head has that name.
    """
    lacking = config.head_options.keys() - list_options(arch)
    return replace(config, arch=arch, **{name: getattr(TrainConfig(), name) for name in lacking})


def configure_head(config: TrainConfig, dimension: int, class_count: int) -> StandardisedHead:
    """Return a fresh head, as configured.

    Raises:
        HeadError: as in `build_head`.
    """
    return build_head(
        config.arch,
        dimension,
        class_count,
        project=config.project,
        max_frames=config.max_frames,
        options=config.head_options,
    )


def finish_fit(fit: Fit, data: BatchSource, course: Course, seconds: float) -> TrainingRun:
    """Return the run, with the weights of the best epoch and the thresholds."""
    if course.best_weights:
        fit.head.load_state_dict(course.best_weights)
    thresholds = _choose_thresholds(fit, data)
    head = fit.head.to(torch.device("cpu")).eval()
    return TrainingRun(head, thresholds, fit.config, tuple(course.records), course.best_epoch, seconds)


def validate(fit: Fit, data: BatchSource) -> Tally | None:
    """Return the head's figures on its validation videos, without dropout, or None if there are none."""
    if not len(fit.validation):
        return None
    logits, targets = fit.logits(data, fit.validation)
    tally = Tally(is_multi_label=fit.objective.is_multi_label)
    tally.add(Objective(fit.objective.is_multi_label).losses(logits, targets).mean(), logits, targets)
    return tally


def with_fitting_threads(head: StandardisedHead, batch_size: int) -> AbstractContextManager[None]:
    """Return a context in which a small head that pools trains on one thread.

    Measured with the linear head on 1,553 x 512 means, on two cores that other programs used as well: two threads took
    30 to 47 s, most of which they waited for each other.
    """
    products = batch_size * sum(parameter.numel() for parameter in head.parameters())
    return on_one_thread() if head.pools and products < _PRODUCTS_OF_ONE_THREAD else nullcontext()


def _epochs(fit: Fit, data: BatchSource, course: Course, on_step: Callable[[], None]) -> Iterator[EpochRecord]:
    rng = np.random.default_rng(fit.config.seed)
    steps_done = 0
    descent = Descent(list(fit.head.parameters()), fit.config, course.epoch_count * fit.steps_an_epoch)
    step = _step_linear if fit.head.is_linear and not fit.config.mixed_precision else _step
    while not course.is_over:
        fit.head.train()
        tally = Tally(is_multi_label=fit.objective.is_multi_label)
        for batch in data.batches(fit.plan_epoch(rng)):
            loss, logits = step(fit, descent, batch)
            tally.add(loss, logits, batch.targets)
            steps_done += 1
            on_step()
        yield course.note(tally, validate(fit, data), steps_done, fit.head.state_dict)


def _step(fit: Fit, descent: Descent, batch: VideoBatch) -> tuple[Tensor, Tensor]:
    """Take a step. Return the loss () and the logits (B, C) from before the step."""
    logits = _forward(fit, batch)
    loss = fit.objective.losses(logits, batch.targets).mean()
    descent.step(loss)
    return loss, logits


@torch.no_grad()
def _step_linear(fit: Fit, descent: Descent, batch: VideoBatch) -> tuple[Tensor, Tensor]:
    """Take the same step without autograd, in a third of the time."""
    logits = head_logits(fit.head, batch)
    slopes = fit.objective.slopes(logits, batch.targets) / len(logits)
    descent.step_linear(batch.vectors, slopes)
    return fit.objective.losses(logits, batch.targets).mean(), logits


def _forward(fit: Fit, batch: VideoBatch) -> Tensor:
    if not fit.config.mixed_precision:
        return head_logits(fit.head, batch)
    with torch.autocast(fit.device.type, dtype=torch.bfloat16):
        return head_logits(fit.head, batch).float()


def _choose_thresholds(fit: Fit, data: BatchSource) -> tuple[float, ...] | None:
    """Return a threshold for each label, or None if every video has one label."""
    if not fit.objective.is_multi_label:
        return None
    if fit.config.thresholds == "half":
        return (HALF,) * fit.class_count
    logits, targets = fit.logits(data, fit.validation)
    return tune_thresholds(fit.objective.probabilities(logits), targets.cpu().numpy() >= HALF, fit.config.thresholds)


def refuse_untrainable(
    targets: NDArray[np.bool_], train: NDArray[np.int64], validation: NDArray[np.int64], config: TrainConfig
) -> None:
    """Raise TrainError if there is too little to train or validate on, or no device for it."""
    present = int(targets[train].any(axis=0).sum())
    if present < 2:
        raise TrainError(
            f"The {len(train)} training video{'s show' if len(train) != 1 else ' shows'} {present} of "
            f"{targets.shape[1]} labels. Train on videos of at least two labels."
        )
    if config.mixed_precision and find_device(config.device).type != "cuda":
        raise TrainError("Mixed precision needs an NVIDIA GPU. Leave it out.")
    choosing = {"--patience": config.patience is not None, "--thresholds": config.thresholds != "half"}
    if not len(validation) and any(choosing.values()):
        named = " and ".join(option for option, is_on in choosing.items() if is_on)
        raise TrainError(
            f"There are no validation videos for {named} to choose by. Split with a --validation-size above 0, or "
            f"leave out {named}."
        )
