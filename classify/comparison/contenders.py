"""The table of a comparison: what each contender reached, and whether that is more than chance."""

from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import stdev
from typing import Any

from classify.measures import Interval

BEST = "the best"
NO_DIFFERENCE = "no difference seen"


@dataclass(frozen=True)
class Contender:
    """What one head, at one mixup, or a baseline reached.

    Args:
        name: the head's architecture, or the baseline.
        mixup: alpha; None for a baseline.
        micro_f1: of all tests of all seeds together, with its interval over other videos.
        seed_scores: micro-F1 of each seed.
        macro_f1: of all tests together.
        mean_average_precision: mean over the folds.
        seconds: of a training, on the average.
        parameters: numbers that the head learns; 0 for a baseline.
        over_baseline: by how much its micro-F1 is higher than that of the best baseline; None for that one itself, and
            without baselines. Its interval is wide enough for all contenders' differences together.
        over_best: by how much it is higher (lower, that is) than that of the best contender; None for that one itself.
            With an interval as above.
        over_no_mixup: by how much it is higher than that of the same head without mixup; None without mixup, and where
            that one was not compared. Its interval is wide enough for all such differences together.
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
        """Standard deviation (n - 1) over the seeds; None where there is one."""
        return stdev(self.seed_scores) if len(self.seed_scores) > 1 else None


@dataclass(frozen=True)
class Comparison:
    """What `compare_heads` found.

    Args:
        folder: where it lies.
        contenders: the best first.
        folds, seeds: how often each was trained.
        unit: what the intervals' draws are made of, "groups" or "videos".
        unit_count: how many of them there are.
        notes: sentences about what was left out, or cannot be learned.
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
        """The baseline that all others are held against."""
        baselines = (found for found in self.contenders if found.mixup is None)
        # Not the first: its figure of all seeds together may be higher than that of the best by the seeds' mean.
        return next((found for found in baselines if found.over_baseline is None), None)

    @property
    def differences(self) -> dict[str, tuple[Interval | None, ...]]:
        """What is subtracted -> the difference of each contender; without what is subtracted from none."""
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
    """Say what a difference means: "better", "worse", or that none was seen since its interval holds 0.

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
