"""Baselines on the same split as a head, so that the head's figures can be judged.

They learn from the training videos and are measured on the same validation and test videos; they choose nothing. Their
intervals are those of the labels alone, since rankings would take much longer. Without validation videos, a baseline
chooses thresholds, as heads do, on training videos that a fit of it has not seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from classify.comparison.baselines import (
    LOGISTIC_REGRESSION,
    LOGISTIC_STATISTICS,
    choose_thresholds,
    list_quick_baselines,
    predict_baseline,
)
from classify.data import Split
from classify.measures import Evaluation, Interval, Outcome, bootstrap_difference, bootstrap_labels, evaluate
from classify.training import LabelledSet, list_folds
from embed.machine import counted


@dataclass(frozen=True)
class Judgement:
    """The figures of baselines beside those of a head.

    Args:
        baselines: "validation", "test" -> name of a baseline -> its figures; a part without videos is absent.
        differences: name of a baseline -> by how much the head's micro-F1 on the test videos is higher, paired.
        unlearned: number of test videos with a label that no training video has: none of these can be right there.
        notes: a sentence about the baselines that are left out, if some are.
    """

    baselines: Mapping[str, Mapping[str, Evaluation]]
    differences: Mapping[str, Interval]
    unlearned: int
    notes: tuple[str, ...]


def judge_head(head: Outcome, dataset: LabelledSet, split: Split, *, goal: str) -> Judgement:
    """Return the figures of the majority and of two logistic regressions on a head's split.

    Args:
        head: what the head gives the N videos of the dataset.
        dataset: N videos with their labels.
        split: their parts.
        goal: how thresholds are chosen where videos have several labels, as in `TrainConfig`.
    """
    train, test = split.indices("train"), split.indices("test")
    sizes = len(train), dataset.videos.dimension, len(dataset.names)
    names = list_quick_baselines(*sizes, is_multi_label=dataset.is_multi_label)
    found = {name: _learn(name, head, dataset, split, goal) for name in names}
    parts = {part: rows for part in ("validation", "test") if len(rows := split.indices(part))}
    return Judgement(
        baselines={
            part: {name: _evaluate(outcome.take(rows), dataset.names) for name, outcome in found.items()}
            for part, rows in parts.items()
        },
        differences={name: _difference(outcome.take(test), head.take(test)) for name, outcome in found.items()},
        unlearned=int(dataset.targets[test][:, ~dataset.targets[train].any(axis=0)].any(axis=1).sum()),
        notes=() if LOGISTIC_STATISTICS in names else (_note_left_out(dataset, len(train), names),),
    )


def _learn(name: str, head: Outcome, dataset: LabelledSet, split: Split, goal: str) -> Outcome:
    """Return what a baseline gives all videos."""
    train, validation = split.indices("train"), split.indices("validation")
    probabilities, thresholds = predict_baseline(name, dataset, train), None
    if head.thresholds is not None:
        unseen = probabilities
        if goal != "half" and not len(validation):
            validation = next(iter(list_folds(dataset, split, seed=0)), validation)
            unseen = predict_baseline(name, dataset, np.setdiff1d(train, validation))
        thresholds = choose_thresholds(unseen[validation], dataset.targets[validation], goal)
    return replace(head, probabilities=probabilities, temperature=1.0, thresholds=thresholds)


def _evaluate(outcome: Outcome, names: tuple[str, ...]) -> Evaluation:
    intervals = bootstrap_labels(outcome.targets, outcome.predicted, groups=outcome.groups)
    return replace(evaluate(outcome, names, bootstrap=None), intervals=intervals)


def _difference(baseline: Outcome, head: Outcome) -> Interval:
    found = bootstrap_difference(head.targets, baseline.predicted, head.predicted, groups=head.groups)
    return found["micro_f1"]


def _note_left_out(dataset: LabelledSet, train_count: int, names: list[str]) -> str:
    left_out = [name for name in (LOGISTIC_REGRESSION, LOGISTIC_STATISTICS) if name not in names]
    return (
        f"Left out beside the head: {' and '.join(left_out)}. {counted(train_count, 'training video')} of "
        f"{counted(dataset.videos.dimension, 'dimension')} and {counted(len(dataset.names), 'label')} would take long. "
        f"compare-heads --baselines {','.join(left_out)} includes {'it' if len(left_out) == 1 else 'them'}."
    )
