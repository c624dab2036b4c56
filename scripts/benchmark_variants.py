"""Measure what variants of training gain: fewer frames and dimensions, windows of time, averaged seeds, and others.

STORE holds clips. LABELS has the columns path, label and group, and optionally
`set`, as for benchmark_accuracy.py; folds, seeds and intervals are as there.
Prints a Markdown table. "over plain" is the paired difference to the same head
without the variant. Windows of time are cut from stored vectors: each epoch
uses one of the windows of each video, and predictions are for whole videos.
The held-out videos choose nothing.
"""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from accuracy_bench import Bench, Found, make_bench
from benchmark_accuracy import describe_intervals
from tqdm import tqdm

from classify import (
    LabelledSet,
    TrainConfig,
    TrainJob,
    VideoSet,
    fit_heads,
    predict_probabilities,
)
from classify.comparison import Trial
from classify.heads import list_options
from classify.training import take_videos
from embed import EmbeddingStore

WINDOWS = 6
AVERAGED_SEEDS = 5
NOBODY = np.array([], dtype=np.int64)


def cut_windows(videos: VideoSet, *, share: float, fastest: float) -> VideoSet:
    """Return WINDOWS random windows of each video, each as a view.

    Args:
        videos: N videos with V views.
        share: the share of a video's vectors that a window has.
        fastest: a window takes every s-th vector, with s drawn from 1 to this; 1 keeps the speed.

    Returns:
        N videos with WINDOWS x V views; a window is at the same place in all V views.
    """
    rng, pieces, counts = np.random.default_rng(0), [], []
    for index in range(len(videos)):
        rows = videos.rows_of(np.array([index])).reshape(videos.view_count, -1, videos.dimension)
        length = max(1, round(share * rows.shape[1]))
        for _ in range(WINDOWS):
            stride = rng.uniform(1, fastest) if length > 1 else 1.0
            start = rng.uniform(0, rows.shape[1] - stride * (length - 1))
            places = np.minimum(start + stride * np.arange(length), rows.shape[1] - 1).astype(np.int64)
            pieces.append(rows[:, places].reshape(-1, videos.dimension))
        counts.append(WINDOWS * videos.view_count * length)
    return VideoSet(videos.ids, np.concatenate(pieces), np.array(counts), WINDOWS * videos.view_count)


def add_changes(videos: VideoSet) -> VideoSet:
    """Return (2 D,) vectors: each (D,) vector with its difference to the previous one; zeros for a view's first."""
    views = videos.each_view()
    pieces = [views.rows_of(np.array([index])).astype(np.float32) for index in range(len(views))]
    changed = [np.concatenate([rows, np.diff(rows, axis=0, prepend=rows[:1])], axis=1) for rows in pieces]
    return VideoSet(videos.ids, np.concatenate(changed), videos.row_counts, videos.view_count)


def unchanged(videos: VideoSet) -> VideoSet:
    """Return the videos as they are."""
    return videos


@dataclass(frozen=True)
class Variant:
    """What a variant changes.

    Args:
        recipe: fields of `TrainConfig`.
        everywhere: applied to all videos.
        in_training: applied after that to the videos used for training.
        seeds: the number of training runs whose probabilities are averaged.
    """

    recipe: Mapping[str, object] = field(default_factory=dict)
    everywhere: Callable[[VideoSet], VideoSet] = unchanged
    in_training: Callable[[VideoSet], VideoSet] = unchanged
    seeds: int = 1


def _crops(videos: VideoSet) -> VideoSet:
    return cut_windows(videos, share=0.75, fastest=1)


def _speeds(videos: VideoSet) -> VideoSet:
    return cut_windows(videos, share=0.5, fastest=2)


PLAIN = "plain"
VARIANTS = {
    PLAIN: Variant(),
    "32 frames": Variant({"max_frames": 32}),
    "16 frames": Variant({"max_frames": 16}),
    "8 frames": Variant({"max_frames": 8}),
    "128 principal components": Variant({"project": 128}),
    "128 principal components, learning rate 0.003": Variant({"project": 128, "learning_rate": 3e-3}),
    "windows of 3/4 of the time": Variant(in_training=_crops),
    "windows of half to all of the time, at 1 to 2 x the speed": Variant(in_training=_speeds),
    "differences in time as input": Variant(everywhere=add_changes),
    "timestamps as positions": Variant({"positions": "timestamps"}),
    "mean of 5 trainings": Variant(seeds=AVERAGED_SEEDS),
    "weight decay 0.01": Variant({"optimizer": "adamw", "weight_decay": 0.01}),
    "weight decay 0.1": Variant({"optimizer": "adamw", "weight_decay": 0.1}),
    "dropout 0.3": Variant({"dropout": 0.3}),
    "label smoothing 0.1": Variant({"label_smoothing": 0.1}),
    "mixup 0.4": Variant({"mixup": 0.4}),
}


def main() -> None:
    arguments = _arguments()
    names = list(VARIANTS) if arguments.variants == "all" else arguments.variants.split(";")
    recipe = TrainConfig(mixup=0.0, epochs=arguments.epochs, max_frames=arguments.max_frames, device="cpu")
    bench = make_bench(arguments.store, arguments.labels, arguments.folds, range(arguments.seeds), recipe)
    names = list(dict.fromkeys([PLAIN, *names]))
    entries = [(arch, name) for arch in arguments.arch.split(",") for name in names if _is_possible(arch, name)]
    tasks = [(bench, arch, name, seed) for arch, name in entries for seed in bench.plan.splits]
    with ProcessPoolExecutor(arguments.jobs, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        results = list(tqdm(pool.map(_train, tasks), total=len(tasks), unit="seed"))
    found = {}
    for arch, name in entries:
        own = [one for task, one in zip(tasks, results, strict=True) if task[1:3] == (arch, name)]
        merged = {trial: given for one in own for trial, given in one.probabilities.items()}
        found[arch, name] = Found((f"{arch}, {name}", 0.0), merged, mean(one.seconds for one in own))
    print(_heading(arguments, bench), "", *_table(found, bench), sep="\n")


def _is_possible(arch: str, name: str) -> bool:
    """Return True if a head accepts the options that a variant sets."""
    asked = replace(TrainConfig(), **VARIANTS[name].recipe)  # type: ignore[arg-type]
    return asked.head_options.keys() <= list_options(arch)


def _train(task: tuple[Bench, str, str, int]) -> Found:
    """Train one head on all splits of one seed, and return what it gives their test videos."""
    bench, arch, name, seed = task
    plan, variant = bench.plan, VARIANTS[name]
    with EmbeddingStore(plan.store) as store:
        dataset = LabelledSet.read(store, plan.table, stream=False)
        assert isinstance(dataset.videos, VideoSet)
        whole = variant.everywhere(dataset.videos)
        training = replace(dataset, videos=variant.in_training(whole))
        # "plain" has the seed of the fold, as in benchmark_accuracy.py; further seeds are not those of other folds.
        seeds = [seed + 1000 * number for number in range(variant.seeds)]
        config = replace(plan.recipe, arch=arch, **variant.recipe)  # type: ignore[arg-type]
        splits = plan.splits[seed]
        jobs = [
            TrainJob(split.indices("train"), NOBODY, replace(config, seed=one)) for split in splits for one in seeds
        ]
        runs = iter(fit_heads(training, jobs))
        found, seconds = {}, 0.0
        for fold, split in enumerate(splits):
            tested = take_videos(whole, split.indices("test"))
            own = [next(runs) for _ in seeds]
            seconds += sum(run.seconds for run in own) / len(splits)
            given = [predict_probabilities(run.head, tested, None, device="cpu") for run in own]
            found[Trial(f"{arch}, {name}", 0.0, seed, fold)] = np.mean(given, axis=0)
    return Found((f"{arch}, {name}", 0.0), found, seconds)


def _table(found: Mapping[tuple[str, str], Found], bench: Bench) -> list[str]:
    head = ["head", "variant", "micro-F1, mean", "std", "interval", "over plain", *bench.ways, "seconds"]
    lines = [_line(head), _line(["---"] * len(head))]
    for (arch, name), one in found.items():
        scores = one.seed_scores(bench)
        cells = [arch, name, f"{mean(scores):.3f}", f"{stdev(scores):.3f}" if len(scores) > 1 else "-"]
        plain = None if name == PLAIN else found[arch, PLAIN].labels_by_fold(bench)
        cells += describe_intervals(one.labels_by_fold(bench), [plain], bench.plan.table)
        cells += [f"{score:.3f}" for score in one.set_scores(bench)]
        lines.append(_line([*cells, f"{one.seconds:.2f}"]))
    return lines


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _heading(arguments: argparse.Namespace, bench: Bench) -> str:
    with EmbeddingStore(arguments.store) as store:
        encoder, views = store.provenance.encoder.model, len(store.provenance.views)
        frames = int(np.median(store.row_counts)) // views
    data = f"{len(bench.plan.table.ids)} videos; {encoder}, {frames} frames, {views} views"
    way = f"{arguments.folds} folds by group x {arguments.seeds} seeds; {arguments.epochs or 'default'} epochs"
    seen = f", heads see {arguments.max_frames} frames unless a variant sets it" if arguments.max_frames else ""
    cores = f"{os.cpu_count()} cores, parallel training runs: {arguments.jobs}"
    return f"{data}; {way}{seen}. Seconds are per training run.\n{cores}, torch {torch.__version__}, {date.today()}."


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="\n  ".join(["variants:", *VARIANTS]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("store", type=Path, help="the store of clips")
    add("labels", type=Path, help="their label file")
    add("--arch", default="motion", help="heads, separated by commas; default: %(default)s")
    add("--variants", default="all", help="names of variants, separated by semicolons, or all; default: %(default)s")
    add("--folds", type=int, default=5, help="folds per seed; default: %(default)s")
    add("--seeds", type=int, default=5, help="number of seeds; default: %(default)s")
    add("--epochs", type=int, help="epochs per training run; default: the recipe's")
    add("--max-frames", type=int, help="the maximum number of frames that heads see, unless a variant sets it")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="processes of one thread each; default: one per core")
    return parser.parse_args()


if __name__ == "__main__":
    main()
