"""The table of a comparison: the figures of each contender, and which differences are more than chance."""

from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import stdev
from typing import Any

from classify.measures import Interval

BEST = "the best"
NO_DIFFERENCE = "no difference seen"


@dataclass(frozen=True)
class Contender:
    """The figures of one head with one mixup, or of a baseline.

    Args:
        name: the head's architecture, or the baseline.
        mixup: alpha; None for a baseline.
        micro_f1: micro-F1 of all tests of all seeds together, with its interval.
        seed_scores: micro-F1 of each seed.
        macro_f1: macro-F1 of all tests together.
        mean_average_precision: mean over the folds.
        seconds: mean time of a training run.
        parameters: number of parameters that the head learns; 0 for a baseline.
        over_baseline: its micro-F1 minus that of the best baseline; None for the best baseline itself, and without
            baselines. The intervals of all contenders hold together.
        over_best: its micro-F1 minus that of the best contender (0 or less); None for the best itself. The intervals of
            all contenders hold together.
        over_no_mixup: its micro-F1 minus that of the same head without mixup; None without mixup, and if that head was
            not compared. The intervals of all such differences hold together.
    """

    name: str
    mixup: float | None
    micro_f1: Interval
    seed_scores: tuple[float, ...]
    macro_f1: float
    mean_average_precision: float
    seconds: float
    parameters: int
    over_baseline: Interval | None
    over_best: Interval | None
    over_no_mixup: Interval | None

    @property
    def title(self) -> str:
        """Name and mixup."""
        return f"{self.name}, mixup {self.mixup:g}" if self.mixup else self.name

    @property
    def std(self) -> float | None:
        """Standard deviation (n - 1) over the seeds; None with one seed."""
        return stdev(self.seed_scores) if len(self.seed_scores) > 1 else None


@dataclass(frozen=True)
class Comparison:
    """The result of `compare_heads`.

    Args:
        folder: the folder of its files.
        contenders: all contenders, the best first.
        folds, seeds: each contender was trained folds x seeds times.
        unit: what the bootstrap draws, "groups" or "videos".
        unit_count: how many of them there are.
        notes: sentences about videos and labels that were left out or cannot be learned.
    """

    folder: Path
    contenders: tuple[Contender, ...]
    folds: int
    seeds: int
    unit: str
    unit_count: int
    notes: tuple[str, ...]

    @property
    def best_baseline(self) -> Contender | None:
        """The baseline that all other contenders are compared with; None without baselines."""
        baselines = (found for found in self.contenders if found.mixup is None)
        # Not the first baseline: the best has the highest mean over the seeds, the first the highest pooled figure.
        return next((found for found in baselines if found.over_baseline is None), None)

    @property
    def differences(self) -> dict[str, tuple[Interval | None, ...]]:
        """Name of what is subtracted -> the difference of each contender; without names for which all are None."""
        columns = {
            BEST: tuple(found.over_best for found in self.contenders),
            "no mixup": tuple(found.over_no_mixup for found in self.contenders),
        }
        if self.best_baseline is not None:
            columns = {self.best_baseline.name: tuple(found.over_baseline for found in self.contenders), **columns}
        return {name: column for name, column in columns.items() if any(column)}

    def to_json(self) -> dict[str, Any]:
        """Return the table JSON-ready."""
        best_baseline = self.best_baseline
        return {
            "folds": self.folds,
            "seeds": self.seeds,
            "intervals_over": {self.unit: self.unit_count},
            "best_baseline": None if best_baseline is None else best_baseline.name,
            "contenders": [{**asdict(found), "std": found.std, **_verdicts(found)} for found in self.contenders],
            "notes": self.notes,
        }


def verdict(difference: Interval | None) -> str:
    """Return what a difference means: "better", "worse", or if its interval contains 0, that no difference is seen.

    >>> verdict(Interval(0.05, 0.01, 0.09)), verdict(Interval(0.05, -0.01, 0.11)), verdict(Interval(-0.2, -0.3, -0.1))
    ('better', 'no difference seen', 'worse')
    """
    if difference is None:
        return ""
    if difference.low <= 0 <= difference.high:
        return NO_DIFFERENCE
    return "better" if difference.value > 0 else "worse"


def _verdicts(found: Contender) -> dict[str, str]:
    return {
        "against_baseline": verdict(found.over_baseline),
        "against_best": verdict(found.over_best),
        "against_no_mixup": verdict(found.over_no_mixup),
    }
