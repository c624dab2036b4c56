"""Measure the training of heads against the usual ways to train them, on synthetic stores.

The set has the size of the project's first experiment: 1,553 videos x 100
vectors of 512 float16, 4 labels, 10 epochs with batches of 16. Prints Markdown
tables, whose times are medians. On a GPU they have every head, on a CPU the
fast ones. "plain" is the usual code: a DataLoader that opens the HDF5 file for
each item, or torch.nn.TransformerEncoderLayer with Adam.

The transformer trains on fewer videos for one epoch, and its times are scaled
to the whole set. Its floor is the time of its matrix products at the rate at
which this machine multiplies matrices of that size, measured in turn with it.
The large set, 20,000 videos x 30 vectors x 3,862 labels, needs 0.6 GB in
--folder. It is read from disk, by each head in a process of its own, whose
peak memory is printed.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from classify import LabelledSet, TrainConfig, TrainJob, fit_head, fit_heads, list_heads
from classify.heads import FEED_FORWARD, sinusoidal_positions
from classify.training import find_device, open_videos
from embed.store import EmbeddingStore, EncoderIdentity, Provenance, StoreWriter, VideoRecord
from embed.video import Preprocessing

BATCH = 16
QUICK_HEADS = ("mlp", "random-frame", "statistics", "motion", "moe", "attention")
PER_VIDEO = "per_video.h5"
NOBODY: NDArray[np.int64] = np.array([], dtype=np.int64)
PREPROCESSING = Preprocessing(224, 224, "shortest", "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Args:
        videos: N.
        frames: T, vectors per video.
        dimension: D.
        labels: C.
        epochs: of the fast heads.
        sample: the number of videos that the transformer trains on.
        rounds: the number of measurements, whose median is printed.
    """

    videos: int
    frames: int
    dimension: int
    labels: int
    epochs: int = 10
    sample: int = 160
    rounds: int = 3


FULL, TINY = Size(1553, 100, 512, 4), Size(48, 6, 64, 4, epochs=1, sample=32, rounds=1)
LARGE, TINY_LARGE = Size(20_000, 30, 512, 3862), Size(64, 6, 16, 20)
LARGE_STEPS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="use small sizes, to see that it works")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda; default: %(default)s")
    parser.add_argument("--folder", type=Path, default=Path(), help="where to make the stores; default: here")
    parser.add_argument("--large-head", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.large_head:
        print(train_large(options.folder, options.large_head, options.device))
        return
    size, large = (TINY, TINY_LARGE) if options.tiny else (FULL, LARGE)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        print(f"{date.today()}, {machine(options.device)}.\n")
        store = write_store(Path(folder, "set.h5"), size)
        write_datasets(store, size)
        print_transformer(store, size, options.device)
        print_heads(store, size, options.device)
        write_store(Path(folder, "large.h5"), large)
        print_large(Path(folder, "large.h5"), options.device)


def print_heads(store: Path, size: Size, device: str) -> None:
    """Print the time of fast heads, from the store on disk to trained weights."""
    train(store, size, TrainConfig(epochs=1, device=device))  # warms up
    linear = middle(lambda: train(store, size, TrainConfig(epochs=size.epochs, mixup=0, device=device)), size.rounds)
    print(f"| {size.videos:,} videos x {size.frames} x {size.dimension}, {size.epochs} epochs | s | times linear |")
    print("| --- | --: | --: |")
    row("linear, no mixup", linear, linear)
    for way, stays_open in (("opens HDF5 for each item", False), ("keeps HDF5 open", True)):
        plain = middle(partial(train_plainly, store, size, device, stays_open=stays_open), size.rounds)
        row(f"linear, no mixup, a DataLoader that {way}", plain, linear)
    one = middle(lambda: train(store, size, TrainConfig(epochs=size.epochs, device=device)), size.rounds)
    five = middle(lambda: train_seeds(store, size, device), size.rounds)
    row("linear", one, linear)
    row(f"linear, five seeds at once ({five / one:.2f} times one seed)", five, linear)
    for arch in list_heads() if find_device(device).type == "cuda" else QUICK_HEADS:
        config = TrainConfig(arch=arch, epochs=size.epochs, device=device)
        row(arch, middle(partial(train, store, size, config), size.rounds), linear)
    print()


def print_transformer(store: Path, size: Size, device: str) -> None:
    """Print the time of the transformer, of its arithmetic alone and of torch's own layer."""
    whole, place = size.videos * 10 / size.sample, find_device(device)
    plain, frames = TrainConfig(arch="transformer", mixup=0, device=device), min(32, size.frames // 2)
    components = size.dimension // 4
    ways: dict[str, Callable[[], float]] = {
        "the matrix products alone (floor)": lambda: floor_s(size, place),
        "transformer": lambda: train_sample(store, size, plain),
        "torch.nn.TransformerEncoderLayer, plain": lambda: train_torch_layer(store, size, place),
        f"transformer, --max-frames {frames}": lambda: train_sample(store, size, replace(plain, max_frames=frames)),
        f"transformer, --project {components}": lambda: train_sample(store, size, replace(plain, project=components)),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(size.rounds):  # in turn, so that other load affects all equally
        for name, way in ways.items():
            found[name].append(way())
    print(f"| {size.sample} videos, one epoch | s | scaled to {size.videos:,} videos, 10 epochs, s | times floor |")
    print("| --- | --: | --: | --: |")
    floor = median(found["the matrix products alone (floor)"])
    for name, times in found.items():
        print(f"| {name} | {median(times):.3f} | {median(times) * whole:.0f} | {median(times) / floor:.2f} |")
    print()


def print_large(store: Path, device: str) -> None:
    """Print time and peak memory of heads with thousands of labels, each in a process of its own."""
    print("| many labels, from disk | peak memory, GB | s a step | s before the first step |")
    print("| --- | --: | --: | --: |")
    for arch in ("moe", "nextvlad"):
        command = [sys.executable, __file__, "--large-head", arch, "--folder", str(store), "--device", device]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def write_store(path: Path, size: Size) -> Path:
    """Write a store of synthetic videos, each of which is noise around a point of its class; return its path."""
    rng = np.random.default_rng(0)
    identity = EncoderIdentity("benchmark", "none", "none", "none", size.dimension, PREPROCESSING)
    noise = rng.standard_normal((64, size.frames, size.dimension)).astype(np.float32)
    centres = rng.standard_normal((size.labels, size.dimension)).astype(np.float32)
    moments = np.arange(size.frames, dtype=np.float32)
    with StoreWriter(path, Provenance(identity, {"name": "uniform", "frame_count": size.frames})) as writer:
        for number in range(size.videos):
            record = VideoRecord(f"{number:06}.mp4", f"{number:06}.mp4", "0" * 64, 240, 8.0, 30.0, 1280, 720)
            writer.append(record, (noise[number % 64] + centres[number % size.labels]).astype(np.float16), moments)
    return path


def write_datasets(store: Path, size: Size) -> None:
    """Write the videos of a store into a file beside it, with one HDF5 dataset per video."""
    with EmbeddingStore(store) as opened, h5py.File(store.with_name(PER_VIDEO), "w") as file:
        for number, video_id in enumerate(opened.ids[: size.videos]):
            file[str(number)] = opened.read(video_id).vectors


def read_set(
    store: EmbeddingStore, label_count: int, *, videos: int | None = None, stream: bool = False
) -> LabelledSet:
    """Return the first videos of a store, or all, with the labels from which they were made."""
    opened = open_videos(store, store.ids[:videos], stream=stream)
    has_label = (np.arange(len(opened)) % label_count)[:, None] == np.arange(label_count)
    return LabelledSet(opened, tuple(map(str, range(label_count))), has_label)


def train(path: Path, size: Size, config: TrainConfig) -> None:
    """Train one head, including reading the store."""
    with EmbeddingStore(path) as store:
        fit_head(read_set(store, size.labels), np.arange(size.videos), NOBODY, config)


def train_seeds(path: Path, size: Size, device: str) -> None:
    """Train five linear heads at the same time, including reading the store."""
    configs = [TrainConfig(epochs=size.epochs, seed=seed, device=device) for seed in range(5)]
    with EmbeddingStore(path) as store:
        fit_heads(
            read_set(store, size.labels), [TrainJob(np.arange(size.videos), NOBODY, config) for config in configs]
        )


def train_sample(path: Path, size: Size, config: TrainConfig) -> float:
    """Return the seconds of one epoch over some of the videos, without reading the store."""
    with EmbeddingStore(path) as store:
        dataset = read_set(store, size.labels, videos=size.sample)
        return fit_head(dataset, np.arange(size.sample), NOBODY, replace(config, epochs=1)).seconds


class PerItem(Dataset[tuple[Tensor, Tensor]]):
    """The videos of a file with one dataset per video, which is opened for each item or once."""

    def __init__(self, path: Path, size: Size, *, stays_open: bool) -> None:
        self._path, self._size, self._file = path, size, h5py.File(path) if stays_open else None

    def __len__(self) -> int:
        return self._size.videos

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        with nullcontext(self._file) if self._file else h5py.File(self._path) as file:
            return torch.from_numpy(file[str(index)][:]).float(), torch.tensor(index % self._size.labels)


def train_plainly(store: Path, size: Size, device: str, *, stays_open: bool) -> None:
    """Train a linear layer on means through a DataLoader."""
    place, dataset = find_device(device), PerItem(store.with_name(PER_VIDEO), size, stays_open=stays_open)
    layer = nn.Linear(size.dimension, size.labels).to(place)
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3)
    for _ in range(size.epochs):
        for vectors, labels in DataLoader(dataset, BATCH, shuffle=True):
            loss = F.cross_entropy(layer(vectors.to(place).mean(dim=1)), labels.to(place))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()


class TorchLayer(nn.Module):
    """The transformer with torch's parts: positions, dropout, torch's encoder layer, mean, linear."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.1)
        self.layer = nn.TransformerEncoderLayer(size.dimension, 8, FEED_FORWARD, dropout=0.1, batch_first=True)
        self.linear = nn.Linear(size.dimension, size.labels)

    def forward(self, vectors: Tensor, is_padding: Tensor) -> Tensor:
        """Return the (B, C) logits of (B, T, D) vectors."""
        placed = self.dropout(vectors + sinusoidal_positions(vectors))
        encoded = self.layer(placed, src_key_padding_mask=is_padding)
        real = ~is_padding.unsqueeze(-1)
        logits: Tensor = self.linear((encoded * real).sum(dim=1) / real.sum(dim=1))
        return logits


def train_torch_layer(path: Path, size: Size, device: torch.device) -> float:
    """Return the seconds of one epoch of torch's own layer over some of the videos, from memory."""
    with EmbeddingStore(path) as store:
        rows = open_videos(store, store.ids[: size.sample], stream=False).rows_of(np.arange(size.sample))
    vectors = torch.from_numpy(rows.astype(np.float32)).view(size.sample, size.frames, size.dimension).to(device)
    labels = (torch.arange(size.sample) % size.labels).to(device)
    model = TorchLayer(size).to(device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    order = torch.randperm(size.sample).to(device)

    def epoch() -> None:
        for chosen in torch.split(order, BATCH):
            batch = vectors[chosen]
            is_padding = torch.zeros(batch.shape[:2], dtype=torch.bool, device=device)
            loss = F.cross_entropy(model(batch, is_padding), labels[chosen])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        synchronise(device)

    return seconds(epoch)


def floor_s(size: Size, device: torch.device) -> float:
    """Return the seconds that an epoch's products over some of the videos take at this machine's best rate."""
    rows, dimension = BATCH * size.frames, size.dimension
    left, right = torch.randn(rows, dimension, device=device), torch.randn(dimension, FEED_FORWARD, device=device)
    times = []
    for _ in range(10):
        started = perf_counter()
        left @ right
        synchronise(device)
        times.append(perf_counter() - started)
    rate = 2 * rows * dimension * FEED_FORWARD / min(times)
    return products_a_video(size) * size.sample / rate


def products_a_video(size: Size) -> int:
    """Return the multiplications and additions of one video's matrix products, forward and backward.

    A layer's backward pass has two products as large as that of its forward pass. That of queries, keys and values has
    one, since no layer before it learns.
    """
    frames, dimension = size.frames, size.dimension
    inward = 2 * frames * dimension * 3 * dimension
    attention = 2 * 2 * frames * frames * dimension
    outward = 2 * frames * dimension * dimension
    feed_forward = 2 * 2 * frames * dimension * FEED_FORWARD
    return 2 * inward + 3 * (attention + outward + feed_forward)


def train_large(path: Path, arch: str, device: str) -> str:
    """Train a head with many labels for some steps; return its row of the table."""
    ended = [perf_counter()]
    with EmbeddingStore(path) as store:
        label_count = LARGE.labels if len(store) == LARGE.videos else TINY_LARGE.labels
        dataset = read_set(store, label_count, stream=True)
        videos = np.arange(min(LARGE_STEPS * BATCH, len(store)))
        config = TrainConfig(arch=arch, epochs=2, device=device)
        fit_head(dataset, videos, NOBODY, config, on_epoch=lambda _: ended.append(perf_counter()))
    first, second = np.diff(ended)
    name = f"{arch}, {len(dataset.videos):,} videos, {label_count:,} labels"
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9  # on Linux, which counts in KiB
    return f"| {name} | {peak_gb:.2f} | {second * BATCH / len(videos):.3f} | {first - second:.1f} |"


def row(name: str, taken_s: float, unit_s: float) -> None:
    """Print a row of the first table."""
    print(f"| {name} | {taken_s:.2f} | {taken_s / unit_s:.1f} |", flush=True)


def synchronise(device: torch.device) -> None:
    """Wait until a GPU has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds that a piece of work takes."""
    started = perf_counter()
    work()
    return perf_counter() - started


def middle(work: Callable[[], object], rounds: int) -> float:
    """Return the median seconds of some rounds of work."""
    return median(seconds(work) for _ in range(rounds))


def machine(device: str) -> str:
    """Return a description of this machine."""
    load = f"load {os.getloadavg()[0]:.1f}"
    place = torch.cuda.get_device_name() if find_device(device).type == "cuda" else f"{os.cpu_count()} cores"
    return f"{platform.machine()}, {place}, {load}, torch {torch.__version__}"


if __name__ == "__main__":
    main()
