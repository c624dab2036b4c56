"""What a recipe gives training videos that it was not trained on, for temperature and thresholds.

A head is too sure of the videos that it learned from. So heads of the same recipe are trained on the other folds of the
training part, whose groups stay whole, and predict the fold that is left out.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from classify.data import LabelTable, Split, fold_videos
from classify.errors import TrainError
from classify.training.batches import LabelledSet, take_videos
from classify.training.joint_training import TrainJob, fit_heads
from classify.training.logits import predict_probabilities
from classify.training.training import TrainingRun, refuse_untrainable

_ENOUGH_VIDEOS = 500  # that trained nothing: a temperature needs no more
_FOLDS = 5  # of heads that pool; they train at once
_FOLDS_OF_VECTORS = 3  # of heads that read every vector, of which one fold is held out: in two thirds of the training


@dataclass(frozen=True)
class HeldOut:
    """What a recipe gives videos of the training part that its folds did not train on.

    Args:
        videos: (R,) indices into the dataset; a video has a row for each partition into folds.
        probabilities: (R, C).
    """

    videos: NDArray[np.int64]
    probabilities: NDArray[np.float32]


def predict_held_out(dataset: LabelledSet, split: Split, run: TrainingRun) -> HeldOut | None:
    """Return what heads that did not train on them give training videos; None where validation videos are enough.

    Heads that pool predict folds until 500 videos are predicted, or all. Other heads predict a third of the videos.

    Args:
        dataset: videos and labels; only those of the training part are used.
        split: the part of each video, and its group.
        run: how the head was trained.
    """
    train, groups = split.indices("train"), split.groups
    if len(split.indices("validation")) >= _ENOUGH_VIDEOS:
        return None
    table = LabelTable(dataset.videos.ids, dataset.names, dataset.targets, groups).take(train)
    unit_count = len(set(table.groups or table.ids))
    count = min(_FOLDS if run.head.pools else _FOLDS_OF_VECTORS, unit_count)
    nobody = np.array([], dtype=np.int64)
    config = replace(run.config, epochs=run.best_epoch, patience=None, thresholds="half")
    jobs: list[TrainJob] = []
    tests: list[NDArray[np.int64]] = []
    fold_of = fold_videos(table, count, seed=config.seed) if count > 1 else np.zeros(0, dtype=np.int64)
    for fold in range(count if count > 1 else 0):
        test, rest = train[fold_of == fold], train[fold_of != fold]
        try:
            refuse_untrainable(dataset.targets, rest, nobody, config)
        except TrainError:  # the other folds show one label only
            continue
        jobs.append(TrainJob(rest, nobody, config))
        tests.append(test)
        if not run.head.pools or sum(map(len, tests)) >= _ENOUGH_VIDEOS:
            break
    if not jobs:
        return None
    found = []
    for test, own in zip(tests, fit_heads(dataset, jobs), strict=True):
        videos = take_videos(dataset.videos, test)
        found.append(predict_probabilities(own.head, videos, own.thresholds, device=config.device))
    return HeldOut(np.concatenate(tests), np.concatenate(found))
