"""What benchmark_accuracy.py measures, and what it finds: baselines and heads, trained on each fold of each seed."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from accuracy_baselines import BASELINES, Rows
from numpy.typing import NDArray
from tqdm import tqdm

from classify import LabelledSet, Split, SplitConfig, TrainConfig, VideoSet, decide_labels, read_labels, train_head
from classify.comparison import AUTO, BUDGET_S, Trial, TrialPlan
from classify.data import LabelTable, fold_table
from classify.measures import calibrate, micro_f1
from classify.training import Videos, take_videos
from embed import EmbeddingStore

Entry = tuple[str, float]
"""A baseline or a head, and its mixup."""


@dataclass(frozen=True)
class Bench:
    """What is measured.

    Args:
        plan: store, labels, recipe, and the splits of each seed: those by folds, then those by set.
        labels: the label file.
        folds: the number of folds.
        sets: names of the two sets, the one to train on first; empty if there are no two sets.
    """

    plan: TrialPlan
    labels: Path
    folds: int
    sets: tuple[str, ...]

    @property
    def ways(self) -> list[str]:
        """Return the names of the training runs by set, in the order of `Found.set_scores`."""
        return [f"{one} to {other}" for one, other in zip(self.sets, reversed(self.sets), strict=True)]

    def without_sets(self) -> "Bench":
        """Return the same without the splits by set."""
        splits = {seed: own[: self.folds] for seed, own in self.plan.splits.items()}
        return replace(self, plan=replace(self.plan, splits=splits), sets=())

    def trials(self, entry: Entry) -> Iterator[Trial]:
        """Return the trials of a head or baseline."""
        counts = {seed: len(splits) for seed, splits in self.plan.splits.items()}
        return (Trial(*entry, seed, fold) for seed, count in counts.items() for fold in range(count))


@dataclass(frozen=True)
class Found:
    """The results of one head or baseline.

    Args:
        entry: the head or baseline.
        probabilities: trial -> probabilities of its test videos, (n, C).
        seconds: the mean duration of a training run by folds.
        temperatures: trial -> the temperature at which a head gives them; empty for a baseline.
    """

    entry: Entry
    probabilities: Mapping[Trial, NDArray[np.floating]]
    seconds: float
    temperatures: Mapping[Trial, float] = field(default_factory=dict)

    @property
    def plain(self) -> "Found":
        """The same at temperature 1."""
        probabilities = {
            trial: calibrate(found, 1 / self.temperatures.get(trial, 1.0), is_single_label=True)
            for trial, found in self.probabilities.items()
        }
        return replace(self, probabilities=probabilities, temperatures={})

    def by_fold(self, bench: Bench) -> NDArray[np.float64]:
        """Return the probabilities on all folds together, (S, N, C): each video was held out once per seed."""
        together = np.zeros((len(bench.plan.splits), *bench.plan.table.targets.shape))
        place_of = {seed: place for place, seed in enumerate(bench.plan.splits)}
        for trial, found in self.probabilities.items():
            if trial.fold < bench.folds:
                together[place_of[trial.seed], bench.plan.split_of(trial).indices("test")] = found
        return together

    def labels_by_fold(self, bench: Bench) -> NDArray[np.bool_]:
        """Return the labels given on all folds together, (S, N, C)."""
        return np.stack([decide_labels(found, None) for found in self.by_fold(bench)])

    def seed_scores(self, bench: Bench) -> list[float]:
        """Return the micro-F1 of each seed."""
        return [micro_f1(bench.plan.table.targets, predicted) for predicted in self.labels_by_fold(bench)]

    def set_scores(self, bench: Bench) -> list[float]:
        """Return the micro-F1 on each set when trained on the other, as the mean over the seeds."""
        targets, scores = bench.plan.table.targets, []
        for fold in range(bench.folds, bench.folds + len(bench.sets)):
            own = [(trial, decide_labels(one, None)) for trial, one in self.probabilities.items() if trial.fold == fold]
            tested = [(targets[bench.plan.split_of(trial).indices("test")], predicted) for trial, predicted in own]
            scores.append(mean(micro_f1(*pair) for pair in tested))
        return scores


def make_bench(store: Path, labels: Path, folds: int, seeds: Sequence[int], recipe: TrainConfig) -> Bench:
    """Return a bench with splits by the column `group` into folds, and by the column `set` if it has two values."""
    config = SplitConfig(validation_size=0, group_by="group")
    with EmbeddingStore(store) as opened:
        table = read_labels(opened, labels, group_by="group")
    by_set = _split_by_set(labels, table)
    splits = {seed: (*fold_table(table, folds, replace(config, seed=seed)), *by_set.values()) for seed in seeds}
    return Bench(TrialPlan(store, table, splits, recipe), labels, folds, tuple(by_set))


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
            predicted[trial] = learn(described, split.indices("train"))[split.indices("test")]
        found.append(Found((name, 0.0), predicted, (perf_counter() - started) / len(predicted)))
    return found


def try_heads(bench: Bench, entries: Sequence[Entry], jobs: int, budget_s: float = BUDGET_S) -> list[Found]:
    """Return the results of heads that are trained on all splits of all seeds; `budget_s` is for `auto` alone."""
    tasks = [(bench, trial, budget_s) for entry in entries for trial in bench.trials(entry)]
    with ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        results = list(tqdm(pool.map(_train, tasks), total=len(tasks), unit="training"))
    tested = {trial: result for (_, trial, _), result in zip(tasks, results, strict=True)}
    found = []
    for entry in entries:
        own = {trial: tested[trial] for trial in bench.trials(entry)}
        seconds = mean(one.seconds for trial, one in own.items() if trial.fold < bench.folds)
        probabilities = {trial: one.probabilities for trial, one in own.items()}
        found.append(Found(entry, probabilities, seconds, {trial: one.temperature for trial, one in own.items()}))
    return found


@dataclass(frozen=True)
class _Tested:
    """What one head gives its test videos, (n, C), at its temperature, and the seconds of its training."""

    probabilities: NDArray[np.floating]
    temperature: float
    seconds: float


def _train(task: tuple[Bench, Trial, float]) -> _Tested:
    """Train one head on one split, as `train-head` does."""
    bench, trial, budget_s = task
    plan, split = bench.plan, bench.plan.split_of(trial)
    with TemporaryDirectory() as folder, EmbeddingStore(plan.store) as store:
        path = Path(folder, "split.csv")
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("id", "part", "group"))
            writer.writerows(zip(split.ids, split.parts, split.groups or split.ids, strict=True))
        budget = budget_s if trial.name == AUTO else None
        config, head = _config_of(plan, trial), Path(folder, "head")
        report = train_head(plan.store, path, head, labels=bench.labels, config=config, budget_s=budget)
        videos = take_videos(LabelledSet.read(store, plan.table).videos, split.indices("test"))
        found = report.classifier.predict_probabilities(videos, device="cpu")
    seconds = report.seconds + (report.selection.seconds if report.selection else 0.0)
    return _Tested(found, report.classifier.temperature, seconds)


def _config_of(plan: TrialPlan, trial: Trial) -> TrainConfig:
    """Return the recipe of a trial; `auto` chooses most of its own."""
    if trial.name != AUTO:
        return plan.config_of(trial)
    return TrainConfig(arch=AUTO, seed=trial.seed, max_frames=plan.recipe.max_frames, device=plan.recipe.device)


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
