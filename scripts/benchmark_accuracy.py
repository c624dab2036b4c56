"""Measure heads, with and without mixup, against baselines on real clips, and print a Markdown table.

FOLDER holds the clips and a labels.csv with the columns path, label and group.
It is embedded once, into --store.

For each seed, new folds by group and new training runs are drawn. The
predictions on all held-out folds together give one micro-F1, which equals
accuracy, since each clip has one label. "mean" and "std" (n - 1) are over the
seeds. Intervals are 95% intervals by bootstrap over groups, all seeds
together: "interval" is that of the micro-F1 itself. "over the mean" and "over
8 bins" are paired differences: to logistic regression on the mean, and to the
best logistic regression on the mean and the differences of 8 time bins. If
labels.csv has a column `set` with two values, two more columns train on one
set and test on the other, averaged over the seeds. The held-out videos choose
nothing.

Baselines see all rows of the first view, or of all views if their name says
so. Each training run has one thread, and --jobs run at the same time. Small
heads train several folds at once; "seconds" is the share of one training run.
"""

import argparse
import csv
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from classify import (
    LabelledSet,
    Split,
    SplitConfig,
    TrainConfig,
    VideoSet,
    bootstrap_difference,
    decide_labels,
    list_heads,
    read_labels,
)
from classify.comparison import Trial, TrialPlan, predict_baseline, run_trials
from classify.data import LabelTable, fold_table
from classify.measures import bootstrap_labels, micro_f1
from classify.training import Videos
from embed import EmbedConfig, EmbeddingStore, UniformFrames, embed_videos

ROOT = Path(__file__).parents[1]
MEAN, BINS = "logistic regression on the mean", "the same bins, not standardised, C = 10"
UNSCALED_C = 10.0  # the best of 0.1 to 100 on other seeds, so that the bins are a strong baseline

Entry = tuple[str, float]
"""A baseline or a head, and its mixup."""

Rows = NDArray[np.floating]
Learner = Callable[[LabelledSet, NDArray[np.int64]], NDArray[np.float64]]


def _mean(views: Rows) -> Rows:
    return np.asarray(views[0].mean(axis=0))


def _mean_of_all_views(views: Rows) -> Rows:
    return np.asarray(views.mean(axis=(0, 1)))


def _middle(views: Rows) -> Rows:
    return np.asarray(views[0, views.shape[1] // 2])


def _statistics(views: Rows) -> Rows:
    rows = views[0]
    changes = np.abs(np.diff(rows, axis=0, append=rows[-1:])).sum(axis=0) / max(1, len(rows) - 1)
    return np.concatenate([rows.mean(axis=0), rows.std(axis=0), changes])


def _time_bins(views: Rows) -> Rows:
    """Return the mean, and the 7 differences between the means of 8 equal parts, each of at least one row."""
    rows = views[0]
    edges = np.arange(9) * len(rows) // 8
    bins = [rows[first : max(first + 1, last)].mean(axis=0) for first, last in pairwise(edges)]
    return np.concatenate([rows.mean(axis=0), np.diff(bins, axis=0).ravel()])


def _unscaled_logistic_regression(dataset: LabelledSet, train: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the probability of each label, as `predict_baseline` does, from rows that are not standardised."""
    rows, shown = np.asarray(dataset.videos.rows_of(np.arange(len(dataset.videos)))), dataset.targets.argmax(axis=1)
    with threadpool_limits(1):
        model = LogisticRegression(C=UNSCALED_C, max_iter=10_000).fit(rows[train], shown[train])
    found = np.zeros(dataset.targets.shape)
    found[:, model.classes_] = model.predict_proba(rows)
    return found


_LOGISTIC = partial(predict_baseline, "logistic-regression")
BASELINES: dict[str, tuple[Learner, Callable[[Rows], Rows]]] = {
    "majority": (partial(predict_baseline, "majority"), _mean),
    "nearest neighbours of the mean": (partial(predict_baseline, "nearest-neighbours"), _mean),
    "logistic regression on the middle frame": (_LOGISTIC, _middle),
    MEAN: (_LOGISTIC, _mean),
    "logistic regression on the mean of all views": (_LOGISTIC, _mean_of_all_views),
    "logistic regression on mean, deviation and change": (_LOGISTIC, _statistics),
    "logistic regression on the mean and 8 time bins": (_LOGISTIC, _time_bins),
    BINS: (_unscaled_logistic_regression, _time_bins),
}
"""Name -> the function that learns, and the function that computes its input from a video's rows (V, T, D)."""


@dataclass(frozen=True)
class Bench:
    """What is measured.

    Args:
        plan: store, labels, recipe, and the splits of each seed: those by folds, then those by set.
        folds: the number of folds.
        sets: names of the two sets, the one to train on first; empty if there are no two sets.
    """

    plan: TrialPlan
    folds: int
    sets: tuple[str, ...]

    @property
    def ways(self) -> list[str]:
        """Return the names of the training runs by set, in the order of `Found.set_scores`."""
        return [f"{one} to {other}" for one, other in zip(self.sets, reversed(self.sets), strict=True)]

    def trials(self, entry: Entry) -> Iterator[Trial]:
        """Return the trials of a head or baseline."""
        counts = {seed: len(splits) for seed, splits in self.plan.splits.items()}
        return (Trial(*entry, seed, fold) for seed, count in counts.items() for fold in range(count))


@dataclass(frozen=True)
class Found:
    """The results of one head or baseline.

    Args:
        entry: the head or baseline.
        predicted: trial -> labels of its test videos, (n, C) bool.
        seconds: the mean duration of a training run by folds.
    """

    entry: Entry
    predicted: Mapping[Trial, NDArray[np.bool_]]
    seconds: float

    def by_fold(self, bench: Bench) -> NDArray[np.bool_]:
        """Return the predictions on all folds together, (S, N, C): each video was held out once per seed."""
        together = np.zeros((len(bench.plan.splits), *bench.plan.table.targets.shape), dtype=np.bool_)
        for trial, predicted in self.predicted.items():
            if trial.fold < bench.folds:
                together[trial.seed, bench.plan.split_of(trial).indices("test")] = predicted
        return together

    def seed_scores(self, bench: Bench) -> list[float]:
        """Return the micro-F1 of each seed."""
        return [micro_f1(bench.plan.table.targets, predicted) for predicted in self.by_fold(bench)]

    def set_scores(self, bench: Bench) -> list[float]:
        """Return the micro-F1 on each set when trained on the other, as the mean over the seeds."""
        targets, scores = bench.plan.table.targets, []
        for fold in range(bench.folds, bench.folds + len(bench.sets)):
            own = [(trial, predicted) for trial, predicted in self.predicted.items() if trial.fold == fold]
            tested = [(targets[bench.plan.split_of(trial).indices("test")], predicted) for trial, predicted in own]
            scores.append(mean(micro_f1(*pair) for pair in tested))
        return scores


def main() -> None:
    arguments = _arguments()
    store = _embed(arguments)
    recipe = TrainConfig(
        epochs=arguments.epochs,
        learning_rate=arguments.learning_rate,
        max_frames=arguments.max_frames,
        project=arguments.project,
        device="cpu",
    )
    bench = make_bench(store, arguments.folder / "labels.csv", arguments.folds, arguments.seeds, recipe)
    heads = list_heads() if arguments.arch == "all" else arguments.arch.split(",")
    entries = list(product(heads, map(float, arguments.mixup.split(","))))
    found = [*try_baselines(bench, list(BASELINES)), *try_heads(bench, entries, arguments.jobs)]
    print(_heading(arguments, bench.plan.table), "", *_table(found, bench), sep="\n")


def make_bench(store: Path, labels: Path, folds: int, seeds: int, recipe: TrainConfig) -> Bench:
    """Return a bench with splits by the column `group` into folds, and by the column `set` if it has two values."""
    config = SplitConfig(validation_size=0, group_by="group")
    with EmbeddingStore(store) as opened:
        table = read_labels(opened, labels, group_by="group")
    by_set = _split_by_set(labels, table)
    splits = {seed: (*fold_table(table, folds, replace(config, seed=seed)), *by_set.values()) for seed in range(seeds)}
    return Bench(TrialPlan(store, table, splits, recipe), folds, tuple(by_set))


def try_baselines(bench: Bench, names: Sequence[str]) -> list[Found]:
    """Return the results of baselines on all splits of all seeds."""
    plan, found = bench.plan, []
    with EmbeddingStore(plan.store) as store:
        dataset = LabelledSet.read(store, plan.table)
    for name in names:
        learn, describe = BASELINES[name]
        described = replace(dataset, videos=_describe_videos(dataset.videos, describe))
        predicted, started = {}, perf_counter()
        for trial in bench.trials((name, 0.0)):
            split = plan.split_of(trial)
            probabilities = learn(described, split.indices("train"))
            predicted[trial] = decide_labels(probabilities[split.indices("test")], None)
        found.append(Found((name, 0.0), predicted, (perf_counter() - started) / len(predicted)))
    return found


def try_heads(bench: Bench, entries: Sequence[Entry], jobs: int) -> list[Found]:
    """Return the results of heads that are trained on all splits of all seeds."""
    trials = [trial for entry in entries for trial in bench.trials(entry)]
    results = {}
    for result in tqdm(run_trials(bench.plan, trials, jobs), total=len(trials), unit="training"):
        results[result.trial] = result
    found = []
    for entry in entries:
        own = [results[trial] for trial in bench.trials(entry)]
        seconds = mean(result.seconds for result in own if result.trial.fold < bench.folds)
        found.append(Found(entry, {result.trial: result.predicted for result in own}, seconds))
    return found


def _embed(arguments: argparse.Namespace) -> Path:
    views = tuple(arguments.views.split(","))
    kind = "-".join([arguments.model, str(arguments.frames_count), *(views if len(views) > 1 else ())])
    store: Path = arguments.store or ROOT / "build" / f"benchmark-{kind}.h5"
    store.parent.mkdir(parents=True, exist_ok=True)
    config = EmbedConfig(model=arguments.model, sampling=UniformFrames(arguments.frames_count), views=views)
    embed_videos([arguments.folder], store, config)
    return store


def _split_by_set(labels: Path, table: LabelTable) -> dict[str, Split]:
    """Return, for the name of each set, the split that trains on it and tests on the other; empty without two sets."""
    with labels.open(encoding="utf-8", newline="") as file:
        set_of = {row["path"]: row.get("set", "") for row in csv.DictReader(file)}
    names = sorted({set_of[video_id] for video_id in table.ids})
    return {
        name: Split(table.ids, tuple("train" if set_of[id_] == name else "test" for id_ in table.ids), table.groups)
        for name in (names if len(names) == 2 else ())
    }


def _describe_videos(videos: Videos, describe: Callable[[Rows], Rows]) -> VideoSet:
    """Return the videos with one row each."""
    shape = videos.view_count, -1, videos.dimension
    rows = [videos.rows_of(np.array([index])).astype(np.float64).reshape(shape) for index in range(len(videos))]
    return VideoSet(videos.ids, np.stack([describe(views) for views in rows]), np.ones(len(rows), dtype=np.int64))


def _table(found: Sequence[Found], bench: Bench) -> list[str]:
    figures = ["micro-F1, mean", "std", "interval", "over the mean", "over 8 bins"]
    head = ["head", "mixup", *figures, *bench.ways, "seconds"]
    predicted = {one.entry: one.by_fold(bench) for one in found}
    lines = [f"| {' | '.join(head)} |", "| --- |" + " --- |" * (len(head) - 1)]
    for one in found:
        name, mixup = one.entry
        scores = one.seed_scores(bench)
        spread = f"{stdev(scores):.3f}" if len(scores) > 1 else "-"
        cells = [name, "-" if name in BASELINES else f"{mixup:g}", f"{mean(scores):.3f}", spread]
        floors = [None if floor == name else predicted[floor, 0.0] for floor in (MEAN, BINS)]
        cells += describe_intervals(predicted[one.entry], floors, bench.plan.table)
        cells += [f"{score:.3f}" for score in one.set_scores(bench)]
        lines.append(f"| {' | '.join([*cells, f'{one.seconds:.2f}'])} |")
    return lines


def describe_intervals(
    own: NDArray[np.bool_], floors: Sequence[NDArray[np.bool_] | None], table: LabelTable
) -> list[str]:
    """Return the interval of a micro-F1, and the paired difference to each floor with its interval; "-" for None.

    Args:
        own: (S, N, C), labels predicted with each seed.
        floors: the same for each baseline.
        table: the true labels of N videos.
    """
    seeds, _, class_count = own.shape
    targets, groups = np.tile(table.targets, (seeds, 1)), (table.groups or table.ids) * seeds
    flat = own.reshape(-1, class_count)
    interval = bootstrap_labels(targets, flat, groups=groups)["micro_f1"]
    cells = [f"{interval.low:.3f} to {interval.high:.3f}"]
    for floor in floors:
        if floor is None:
            cells.append("-")
            continue
        found = bootstrap_difference(targets, floor.reshape(-1, class_count), flat, groups=groups)["micro_f1"]
        cells.append(f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})")
    return cells


def _heading(arguments: argparse.Namespace, table: LabelTable) -> str:
    data = f"{arguments.folder.name}: {len(table.ids)} videos, {len(table.names)} labels"
    frames = f"{arguments.frames_count} frames, of which heads see {arguments.max_frames or 'all'}"
    frames += f" on {arguments.project} principal components" if arguments.project else ""
    vectors = f"{arguments.model}, {frames}, views {arguments.views.replace(',', ', ')}"
    way = f"{arguments.folds} folds by group x {arguments.seeds} seeds"
    recipe = f"epochs: {arguments.epochs or 'default'}, learning rate: {arguments.learning_rate or 'default'}"
    machine = f"{_processor()}, parallel training runs: {arguments.jobs}, torch {torch.__version__}, {date.today()}"
    return f"{data}; {vectors}; {way}; {recipe}.\n{machine}."


def _processor() -> str:
    info = Path("/proc/cpuinfo")  # Linux only; on other systems the architecture is shown
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} cores of {names[0] if names else platform.machine()}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    clips = ROOT.parent / "shared" / "data" / "ut_interaction6"
    add("folder", nargs="?", type=Path, default=clips, help="the clips; default: UT-Interaction beside the project")
    add("--model", default="efficientnet-lite0", help="the encoder; default: %(default)s")
    add("--frames-count", type=int, default=32, help="frames embedded per clip; default: %(default)s")
    add("--views", default="centre", help="views of each frame, as in embed-videos; default: %(default)s")
    heads = "linear,statistics,motion,transformer,random-frame"
    add("--arch", default=heads, help="heads, or all; default: %(default)s")
    add("--mixup", default="0,0.4", help="mixup alphas, each of which is measured; default: %(default)s")
    add("--store", type=Path, help="the store of vectors, made if it is absent; default: a file below build/")
    add("--folds", type=int, default=5, help="folds per seed; default: %(default)s")
    add("--seeds", type=int, default=5, help="number of seeds; default: %(default)s")
    add("--epochs", type=int, help="epochs per training run; default: the recipe's")
    add("--learning-rate", type=float, help="learning rate; default: the recipe's")
    add("--max-frames", type=int, help="the maximum number of frames of a clip that heads see; default: all")
    add("--project", type=int, help="the number of principal components that heads see; default: all dimensions")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="parallel training runs; default: one per core")
    return parser.parse_args()


if __name__ == "__main__":
    main()
