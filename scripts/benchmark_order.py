"""Measure heads on videos that show two things in succession: which two things, and in which order.

STORE holds clips that show one thing each. LABELS states it, and the column
`group` states the recording that a clip was cut from. Every clip is joined, in
both orders, with every clip of its recording that shows something else. An
encoder looks at one frame at a time, so the vectors of the joined video are
those of the two clips in succession. Recordings stay whole in the folds, so no
clip is both trained on and tested.

There are two tasks, each measured by `compare_heads`: which two labels a
joined video has, and whether they come in alphabetical order. The mean of the
frames is the same in both orders, so it shows nothing about the second task:
chance is 0.5. Prints a Markdown table.
"""

import argparse
import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import permutations
from pathlib import Path

import numpy as np
import torch

from classify import (
    CompareConfig,
    Comparison,
    Contender,
    Interval,
    LabelTable,
    SplitConfig,
    TrainConfig,
    compare_heads,
    list_heads,
    read_labels,
)
from classify.data import SEPARATOR
from embed import EmbeddingStore, StoreWriter, VideoRecord

ROOT = Path(__file__).parents[1]
ORDERS = ("in order", "reversed")


def main() -> None:
    arguments = _arguments()
    joined = arguments.work / "joined.h5"
    if not arguments.resume:
        arguments.work.mkdir(parents=True)
        join_clips(arguments.store, arguments.labels, joined, arguments.frames_count)
    found = {task: _compare(joined, task, arguments) for task in ("two", "order")}
    print(_heading(arguments, joined), "", *_table(found["two"], found["order"]), sep="\n")


def join_clips(store: Path, labels: Path, output: Path, frames_count: int) -> None:
    """Write a store of joined clips, and beside it a label file for each task, two.csv and order.csv.

    Args:
        store: the store of clips.
        labels: a label and a group for each clip.
        output: the store to write.
        frames_count: the number of vectors to keep of each clip, evenly spaced; only the first view is used.
    """
    with EmbeddingStore(store) as opened:
        table = read_labels(opened, labels, group_by="group")
        views = opened.provenance.views
        kept = [_thin(np.split(opened.read(name).vectors, len(views))[0], frames_count) for name in table.ids]
        sampling = {"name": "joined", "of": dict(opened.provenance.sampling), "count": frames_count}
        made_by = replace(opened.provenance, sampling=sampling, views=views[:1])
    pairs = list(_pairs(table))
    with StoreWriter(output, made_by) as writer:
        for first, second in pairs:
            vectors = np.concatenate([kept[first], kept[second]])
            record = VideoRecord(_joined_id(table, first, second))
            writer.append(record, vectors, np.arange(len(vectors), dtype=np.float32))
    _write_labels(output.parent, table, pairs)


def _thin(vectors: np.ndarray, count: int) -> np.ndarray:
    """Return `count` evenly spaced vectors of (T, D); all if there are fewer."""
    places = np.linspace(0, len(vectors) - 1, min(count, len(vectors))).round().astype(np.int64)
    kept: np.ndarray = vectors[places]
    return kept


def _pairs(table: LabelTable) -> Iterator[tuple[int, int]]:
    """Yield the pairs of clips in one group that show different things, in both orders."""
    assert table.groups is not None
    shown = table.targets.argmax(axis=1)
    for group in dict.fromkeys(table.groups):
        own = [place for place, other in enumerate(table.groups) if other == group]
        yield from ((first, second) for first, second in permutations(own, 2) if shown[first] != shown[second])


def _write_labels(folder: Path, table: LabelTable, pairs: Sequence[tuple[int, int]]) -> None:
    assert table.groups is not None
    two, order = [("id", "labels", "group")], [("id", "label", "group")]
    for first, second in pairs:
        joined, shown = _joined_id(table, first, second), (table.labels_of(first), table.labels_of(second))
        two.append((joined, SEPARATOR.join(shown), table.groups[first]))
        order.append((joined, ORDERS[shown[0] > shown[1]], table.groups[first]))
    for name, rows in (("two.csv", two), ("order.csv", order)):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)


def _joined_id(table: LabelTable, first: int, second: int) -> str:
    return f"{table.ids[first]} + {table.ids[second]}"


def _compare(joined: Path, task: str, arguments: argparse.Namespace) -> Comparison:
    config = CompareConfig(
        archs=tuple(list_heads() if arguments.arch == "all" else arguments.arch.split(",")),
        mixups=(0.0,),
        baselines=("majority", "logistic-regression"),
        folds=arguments.folds,
        seeds=arguments.seeds,
        split=SplitConfig(group_by="group", validation_size=0.0),
        recipe=TrainConfig(
            epochs=arguments.epochs,
            learning_rate=arguments.learning_rate,
            project=arguments.project or None,
            device="cpu",
        ),
        jobs=arguments.jobs,
    )
    labels = joined.with_name(f"{task}.csv")
    return compare_heads(joined, joined.with_name(task), labels=labels, config=config)


def _table(two: Comparison, order: Comparison) -> list[str]:
    """Return one row per head; the best at the order comes first."""
    head = ("head", "two labels: micro-F1", "mAP", "order: accuracy")
    found = {contender.name: contender for contender in two.contenders}
    rows = [_row(found[contender.name], contender) for contender in order.contenders]
    return [_line(head), _line(["---"] * len(head)), *map(_line, rows)]


def _row(two: Contender, order: Contender) -> tuple[str, ...]:
    return two.name, _with_interval(two.micro_f1), f"{two.mean_average_precision:.3f}", _with_interval(order.micro_f1)


def _with_interval(found: Interval) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _heading(arguments: argparse.Namespace, joined: Path) -> str:
    with EmbeddingStore(joined) as store:
        data = f"{len(store.ids):,} videos joined of two clips; {store.provenance.encoder.model}"
    way = f"{arguments.frames_count} frames a clip; {arguments.folds} folds by group x {arguments.seeds} seeds"
    kept = f"{arguments.project} principal components" if arguments.project else "all dimensions"
    given = [f"epochs {arguments.epochs}"] if arguments.epochs else []
    given += [f"learning rate {arguments.learning_rate:g}"] if arguments.learning_rate else []
    recipe = ", ".join([kept, *(given or ["default recipe"])])
    machine = f"{os.cpu_count()} cores, torch {torch.__version__}, {date.today()}"
    return f"{data}, {way}; {recipe}. In brackets: 95% intervals over groups.\n{machine}."


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    work, add = ROOT / "build" / "benchmark-order", parser.add_argument
    add("store", type=Path, help="the store of clips")
    add("labels", type=Path, help="their label file")
    add("--frames-count", type=int, default=8, help="frames per clip; fewer train faster; default: %(default)s")
    add("--arch", default="all", help="heads, or all; default: %(default)s")
    add("--folds", type=int, default=5, help="folds per seed; default: %(default)s")
    add("--seeds", type=int, default=3, help="number of seeds; default: %(default)s")
    add("--epochs", type=int, help="epochs per training run; default: the recipe's")
    add("--learning-rate", type=float, help="learning rate; default: the recipe's")
    add("--project", type=int, default=128, help="principal components that heads see, 0 for all; default: %(default)s")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="parallel training runs; default: one per core")
    add("--work", type=Path, default=work, help="a new folder for results; default: one below build/")
    add("--resume", action="store_true", help="continue with the results in --work")
    return parser.parse_args()


if __name__ == "__main__":
    main()
