"""Measure the choice of `train-head --arch auto` against every candidate in hindsight, and logistic regression.

LABELS has the columns path, label and group. Each fold of whole groups tests
once the head that was chosen and trained on the other folds. Then every
candidate that some choice had time to test is trained on the same folds. The
best of them on the held-out videos is only known in hindsight. Prints a
Markdown table.
"""

import argparse
import os
from collections import Counter
from collections.abc import Sequence
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
    fit_head,
    fit_heads,
    fold_videos,
    measure,
    predict_probabilities,
    read_labels,
)
from classify.comparison import BUDGET_S, Selection, choose_recipe, list_candidates, predict_baseline
from embed import EmbeddingStore

Parts = Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]


def main() -> None:
    arguments = _arguments()
    with EmbeddingStore(arguments.store) as store:
        table = read_labels(store, arguments.labels, group_by="group")
        dataset = LabelledSet.read(store, table, stream=False)
    fold_of = fold_videos(table, arguments.folds, seed=arguments.seed)
    parts = [(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in range(arguments.folds)]
    config = TrainConfig(device=arguments.device, seed=arguments.seed)
    print(*_report(dataset, table, parts, config, arguments.budget), sep="\n")


def _report(dataset: LabelledSet, table: LabelTable, parts: Parts, config: TrainConfig, budget_s: float) -> list[str]:
    load = f"load before it began {os.getloadavg()[0]:.1f}"
    found, used = [], []
    for train, _ in tqdm(parts, unit="choice"):
        started = perf_counter()
        found.append(choose_recipe(dataset, table, train, list_candidates(dataset, train, config), budget_s=budget_s))
        fit_head(dataset, train, np.array([], dtype=np.int64), found[-1].config)
        used.append(perf_counter() - started)
    auto = _scores(dataset, parts, [one.config for one in found])
    return [
        f"{len(table.ids)} videos, {len(parts)} folds by group; --budget {budget_s:g}, of which {min(used):.1f} to "
        f"{max(used):.1f} s were used; {os.cpu_count()} cores, {date.today()}; {load}.",
        "",
        "| | micro-F1 | each fold | chosen in |",
        "| --- | --- | --- | --- |",
        _row("auto", auto, "-"),
        _row("logistic regression on the mean", _baseline_scores(dataset, parts), "-"),
        *_hindsight(dataset, parts, config, found),
    ]


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
    decay = recipe.weight_decay * video_count
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


def _baseline_scores(dataset: LabelledSet, parts: Parts) -> list[float]:
    scores = []
    for train, test in parts:
        predicted = decide_labels(predict_baseline("logistic-regression", dataset, train), None)
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
    parser.add_argument("--device", default="cpu", help="auto, cpu or cuda; default: %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    main()
