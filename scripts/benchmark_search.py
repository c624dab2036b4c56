"""Measure how long an exact search takes over a store of random vectors.

The store is made in a temporary folder: --vectors rows of --dimensions numbers,
100 rows a video. "reading" is a plain read of its file. Cold means that the
file was dropped from the system's cache first. Prints a Markdown table.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
from cpu_name import cpu_name

from embed import EncoderIdentity, Preprocessing, Provenance, StoreWriter, VideoRecord
from embed.machine import core_count
from embed.search import SearchConfig, Term, VideoSearcher, search_store

_ROWS_OF_A_VIDEO = 100
_BLOCK = 16 << 20


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(dir=arguments.work) as folder:
        path = Path(folder) / "store.h5"
        _write(path, arguments.vectors // _ROWS_OF_A_VIDEO, arguments.dimensions)
        size = f"{arguments.vectors:,} vectors of {arguments.dimensions}"
        print(f"{size}, {path.stat().st_size / 1e9:.2f} GB; {cpu_name()}, {core_count()} cores; {date.today()}.\n")
        print("| what | s |\n| --- | --- |")
        for name, seconds in _measure(path, arguments.runs).items():
            print(f"| {name} | {seconds:.2f} |", flush=True)


def _measure(path: Path, runs: int) -> dict[str, float]:
    terms, config = [Term(video="000000")], SearchConfig(keep_bytes=0)
    kept = replace(config, keep_bytes=1 << 40)

    def cold(work: Callable[[], object]) -> float:
        return float(np.median([_seconds(work, after=lambda: _drop(path)) for _ in range(runs)]))

    found = {
        "reading, cold": cold(lambda: _read(path)),
        "one search of a store just opened, cold": cold(lambda: search_store(path, terms, config)),
        "reading, warm": _median(lambda: _read(path), runs),
    }
    with VideoSearcher(path, config) as searcher:
        searcher.search(terms)
        found["next search, rows from the file, warm"] = _median(lambda: searcher.search(terms), runs)
    with VideoSearcher(path, kept) as searcher:
        searcher.search(terms)
        found["next search, rows kept in memory"] = _median(lambda: searcher.search(terms), runs)
    return found


def _median(work: Callable[[], object], runs: int) -> float:
    return float(np.median([_seconds(work) for _ in range(runs)]))


def _seconds(work: Callable[[], object], after: Callable[[], None] = lambda: None) -> float:
    after()
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _drop(path: Path) -> None:
    """Drop a file from the system's cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _read(path: Path) -> None:
    buffer = bytearray(_BLOCK)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def _write(path: Path, videos: int, dimensions: int) -> None:
    cut = Preprocessing(224, 224, "shortest", "bicubic", (0, 0, 0), (1, 1, 1))
    identity = EncoderIdentity("random", "random", "bundled", "0" * 64, dimensions, cut)
    rng = np.random.default_rng(0)
    moments_s = np.arange(_ROWS_OF_A_VIDEO, dtype=np.float32)
    with StoreWriter(path, Provenance(identity, {"name": "uniform", "frame_count": _ROWS_OF_A_VIDEO})) as writer:
        for number in range(videos):
            rows = rng.standard_normal((_ROWS_OF_A_VIDEO, dimensions), dtype=np.float32)
            writer.append(VideoRecord(f"{number:06d}", duration_s=100.0), rows, moments_s)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=1_000_000, help="rows of the store; default: %(default)s")
    parser.add_argument("--dimensions", type=int, default=512, help="numbers of a row; default: %(default)s")
    parser.add_argument("--runs", type=int, default=5, help="runs of each; the median counts; default: %(default)s")
    parser.add_argument("--work", type=Path, help="folder for the store; default: the system's for temporary files")
    return parser.parse_args()


if __name__ == "__main__":
    main()
