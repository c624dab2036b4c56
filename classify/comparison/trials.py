"""Trials: training runs on all folds of a set but one, each tested on that fold, in one process per core.

Every process has one thread, since threads are slow when two small training runs share two cores; so the figures do not
depend on the number of processes. The folds of a seed train together if the head allows it (`fit_heads`).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from signal import SIGINT, signal
from threading import Thread
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from classify.comparison.baselines import (
    ZERO_SHOT,
    choose_thresholds,
    is_baseline,
    list_quick_baselines,
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
    """One training run, on all folds of a seed but one.

    Args:
        name: a head's architecture, or a baseline.
        mixup: alpha; 0 is off, as for all baselines.
        seed: seed of the folds and of the training run.
        fold: the fold that is held out, from 0.
    """

    name: str
    mixup: float
    seed: int
    fold: int


@dataclass(frozen=True)
class TrialResult:
    """The result of a trial.

    Args:
        trial: the trial.
        predicted: (n, C) bool, labels given to the videos of the held-out fold, in the order of the table.
        micro_f1, macro_f1, mean_average_precision: figures of these videos alone.
        seconds: time of the training run.
        parameters: number of parameters that the head learned; 0 for a baseline.
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
    """What all trials of a comparison share; it is sent to the processes.

    Args:
        store: the store's path.
        table: the videos that take part, with their labels.
        splits: seed -> the split of each fold. Test videos choose nothing.
        recipe: how heads are trained, except architecture, mixup and seed.
        label_vectors: (C, D), the labels' vectors for zero-shot; None without it.
    """

    store: Path
    table: LabelTable
    splits: Mapping[int, Sequence[Split]]
    recipe: TrainConfig
    label_vectors: NDArray[np.float32] | None = None

    def config_of(self, trial: Trial) -> TrainConfig:
        """Return the recipe of one trial, without the options that its head does not take."""
        return replace(with_head(self.recipe, trial.name), mixup=trial.mixup, seed=trial.seed)

    def list_standard_baselines(self) -> list[str]:
        """Return the baselines that every comparison can afford on these videos."""
        with EmbeddingStore(self.store) as store:
            sizes = len(self.table.ids), store.dimension, len(self.table.names)
        is_multi_label = bool((self.table.targets.sum(axis=1) != 1).any())
        return list_quick_baselines(*sizes, is_multi_label=is_multi_label)

    def split_of(self, trial: Trial) -> Split:
        """Return the split of one trial."""
        return self.splits[trial.seed][trial.fold]


def default_jobs(device: str) -> int:
    """Return the number of training runs at the same time on a device of `TrainConfig`: one per core, one on a GPU.

    Each holds the videos in memory, and a GPU has less memory than the machine.

    Raises:
        TrainError: this machine has no such device.
    """
    return 1 if find_device(device).type == "cuda" else core_count()


def run_trials(plan: TrialPlan, trials: Sequence[Trial], jobs: int) -> Iterator[TrialResult]:
    """Run trials, and yield their results as they come; what cannot be trained is refused before the first trial.

    Args:
        plan: what the trials share.
        trials: trials in any order.
        jobs: number of processes; 1 runs the trials in this process.

    Raises:
        TrainError: a head cannot be trained as asked, or a process died.
        HeadError: a head does not exist, or cannot take such vectors or options.
    """
    tasks = list(_group(plan, trials))
    _refuse_untrainable_folds(plan, trials)
    process_count = min(jobs, len(tasks))
    return _run_in_processes(plan, tasks, process_count) if process_count > 1 else _run_here(plan, tasks)


def _group(plan: TrialPlan, trials: Sequence[Trial]) -> Iterator[tuple[Trial, ...]]:
    """Yield tasks: if a head pools, all folds of a seed are one task, so that they train together."""
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
    """Refuse folds that no head can learn from; this depends on neither head nor mixup."""
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
            "A process that trained a head was killed, perhaps because memory ran out. Run the same command with fewer "
            "--jobs: it goes on from here."
        ) from error
    finally:  # Ctrl-C, an error, or the caller stopped reading: do not wait for results that nobody will read
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(active_children()) - others:
            process.terminate()


_bench: "_Bench"  # a worker process's own


def _start_worker(plan: TrialPlan, jobs: int) -> None:
    global _bench
    signal(SIGINT, lambda *_: os._exit(130))  # the parent prints the message
    Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _bench = _Bench.read(plan, EmbeddingStore(plan.store), shared_by=jobs)


def _end_with_parent() -> None:
    """End this process once its parent has ended: a killed parent cannot end it, and it would wait for ever."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _run_task(task: tuple[Trial, ...]) -> list[TrialResult]:
    return _bench.run(task)


@dataclass(frozen=True)
class _Bench:
    """The videos and the plan of their trials; the store stays open."""

    plan: TrialPlan
    dataset: LabelledSet

    @classmethod
    def read(cls, plan: TrialPlan, store: EmbeddingStore, *, shared_by: int = 1) -> "_Bench":
        recipe = plan.recipe
        videos = LabelledSet.read(store, plan.table, stream=recipe.stream, device=recipe.device, shared_by=shared_by)
        return cls(plan, videos)

    def run(self, task: tuple[Trial, ...]) -> list[TrialResult]:
        """Run trials that train together, and return their results."""
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
            if self.dataset.is_multi_label:  # 0.5 has no meaning for closeness: thresholds come from training videos
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
