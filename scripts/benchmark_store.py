"""Measure the store at scale, against one HDF5 dataset per video and against .npy files.

It measures opening, reading at random, reading all and appending. Every video
has 8 vectors of 512 float16, which are 8 KB. The stores are made in --folder,
which needs 2 x 8 KB per video (16 GB for --videos 1000000), and are removed at
the end. Prints a Markdown table with one row per layout and size. One dataset
per video and one .npy file per video are measured with --peer-videos, a size
at which they finish. "np.load" is one .npy file of all vectors: the speed of
the disk or of its cache.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import perf_counter

import h5py
import numpy as np
from numpy.typing import NDArray

from embed.store import EmbeddingStore, EncoderIdentity, Provenance, StoreWriter, VideoRecord
from embed.video import Preprocessing

T, D = 8, 512
RANDOM_READS = 10_000
APPENDED = 2_000
PREPROCESSING = Preprocessing(224, 224, "shortest", "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
PROVENANCE = Provenance(
    EncoderIdentity("benchmark", "none", "none", "none", dimension=D, preprocessing=PREPROCESSING),
    {"name": "uniform", "frame_count": T},
)


@dataclass(frozen=True)
class Timing:
    """One row of the table, in seconds; None if a layout cannot do it.

    Args:
        layout: the layout that was measured.
        videos: the number of videos.
        write_s: to write all videos from memory.
        open_s: until the first video can be read.
        random_s: to read RANDOM_READS videos, one after another, in random order.
        read_all_s: to read all videos into one array.
        append_s: to append APPENDED videos and close the store.
    """

    layout: str
    videos: int
    write_s: float
    open_s: float | None
    random_s: float | None
    read_all_s: float
    append_s: float | None


def video_id(number: int) -> str:
    return f"collection-{number % 97:02}/clip-{number:08}.mp4"


def make_vectors() -> NDArray[np.float16]:
    """Return (1024, T, D) vectors that videos use in turn, so that the time to make them is negligible."""
    return np.random.default_rng(0).standard_normal((1024, T, D)).astype(np.float16)


def measure_store(path: Path, vectors: NDArray[np.float16], count: int) -> Timing:
    """Measure an `EmbeddingStore`, which is one file or a folder."""
    write_s = seconds(lambda: append(path, vectors, range(count)))
    open_s = median_seconds(lambda: EmbeddingStore(path).close())
    with EmbeddingStore(path) as store:
        random_s = seconds(lambda: [store.read(video_id(number)) for number in chosen(count)])
        ids = store.ids
        read_all_s = median_seconds(lambda: store.read_many(ids))
    append_s = seconds(lambda: append(path, vectors, range(count, count + APPENDED)))
    layout = "framehead, folder of shards" if path.is_dir() else "framehead, one file"
    return Timing(layout, count, write_s, open_s, random_s, read_all_s, append_s)


def append(path: Path, vectors: NDArray[np.float16], numbers: Sequence[int]) -> None:
    moments = np.arange(T, dtype=np.float32)
    with StoreWriter(path, PROVENANCE) as writer:
        for number in numbers:
            record = VideoRecord(video_id(number), f"/videos/{video_id(number)}", "0" * 64, 240, 8.0, 30.0, 1280, 720)
            writer.append(record, vectors[number % len(vectors)], moments)


def measure_datasets(path: Path, vectors: NDArray[np.float16], count: int) -> Timing:
    """Measure one HDF5 dataset per video."""

    def write(numbers: Sequence[int]) -> None:
        with h5py.File(path, "a") as file:
            for number in numbers:
                file[video_id(number)] = vectors[number % len(vectors)]

    write_s = seconds(lambda: write(range(count)))
    open_s = median_seconds(lambda: h5py.File(path).close())
    with h5py.File(path) as file:
        random_s = seconds(lambda: [file[video_id(number)][:] for number in chosen(count)])
        read_all_s = seconds(lambda: np.stack([file[video_id(number)][:] for number in range(count)]))
    append_s = seconds(lambda: write(range(count, count + APPENDED)))
    return Timing("one dataset a video", count, write_s, open_s, random_s, read_all_s, append_s)


def measure_npy_files(folder: Path, vectors: NDArray[np.float16], count: int) -> Timing:
    """Measure one .npy file per video."""

    def path_of(number: int) -> Path:
        return folder / f"{video_id(number)}.npy"

    def write(numbers: Sequence[int]) -> None:
        for number in numbers:
            np.save(path_of(number), vectors[number % len(vectors)])

    for number in range(97):
        path_of(number).parent.mkdir(parents=True)
    write_s = seconds(lambda: write(range(count)))
    random_s = seconds(lambda: [np.load(path_of(number)) for number in chosen(count)])
    read_all_s = seconds(lambda: np.stack([np.load(path_of(number)) for number in range(count)]))
    append_s = seconds(lambda: write(range(count, count + APPENDED)))
    return Timing("one .npy file a video", count, write_s, None, random_s, read_all_s, append_s)


def measure_one_npy(path: Path, vectors: NDArray[np.float16], count: int) -> Timing:
    """Measure one .npy file of all vectors, the reference for reading all."""

    def write() -> None:
        array = np.lib.format.open_memmap(path, "w+", np.float16, (count, T, D))
        for start in range(0, count, len(vectors)):
            array[start : start + len(vectors)] = vectors[: count - start]
        array.flush()

    return Timing("np.load of one .npy", count, seconds(write), None, None, median_seconds(lambda: np.load(path)), None)


def chosen(count: int) -> Iterator[int]:
    return iter(np.random.default_rng(1).integers(0, count, RANDOM_READS).tolist())


def seconds(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


def median_seconds(work: Callable[[], object]) -> float:
    return sorted(seconds(work) for _ in range(3))[1]


@contextmanager
def emptied(path: Path) -> Iterator[Path]:
    """Give a path in a temporary folder of its own, so that the layouts are not on the disk at the same time."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        yield Path(folder) / path.name


def table(timings: Sequence[Timing]) -> str:
    """Return the Markdown table."""
    whole = {timing.videos: timing.read_all_s for timing in timings if timing.layout.startswith("np.load")}
    lines = [
        f"{date.today()}, {machine()}; {T} x {D} float16 a video; medians of three for open and read all.",
        "",
        f"| layout | videos | write, videos/s | open, s | {RANDOM_READS:,} random reads, s | read all, s "
        f"| of np.load's speed | append {APPENDED:,} and close, s |",
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for timing in timings:
        cells = [f"{timing.videos:,}", f"{timing.videos / timing.write_s:,.0f}", shown(timing.open_s, 3)]
        cells += [shown(timing.random_s, 2), shown(timing.read_all_s, 2)]
        cells += [shown(whole[timing.videos] / timing.read_all_s, 2), shown(timing.append_s, 1)]
        lines.append(f"| {timing.layout} | {' | '.join(cells)} |")
    return "\n".join(lines)


def shown(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, h5py {h5py.__version__}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=100_000, help="videos in a store; default: %(default)s")
    parser.add_argument("--peer-videos", type=int, default=20_000, help="in the other layouts; default: %(default)s")
    parser.add_argument("--folder", type=Path, default=Path(), help="where to make the stores; default: here")
    options = parser.parse_args()
    vectors, timings = make_vectors(), []
    peers = (("v.h5", measure_store), ("v.h5", measure_datasets), ("v", measure_npy_files), ("v.npy", measure_one_npy))
    large = (("v.h5", measure_store), ("v", measure_store), ("v.npy", measure_one_npy))
    for count, layouts in ((options.videos, large), (options.peer_videos, peers)):
        for name, measure in layouts:
            with emptied(options.folder / name) as path:
                timings.append(measure(path, vectors, count))
            print(timings[-1], file=sys.stderr, flush=True)  # the table comes minutes later
    print(table(timings))


if __name__ == "__main__":
    main()
