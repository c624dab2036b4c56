"""Measure how well splits of multi-label sets keep each class's share, compared with other packages.

Prints a Markdown table for synthetic label tables, split into train,
validation and test as 80:10:10. "off by" is the difference between the number
of videos that a class has in a part and its exact share: the mean over classes
and parts, and the largest; both are means over the seeds. "missing" counts the
times that a class of at least 10 videos has none in validation or test. Other
packages are left out if they are not installed:

    pip install scikit-multilearn iterative-stratification
"""

import argparse
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import mean
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from classify import LabelTable, SplitConfig, split_table

Table = NDArray[np.bool_]
Splitter = Callable[[Table, int], NDArray[np.int64]]

SHARES = (0.8, 0.1, 0.1)


def twelve_classes(seed: int) -> Table:
    """Return 796 videos with 12 classes of 7 to 172 videos, 14% with several labels, as in a set for fine-tuning."""
    rng = np.random.default_rng(seed)
    wanted = np.array([172, 150, 120, 100, 85, 70, 60, 45, 35, 25, 12, 7])
    first = np.repeat(np.arange(12), np.diff(np.round(np.append(0, wanted.cumsum()) * 796 / wanted.sum()).astype(int)))
    table = first[:, None] == np.arange(12)
    several = rng.choice(796, 111, replace=False)
    table[several, rng.choice(12, 111, p=wanted / wanted.sum())] = True
    return np.asarray(table)


def hashtags(seed: int) -> Table:
    """Return 3,100 videos with 31 hashtags of about 100 to 300 videos, about two per video."""
    return _tagged(seed, 3100, np.linspace(0.03, 0.1, 31))


def long_tail(seed: int) -> Table:
    """Return 5,000 videos with 100 labels of 1,000 down to 10 videos, about three per video."""
    return _tagged(seed, 5000, np.geomspace(0.2, 0.002, 100))


def _tagged(seed: int, count: int, shares: NDArray[np.float64]) -> Table:
    rng = np.random.default_rng(seed)
    table = rng.random((count, len(shares))) < shares
    bare = ~table.any(axis=1)
    table[bare, rng.integers(0, len(shares), int(bare.sum()))] = True
    return np.asarray(table)


def ours(table: Table, seed: int) -> NDArray[np.int64]:
    names = [f"c{index:03d}" for index in range(table.shape[1])]
    ids = tuple(f"{index:05d}" for index in range(len(table)))
    split = split_table(LabelTable(ids, tuple(names), table), SplitConfig(seed=seed))
    return np.array([("train", "validation", "test").index(part) for part in split.parts])


def at_random(table: Table, seed: int) -> NDArray[np.int64]:
    tenth = round(len(table) * SHARES[1])
    parts = np.repeat([0, 1, 2], [len(table) - 2 * tenth, tenth, tenth])
    return np.asarray(np.random.default_rng(seed).permutation(parts))


def scikit_multilearn(table: Table, seed: int) -> NDArray[np.int64]:
    from skmultilearn.model_selection import IterativeStratification

    np.random.seed(seed)  # noqa: NPY002 - the package uses the global generator
    stratifier = IterativeStratification(n_splits=3, order=1, sample_distribution_per_fold=list(SHARES))
    parts = np.empty(len(table), dtype=np.int64)
    for part, (_, rows) in enumerate(stratifier.split(np.zeros((len(table), 1)), table.astype(int))):
        parts[rows] = part
    return parts


def iterative_stratification(table: Table, seed: int) -> NDArray[np.int64]:
    from iterstrat.ml_stratifiers import MultilabelStratifiedShuffleSplit

    def halve(rows: NDArray[np.int64], share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        splitter = MultilabelStratifiedShuffleSplit(n_splits=1, test_size=share, random_state=seed)
        kept, taken = next(splitter.split(np.zeros((len(rows), 1)), table[rows].astype(int)))
        return rows[kept], rows[taken]

    train, rest = halve(np.arange(len(table)), SHARES[1] + SHARES[2])
    validation, test = halve(rest, 0.5)
    parts = np.zeros(len(table), dtype=np.int64)
    parts[validation], parts[test] = 1, 2
    assert len(train) + len(rest) == len(table)
    return parts


SPLITTERS: dict[str, Splitter] = {
    "split-videos": ours,
    "iterative-stratification": iterative_stratification,
    "scikit-multilearn": scikit_multilearn,
    "at random": at_random,
}
TABLES: dict[str, Callable[[int], Table]] = {
    "796 videos, 12 classes": twelve_classes,
    "3,100 videos, 31 hashtags": hashtags,
    "5,000 videos, 100 labels": long_tail,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds; default: %(default)s")
    seeds = range(parser.parse_args().seeds)
    warnings.simplefilter("ignore")  # other packages warn about NumPy
    print(f"80:10:10, {len(seeds)} seeds; {os.cpu_count()} cores, {date.today()}.\n")
    print("| set | splitter | train/validation/test | off by, mean | largest | missing | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for set_name, make in TABLES.items():
        for name, splitter in SPLITTERS.items():
            try:
                rows = [_measure(make(seed), splitter, seed) for seed in seeds]
            except ImportError:
                continue
            print(f"| {set_name} | {name} | {_figures(rows)} |")


@dataclass(frozen=True)
class Measured:
    """One split: the sizes of its parts, how far classes are off (mean, largest), missing classes, and its seconds."""

    sizes: str
    off: float
    largest: float
    missing: int
    seconds: float


def _measure(table: Table, splitter: Splitter, seed: int) -> Measured:
    started = perf_counter()
    parts = splitter(table, seed)
    seconds = perf_counter() - started
    found = np.stack([table[parts == part].sum(axis=0) for part in range(3)])
    off = np.abs(found - np.array(SHARES)[:, None] * table.sum(axis=0))
    missing = int(((found[1:] == 0) & (table.sum(axis=0) >= 10)).sum())
    sizes = "/".join(map(str, np.bincount(parts, minlength=3)))
    return Measured(sizes, float(off.mean()), float(off.max()), missing, seconds)


def _figures(rows: Sequence[Measured]) -> str:
    sizes = sorted({row.sizes for row in rows})
    shown = sizes[0] if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    off, largest, missing = (
        mean(row.off for row in rows),
        mean(row.largest for row in rows),
        mean(row.missing for row in rows),
    )
    return f"{shown} | {off:.2f} | {largest:.1f} | {missing:.1f} | {mean(row.seconds for row in rows):.2f}"


if __name__ == "__main__":
    main()
