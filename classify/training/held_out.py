"""What a recipe gives training videos that it was not trained on, and the temperature and thresholds that follow.

A head is too sure of the videos that it learned from. So heads of the same recipe are trained on the other folds of the
training part, whose groups stay whole, and predict the fold that is left out.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from classify.data import LabelTable, Split, fold_videos
from classify.errors import TrainError
from classify.heads import StandardisedHead
from classify.measures import choose_temperature, move_thresholds, tune_thresholds
from classify.training.batches import LabelledSet, take_videos
from classify.training.joint_training import TrainJob, fit_heads
from classify.training.logits import predict_probabilities
from classify.training.recipe import TrainConfig
from classify.training.training import TrainingRun, configure_head
from embed.machine import counted

_ENOUGH_VIDEOS = 500  # that trained nothing: a temperature needs no more
# Folds take a share of the training's time that is known before: those of heads that pool 3 to 10 times the processor
# time of a training on 100 to 1,000 videos, which is 0.3 to 2 s in all (linear, statistics and motion, 512 dimensions).
# Where that would be long, and for heads that read every vector, one fold is held out: 4/5 or 2/3 of the training.
_FOLDS, _FOLDS_OF_VECTORS = 5, 3
_LONG = 10_000_000_000  # videos x epochs x weights: a training of some seconds


@dataclass(frozen=True)
class HeldOut:
    """What a recipe gives videos of the training part that its folds did not train on.

    Args:
        videos: (R,) indices into the dataset; a video has a row for each partition into folds.
        probabilities: (R, C).
    """

    videos: NDArray[np.int64]
    probabilities: NDArray[np.float32]


@dataclass(frozen=True)
class Outputs:
    """How a head's logits become labels.

    Args:
        temperature: divides the logits.
        thresholds: (C,) lowest probability at that temperature at which each label is given; None gives each video its
            likeliest label.
        calibrated_on: the videos that the temperature was fitted on: "validation", "held-out folds", both, or nothing.
        thresholds_on: the videos that thresholds were chosen on, as above; nothing if they are 0.5 or None.
    """

    temperature: float
    thresholds: tuple[float, ...] | None
    calibrated_on: tuple[str, ...] = ()
    thresholds_on: tuple[str, ...] = ()


def predict_held_out(dataset: LabelledSet, split: Split, run: TrainingRun) -> HeldOut | None:
    """Return what heads that did not train on them give training videos; None where validation videos are enough.

    Heads that pool predict folds until 500 videos are predicted, or all. If their training is long, they predict a
    fifth of the videos, and heads that do not pool a third: folds then take less time than the training did.

    Args:
        dataset: videos and labels; only those of the training part are used.
        split: the part of each video, and its group.
        run: how the head was trained.
    """
    if len(split.indices("validation")) >= _ENOUGH_VIDEOS:
        return None
    nobody = np.array([], dtype=np.int64)
    config = replace(run.config, epochs=run.best_epoch, patience=None, thresholds="half")
    train, size = split.indices("train"), sum(parameter.numel() for parameter in run.head.parameters())
    is_long = not run.head.pools or len(train) * run.best_epoch * size > _LONG
    jobs: list[TrainJob] = []
    tests: list[NDArray[np.int64]] = []
    for test in list_folds(dataset, split, seed=config.seed, count=_fold_count(run.head)):
        jobs.append(TrainJob(np.setdiff1d(train, test), nobody, config))
        tests.append(test)
        if is_long or sum(map(len, tests)) >= _ENOUGH_VIDEOS:
            break
    if not jobs:
        return None
    found = []
    for test, own in zip(tests, fit_heads(dataset, jobs), strict=True):
        videos = take_videos(dataset.videos, test)
        found.append(predict_probabilities(own.head, videos, own.thresholds, device=config.device))
    return HeldOut(np.concatenate(tests), np.concatenate(found))


def refuse_untunable(dataset: LabelledSet, split: Split, config: TrainConfig) -> None:
    """Raise TrainError if thresholds are to be chosen, but there is no video to choose them on."""
    if config.thresholds == "half" or not dataset.is_multi_label or len(split.indices("validation")):
        return
    with torch.device("meta"):
        head = configure_head(config, dataset.videos.dimension, len(dataset.names))
    if list_folds(dataset, split, seed=config.seed, count=_fold_count(head)):
        return
    train, what = split.indices("train"), "video" if split.groups is None else "group"
    units = counted(len({(split.groups or split.ids)[row] for row in train}), what)
    raise TrainError(
        "There are no validation videos to choose thresholds on, and no training videos can be held out: they are "
        f"{units}, and without a fold of them, fewer than two labels are left to learn. Split with a --validation-size "
        "above 0, or leave out --thresholds."
    )


def fit_outputs(
    dataset: LabelledSet,
    split: Split,
    probabilities: NDArray[np.floating],
    held_out: HeldOut | None,
    *,
    thresholds: tuple[float, ...] | None,
    goal: str,
) -> Outputs:
    """Return the temperature and the thresholds that fit videos that trained nothing.

    Args:
        dataset: N videos with their labels.
        split: their parts; those of the validation part are used.
        probabilities: (N, C) that the head gives them at temperature 1.
        held_out: what its recipe gives training videos; None if there is nothing.
        thresholds: (C,), used where there is nothing to choose others on; None if each video gets its likeliest label.
        goal: how thresholds are chosen, as in `TrainConfig`.
    """
    rows, sources = split.indices("validation"), ["validation"]
    unseen = probabilities[rows]
    if not len(rows):
        sources = []
    if held_out is not None:
        rows, unseen = np.concatenate([rows, held_out.videos]), np.concatenate([unseen, held_out.probabilities])
        sources.append("held-out folds")
    if not len(rows):
        return Outputs(1.0, thresholds)
    targets, is_tuned = dataset.targets[rows], thresholds is not None and goal != "half"
    groups = None if split.groups is None else [split.groups[row] for row in rows]
    temperature = choose_temperature(targets, unseen, is_single_label=thresholds is None, groups=groups)
    if is_tuned:
        thresholds = tune_thresholds(unseen, targets, goal)
    on = tuple(sources)
    return Outputs(temperature, move_thresholds(thresholds, temperature), on, on if is_tuned else ())


def list_folds(dataset: LabelledSet, split: Split, *, seed: int, count: int = _FOLDS) -> list[NDArray[np.int64]]:
    """Return the training videos of each fold, as indices into the dataset, that leave two labels to learn from.

    Args:
        dataset: videos and labels.
        split: the part of each video, and its group; groups stay whole.
        seed: of the folds.
        count: number of folds, if there are as many videos or groups.
    """
    train = split.indices("train")
    table = LabelTable(dataset.videos.ids, dataset.names, dataset.targets, split.groups).take(train)
    count = min(count, len(set(table.groups or table.ids)))
    if count < 2:
        return []
    fold_of = fold_videos(table, count, seed=seed)
    folds = [fold_of == fold for fold in range(count)]
    return [train[fold] for fold in folds if table.targets[~fold].any(axis=0).sum() > 1]


def _fold_count(head: StandardisedHead) -> int:
    return _FOLDS if head.pools else _FOLDS_OF_VECTORS
