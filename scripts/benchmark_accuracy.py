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

The second table tells how far probabilities can be trusted, as `train-head`
gives them: with the temperature that it took, if any. ECE is the expected
calibration error over all folds of a seed; "pooled" takes all seeds together.
"floor" is the ECE of labels that are drawn from the same probabilities: so much
chance alone shows with so few videos, if they are perfectly calibrated. "plain"
is the ECE at temperature 1, and "temperature" the median of those taken.

Baselines see all rows of the first view, or of all views if their name says
so. Each training run has one thread, and --jobs run at the same time;
"seconds" is the time of one. `auto` is trained once, without --mixup.
"""

import argparse
import os
from collections.abc import Sequence
from datetime import date
from itertools import product
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from accuracy_baselines import BASELINES, BINS, MEAN
from accuracy_bench import Bench, Entry, Found, make_bench, try_baselines, try_heads
from accuracy_probabilities import COLUMNS, describe_probabilities
from cpu_name import cpu_name
from numpy.typing import NDArray

from classify import (
    RECIPES,
    TrainConfig,
    bootstrap_difference,
    list_heads,
)
from classify.comparison import AUTO, BUDGET_S
from classify.data import LabelTable
from classify.measures import bootstrap_labels
from embed import EmbedConfig, UniformFrames, embed_videos

ROOT = Path(__file__).parents[1]


def main() -> None:
    arguments = _arguments()
    store = _embed(arguments)
    own = {name: getattr(arguments, name) for name in ("epochs", "learning_rate", "max_frames", "project")}
    settings = {**RECIPES.get(arguments.recipe, {}), **{name: value for name, value in own.items() if value}}
    recipe = TrainConfig(**settings, device="cpu")
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    bench = make_bench(store, arguments.folder / "labels.csv", arguments.folds, seeds, recipe)
    if arguments.folds_only:
        bench = bench.without_sets()
    heads = list_heads() if arguments.arch == "all" else arguments.arch.split(",")
    mixups = list(map(float, arguments.mixup.split(",")))
    entries = [entry for head in heads for entry in product([head], [0.0] if head == AUTO else mixups)]
    found = [*try_baselines(bench, list(BASELINES)), *try_heads(bench, entries, arguments.jobs, arguments.budget)]
    print(_heading(arguments, bench.plan.table), "", *_table(found, bench), sep="\n")
    print("", *_table_of_probabilities(found, bench), sep="\n")


def _embed(arguments: argparse.Namespace) -> Path:
    views = tuple(arguments.views.split(","))
    kind = "-".join([arguments.model, str(arguments.frames_count), *(views if len(views) > 1 else ())])
    store: Path = arguments.store or ROOT / "build" / f"benchmark-{kind}.h5"
    store.parent.mkdir(parents=True, exist_ok=True)
    config = EmbedConfig(model=arguments.model, sampling=UniformFrames(arguments.frames_count), views=views)
    embed_videos([arguments.folder], store, config)
    return store


def _table(found: Sequence[Found], bench: Bench) -> list[str]:
    figures = ["micro-F1, mean", "std", "interval", "over the mean", "over 8 bins"]
    head = ["head", "mixup", *figures, *bench.ways, "seconds"]
    predicted = {one.entry: one.labels_by_fold(bench) for one in found}
    lines = [f"| {' | '.join(head)} |", "| --- |" + " --- |" * (len(head) - 1)]
    for one in found:
        name = one.entry[0]
        scores = one.seed_scores(bench)
        spread = f"{stdev(scores):.3f}" if len(scores) > 1 else "-"
        cells = [*_name(one.entry), f"{mean(scores):.3f}", spread]
        floors = [None if floor == name else predicted[floor, 0.0] for floor in (MEAN, BINS)]
        cells += describe_intervals(predicted[one.entry], floors, bench.plan.table)
        cells += [f"{score:.3f}" for score in one.set_scores(bench)]
        lines.append(f"| {' | '.join([*cells, f'{one.seconds:.2f}'])} |")
    return lines


def _table_of_probabilities(found: Sequence[Found], bench: Bench) -> list[str]:
    lines = [f"| head | mixup | {' | '.join(COLUMNS)} |", "| --- | --- |" + " --- |" * len(COLUMNS)]
    for one in found:
        taken = [value for trial, value in one.temperatures.items() if trial.fold < bench.folds]
        both = one.by_fold(bench), one.plain.by_fold(bench)
        cells = describe_probabilities(*both, bench.plan.table.targets, taken)
        lines.append(f"| {' | '.join([*_name(one.entry), *cells])} |")
    return lines


def _name(entry: Entry) -> tuple[str, str]:
    name, mixup = entry
    return name, "-" if name in BASELINES or name == AUTO else f"{mixup:g}"


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
    way = f"{arguments.folds} folds by group x {arguments.seeds} seeds, the first {arguments.first_seed}"
    given = [f"epochs {arguments.epochs}"] if arguments.epochs else []
    given += [f"learning rate {arguments.learning_rate:g}"] if arguments.learning_rate else []
    recipe = ", ".join([f"recipe {arguments.recipe}", *given])
    machine = f"{os.cpu_count()} cores of {cpu_name()}, parallel training runs: {arguments.jobs}"
    return f"{data}; {vectors}; {way}; {recipe}.\n{machine}, torch {torch.__version__}, {date.today()}."


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    clips = ROOT.parent / "shared" / "data" / "ut_interaction6"
    add("folder", nargs="?", type=Path, default=clips, help="the clips; default: UT-Interaction beside the project")
    add("--model", default="efficientnet-lite0", help="the encoder; default: %(default)s")
    add("--frames-count", type=int, default=32, help="frames embedded per clip; default: %(default)s")
    add("--views", default="centre", help="views of each frame, as in embed-videos; default: %(default)s")
    heads = "linear,statistics,motion,transformer,random-frame"
    add("--arch", default=heads, help="heads, or all, which leaves out auto; default: %(default)s")
    add("--mixup", default="0,0.4", help="mixup alphas, each of which is measured; default: %(default)s")
    add("--store", type=Path, help="the store of vectors, made if it is absent; default: a file below build/")
    add("--folds", type=int, default=5, help="folds per seed; default: %(default)s")
    add("--seeds", type=int, default=5, help="number of seeds; default: %(default)s")
    add("--first-seed", type=int, default=0, help="the first of them; default: %(default)s")
    add("--folds-only", action="store_true", help="leave out the training from set to set")
    add("--recipe", choices=("default", *RECIPES), default="default", help="as in train-head; default: %(default)s")
    add("--budget", type=float, default=BUDGET_S, help="seconds for each choice of auto; default: %(default)s")
    add("--epochs", type=int, help="epochs per training run; default: the recipe's")
    add("--learning-rate", type=float, help="learning rate; default: the recipe's")
    add("--max-frames", type=int, help="the maximum number of frames of a clip that heads see; default: all")
    add("--project", type=int, help="the number of principal components that heads see; default: all dimensions")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="parallel training runs; default: one per core")
    return parser.parse_args()


if __name__ == "__main__":
    main()
