"""Measure heads, with and without mixup, on real clips: cross-validated by group, over several seeds.

usage: benchmark_accuracy.py [FOLDER] [--model NAME] [--frames-count N] [--arch A,B] [--folds N] [--seeds N] ...

FOLDER holds the clips and labels.csv with the columns path, label and group. It is embedded once, into --store. Prints
a Markdown table. For each seed, folds and training are drawn anew, and the predictions on all held-out folds together
give one micro-F1; "mean" and "std" (n - 1) are over the seeds. Nothing is chosen by the held-out videos. Every training
has one thread, and as many run at once as there are cores.
"""

import argparse
import os
import platform
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from classify import (
    LabelledSet,
    LabelTable,
    TrainConfig,
    decide_labels,
    fit_head,
    fold_videos,
    list_heads,
    measure,
    predict_probabilities,
    read_labels,
)
from embed import EmbedConfig, EmbeddingStore, UniformFrames, embed_videos

ROOT = Path(__file__).parents[1]
BASELINES = ("majority", "scikit-learn")
MIXUPS = (0.0, 0.4)


@dataclass(frozen=True)
class Trial:
    """One training: a head (or baseline) on all folds of a seed but one.

    Args:
        name: a head's architecture, "majority", or "scikit-learn": logistic regression on the standardized mean.
        mixup: alpha; 0 is off.
        seed: of folds and training.
        fold: the one held out.
    """

    name: str
    mixup: float
    seed: int
    fold: int


@dataclass(frozen=True)
class Outcome:
    """What a trial gave: the held-out videos' rows, their labels as predicted (n, C), and the training's seconds."""

    trial: Trial
    rows: NDArray[np.int64]
    predicted: NDArray[np.bool_]
    seconds: float


@dataclass(frozen=True)
class Bench:
    """All that a trial needs; lives once in each process."""

    table: LabelTable
    dataset: LabelledSet
    folds: int
    epochs: int
    learning_rate: float

    def run(self, trial: Trial) -> Outcome:
        """Train on all folds but the trial's, and predict that one."""
        fold_of = fold_videos(self.table, self.folds, seed=trial.seed)
        train, test = np.flatnonzero(fold_of != trial.fold), np.flatnonzero(fold_of == trial.fold)
        if trial.name in BASELINES:
            started = perf_counter()
            found = self._baseline(trial.name, train, test)
            return Outcome(trial, test, found, perf_counter() - started)
        config = TrainConfig(
            arch=trial.name,
            mixup=trial.mixup,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            seed=trial.seed,
            device="cpu",
        )
        run = fit_head(self.dataset, train, np.array([], dtype=np.int64), config)
        probabilities = predict_probabilities(run.head, self.dataset.videos, run.thresholds)
        return Outcome(trial, test, decide_labels(probabilities, run.thresholds)[test], run.seconds)

    def _baseline(self, name: str, train: NDArray[np.int64], test: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Predict single labels without a head."""
        classes = self.dataset.targets.argmax(axis=1)
        if name == "majority":
            found = np.full(len(test), np.bincount(classes[train]).argmax())
        else:
            means = _mean_vectors(self.dataset)
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            found = model.fit(means[train], classes[train]).predict(means[test])
        return np.asarray(found[:, None] == np.arange(self.dataset.targets.shape[1]))


def main() -> None:
    arguments = _arguments()
    config = EmbedConfig(model=arguments.model, sampling=UniformFrames(arguments.frames_count))
    store = arguments.store or ROOT / "build" / f"benchmark-{arguments.model}-{arguments.frames_count}.h5"
    store.parent.mkdir(parents=True, exist_ok=True)
    embed_videos([arguments.folder], store, config)
    settings = (store, arguments.folder / "labels.csv", arguments.folds, arguments.epochs, arguments.learning_rate)
    outcomes = run_trials(_trials(arguments), settings, arguments.jobs)
    bench = load_bench(*settings)
    print(_heading(arguments, bench.table), "", *_table(outcomes, bench), sep="\n")


def load_bench(store: Path, labels: Path, folds: int, epochs: int, learning_rate: float) -> Bench:
    """Read a store and its labels, grouped by their column `group`."""
    with EmbeddingStore(store) as opened:
        table = read_labels(opened, labels, group_by="group")
        return Bench(table, LabelledSet.read(opened, table), folds, epochs, learning_rate)


def run_trials(trials: Sequence[Trial], settings: tuple[Path, Path, int, int, float], jobs: int) -> list[Outcome]:
    """Run trials in processes of one thread each: two small trainings do not share two cores well by threads."""
    with ProcessPoolExecutor(jobs, get_context("spawn"), _start_worker, settings) as pool:
        return list(tqdm(pool.map(_run_trial, trials), total=len(trials), unit="training"))


def _start_worker(*settings: object) -> None:
    global _bench
    torch.set_num_threads(1)
    _bench = load_bench(*settings)  # type: ignore[arg-type]


def _run_trial(trial: Trial) -> Outcome:
    return _bench.run(trial)


_bench: Bench  # a worker process's own


def _trials(arguments: argparse.Namespace) -> list[Trial]:
    heads = list_heads() if arguments.arch == "all" else arguments.arch.split(",")
    kinds = [(name, 0.0) for name in BASELINES] + list(product(heads, MIXUPS))
    return [
        Trial(name, mixup, seed, fold)
        for (name, mixup), seed, fold in product(kinds, range(arguments.seeds), range(arguments.folds))
    ]


def _mean_vectors(dataset: LabelledSet) -> NDArray[np.float64]:
    """Average each video's vectors, (N, D)."""
    ends = dataset.videos.row_counts.cumsum()
    rows = dataset.videos.rows_of(np.arange(len(dataset.videos)))
    pieces = np.split(rows.astype(np.float64), ends[:-1])
    return np.stack([piece.mean(axis=0) for piece in pieces])


def _table(outcomes: Sequence[Outcome], bench: Bench) -> list[str]:
    lines = ["| head | mixup | micro-F1, mean | std | seconds a training |", "| --- | --- | --- | --- | --- |"]
    for name, mixup in dict.fromkeys((outcome.trial.name, outcome.trial.mixup) for outcome in outcomes):
        own = [outcome for outcome in outcomes if (outcome.trial.name, outcome.trial.mixup) == (name, mixup)]
        scores = [_score([o for o in own if o.trial.seed == seed], bench) for seed in {o.trial.seed for o in own}]
        spread = f"{stdev(scores):.3f}" if len(scores) > 1 else "-"
        shown = {"scikit-learn": "scikit-learn, logistic regression on the mean"}.get(name, name)
        mixed = "-" if name in BASELINES else f"{mixup:g}"
        lines.append(f"| {shown} | {mixed} | {mean(scores):.3f} | {spread} | {mean(o.seconds for o in own):.2f} |")
    return lines


def _score(outcomes: Sequence[Outcome], bench: Bench) -> float:
    """Return the micro-F1 of one seed: every video was held out once."""
    rows = np.concatenate([outcome.rows for outcome in outcomes])
    predicted = np.concatenate([outcome.predicted for outcome in outcomes])
    return measure(bench.dataset.targets[rows], predicted, bench.dataset.names).micro_f1


def _heading(arguments: argparse.Namespace, table: LabelTable) -> str:
    data = f"{arguments.folder.name}: {len(table.ids)} videos, {len(table.names)} labels"
    vectors = f"{arguments.model}, {arguments.frames_count} frames"
    way = f"{arguments.folds} folds by group x {arguments.seeds} seeds"
    recipe = f"{arguments.epochs} epochs, learning rate {arguments.learning_rate:g}"
    machine = f"{_processor()}, {arguments.jobs} trainings at once, torch {torch.__version__}, {date.today()}"
    return f"{data}; {vectors}; {way}; {recipe}.\n{machine}."


def _processor() -> str:
    info = Path("/proc/cpuinfo")  # Linux only; elsewhere the architecture must do
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} cores of {names[0] if names else platform.machine()}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT.parent / "shared" / "data" / "ut_interaction6")
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--frames-count", type=int, default=32)
    parser.add_argument("--arch", default="linear,transformer,random-frame", help="heads, or all")
    parser.add_argument("--store", type=Path, help="where the vectors lie, or will; default: below build/")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=TrainConfig().epochs)
    parser.add_argument("--learning-rate", type=float, default=TrainConfig().learning_rate)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="trainings at once")
    return parser.parse_args()


if __name__ == "__main__":
    main()
