"""Measure what a smaller store costs in micro-F1: one byte a coefficient, a PCA, and both.

SOURCE is a folder of class folders, which is embedded first, or a store. The
same folds are trained and tested on six stores: float16; one byte a coefficient;
a PCA without and with whitening, in float16 and in one byte. Each PCA is fitted
on the training videos of its fold alone. Differences to float16 are paired
video by video. Prints a Markdown table.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import torch
from cpu_name import cpu_name
from numpy.typing import NDArray

from classify import (
    LabelledSet,
    LabelTable,
    SplitConfig,
    TrainConfig,
    bootstrap_difference,
    decide_labels,
    fit_head,
    measure,
    predict_probabilities,
    read_labels,
    read_split,
    split_folds,
)
from embed import EmbedConfig, EmbeddingStore, PcaConfig, UniformFrames, embed_videos, fit_pca, reduce_store
from embed.store import is_store

VARIANTS = {
    "float16": (None, False),
    "one byte": (None, True),
    "PCA": (False, False),
    "PCA, one byte": (False, True),
    "whitening PCA": (True, False),
    "whitening PCA, one byte": (True, True),
}
"""Name -> whether the PCA is whitened, None without one; and whether a coefficient is one byte."""
PLAIN = "float16"


@dataclass
class Found:
    """What was measured of a variant.

    Args:
        vector_bytes: bytes of one vector.
        clipped, errors: share of coefficients cut off, and change of the vectors, of each store.
        reduce_s: seconds to make a store out of that of float16.
        predicted: head -> (S, N, C) bool, labels given to each test video with each seed.
    """

    vector_bytes: int = 0
    clipped: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    reduce_s: list[float] = field(default_factory=list)
    predicted: dict[str, NDArray[np.bool_]] = field(default_factory=dict)


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="benchmark-reduction-") as folder:
        store = _store_of(arguments, Path(folder))
        with EmbeddingStore(store) as opened:
            table = read_labels(opened, arguments.labels, group_by=arguments.group_by)
        archs = arguments.arch.split(",")
        found = {name: Found() for name in VARIANTS}
        for one in found.values():
            one.predicted = {arch: np.zeros((arguments.seeds, *table.targets.shape), np.bool_) for arch in archs}
        for seed in range(arguments.seeds):
            split = SplitConfig(seed=seed, validation_size=0.0, group_by=arguments.group_by)
            name = Path(folder) / f"{seed}.csv"
            summaries = split_folds(store, name, arguments.folds, labels=arguments.labels, config=split)
            for fold in (summary.path for summary in summaries):
                measure_fold(store, fold, table, found, seed, arguments)
        print(_heading(arguments, store, table), "", *_table(found, table, archs), sep="\n")


def measure_fold(
    store: Path, split: Path, table: LabelTable, found: dict[str, Found], seed: int, arguments: argparse.Namespace
) -> None:
    """Make the stores of a fold, train each head on each, and note what it gives the test videos."""
    parts = read_split(split, table)
    train, test = parts.indices("train"), parts.indices("test")
    pcas = {way: split.with_suffix(f".{way}.pca") for way in (True, False)}
    for way, path in pcas.items():
        fit_pca(store, path, PcaConfig(arguments.dimensions, is_whitened=way, split=split))
    for name, (is_whitened, is_quantised) in VARIANTS.items():
        one, made = found[name], split.with_suffix(".h5") if name != PLAIN else store
        if name != PLAIN:
            started = time.monotonic()
            pca = None if is_whitened is None else pcas[is_whitened]
            report = reduce_store(store, made, pca=pca, is_quantised=is_quantised)
            one.reduce_s.append(time.monotonic() - started)
            one.clipped += [] if report.clipped_share is None else [report.clipped_share]
            one.errors += [] if report.quantisation_error is None else [report.quantisation_error]
        with EmbeddingStore(made) as opened:
            one.vector_bytes = opened.dimension * opened.provenance.row_type.itemsize
            dataset = LabelledSet.read(opened, table, stream=False)
        for arch, predicted in one.predicted.items():
            config = TrainConfig(arch=arch, mixup=0.0, seed=seed, device="cpu", thresholds="half")
            run = fit_head(dataset, train, np.zeros(0, np.int64), config)
            rows = dataset.take(test)
            probabilities = predict_probabilities(run.head, rows.videos, run.thresholds, device="cpu")
            predicted[seed, test] = decide_labels(probabilities, run.thresholds)
        if name != PLAIN:
            made.unlink()


def _store_of(arguments: argparse.Namespace, folder: Path) -> Path:
    """Return the store that was named, or one of the folder that was named."""
    if is_store(arguments.source):
        return Path(arguments.source)
    config = EmbedConfig(model=arguments.model, sampling=UniformFrames(arguments.frames_count))
    embed_videos([arguments.source], folder / "embeddings.h5", config)
    return folder / "embeddings.h5"


def _table(found: dict[str, Found], table: LabelTable, archs: Sequence[str]) -> list[str]:
    head = ("store", "bytes a vector", "cut off", "vectors change by", "made in, s")
    columns = [column for arch in archs for column in (f"{arch}: micro-F1", "difference to float16 (95%)")]
    rows = [_row(name, one, found[PLAIN], table) for name, one in found.items()]
    return [_line((*head, *columns)), _line(["---"] * (len(head) + len(columns))), *map(_line, rows)]


def _row(name: str, one: Found, plain: Found, table: LabelTable) -> list[str]:
    cells = [name, f"{one.vector_bytes:,}", _mean(one.clipped, ".2%"), _mean(one.errors, ".1%")]
    cells.append(_mean(one.reduce_s, ".2f"))
    for arch, predicted in one.predicted.items():
        scores = [measure(table.targets, seen, table.names).micro_f1 for seen in predicted]
        cells.append(f"{np.mean(scores):.3f} (std {np.std(scores):.3f})")
        cells.append("-" if one is plain else _difference(plain.predicted[arch], predicted, table))
    return cells


def _difference(first: NDArray[np.bool_], second: NDArray[np.bool_], table: LabelTable) -> str:
    """Return by how much the second labels (S, N, C) are better, paired, with an interval over groups or videos."""
    seeds, _, count = first.shape
    targets, groups = np.tile(table.targets, (seeds, 1)), (table.groups or table.ids) * seeds
    pair = (one.reshape(-1, count) for one in (first, second))
    found = bootstrap_difference(targets, *pair, groups=groups)["micro_f1"]
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def _mean(values: Sequence[float], form: str) -> str:
    return format(float(np.mean(values)), form) if values else "-"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _heading(arguments: argparse.Namespace, store: Path, table: LabelTable) -> str:
    with EmbeddingStore(store) as opened:
        made = f"{opened.provenance.encoder.model}, {int(opened.row_counts.sum()):,} vectors of {opened.dimension:,}"
    data = f"{len(table.ids)} videos, {len(table.names)} labels; {made} dimensions; PCA to {arguments.dimensions}"
    way = f"{arguments.folds} folds{' by group' if arguments.group_by else ''} x {arguments.seeds} seeds"
    machine = f"{os.cpu_count()} cores of {cpu_name()}, torch {torch.__version__}, {date.today()}"
    return f"{data}; {way}; default recipe without mixup.\n{machine}."


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("source", type=Path, help="a folder of class folders, or a store")
    add("--labels", type=Path, help="a label file; default: the class folders")
    add("--group-by", metavar="COLUMN", help="the label file's column whose groups stay in one part; default: none")
    add("--model", default="efficientnet-lite0", help="the encoder of a folder; default: %(default)s")
    add("--frames-count", type=int, default=16, help="frames embedded per clip of a folder; default: %(default)s")
    add("--dimensions", type=int, default=256, help="dimensions that a PCA keeps; default: %(default)s")
    add("--arch", default="linear,motion", help="heads, separated by commas; default: %(default)s")
    add("--folds", type=int, default=5, help="folds per seed; default: %(default)s")
    add("--seeds", type=int, default=3, help="number of seeds; default: %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    main()
