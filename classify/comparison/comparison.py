"""Heads, mixup and baselines compared on one set: cross-validated by group, over several seeds, in one run.

For each seed the folds and the trainings are drawn anew, and every video is tested once. Two contenders are compared on
the same videos of the same folds, so that what is hard for both does not count (`bootstrap_difference`). Of twenty
contenders that are all alike, one would differ from the best by chance alone; so the intervals of all differences from
the best hold together at 95%, each at 1 - 0.05 / differences (Bonferroni: Dunn 1961, Multiple comparisons among means),
and so do those from the best baseline, and those of each head with mixup from itself without. The folder:

    runs.csv          one row a training, written as it ends (`classify.comparison.trial_files`)
    comparison.json   what was compared, and the table once it is there
    comparison.png    the table as a picture, where matplotlib is installed
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.comparison.baselines import ZERO_SHOT, is_baseline, list_baselines
from classify.comparison.comparison_picture import draw_comparison
from classify.comparison.contenders import Comparison, Contender
from classify.comparison.trial_files import append_result, has_results, read_results, start_results
from classify.comparison.trials import Trial, TrialPlan, TrialResult, default_jobs, run_trials
from classify.data import Labels, LabelTable, SplitConfig, describe_gaps, fold_table, read_table
from classify.errors import TrainError
from classify.files import write_whole
from classify.heads import list_options
from classify.measures import BootstrapConfig, Interval, bootstrap_difference, bootstrap_labels, measure, micro_f1
from classify.training import TrainConfig
from embed.store import EmbeddingStore

RUNS_FILE, SUMMARY_FILE, PICTURE_FILE = "runs.csv", "comparison.json", "comparison.png"
_FORMAT = "framehead comparison 1"
Entry = tuple[str, float]
"""Name and mixup."""

_DRAWS = 4000  # of a difference: its interval reaches far into the tails
_WORDS = "set of prompts"
_VARIED = ("arch", "mixup", "seed")  # of the recipe
_IDLE = ("device", "stream")  # of the recipe: they change the last digits at most


@dataclass(frozen=True)
class CompareConfig:
    """What is compared, and how.

    Args:
        archs: heads.
        mixups: alphas, each with each head; 0 is off.
        baselines: of `list_baselines`, and "zero-shot"; may be empty.
        folds: parts of the set, of which each is tested by what has learned from the others.
        seeds: how often all of it is done, with other folds and other fresh weights.
        split: what groups videos, and the share that validates, which `patience` and tuned thresholds need; its
            `test_size` and `seed` are not looked at.
        recipe: how every head is trained; its `arch`, `mixup` and `seed` are not looked at. An option of heads, such as
            `dropout`, goes to those that take it.
        jobs: trainings at once; None runs one a core, and on a GPU one.
        label_vectors: label -> (D,), which zero-shot needs, as `embed_labels` gives them.
    """

    archs: tuple[str, ...] = ("linear", "transformer", "random-frame")
    mixups: tuple[float, ...] = (0.0, 0.4)
    baselines: tuple[str, ...] = tuple(list_baselines())
    folds: int = 5
    seeds: int = 5
    split: SplitConfig = SplitConfig(validation_size=0.0)  # noqa: RUF009 - frozen
    recipe: TrainConfig = TrainConfig()  # noqa: RUF009 - frozen
    jobs: int | None = None
    label_vectors: Mapping[str, NDArray[np.float32]] | None = None

    def __post_init__(self) -> None:
        if not self.archs and not self.baselines:
            raise TrainError("There is nothing to compare. Name heads or baselines.")
        if self.archs and not self.mixups:
            raise TrainError("There is no mixup to train with. Give 0 for none.")
        if self.seeds < 1 or (self.jobs is not None and self.jobs < 1):
            raise TrainError(f"seeds is {self.seeds} and jobs {self.jobs}. Give whole numbers from 1.")
        unknown = [name for name in self.baselines if not is_baseline(name)]
        if unknown:
            known = ", ".join([*list_baselines(), ZERO_SHOT])
            raise TrainError(f"There is no baseline {unknown[0]!r}. Choose one of: {known}.")
        if ZERO_SHOT in self.baselines and self.label_vectors is None:
            raise TrainError(f"{ZERO_SHOT} needs label_vectors. Make them with embed_labels.")
        for mixup in self.mixups:
            replace(self.recipe, mixup=mixup)  # refuses what no recipe can have

    @property
    def contenders(self) -> tuple[Entry, ...]:
        """Name and mixup of all that is compared, each once."""
        baselines = [(name, 0.0) for name in self.baselines]
        return tuple(dict.fromkeys([*baselines, *product(self.archs, self.mixups)]))


def compare_heads(
    store: str | Path,
    output: str | Path,
    *,
    labels: Labels = None,
    config: CompareConfig = CompareConfig(),
    resume: bool = False,
    on_result: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Train every head on every fold with every seed, and say which differ.

    What a fold tests influences nothing but the figures of that fold.

    Args:
        store: the store's path.
        output: folder for runs.csv, comparison.json and comparison.png.
        labels: as for `split_videos`.
        config: what is compared, and how.
        resume: keep the results that the folder has, and train what is missing. Heads, mixups, baselines and seeds may
            be others than before, and so may `device` and `stream`; videos, labels, folds and recipe may not.
        on_result: called with how many trainings are done, and of how many.

    Raises:
        ClassifyError: labels, folds, a head or the folder do not fit; its children say which.
        EmbedError: the store cannot be read.
    """
    _refuse_idle_options(config)
    table = read_table(store, labels, config.split)
    plan = _plan(Path(store), table, config)
    settings = _settings(plan, config)
    trials = [
        Trial(name, mixup, seed, fold)
        for (name, mixup), seed, fold in product(config.contenders, range(config.seeds), range(config.folds))
    ]
    folder = Path(output)
    before = _read_settings(folder, settings) if resume else _refuse_results(folder)
    known = _read_known(folder, plan) if before else {}
    jobs = config.jobs or default_jobs(config.recipe.device)
    results = run_trials(plan, [trial for trial in trials if trial not in known], jobs)
    _start(folder, {**before, **settings}, is_new=not known)
    with closing(results):  # type: ignore[type-var]
        for result in results:
            append_result(folder / RUNS_FILE, result)
            known[result.trial] = result
            if on_result is not None:
                on_result(sum(trial in known for trial in trials), len(trials))
    return _conclude(folder, plan, config, [known[trial] for trial in trials])


def _refuse_idle_options(config: CompareConfig) -> None:
    """Refuse an option of heads that no head takes; where some do, the others go without."""
    for name, value in config.recipe.head_options.items():
        if not any(name in list_options(arch) for arch in config.archs):
            raise TrainError(
                f"{name} is {value}, but no head here takes it: {', '.join(config.archs) or 'there is none'}. Leave it "
                "out, or compare a head that has it."
            )


def _plan(store: Path, table: LabelTable, config: CompareConfig) -> TrialPlan:
    splits = {seed: fold_table(table, config.folds, replace(config.split, seed=seed)) for seed in range(config.seeds)}
    if config.label_vectors is None:
        return TrialPlan(store, table, splits, config.recipe)
    missing = [name for name in table.names if name not in config.label_vectors]
    if missing:
        raise TrainError(f"label_vectors has none for the label {missing[0]!r}. Make them with the same labels.")
    vectors = np.stack([config.label_vectors[name] for name in table.names])
    return TrialPlan(store, table, splits, config.recipe, vectors)


def _settings(plan: TrialPlan, config: CompareConfig) -> dict[str, Any]:
    """Return what must not change between a comparison and what goes on from it, JSON-ready."""
    table = plan.table
    recipe = {name: value for name, value in asdict(config.recipe).items() if name not in _VARIED + _IDLE}
    with EmbeddingStore(plan.store) as opened:
        provenance = opened.provenance.to_json()
    videos = repr((table.ids, table.names, table.groups)).encode() + np.packbits(table.targets).tobytes()
    found = {
        "provenance": provenance,
        "videos_and_labels": sha256(videos).hexdigest(),
        "folds": config.folds,
        "validation_size": config.split.validation_size,
        **recipe,
    }
    if plan.label_vectors is not None:
        found[_WORDS] = sha256(plan.label_vectors.tobytes()).hexdigest()
    return dict(json.loads(json.dumps(found)))


def _start(folder: Path, settings: Mapping[str, Any], *, is_new: bool) -> None:
    write_whole(folder / SUMMARY_FILE, json.dumps({"format": _FORMAT, "settings": settings}, indent=2) + "\n")
    if is_new:
        start_results(folder / RUNS_FILE)


def _refuse_results(folder: Path) -> dict[str, Any]:
    if has_results(folder / RUNS_FILE):
        raise TrainError(
            f"{folder / RUNS_FILE} holds the results of a comparison. Go on from it with --resume, or name another "
            "folder."
        )
    return {}


def _read_settings(folder: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Read the settings that a folder's results were made with; none where nothing has begun."""
    if not has_results(folder / RUNS_FILE):
        return {}
    path = folder / SUMMARY_FILE
    try:
        before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["settings"]
        unshared = sorted((before.keys() ^ settings.keys()) - {_WORDS})  # zero-shot may come later, or no more
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise TrainError(
            f"{path} cannot be gone on from: {type(error).__name__}: {error}. Name another folder."
        ) from error
    if unshared:
        verb = "has" if unshared[0] in before else "lacks"
        raise TrainError(
            f"The comparison in {folder} was made by another version, which {verb} the setting {unshared[0]}. Name "
            "another folder."
        )
    differing = sorted(name for name in settings.keys() & before.keys() if before[name] != settings[name])
    if differing:
        raise TrainError(
            f"The comparison in {folder} was made with another {differing[0]}, so its results do not go with new ones. "
            "Give the same labels, folds and recipe as before, or name another folder."
        )
    return before


def _read_known(folder: Path, plan: TrialPlan) -> dict[Trial, TrialResult]:
    results = read_results(folder / RUNS_FILE, len(plan.table.names))
    return {result.trial: result for result in results}


def _conclude(folder: Path, plan: TrialPlan, config: CompareConfig, results: Sequence[TrialResult]) -> Comparison:
    """Make the table, and write it."""
    of = {
        contender: [result for result in results if (result.trial.name, result.trial.mixup) == contender]
        for contender in config.contenders
    }
    tests = _Tests.stack(plan, config.seeds, of)
    scores = {contender: mean(tests.seed_scores(contender)) for contender in of}
    baselines = [contender for contender in of if contender[0] in config.baselines]
    best, best_baseline = max(of, key=scores.__getitem__), max(baselines, key=scores.__getitem__, default=None)
    plain_of = {contender: (contender[0], 0.0) for contender in of if contender[1] and (contender[0], 0.0) in of}
    contenders = []
    for contender, own in of.items():
        contenders.append(
            Contender(
                name=contender[0],
                mixup=None if contender in baselines else contender[1],
                micro_f1=tests.interval(contender),
                seed_scores=tests.seed_scores(contender),
                macro_f1=measure(tests.targets, tests.predicted[contender], plan.table.names).macro_f1,
                mean_average_precision=mean(result.mean_average_precision for result in own),
                seconds=mean(result.seconds for result in own),
                parameters=max(result.parameters for result in own),
                over_baseline=tests.difference(best_baseline, contender, count=len(of) - 1),
                over_best=tests.difference(best, contender, count=len(of) - 1),
                over_no_mixup=tests.difference(plain_of.get(contender), contender, count=len(plain_of)),
            )
        )
    contenders.sort(key=lambda found: -found.micro_f1.value)
    comparison = Comparison(
        folder, tuple(contenders), config.folds, config.seeds, tests.unit, tests.unit_count, _notes(plan)
    )
    summary = json.loads((folder / SUMMARY_FILE).read_text(encoding="utf-8"))
    write_whole(folder / SUMMARY_FILE, json.dumps({**summary, **comparison.to_json()}, indent=2) + "\n")
    picture = draw_comparison(comparison)
    if picture is None:
        return replace(comparison, notes=(*comparison.notes, "No picture: pip install 'framehead[plots]' draws one."))
    write_whole(folder / PICTURE_FILE, picture)
    return comparison


@dataclass(frozen=True)
class _Tests:
    """What each contender said of every video, once a seed.

    Args:
        targets: (S * N, C) bool, the table's rows once a seed.
        groups: (S * N,) what is drawn together: a group's videos, or all predictions of a video.
        predicted: contender -> (S * N, C) bool.
        seeds: S.
        is_grouped: whether videos are grouped.
    """

    targets: NDArray[np.bool_]
    groups: tuple[str, ...]
    predicted: Mapping[Entry, NDArray[np.bool_]]
    seeds: int
    is_grouped: bool

    @classmethod
    def stack(cls, plan: TrialPlan, seeds: int, results: Mapping[Entry, Sequence[TrialResult]]) -> "_Tests":
        table = plan.table
        predicted = {}
        for contender, own in results.items():
            tall = np.zeros((seeds, *table.targets.shape), dtype=np.bool_)
            for result in own:
                tall[result.trial.seed, plan.split_of(result.trial).indices("test")] = result.predicted
            predicted[contender] = tall.reshape(-1, len(table.names))
        groups = (table.groups or table.ids) * seeds
        return cls(np.tile(table.targets, (seeds, 1)), groups, predicted, seeds, table.groups is not None)

    @property
    def unit(self) -> str:
        return "groups" if self.is_grouped else "videos"

    @property
    def unit_count(self) -> int:
        return len(set(self.groups))

    def seed_scores(self, contender: Entry) -> tuple[float, ...]:
        pairs = zip(np.split(self.targets, self.seeds), np.split(self.predicted[contender], self.seeds), strict=True)
        return tuple(micro_f1(targets, predicted) for targets, predicted in pairs)

    def interval(self, contender: Entry) -> Interval:
        return bootstrap_labels(self.targets, self.predicted[contender], groups=self.groups)["micro_f1"]

    def difference(self, first: Entry | None, second: Entry, *, count: int) -> Interval | None:
        """Return by how much the second is better, one of `count` differences; None against nobody, and itself."""
        if first is None or first == second:
            return None
        config = BootstrapConfig(draws=_DRAWS, confidence=1 - 0.05 / count)
        one, other = self.predicted[first], self.predicted[second]
        return bootstrap_difference(self.targets, one, other, groups=self.groups, config=config)["micro_f1"]


def _notes(plan: TrialPlan) -> tuple[str, ...]:
    gaps = [note for splits in plan.splits.values() for split in splits for note in describe_gaps(split, plan.table)]
    missing = [note for note in gaps if "in train" in note]
    return (*plan.table.notes, *dict.fromkeys(missing))
