"""Train a head on videos in memory or on disk.

A video has one label: softmax and cross-entropy with soft targets. Some video has several (or none): a sigmoid a class
and binary cross-entropy. The whole label table chooses (`LabelledSet.is_multi_label`), as it does the classes.
Validation videos choose nothing but, where that is asked for, the epoch whose weights are kept (`patience`) and the
thresholds; nothing here sees a test video.

Mixed precision is that of the steps: validation and prediction multiply in float32, as a saved head does.
Where videos have several views, each epoch draws one of each video.
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
from classify.training.batches import LabelledSet, VideoBatch, Videos, blocks_of
from classify.training.device_sets import BatchSource, PooledSet, place_videos
from classify.training.devices import explained_memory, find_device, on_one_thread, seeded
from classify.training.history import Course, EpochRecord, Tally
from classify.training.logits import head_logits, view_logits, views_of
from classify.training.mixup import Step, draw_views, plan_epoch
from classify.training.objective import Objective, balance_classes
from classify.training.optimisation import Descent
from classify.training.recipe import TrainConfig

_PRODUCTS_OF_ONE_THREAD = 10_000_000  # a step's; a tenth of a millisecond


@dataclass(frozen=True)
class TrainingRun:
    """A trained head and how it came about.

    Args:
        head: on the CPU, in evaluation mode.
        thresholds: (C,) lowest probability at which each label is given, where a video may have several; None where it
            has one, the likeliest.
        config: as asked.
        history: one record an epoch.
        best_epoch: the epoch whose weights the head has: the last, or with `patience` the best on validation.
        seconds: wall time of the training; an equal share of it where several heads trained at once.
        is_cut: whether time ended it before the last step.
    """

    head: StandardisedHead
    thresholds: tuple[float, ...] | None
    config: TrainConfig
    history: tuple[EpochRecord, ...]
    best_epoch: int
    seconds: float
    is_cut: bool = False


def fit_head(
    dataset: LabelledSet,
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    config: TrainConfig = TrainConfig(),  # noqa: B008 - frozen
    *,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    is_late: Callable[[], bool] = lambda: False,
) -> TrainingRun:
    """Train a head on the videos at `train`, and follow it on those at `validation`.

    The same arguments on the same machine's CPU give the same weights, bit by bit, whether videos are in memory or on
    disk; on a GPU, as far as torch's own kernels repeat themselves. torch's global random generator draws fresh weights
    and dropout, since its modules take no other; it is seeded here and restored afterwards.

    Args:
        dataset: videos and labels. No other videos than those at the indices are looked at, and of their labels nothing
            but whether there may be several.
        train: (n,) indices into the dataset.
        validation: (m,) indices into the dataset; may be empty.
        config: how to train.
        on_epoch: called with each epoch's record.
        is_late: asked after each step; where it says so, the training ends there, with the weights that it has.

    Raises:
        TrainError: there is nothing to train on, or to validate on though that is asked for; the device is absent,
            its memory does not suffice, or the loss leaves the numbers.
        HeadError: there is no such head, or it cannot take such vectors or options.
    """
    started = time.perf_counter()
    device = find_device(config.device)
    course = Course(config)
    with explained_memory(), seeded(config.seed, device):
        fit = prepare_fit(dataset, train, validation, config)
        fit.learn_scale(dataset.videos)
        data = place_videos(dataset.videos, fit.head, device, targets=dataset.targets)
        fit.learn_rows(data)
        with with_fitting_threads(fit.head, config.batch_size):
            for record in _epochs(fit, data, course, is_late):
                if on_epoch is not None:
                    on_epoch(record)
        return finish_fit(fit, data, course, time.perf_counter() - started)


@dataclass(frozen=True)
class Fit:
    """A head before its training, and what it trains on.

    Args:
        head: fresh, on the device.
        objective: its loss.
        train: (n,) indices of its training videos.
        validation: (m,) indices; may be empty.
        class_count: C.
        config: as asked.
        device: where it trains.
        view_count: V, of each video.
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
        """Batches that an epoch has."""
        return -(-len(self.train) // self.config.batch_size)

    def learn_scale(self, videos: Videos) -> None:
        """Have the head learn from its training videos' rows what its configuration asks for."""
        if self.config.standardise or self.config.project:
            blocks = map(videos.rows_of, blocks_of(np.sort(self.train)))
            with nullcontext() if self.config.project else on_one_thread():  # no products: blocks are small
                self.head.learn_scale(blocks, standardise=self.config.standardise)

    def learn_rows(self, data: BatchSource) -> None:
        """Have a head that scales pooled rows learn from those of its training videos, all their views."""
        if self.config.standardise and self.head.scales_rows and isinstance(data, PooledSet):
            self.head.learn_rows(data.gather([Step(views_of(np.sort(self.train), self.view_count))])[0])

    def plan_epoch(self, rng: np.random.Generator) -> list[Step]:
        """Draw the order and the mixes of the next epoch."""
        steps = plan_epoch(self.train, self.config.batch_size, self.config.mixup, rng)
        return [draw_views(step, self.view_count, rng) for step in steps]

    def logits(self, data: BatchSource, indices: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return logits (n, C) and targets (n, C) of the videos at the indices, without dropout."""
        return view_logits(self.head, data, indices, self.objective, self.view_count)


def prepare_fit(
    dataset: LabelledSet, train: NDArray[np.int64], validation: NDArray[np.int64], config: TrainConfig
) -> Fit:
    """Build a head and its objective, with weights drawn from torch's global random generator.

    Raises:
        TrainError: as in `fit_head`.
        HeadError: as in `fit_head`.
    """
    device = find_device(config.device)
    refuse_untrainable(dataset.targets, train, validation, config)
    head = configure_head(config, dataset.videos.dimension, len(dataset.names)).to(device)
    weights = None
    if config.class_weights == "balanced":
        weights = balance_classes(dataset.targets[train], is_multi_label=dataset.is_multi_label).to(device)
    objective = Objective(dataset.is_multi_label, config.label_smoothing, weights)
    return Fit(head, objective, train, validation, len(dataset.names), config, device, dataset.videos.view_count)


def with_head(config: TrainConfig, arch: str) -> TrainConfig:
    """Return a configuration with another head, without options that this head does not take.

    Raises:
        HeadError: no head has that name.
    """
    lacking = config.head_options.keys() - list_options(arch)
    return replace(config, arch=arch, **{name: getattr(TrainConfig(), name) for name in lacking})


def configure_head(config: TrainConfig, dimension: int, class_count: int) -> StandardisedHead:
    """Build the head that a configuration asks for.

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
    """Take the best epoch's weights and choose the thresholds."""
    if course.best_weights:
        fit.head.load_state_dict(course.best_weights)
    thresholds = _choose_thresholds(fit, data)
    head = fit.head.to(torch.device("cpu")).eval()
    return TrainingRun(head, thresholds, fit.config, tuple(course.records), course.best_epoch, seconds, course.is_cut)


def validate(fit: Fit, data: BatchSource) -> Tally | None:
    """Measure the head on its validation videos, without dropout; None where there are none."""
    if not len(fit.validation):
        return None
    logits, targets = fit.logits(data, fit.validation)
    tally = Tally(is_multi_label=fit.objective.is_multi_label)
    tally.add(Objective(fit.objective.is_multi_label).losses(logits, targets).mean(), logits, targets)
    return tally


def with_fitting_threads(head: StandardisedHead, batch_size: int) -> AbstractContextManager[None]:
    """Let a small head that pools train on one thread.

    Measured with the linear head on 1,553 x 512 means, on two cores that other programs were using too: two threads
    took 30 to 47 s, most of it waiting for each other.
    """
    products = batch_size * sum(parameter.numel() for parameter in head.parameters())
    return on_one_thread() if head.pools and products < _PRODUCTS_OF_ONE_THREAD else nullcontext()


def _epochs(fit: Fit, data: BatchSource, course: Course, is_late: Callable[[], bool]) -> Iterator[EpochRecord]:
    rng = np.random.default_rng(fit.config.seed)
    steps_done, step_count = 0, fit.config.epochs * fit.steps_an_epoch
    descent = Descent(list(fit.head.parameters()), fit.config, step_count)
    step = _step_linear if fit.head.is_linear and not fit.config.mixed_precision else _step
    while not course.is_over:
        fit.head.train()
        tally = Tally(is_multi_label=fit.objective.is_multi_label)
        for batch in data.batches(fit.plan_epoch(rng)):
            loss, logits = step(fit, descent, batch)
            tally.add(loss, logits, batch.targets)
            steps_done += 1
            if is_late() and steps_done < step_count:
                course.cut()
                break
        yield course.note(tally, validate(fit, data), steps_done, fit.head.state_dict)


def _step(fit: Fit, descent: Descent, batch: VideoBatch) -> tuple[Tensor, Tensor]:
    """Take a step, and return the loss () and the logits (B, C) before it."""
    logits = _forward(fit, batch)
    loss = fit.objective.losses(logits, batch.targets).mean()
    descent.step(loss)
    return loss, logits


@torch.no_grad()
def _step_linear(fit: Fit, descent: Descent, batch: VideoBatch) -> tuple[Tensor, Tensor]:
    """Do the same without autograd, in a third of the time."""
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
    """Return None where every video has one label, and otherwise a threshold for each label."""
    if not fit.objective.is_multi_label:
        return None
    if fit.config.thresholds == "half":
        return (HALF,) * fit.class_count
    logits, targets = fit.logits(data, fit.validation)
    return tune_thresholds(fit.objective.probabilities(logits), targets.cpu().numpy() >= HALF, fit.config.thresholds)


def refuse_untrainable(
    targets: NDArray[np.bool_], train: NDArray[np.int64], validation: NDArray[np.int64], config: TrainConfig
) -> None:
    """Raise TrainError where there is too little to train or validate on, or no device for it."""
    present = int(targets[train].any(axis=0).sum())
    if present < 2:
        raise TrainError(
            f"The {len(train)} training videos show {present} of {targets.shape[1]} labels. "
            "Give videos of two labels at least."
        )
    if config.mixed_precision and find_device(config.device).type != "cuda":
        raise TrainError("Mixed precision needs an NVIDIA GPU. Leave it out.")
    if not len(validation) and (config.patience is not None or config.thresholds != "half"):
        raise TrainError(
            "There are no validation videos to choose an epoch or thresholds by. Split with a --validation-size above "
            "0, or leave out patience and thresholds."
        )
