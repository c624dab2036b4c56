"""Measure the choice of `train-head --arch auto` against every candidate in hindsight, and logistic regression.

LABELS has the columns path, label and group. Each fold of whole groups tests
once what was chosen and trained on the other folds, at the temperature that
was chosen inside them. Then every candidate that some choice had time to test
is trained on the same folds. The best of them on the held-out videos is only
known in hindsight; --no-hindsight leaves it out. Prints a Markdown table.
"""

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import compress
from pathlib import Path
from statistics import mean
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from classify import (
    LabelledSet,
    LabelTable,
    TrainConfig,
    TrainJob,
    decide_labels,
    fit_heads,
    fold_videos,
    measure,
    predict_probabilities,
    read_labels,
)
from classify.comparison import BUDGET_S, Selection, choose_recipe, list_candidates, predict_baseline
from classify.measures import calibrate, calibration_error, choose_temperature
from classify.training import fit_average, take_videos
from embed import EmbeddingStore

Parts = Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]


def main() -> None:
    arguments = _arguments()
    with EmbeddingStore(arguments.store) as store:
        table = read_labels(store, arguments.labels, group_by="group")
        dataset = LabelledSet.read(store, table, stream=False)
    fold_of = fold_videos(table, arguments.folds, seed=arguments.seed)
    parts = [(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in range(arguments.folds)]
    print(*_report(dataset, table, parts, arguments), sep="\n")


def _report(dataset: LabelledSet, table: LabelTable, parts: Parts, arguments: argparse.Namespace) -> list[str]:
    load = f"load before it began {os.getloadavg()[0]:.1f}"
    config = TrainConfig(device=arguments.device, seed=arguments.seed)
    found, used, auto = [], [], []
    for part in tqdm(parts, unit="choice"):
        started = perf_counter()
        recipes = list_candidates(dataset, part[0], config)
        found.append(choose_recipe(dataset, table, part[0], recipes, budget_s=arguments.budget))
        auto.append(_test_choice(dataset, table, part, found[-1]))
        used.append(perf_counter() - started)
    errors = _calibration_errors(dataset, parts, auto)
    regressions = ("logistic-regression", "logistic-statistics")
    return [
        f"{len(table.ids)} videos, {len(parts)} folds by group; --budget {arguments.budget:g}, of which "
        f"{min(used):.1f} to {max(used):.1f} s were used; {os.cpu_count()} cores, {date.today()}; {load}. "
        f"Calibration error of auto, over all folds: {errors[1]:.3f}, and {errors[0]:.3f} without its temperature.",
        "",
        "| | micro-F1 | each fold | chosen in |",
        "| --- | --- | --- | --- |",
        _row("auto", [one.micro_f1 for one in auto], "-"),
        *[_row(name, _baseline_scores(name, dataset, parts), "-") for name in regressions],
        *([] if arguments.no_hindsight else _hindsight(dataset, parts, config, found)),
    ]


@dataclass(frozen=True)
class _Choice:
    """What the chosen head gives the test videos: probabilities (n, C) without and with its temperature."""

    plain: NDArray[np.floating]
    calibrated: NDArray[np.floating]
    micro_f1: float


def _test_choice(
    dataset: LabelledSet, table: LabelTable, part: tuple[NDArray[np.int64], NDArray[np.int64]], found: Selection
) -> _Choice:
    train, test = part
    run = fit_average(dataset, train, np.array([], dtype=np.int64), found.members)
    videos = take_videos(dataset.videos, test)
    plain = predict_probabilities(run.head, videos, run.thresholds, device=run.config.device)
    predicted, temperature, is_single_label = decide_labels(plain, run.thresholds), 1.0, run.thresholds is None
    if (held := found.held_out) is not None:
        groups = None if table.groups is None else [table.groups[row] for row in held.videos]
        targets = dataset.targets[held.videos]
        temperature = choose_temperature(targets, held.probabilities, is_single_label=is_single_label, groups=groups)
    calibrated = calibrate(plain, temperature, is_single_label=is_single_label)
    return _Choice(plain, calibrated, measure(dataset.targets[test], predicted, dataset.names).micro_f1)


def _calibration_errors(dataset: LabelledSet, parts: Parts, auto: Sequence[_Choice]) -> tuple[float, float]:
    targets, is_single_label = np.concatenate([dataset.targets[test] for _, test in parts]), not dataset.is_multi_label
    plain, calibrated = (np.concatenate([getattr(one, name) for one in auto]) for name in ("plain", "calibrated"))
    return (
        calibration_error(targets, plain, is_single_label=is_single_label),
        calibration_error(targets, calibrated, is_single_label=is_single_label),
    )


def _hindsight(dataset: LabelledSet, parts: Parts, config: TrainConfig, found: Sequence[Selection]) -> list[str]:
    """Train every tested candidate on every fold; return their rows, the best first."""
    fields = [list_candidates(dataset, train, config) for train, _ in parts]
    rows: list[tuple[str, list[float]]] = []
    chosen = Counter(_name(one.config, len(train)) for one, (train, _) in zip(found, parts, strict=True))
    was_tested = [any(one.scores for one in tries) for tries in zip(*(one.tried for one in found), strict=True)]
    for recipes in tqdm(list(compress(zip(*fields, strict=True), was_tested)), unit="candidate"):
        name = _name(recipes[0], len(parts[0][0]))
        rows.append((name, _scores(dataset, parts, recipes)))
    return [_row(name, scores, str(chosen[name])) for name, scores in sorted(rows, key=lambda row: -mean(row[1]))]


def _name(recipe: TrainConfig, video_count: int) -> str:
    decay = (recipe.weight_decay or 0.0) * video_count
    rate = f"{recipe.arch}, mixup {recipe.mixup:g}, learning rate {recipe.learning_rate:g}"
    return rate + (f", weight decay {decay:.0f}/n" if decay else "")


def _scores(dataset: LabelledSet, parts: Parts, recipes: Sequence[TrainConfig]) -> list[float]:
    """Train one recipe per fold; return the micro-F1 of the test videos of each."""
    nobody = np.array([], dtype=np.int64)
    runs = fit_heads(
        dataset, [TrainJob(train, nobody, recipe) for (train, _), recipe in zip(parts, recipes, strict=True)]
    )
    scores = []
    for run, (_, test) in zip(runs, parts, strict=True):
        predicted = decide_labels(predict_probabilities(run.head, dataset.videos, run.thresholds), run.thresholds)
        scores.append(measure(dataset.targets[test], predicted[test], dataset.names).micro_f1)
    return scores


def _baseline_scores(name: str, dataset: LabelledSet, parts: Parts) -> list[float]:
    scores = []
    for train, test in parts:
        predicted = decide_labels(predict_baseline(name, dataset, train), None)
        scores.append(measure(dataset.targets[test], predicted[test], dataset.names).micro_f1)
    return scores


def _row(name: str, scores: Sequence[float], chosen: str) -> str:
    return f"| {name} | {mean(scores):.3f} | {', '.join(f'{score:.2f}' for score in scores)} | {chosen} |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path, help="the store of vectors")
    parser.add_argument("labels", type=Path, help="the label file")
    parser.add_argument("--budget", type=float, default=BUDGET_S, help="seconds per choice; default: %(default)s")
    parser.add_argument("--folds", type=int, default=5, help="number of folds; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of folds and training; default: %(default)s")
    parser.add_argument("--no-hindsight", action="store_true", help="measure auto and the regressions alone")
    parser.add_argument("--device", default="cpu", help="auto, cpu or cuda; default: %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    main()
