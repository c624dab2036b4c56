"""`compare_heads`: heads, mixup and baselines on one set, cross-validated by group over several seeds.

Each seed draws other folds and other initial weights, and every video is tested once per seed. Two contenders are
compared on the same videos of the same folds, so that videos that are hard for both cancel out
(`bootstrap_difference`). Of twenty equal contenders, one would differ from the best by chance alone. So the intervals
of all differences from the best hold together at 95%, each at 1 - 0.05 / differences (Bonferroni: Dunn 1961, Multiple
comparisons among means). The same is true of the differences from the best baseline, and of those between each head
with mixup and without. The folder:

    runs.csv          one row per training run, written when it ends (`classify.comparison.trial_files`)
    comparison.json   the settings, and the table once all runs are done
    comparison.png    the table as a picture, if matplotlib is installed
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
from classify.comparison.trial_files import (
    PICTURE_FILE,
    RUNS_FILE,
    SUMMARY_FILE,
    WORDS,
    append_result,
    only_writer,
    read_earlier,
    refuse_comparison_folder,
    start_results,
)
from classify.comparison.trials import Trial, TrialPlan, TrialResult, default_jobs, run_trials
from classify.data import Labels, LabelTable, SplitConfig, describe_gaps, fold_table, label_inputs, read_table
from classify.errors import HeadError, TrainError
from classify.files import write_whole
from classify.heads import list_options
from classify.measures import BootstrapConfig, Interval, bootstrap_difference, bootstrap_labels, measure, micro_f1
from classify.training import TrainConfig
from embed.machine import counted
from embed.store import EmbeddingStore

_NO_PICTURE = "There is no picture. To get one: pip install '.[plots]' in framehead's folder"
Entry = tuple[str, float]
"""Name and mixup."""

_DRAWS = 4000  # for a difference: its interval reaches far into the tails
_VARIED = ("arch", "mixup", "seed", "pretrained", "tail")  # settings of the recipe that differ between contenders
_IDLE = ("device", "stream")  # settings of the recipe that change the last digits at most


@dataclass(frozen=True)
class CompareConfig:
    """What to compare, and how.

    Args:
        archs: names of heads.
        mixups: alphas, each with each head; 0 is off.
        baselines: names from `list_baselines`, and "zero-shot"; may be empty.
        standard: also compare with the majority and the logistic regressions, where they take some seconds at most.
        folds: number of parts of the set; heads trained on the other folds are tested on each.
        seeds: number of repetitions, each with other folds and other initial weights.
        split: how videos are grouped, and the share for validation, which `patience` and tuned thresholds need; its
            `test_size` and `seed` are ignored.
        recipe: how every head is trained; its `arch`, `mixup` and `seed` are ignored. An option of heads, such as
            `dropout`, goes to the heads that take it.
        jobs: number of training runs at the same time; None is one per core, and one on a GPU.
        label_vectors: label -> (D,), as from `embed_labels`; only zero-shot needs them.
    """

    archs: tuple[str, ...] = ("linear", "transformer", "random-frame")
    mixups: tuple[float, ...] = (0.0, 0.4)
    baselines: tuple[str, ...] = tuple(list_baselines())
    standard: bool = False
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
            raise TrainError("There is no mixup to train with. Use 0 for none.")
        for name in ("seeds", "jobs"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise TrainError(f"{name} is {value}. Use a whole number from 1.")
        unknown = [name for name in self.baselines if not is_baseline(name)]
        if unknown:
            known = ", ".join([*list_baselines(), ZERO_SHOT])
            raise TrainError(f"There is no baseline {unknown[0]!r}. Choose one of: {known}.")
        if ZERO_SHOT in self.baselines and self.label_vectors is None:
            raise TrainError(f"{ZERO_SHOT} needs label_vectors. Make them with embed_labels.")
        for mixup in self.mixups:
            replace(self.recipe, mixup=mixup)  # refuses values that no recipe can have

    @property
    def contenders(self) -> tuple[Entry, ...]:
        """Name and mixup of all contenders, each once."""
        baselines = [(name, 0.0) for name in self.baselines]
        return tuple(dict.fromkeys([*baselines, *product(self.archs, self.mixups)]))


def compare_heads(
    store: str | Path,
    output: str | Path,
    *,
    labels: Labels = None,
    config: CompareConfig = CompareConfig(),
    overwrite: bool = False,
    on_result: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Train every head on every fold with every seed, and return the figures and differences.

    The videos that a fold tests influence only the figures of that fold. Results in the folder are kept, and only what
    is missing is run, so the same call goes on after a kill. Heads, mixups, baselines, seeds, `device` and `stream` may
    differ from before. Where videos, labels, folds or the rest of the recipe do, the call is refused.

    Args:
        store: the store's path.
        output: folder for runs.csv, comparison.json and comparison.png.
        labels: as for `split_videos`.
        config: what to compare, and how.
        overwrite: replace also results of other settings, and other files of these names, except inputs.
        on_result: called with the number of training runs that are done, and their total.

    Raises:
        ClassifyError: labels, folds, a head or the folder do not fit; its children say which.
        EmbedError: the store cannot be read.
    """
    _refuse_idle_options(config)
    folder = Path(output)
    refuse_comparison_folder(folder, [store, *label_inputs(labels)], overwrite=overwrite)
    _refuse_activations(Path(store))
    table = read_table(store, labels, config.split)
    plan = _plan(Path(store), table, config)
    if config.standard:
        config = replace(config, baselines=tuple(dict.fromkeys([*plan.list_standard_baselines(), *config.baselines])))
    settings = _settings(plan, config)
    trials = [
        Trial(name, mixup, seed, fold)
        for (name, mixup), seed, fold in product(config.contenders, range(config.seeds), range(config.folds))
    ]
    before, known = read_earlier(folder, settings, len(table.names), overwrite=overwrite)
    missing = [trial for trial in trials if trial not in known]
    results = run_trials(plan, missing, config.jobs or default_jobs(config.recipe.device))
    with only_writer(folder), closing(results):  # type: ignore[type-var]
        start_results(folder, {**before, **settings}, is_new=not known)
        for result in results:
            append_result(folder / RUNS_FILE, result)
            known[result.trial] = result
            if on_result is not None:
                on_result(sum(trial in known for trial in trials), len(trials))
        comparison = _conclude(folder, plan, config, [known[trial] for trial in trials])
    return replace(comparison, notes=(*comparison.notes, *_note_kept(folder, len(missing), len(trials))))


def _note_kept(folder: Path, missing: int, total: int) -> tuple[str, ...]:
    """Return a note if training runs of an earlier command were taken."""
    if missing == total:
        return ()
    kept = f"{folder} already held {total - missing:,} of these {counted(total, 'training run')}"
    return (f"{kept}; they were not run again. To run all anew, name another folder.",)


def _refuse_idle_options(config: CompareConfig) -> None:
    """Refuse an option of heads that no head takes; if only some take it, the others do without."""
    for name, value in config.recipe.head_options.items():
        if not any(name in list_options(arch) for arch in config.archs):
            raise TrainError(
                f"{name} is {value}, but no head here takes it: {', '.join(config.archs) or 'there is none'}. Leave it "
                "out, or compare a head that takes it."
            )


def _refuse_activations(store: Path) -> None:
    """Raise HeadError if a store has activations: a comparison trains many heads, and none that goes on from these."""
    with EmbeddingStore(store) as opened:
        identity = opened.provenance.encoder
    if identity.stop_before:
        raise HeadError(
            f"{store} has what enters {identity.stop_before} of {identity.model}, not vectors, and compare-heads does "
            "not train encoders. Use train-head --arch last-block, with several values of --seed."
        )


def _plan(store: Path, table: LabelTable, config: CompareConfig) -> TrialPlan:
    splits = {seed: fold_table(table, config.folds, replace(config.split, seed=seed)) for seed in range(config.seeds)}
    if config.label_vectors is None:
        return TrialPlan(store, table, splits, config.recipe)
    missing = [name for name in table.names if name not in config.label_vectors]
    if missing:
        raise TrainError(f"label_vectors has no vector for the label {missing[0]!r}. Make them with the same labels.")
    vectors = np.stack([config.label_vectors[name] for name in table.names])
    return TrialPlan(store, table, splits, config.recipe, vectors)


def _settings(plan: TrialPlan, config: CompareConfig) -> dict[str, Any]:
    """Return the settings that results in one folder share, JSON-ready."""
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
        found[WORDS] = sha256(plan.label_vectors.tobytes()).hexdigest()
    return dict(json.loads(json.dumps(found)))


def _conclude(folder: Path, plan: TrialPlan, config: CompareConfig, results: Sequence[TrialResult]) -> Comparison:
    """Compute the table, and write it."""
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
        return replace(comparison, notes=(*comparison.notes, _NO_PICTURE))
    write_whole(folder / PICTURE_FILE, picture)
    return comparison


@dataclass(frozen=True)
class _Tests:
    """The labels that each contender gave every video, once per seed.

    Args:
        targets: (S * N, C) bool, the table's rows once per seed.
        groups: (S * N,) the units of the bootstrap: a group's videos, or all predictions of a video.
        predicted: contender -> (S * N, C) bool.
        seeds: S.
        is_grouped: True if videos are grouped.
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
        """Return by how much the second is better, as one of `count` differences; None if there is no other first."""
        if first is None or first == second:
            return None
        config = BootstrapConfig(draws=_DRAWS, confidence=1 - 0.05 / count)
        one, other = self.predicted[first], self.predicted[second]
        return bootstrap_difference(self.targets, one, other, groups=self.groups, config=config)["micro_f1"]


def _notes(plan: TrialPlan) -> tuple[str, ...]:
    gaps = [note for splits in plan.splits.values() for split in splits for note in describe_gaps(split, plan.table)]
    missing = [note for note in gaps if "in train" in note]
    return (*plan.table.notes, *dict.fromkeys(missing))
