"""Measure the import of YouTube-8M's TFRecords: speed and memory.

It makes records of 300 frames x 1,152 bytes in --folder (350 MB for each 1,000
videos), imports them at two sizes, each in a process of its own whose peak
memory is measured, and removes everything at the end. The package `tfrecord`
reads the first files in the same run, into arrays, without writing a store.
Prints a Markdown table; MB are those of the TFRecord files.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np

from embed import ImportConfig, export_youtube8m, import_youtube8m
from embed.store import EmbeddingStore, EncoderIdentity, Provenance, StoreWriter, VideoRecord
from embed.video import Preprocessing

FRAMES, SIZES = 300, {"rgb": 1024, "audio": 128}
A_FILE = 1000
RUNS = 3
GREY = (0.5, 0.5, 0.5)
ENCODER = EncoderIdentity(
    "youtube8m", "youtube8m:rgb+audio", "made", "made", 1152, Preprocessing(299, 299, "squash", "bilinear", GREY, GREY)
)


@dataclass(frozen=True)
class Work:
    """One way of reading the files.

    Args:
        name: what is done.
        videos: how many there are.
        is_package: True reads them by the package `tfrecord`.
        output: name of the store; one without .h5 is a folder of shards.
        labels: labels to take; empty takes all.
    """

    name: str
    videos: int
    is_package: bool = False
    output: str = "store.h5"
    labels: tuple[int, ...] = ()


def make_files(folder: Path, videos: int) -> None:
    """Write records of random bytes, A_FILE videos a file."""
    random = np.random.default_rng(0)
    pool = random.integers(0, 256, (64, FRAMES, sum(SIZES.values())), dtype=np.uint8)
    for start in range(0, videos, A_FILE):
        with tempfile.TemporaryDirectory(dir=folder) as made:
            store, labels = Path(made, "made.h5"), Path(made, "labels.csv")
            numbers = range(start, min(start + A_FILE, videos))
            with StoreWriter(store, Provenance(ENCODER, {"name": "fps", "fps": 1.0}, storage="uint8")) as writer:
                for number in numbers:
                    writer.append(VideoRecord(f"{number:06}"), pool[number % 64], np.arange(FRAMES, dtype=np.float32))
            rows = (f"{number:06},{number % 3862}|{number % 100}\n" for number in numbers)
            labels.write_text("id,labels\n" + "".join(rows))
            export_youtube8m(store, Path(made, "out"), labels=labels)
            Path(made, "out/videos-0000.tfrecord").rename(folder / f"train{start // A_FILE:04}.tfrecord")


def files_of(folder: Path, work: Work) -> list[Path]:
    return sorted(folder.glob("train*.tfrecord"))[: -(-work.videos // A_FILE)]


def read(work: Work, folder: Path, output: Path) -> int:
    """Do it, and return how many videos came."""
    files = files_of(folder, work)
    if work.is_package:
        return sum(read_by_package(path) for path in files)
    return import_youtube8m(files, output, ImportConfig(labels=work.labels)).imported


def read_by_package(path: Path) -> int:
    """Read a file into arrays by the package `tfrecord`."""
    from tfrecord.reader import sequence_loader  # type: ignore[import-untyped]

    context, lists = {"id": "byte", "labels": "int"}, dict.fromkeys(SIZES, "byte")
    count = 0
    for _, rows in sequence_loader(str(path), None, context, lists):
        arrays = [np.stack([np.frombuffer(row, np.uint8) for row in rows[name]]) for name in SIZES]
        count += len(np.concatenate(arrays, axis=1)) == FRAMES
    return count


def measure(work: Work, folder: Path) -> dict[str, float]:
    """Return the figures of one run in a process of its own."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        call = [sys.executable, __file__, "--one", json.dumps(vars(work)), "--folder", str(folder), "--made", made]
        done = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True)
        return dict(json.loads(done.stdout.splitlines()[-1]))


def run_one(work: Work, folder: Path, made: Path) -> None:
    """Do it in this process, and print its figures as JSON."""
    began, cpu = perf_counter(), process_time()
    count = read(work, folder, made / work.output)
    seconds, cpu_s = perf_counter() - began, process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    size = 0
    if not work.is_package:
        with EmbeddingStore(made / work.output) as store:
            size = store.size_bytes
    print(json.dumps({"videos": count, "seconds": seconds, "cpu_s": cpu_s, "peak": peak, "size": size}))


def row(work: Work, folder: Path, runs: int) -> str:
    """Return a row of the table, medians of several runs."""
    size = sum(path.stat().st_size for path in files_of(folder, work)) / 1e6
    found = [measure(work, folder) for _ in range(runs)]
    middle = {name: median(one[name] for one in found) for name in found[0]}
    cells = [f"{middle['videos']:,.0f}", f"{size:,.0f}", f"{middle['seconds']:.1f}", f"{size / middle['seconds']:,.0f}"]
    cells += [f"{size / middle['cpu_s']:,.0f}", f"{middle['peak'] / 1e6:,.0f}"]
    cells.append(f"{middle['size'] / 1e6:,.0f}" if middle["size"] else "")
    return f"| {work.name} | {' | '.join(cells)} |"


def works(most: int) -> list[tuple[Work, int]]:
    """Return what is measured, and how often."""
    few = min(A_FILE, most)
    return [
        (Work("import, one file", few), RUNS),
        (Work("import, one file", most), 1),
        (Work("import, folder of shards", most, output="shards"), 1),
        (Work("import, --labels of 10 of 3,862", most, labels=tuple(range(100, 110))), 1),
        (Work("package tfrecord, reading only", few, is_package=True), RUNS),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=10_000, help="videos of the larger set; default: %(default)s")
    parser.add_argument("--folder", type=Path, default=Path(), help="where to make the files; default: here")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--made", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        described = json.loads(options.one)
        run_one(Work(**{**described, "labels": tuple(described["labels"])}), options.folder, options.made)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        make_files(Path(folder), options.videos)
        machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        print(f"{date.today()}, {machine}; {FRAMES} frames x {sum(SIZES.values()):,} bytes a video.\n")
        print("| work | videos | MB | s | MB/s | MB/s a core | peak memory, MB | store, MB |")
        print("| --- | --: | --: | --: | --: | --: | --: | --: |")
        for work, runs in works(options.videos):
            print(row(work, Path(folder), runs), flush=True)


if __name__ == "__main__":
    main()
