"""The choice of a head and its recipe by cross-validation inside the training videos, in a given time.

Candidates race over folds (race.py). The first candidate, the default of `train-head`, is never dropped, so the chosen
candidate is no worse on the same folds. Last, an average of the best few is chosen instead where it is better on videos
that took no part in selecting it (ensembles.py). Validation and test videos are not used.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.comparison.budget import Budget, Stopwatch
from classify.comparison.ensembles import Library, choose_best, gain_of_average, select_average, selection_s
from classify.comparison.race import Candidate, Race, describe_candidate
from classify.data import LabelTable, fold_videos
from classify.errors import ClassifyError, TrainError
from classify.heads import HEADS
from classify.training import HeldOut, LabelledSet, Member, TrainConfig, VideoSet, find_device
from embed.machine import counted

AUTO = "auto"
"""The architecture that stands for a choice."""

BUDGET_S = 60.0
"""Default seconds for choosing and training."""

_CHOSEN = ("arch", "mixup", "epochs", "learning_rate", "weight_decay", "schedule", "project")
_FOLDS = 5
_PARTITIONS = 4  # into folds, each drawn anew
_MOST_VIDEOS = 1000  # for choosing: heads that need more videos to be good are at a disadvantage
_LIBRARY = 10  # candidates of which an average is made


@dataclass(frozen=True)
class Tried:
    """The results of one candidate.

    Args:
        settings: the settings in which candidates differ.
        scores: micro-F1 of each fold that it was tested on; every candidate has the same folds in the same order.
        seconds: mean time of one fold; None if no fold ended.
        outcome: "chosen", "averaged" (it is part of the average that was chosen), "dropped" (others were better),
            "failed", "too slow" for the budget, or "not reached" within it.
        weight: its share in the average; None if it is in none.
    """

    settings: dict[str, Any]
    scores: tuple[float, ...]
    seconds: float | None
    outcome: str
    weight: float | None = None


@dataclass(frozen=True)
class Selection:
    """The chosen recipe, and all candidates.

    Args:
        config: the best single recipe.
        tried: all candidates; the first is the linear head with its default recipe.
        seconds: time of the choice, as the budget counts it.
        budget_s: seconds for choosing and training.
        members: what is trained: that recipe alone, or the heads of an average.
        common_folds: number of folds on which the last candidates in the race were compared.
        average_gain: micro-F1 of an average minus that of a single candidate, both selected without the videos that
            they are compared on; None if none was made.
        held_out: what it gives training videos; None if nothing was tested on all of them.
        notes: a sentence for each head that failed.
    """

    config: TrainConfig
    tried: tuple[Tried, ...]
    seconds: float
    budget_s: float
    members: tuple[Member, ...] = ()
    common_folds: int = 0
    average_gain: float | None = None
    held_out: HeldOut | None = None
    notes: tuple[str, ...] = ()

    @property
    def chosen(self) -> Tried:
        """The single candidate that was chosen, or the one with the largest weight in the average."""
        return max(self.tried, key=lambda found: (found.outcome == "chosen", found.weight or 0.0))

    @property
    def gain(self) -> float | None:
        """Its micro-F1 minus the first candidate's, on the folds that both have; None if nothing was tested."""
        return self.gain_of(self.chosen)

    def gain_of(self, found: Tried) -> float | None:
        """Return a candidate's micro-F1 minus the first candidate's, on the folds that both have; None without any."""
        pairs = list(zip(found.scores, self.tried[0].scores, strict=False))
        return mean(own - other for own, other in pairs) if pairs else None

    def to_json(self) -> dict[str, Any]:
        """Return the selection JSON-ready, without the predictions on held-out videos."""
        return {
            "config": asdict(self.config),
            "tried": [asdict(found) for found in self.tried],
            "seconds": self.seconds,
            "budget_s": self.budget_s,
            "members": [asdict(member) for member in self.members],
            "common_folds": self.common_folds,
            "average_gain": self.average_gain,
            "notes": self.notes,
        }


def choose_recipe(
    dataset: LabelledSet,
    table: LabelTable,
    train: NDArray[np.int64],
    candidates: Sequence[TrainConfig],
    *,
    budget_s: float = BUDGET_S,
    clock: Callable[[], float] | None = None,
) -> Selection:
    """Choose a recipe, and leave enough of the budget to train with it.

    If there is time for all tests, the same arguments choose the same recipe.

    Args:
        dataset: videos and labels; only those at `train` are used.
        table: the same videos with their groups, which stay whole.
        train: (n,) indices into the dataset.
        candidates: as from `classify.comparison.candidates`; the first is the one to beat.
        budget_s: seconds for choosing and training; if they are too few for any test, the first is chosen untested.
        clock: a function that returns seconds; None is a `Stopwatch`.

    Raises:
        TrainError: the budget is not above 0, or the training videos cannot be cross-validated.
    """
    if not budget_s > 0:
        raise TrainError(f"The budget is {budget_s:g} s. Use a number of seconds above 0.")
    clock = clock or _stopwatch(dataset, candidates[0])
    started, seed = clock(), candidates[0].seed
    looked_at = np.sort(np.random.default_rng(seed).permutation(train)[:_MOST_VIDEOS])
    own = dataset.take(looked_at)
    partitions = _partitions(table.take(looked_at), seed)
    budget = Budget(clock, started, budget_s, len(train) / len(looked_at))
    field = [describe_candidate(config, own) for config in candidates]
    race = Race(own, field, budget, catches=_errors_of)
    race.run(partitions)
    best = race.best
    best.outcome = "chosen"
    weights, gain = _average(race, own, partitions, budget, seed)
    members: tuple[Member, ...] = (Member(best.config, 1.0),)
    if weights:
        members = tuple(Member(found.config, weight) for found, weight in weights.items())
        for found in (best, *weights):
            found.outcome = "averaged" if found in weights else "dropped"
    return Selection(
        config=best.config,
        tried=tuple(_describe(found, weights.get(found)) for found in field),
        seconds=clock() - started,
        budget_s=budget_s,
        members=members,
        common_folds=race.common_count,
        average_gain=gain,
        held_out=_held_out(weights or {best: 1.0}, looked_at, partitions),
        notes=_note_failures(field),
    )


def _stopwatch(dataset: LabelledSet, config: TrainConfig) -> Stopwatch:
    """Return the clock of the budget: a GPU and a disk work while this thread waits."""
    is_local = isinstance(dataset.videos, VideoSet) and find_device(config.device).type == "cpu"
    return Stopwatch(counts_waiting=not is_local)


def _errors_of(config: TrainConfig) -> tuple[type[Exception], ...]:
    """Return the errors of a candidate that end its own tests only: another package's code may raise anything."""
    return (ClassifyError,) if config.arch in HEADS else (Exception,)


def _describe(found: Candidate, weight: float | None) -> Tried:
    settings = {name: getattr(found.config, name) for name in _CHOSEN}
    return Tried(settings, tuple(found.scores), found.fold_s if found.seconds else None, found.outcome, weight)


def _note_failures(field: Sequence[Candidate]) -> tuple[str, ...]:
    """Return a sentence for each head of which a candidate failed."""
    notes = {found.config.arch: found.note for found in field if found.outcome == "failed"}
    return tuple(f"The {arch} head failed in training and was left out: {note}" for arch, note in notes.items())


def _partitions(table: LabelTable, seed: int) -> list[list[NDArray[np.bool_]]]:
    """Return the videos that each fold of each partition holds out, (N,) bool.

    Raises:
        TrainError: no fold leaves two labels to learn from.
    """
    unit_count = len(set(table.groups or table.ids))
    folds: list[list[NDArray[np.bool_]]] = []
    for partition in range(_PARTITIONS if unit_count > 1 else 0):
        fold_of = fold_videos(table, min(_FOLDS, unit_count), seed=seed + partition)
        tests = [fold_of == fold for fold in range(fold_of.max() + 1)]
        folds.append([test for test in tests if table.targets[~test].any(axis=0).sum() > 1])
    if not any(folds):
        what = "video" if table.groups is None else "group"
        within = "" if table.groups is None else f" in {counted(unit_count, what)}"
        raise TrainError(
            f"{counted(len(table.ids), 'training video')}{within} cannot be cross-validated: "
            f"whatever is held out, fewer than two labels are left to learn. Add {what}s, or name a head with --arch."
        )
    return [tests for tests in folds if tests]


def _average(
    race: Race, own: LabelledSet, partitions: Sequence[Sequence[NDArray[np.bool_]]], budget: Budget, seed: int
) -> tuple[dict[Candidate, float], float | None]:
    """Return the weights of an average, if it is better and can be trained in time, and by how much it is better."""
    found = [one for one in race.ranked if one.can_join][:_LIBRARY]
    whole = [tests for end, tests in zip(_ends(partitions), partitions, strict=True) if end <= race.common_count]
    if race.best not in found or len(found) < 2 or not whole:
        return {}, None
    rows = [_gather(one, partitions, len(whole)) for one in found]
    library = Library(
        probabilities=np.stack([probabilities for _, probabilities in rows]),
        targets=own.targets[rows[0][0]],
        folds=np.argmax(np.stack(whole[0]), axis=0)[rows[0][0]],
        is_multi_label=own.is_multi_label,
    )
    if selection_s(library, budget.clock) > budget.left() / 2:
        return {}, None
    gain, weights = gain_of_average(library, seed, choose_best), select_average(library, seed)
    chosen = {one: float(weight) for one, weight in zip(found, weights, strict=True) if weight}
    has_time = budget.last_s(sum(one.alone_s for one in chosen)) < budget.left()
    return (chosen if gain > 0 and len(chosen) > 1 and has_time else {}), gain


def _ends(partitions: Sequence[Sequence[NDArray[np.bool_]]]) -> list[int]:
    """Return the number of folds up to the end of each partition."""
    return [int(end) for end in np.cumsum([len(tests) for tests in partitions])]


def _gather(
    found: Candidate, partitions: Sequence[Sequence[NDArray[np.bool_]]], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the places (R,) that the folds of the first `count` partitions held out, and the probabilities (R, C)."""
    tests = [test for tests in partitions[:count] for test in tests]
    places = np.concatenate([np.flatnonzero(test) for test in tests])
    return places, np.concatenate(found.probabilities[: len(tests)])


def _held_out(
    weights: dict[Candidate, float],
    looked_at: NDArray[np.int64],
    partitions: Sequence[Sequence[NDArray[np.bool_]]],
) -> HeldOut | None:
    """Return what an average gives held-out videos, of all partitions on which all its members were tested."""
    shared = min(len(found.scores) for found in weights)
    count = sum(end <= shared for end in _ends(partitions))
    if not count:
        return None
    rows = {found: _gather(found, partitions, count) for found in weights}
    places = next(iter(rows.values()))[0]
    mixed = sum((weight * rows[found][1] for found, weight in weights.items()), np.zeros(1, dtype=np.float32))
    return HeldOut(looked_at[places], np.asarray(mixed, dtype=np.float32))
