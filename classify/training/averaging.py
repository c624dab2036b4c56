"""Several heads as one: trained one after another on the same videos, and averaged by weight."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from classify.errors import TrainError
from classify.heads import AverageHead, StandardisedHead
from classify.measures import HALF, tune_thresholds
from classify.training.batches import LabelledSet, take_videos
from classify.training.history import EpochRecord
from classify.training.logits import predict_probabilities
from classify.training.recipe import TrainConfig
from classify.training.training import TrainingRun, configure_head, fit_head

AVERAGE = "average"
"""The architecture of a head that consists of heads."""

MOST_MEMBERS = 16


@dataclass(frozen=True)
class Member:
    """A head of an average.

    Args:
        config: how it is trained.
        weight: its share in the mean of the probabilities, above 0 and at most 1.

    Raises:
        TrainError: the weight is out of its range, or the head is itself an average.
    """

    config: TrainConfig
    weight: float

    def __post_init__(self) -> None:
        if not 0 < self.weight <= 1:
            raise TrainError(f"The weight of a head is {self.weight}. Use a share above 0 and up to 1.")
        if self.config.arch == AVERAGE:
            raise TrainError("An average of averages is not supported. Name the heads of both in one.")


def configure_average(
    members: Sequence[Member], dimension: int, class_count: int, *, is_multi_label: bool
) -> StandardisedHead:
    """Return the average of fresh heads, as configured.

    Raises:
        TrainError: there are more than 16 members.
        HeadError: as in `configure_head` and `AverageHead`.
    """
    if len(members) > MOST_MEMBERS:
        raise TrainError(f"{len(members)} heads cannot be averaged. Use at most {MOST_MEMBERS}.")
    heads = [configure_head(member.config, dimension, class_count) for member in members]
    return _average(heads, [member.weight for member in members], dimension, is_multi_label=is_multi_label)


def fit_average(
    dataset: LabelledSet,
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    members: Sequence[Member],
    *,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> TrainingRun:
    """Train the members as `fit_head` does, and return their average; of one member, its own run.

    The history and the best epoch are those of the member with the largest weight, and the configuration is that
    member's with the architecture "average". Thresholds are chosen for the average.

    Raises:
        TrainError: as in `fit_head`.
        HeadError: as in `fit_head`.
    """
    runs = [fit_head(dataset, train, validation, member.config, on_epoch=on_epoch) for member in members]
    if len(runs) == 1:
        return runs[0]
    weights = [member.weight for member in members]
    main = runs[int(np.argmax(weights))]
    is_multi_label = dataset.is_multi_label
    heads = [run.head for run in runs]
    head = _average(heads, weights, dataset.videos.dimension, is_multi_label=is_multi_label).eval()
    return replace(
        main,
        head=head,
        thresholds=_choose_thresholds(head, dataset, validation, main.config) if is_multi_label else None,
        config=replace(main.config, arch=AVERAGE),
        seconds=sum(run.seconds for run in runs),
    )


def _average(
    heads: Sequence[StandardisedHead], weights: Sequence[float], dimension: int, *, is_multi_label: bool
) -> StandardisedHead:
    return StandardisedHead(AverageHead(heads, weights, is_multi_label=is_multi_label), dimension)


def _choose_thresholds(
    head: StandardisedHead, dataset: LabelledSet, validation: NDArray[np.int64], config: TrainConfig
) -> tuple[float, ...]:
    plain = (HALF,) * len(dataset.names)
    if config.thresholds == "half":
        return plain
    with torch.inference_mode():
        found = predict_probabilities(head, take_videos(dataset.videos, validation), plain, device=config.device)
    return tune_thresholds(found, dataset.targets[validation], config.thresholds)
