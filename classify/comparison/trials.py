"""Train on all folds of a set but one, and predict that one: again and again, in as many processes as there are cores.

Every process has one thread, since two small trainings do not share two cores well by threads; so the figures do not
depend on how many run at once. The folds of a seed train together where the head lets them (`fit_heads`).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import active_children, get_context
from pathlib import Path
from signal import SIGINT, signal
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from classify.comparison.baselines import (
    ZERO_SHOT,
    choose_thresholds,
    is_baseline,
    predict_baseline,
    predict_zero_shot,
)
from classify.data import PARTS, LabelTable, Split
from classify.errors import TrainError
from classify.measures import decide_labels, measure, rank, tune_thresholds
from classify.training import (
    LabelledSet,
    TrainConfig,
    TrainJob,
    configure_head,
    find_device,
    fit_heads,
    on_one_thread,
    predict_probabilities,
    refuse_untrainable,
    take_videos,
    with_head,
)
from embed.machine import core_count
from embed.store import EmbeddingStore


@dataclass(frozen=True, order=True)
class Trial:
    """One training: all folds of a seed but one.

    Args:
        name: a head's architecture, or a baseline.
        mixup: alpha; 0 is off, as with all baselines.
        seed: of folds and training.
        fold: the one held out, from 0.
    """

    name: str
    mixup: float
    seed: int
    fold: int


@dataclass(frozen=True)
class TrialResult:
    """What a trial gave.

    Args:
        trial: which.
        predicted: (n, C) bool, labels given to the videos of the held-out fold, in the order of the table.
        micro_f1, macro_f1, mean_average_precision: of these alone.
        seconds: the training's.
        parameters: numbers that the head learned; 0 for a baseline.
    """

    trial: Trial
    predicted: NDArray[np.bool_]
    micro_f1: float
    macro_f1: float
    mean_average_precision: float
    seconds: float
    parameters: int


@dataclass(frozen=True)
class TrialPlan:
    """What every trial of a comparison shares; it travels to the processes.

    Args:
        store: the store's path.
        table: the videos that take part, and what they show.
        splits: seed -> the split of each fold. Test videos choose nothing.
        recipe: how heads are trained, but for architecture, mixup and seed.
        label_vectors: (C, D), what zero-shot holds videos against; None where it takes no part.
    """

    store: Path
    table: LabelTable
    splits: Mapping[int, Sequence[Split]]
    recipe: TrainConfig
    label_vectors: NDArray[np.float32] | None = None

    def config_of(self, trial: Trial) -> TrainConfig:
        """Return the recipe of one trial, without what other heads alone can be given."""
        return replace(with_head(self.recipe, trial.name), mixup=trial.mixup, seed=trial.seed)

    def split_of(self, trial: Trial) -> Split:
        """Return the split of one trial."""
        return self.splits[trial.seed][trial.fold]


def default_jobs(device: str) -> int:
    """Return how many trainings to run at once on a device of `TrainConfig`: one a core, but on a GPU one.

    Each holds the videos for itself, and a GPU has less memory than the machine.

    Raises:
        TrainError: there is no such device here.
    """
    return 1 if find_device(device).type == "cuda" else core_count()


def run_trials(plan: TrialPlan, trials: Sequence[Trial], jobs: int) -> Iterator[TrialResult]:
    """Run trials, and give their results as they come; what cannot be trained is refused before the first runs.

    Args:
        plan: what they share.
        trials: in any order.
        jobs: processes; 1 runs them in this one.

    Raises:
        TrainError: a head cannot be trained as asked, or a process died.
        HeadError: there is no such head, or it cannot take such vectors or options.
    """
    tasks = list(_group(plan, trials))
    _refuse_untrainable_folds(plan, trials)
    process_count = min(jobs, len(tasks))
    return _run_in_processes(plan, tasks, process_count) if process_count > 1 else _run_here(plan, tasks)


def _group(plan: TrialPlan, trials: Sequence[Trial]) -> Iterator[tuple[Trial, ...]]:
    """Put the folds of a seed into one task where the head pools, so that they train at once."""
    together: dict[object, list[Trial]] = {}
    for trial in trials:
        key = (trial.name, trial.mixup, trial.seed) if _is_pooling(plan, trial) else trial
        together.setdefault(key, []).append(trial)
    for task in together.values():
        yield tuple(task)


def _is_pooling(plan: TrialPlan, trial: Trial) -> bool:
    if is_baseline(trial.name):
        return False
    with EmbeddingStore(plan.store) as store, torch.device("meta"):
        return configure_head(plan.config_of(trial), store.dimension, len(plan.table.names)).pools


def _refuse_untrainable_folds(plan: TrialPlan, trials: Sequence[Trial]) -> None:
    """Refuse folds that no head can learn from; what is asked of them does not differ by head or mixup."""
    for seed, fold in sorted({(trial.seed, trial.fold) for trial in trials if not is_baseline(trial.name)}):
        split = plan.splits[seed][fold]
        try:
            refuse_untrainable(plan.table.targets, split.indices("train"), split.indices("validation"), plan.recipe)
        except TrainError as error:
            raise TrainError(f"Fold {fold + 1} of seed {seed} cannot be trained on. {error}") from error


def _run_here(plan: TrialPlan, tasks: Sequence[tuple[Trial, ...]]) -> Iterator[TrialResult]:
    with EmbeddingStore(plan.store) as store:
        bench = _Bench.read(plan, store)
        for task in tasks:
            with on_one_thread():
                results = bench.run(task)
            yield from results


def _run_in_processes(plan: TrialPlan, tasks: Sequence[tuple[Trial, ...]], jobs: int) -> Iterator[TrialResult]:
    others = set(active_children())
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _start_worker, (plan, jobs))
    try:
        running: list[Future[list[TrialResult]]] = [pool.submit(_run_task, task) for task in tasks]
        for done in as_completed(running):
            yield from done.result()
        pool.shutdown()
    except BrokenProcessPool as error:
        raise TrainError(
            "A process that trained a head was killed, perhaps for want of memory. Take fewer --jobs; --resume goes on."
        ) from error
    finally:  # Ctrl-C, an error, or the caller has had enough: nobody waits for trainings that nobody will read
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(active_children()) - others:
            process.terminate()


_bench: "_Bench"  # a worker process's own


def _start_worker(plan: TrialPlan, jobs: int) -> None:
    global _bench
    signal(SIGINT, lambda *_: os._exit(130))  # the parent says what there is to say
    torch.set_num_threads(1)
    _bench = _Bench.read(plan, EmbeddingStore(plan.store), shared_by=jobs)


def _run_task(task: tuple[Trial, ...]) -> list[TrialResult]:
    return _bench.run(task)


@dataclass(frozen=True)
class _Bench:
    """The videos, and what to do with them; their store stays open."""

    plan: TrialPlan
    dataset: LabelledSet

    @classmethod
    def read(cls, plan: TrialPlan, store: EmbeddingStore, *, shared_by: int = 1) -> "_Bench":
        recipe = plan.recipe
        videos = LabelledSet.read(store, plan.table, stream=recipe.stream, device=recipe.device, shared_by=shared_by)
        return cls(plan, videos)

    def run(self, task: tuple[Trial, ...]) -> list[TrialResult]:
        """Run trials that train at once."""
        if is_baseline(task[0].name):
            return [self._run_baseline(trial) for trial in task]
        jobs = [self._job(trial) for trial in task]
        results = []
        for trial, run in zip(task, fit_heads(self.dataset, jobs), strict=True):
            tested = take_videos(self.dataset.videos, self.plan.split_of(trial).indices("test"))
            found = predict_probabilities(run.head, tested, run.thresholds, device=run.config.device)
            parameters = sum(parameter.numel() for parameter in run.head.parameters())
            results.append(self._measure(trial, found, run.thresholds, run.seconds, parameters))
        return results

    def _job(self, trial: Trial) -> TrainJob:
        split = self.plan.split_of(trial)
        return TrainJob(split.indices("train"), split.indices("validation"), self.plan.config_of(trial))

    def _run_baseline(self, trial: Trial) -> TrialResult:
        started = perf_counter()
        train, validation, test = (self.plan.split_of(trial).indices(part) for part in PARTS)
        targets, thresholds = self.dataset.targets, None
        if trial.name == ZERO_SHOT:
            assert self.plan.label_vectors is not None
            found = predict_zero_shot(self.dataset.videos, self.plan.label_vectors)
            if self.dataset.is_multi_label:  # nearness has no half: training videos tell from where on it is near
                thresholds = tune_thresholds(found[train], targets[train], "micro-f1")
        else:
            found = predict_baseline(trial.name, self.dataset, train)
            if self.dataset.is_multi_label:
                thresholds = choose_thresholds(found[validation], targets[validation], self.plan.recipe.thresholds)
        return self._measure(trial, found[test], thresholds, perf_counter() - started, 0)

    def _measure(
        self,
        trial: Trial,
        probabilities: NDArray[np.floating],
        thresholds: tuple[float, ...] | None,
        seconds: float,
        parameters: int,
    ) -> TrialResult:
        test = self.plan.split_of(trial).indices("test")
        targets = self.dataset.targets[test]
        predicted = decide_labels(probabilities, thresholds)
        found = measure(targets, predicted, self.dataset.names)
        ranking = rank(targets, probabilities)
        return TrialResult(
            trial, predicted, found.micro_f1, found.macro_f1, ranking.mean_average_precision, seconds, parameters
        )
