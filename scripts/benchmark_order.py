"""Measure heads where a video shows two things, one after the other: which two, and in which order.

usage: benchmark_order.py STORE LABELS [--frames-count N] [--arch A,B] [--folds N] [--seeds N] [--work FOLDER] ...

STORE holds clips that show one thing each, LABELS says what, and in its column `group` which recording they are cut
from. Every clip is joined with every other of its recording that shows something else, in both orders. An encoder looks
at one frame at a time, so the vectors of two clips, one after the other, are those of the joined video. Recordings stay
whole in the folds, so no clip is trained on and tested.

Two tasks, each a `compare_heads`: which two labels a joined video has; and whether they come in the order of the
alphabet, of which the mean of the frames says nothing, since it is the same both ways: chance is 0.5. Prints a Markdown
table. `--resume` goes on.
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
    """Write a store of joined clips, and beside it a label file of each task, two.csv and order.csv.

    Args:
        store: the clips.
        labels: one label and a group for each of them.
        output: the store to write.
        frames_count: vectors of each clip that are kept, evenly spaced; of several views, those of the first.
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
    """Keep `count` vectors (T, D), evenly spaced; all where there are fewer."""
    places = np.linspace(0, len(vectors) - 1, min(count, len(vectors))).round().astype(np.int64)
    kept: np.ndarray = vectors[places]
    return kept


def _pairs(table: LabelTable) -> Iterator[tuple[int, int]]:
    """Yield two clips of one group that show different things, both ways round."""
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
    return compare_heads(joined, joined.with_name(task), labels=labels, config=config, resume=arguments.resume)


def _table(two: Comparison, order: Comparison) -> list[str]:
    """Return a row a head, those that tell the order best on top."""
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
    recipe = f"{kept}, {arguments.epochs} epochs, learning rate {arguments.learning_rate:g}"
    machine = f"{os.cpu_count()} cores, torch {torch.__version__}, {date.today()}"
    return f"{data}, {way}; {recipe}. In brackets: 95% intervals over groups.\n{machine}."


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--frames-count", type=int, default=8, help="of each clip; fewer train faster")
    parser.add_argument("--arch", default="all", help="heads, or all")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=TrainConfig().epochs)
    parser.add_argument("--learning-rate", type=float, default=TrainConfig().learning_rate)
    parser.add_argument("--project", type=int, default=128, help="principal components kept for heads; 0 keeps all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="trainings at once")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "benchmark-order", help="a new folder")
    parser.add_argument("--resume", action="store_true", help="go on from what lies in --work")
    return parser.parse_args()


if __name__ == "__main__":
    main()
