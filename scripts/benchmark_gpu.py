"""Measure whole runs on a machine with an NVIDIA GPU: videos per second, how idle the GPU is, and what NVDEC gains.

FOLDER holds videos. Without it two clips are made, one in H.264 and one in
HEVC, and used under --videos names. Without --pretrained, ViT-B-32 gets random
weights, which are as fast as any others; so do encoders of clips, which are
among the default models on a GPU. The encoder is loaded before the clock
starts. All ways to run it take turns, so that other load affects them
equally.

Prints a Markdown table of medians for each encoder. "GPU idle" is the share of
time without a kernel on the first GPU, and "NVDEC busy" is the share of time
in which its video engine runs, as nvidia-smi reports them each second.
"cosine" is the smallest cosine between a vector and the same vector of its
model's first row: NVDEC gives the CPU's pixels, so only the precision changes
it. Without a GPU, everything runs on the CPU in float32.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import isnan
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any, Self, get_args

import numpy as np
import torch
from benchmark_clips import random_weights
from decoding_clips import default_footage, make_clip
from numpy.typing import NDArray

from embed import Clips, EmbedConfig, EmbedSummary, embed_videos
from embed.encoders import Encoder, begin_encoding, declare_missing_operators, load_encoder, suited_batch_size
from embed.machine import counted, slowest
from embed.run import Batch, encode_batches
from embed.store import EmbeddingStore, Precision
from embed.video import UniformFrames, why_no_gpu

CLIP, LITE = "ViT-B-32", "efficientnet-lite0"
OF_CLIPS = ["mvit_v2_s", "swin3d_t", "r2plus1d_18"]
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
ENCODED_ALONE = 20  # batches, after the same number to warm up
SAMPLE_INTERVAL_S = 1.0

Vectors = NDArray[np.floating]


@dataclass(frozen=True)
class Way:
    """One way to run an encoder."""

    decode_device: Any
    workers: int


@dataclass(frozen=True)
class Round:
    """The result of one run: (N, D) vectors in the order of the videos' ids, and shares of time, NaN if unknown."""

    summary: EmbedSummary
    vectors: Vectors
    idle: float
    engine: float


class GpuMeter:
    """Samples the first GPU while it is open."""

    def __enter__(self) -> Self:
        self._samples: list[list[float]] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def _sample(self) -> None:
        program = shutil.which("nvidia-smi")
        query = "--query-gpu=utilization.gpu,utilization.decoder"
        is_last = False
        while program and not is_last:
            is_last = self._is_over.wait(SAMPLE_INTERVAL_S)
            command = [program, "-i", "0", query, "--format=csv,noheader,nounits"]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode == 0 and "[" not in result.stdout:  # otherwise "[N/A]", or the query is unknown
                self._samples.append([float(cell) / 100 for cell in result.stdout.split(",")])

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    @property
    def idle(self) -> float:
        """Return the share of time in which no kernel ran."""
        return 1 - mean(kernels for kernels, _ in self._samples) if self._samples else float("nan")

    @property
    def engine(self) -> float:
        """Return the share of time in which the video engine ran."""
        return mean(engine for _, engine in self._samples) if self._samples else float("nan")


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory() as temporary:
        made = options.made or Path(temporary)
        made.mkdir(parents=True, exist_ok=True)
        videos = options.folder or make_videos(made, options)
        print_machine()
        decode_devices = ["cpu"] if why_no_gpu() else options.decode_devices
        ways = [Way(device, workers) for device in decode_devices for workers in options.workers]
        for model in options.models:
            pretrained = weights_of(model, made, options)
            first: Vectors | None = None
            for precision in options.precisions:
                encoder = load_encoder(model, pretrained=pretrained, precision=precision)
                alone = encoded_alone(encoder, options.batch_size or suited_batch_size(encoder))
                window = encoder.identity.window
                of_clips = "" if window == 1 else f" ({alone / window:.1f} clips/s)"
                print(f"\n{model}, {precision}; without decoding {alone:.0f} frames/s{of_clips}\n")
                rounds = in_turns(ways, videos, encoder, options)
                first = rounds[ways[0]][0].vectors if first is None else first
                print_rows(rounds, first)


def in_turns(ways: list[Way], videos: Path, encoder: Encoder, options: argparse.Namespace) -> dict[Way, list[Round]]:
    rounds: dict[Way, list[Round]] = {way: [] for way in ways}
    for _ in range(options.rounds):
        for way in ways:
            rounds[way].append(run(way, videos, encoder, options))
    return rounds


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    precisions = ["float32", "bfloat16"] if torch.cuda.is_available() else ["float32"]
    workers = sorted({max(1, CORES // part) for part in (4, 2, 1)})
    where, add = "where to decode; default: both", parser.add_argument
    add("folder", nargs="?", type=Path, help="videos to embed; default: clips are made")
    models = [CLIP, LITE, *(OF_CLIPS if torch.cuda.is_available() else ())]
    add("--models", nargs="+", default=models, help=f"encoders; default: {' '.join(models)}")
    add(
        "--precisions",
        nargs="+",
        choices=get_args(Precision),
        default=precisions,
        help="default: float32, on a GPU also bfloat16",
    )
    add("--decode-devices", nargs="+", choices=("cpu", "cuda"), default=["cpu", "cuda"], help=where)
    add("--workers", nargs="+", type=int, default=workers, help="decoding processes; default: 1/4, 1/2 and all cores")
    add("--frames-count", type=int, default=100, help="frames embedded per video; default: %(default)s")
    add("--clips-count", type=int, default=8, help="clips of 16 embedded per video; default: %(default)s")
    add("--batch-size", type=int, help="frames or clips per batch; default: what suits the encoder")
    add("--rounds", type=int, default=3, help="how often each way runs; default: %(default)s")
    add("--pretrained", help=f"a tag or checkpoint of {CLIP}; default: random weights")
    add("--made", type=Path, help="keep clips and checkpoint here for later runs; default: a temporary folder")
    add("--videos", type=int, default=32, help="number of videos to make; default: %(default)s")
    add("--seconds", type=int, default=60, help="length of these videos; default: %(default)s")
    add("--height", type=int, default=1080, help="height of these videos in pixels; default: %(default)s")
    add("--tiny", action="store_true", help="run everything once on tiny clips, to see that it works")
    options = parser.parse_args()
    if options.tiny:
        small = {"videos": 3, "seconds": 1, "height": 90, "frames_count": 4, "batch_size": 4, "rounds": 1}
        small |= {"clips_count": 1}
        vars(options).update(small, models=options.models if options.models != models else [LITE], workers=[1, 2])
    return options


def make_videos(folder: Path, options: argparse.Namespace) -> Path:
    """Make two clips, link them under many names, and return the folder."""
    clips = [
        make_clip(folder, codec, options.height, 250, options.seconds, default_footage()) for codec in ("h264", "hevc")
    ]
    videos = folder / f"{options.videos}-of-{options.height}p-{options.seconds}s"
    videos.mkdir(exist_ok=True)
    for number in range(options.videos):
        path = videos / f"{number}.mp4"
        if not path.exists():
            os.link(clips[number % len(clips)], path)
    return videos


def weights_of(model: str, made: Path, options: argparse.Namespace) -> str | None:
    """Return a file of random weights, or what was asked for; None for an encoder that brings its own."""
    if model == CLIP:
        return options.pretrained or make_checkpoint(made)
    declare_missing_operators()
    from torchvision.models import list_models, video

    return random_weights(model, made) if model in list_models(video) else None


def make_checkpoint(folder: Path) -> str:
    """Save a CLIP with random weights, unless the file exists, and return the file."""
    path = folder / f"{CLIP}-random.pt"
    if not path.exists():
        declare_missing_operators()
        import open_clip

        torch.save(open_clip.create_model(CLIP).state_dict(), path)
    return str(path)


def print_machine() -> None:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    print(f"{gpu}; {CORES} cores of {platform.machine()}, torch {torch.__version__}, {date.today()}")
    if not torch.cuda.is_available():
        print("torch sees no NVIDIA GPU here: all figures below are those of the CPU.")
    if reason := why_no_gpu():
        print(f"Decoding stays on the CPU: {reason}.")


def encoded_alone(encoder: Encoder, batch_size: int) -> float:
    """Return the frames per second that an encoder gives if nothing has to be decoded."""
    side_px, window = encoder.identity.preprocessing.side_px, encoder.identity.window
    rgb = np.random.default_rng(0).integers(0, 256, (batch_size, window, side_px, side_px, 3), dtype=np.uint8)
    batches = [Batch(rgb, batch_size, ())] * (ENCODED_ALONE if torch.cuda.is_available() else 2)
    seconds = []
    for _ in range(2):  # the first warms up
        started = perf_counter()
        for _ in encode_batches(batches, lambda rgb: begin_encoding(encoder, rgb)):
            pass
        seconds.append(perf_counter() - started)
    return window * batch_size * len(batches) / seconds[-1]


def run(way: Way, videos: Path, encoder: Encoder, options: argparse.Namespace) -> Round:
    window = encoder.identity.window
    config = EmbedConfig(
        sampling=UniformFrames(options.frames_count) if window == 1 else Clips(window, clip_count=options.clips_count),
        batch_size=options.batch_size,
        decode_device=way.decode_device,
        workers=way.workers,
    )
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store.h5"
        with GpuMeter() as meter:
            summary = embed_videos([videos], store, config, encoder=encoder)
        opened = EmbeddingStore(store)
        vectors = np.concatenate([opened.read(name).vectors for name in sorted(opened.ids)])
    return Round(summary, vectors, meter.idle, meter.engine)


def print_rows(rounds: dict[Way, list[Round]], first: Vectors) -> None:
    print("| decoded on | workers | videos/s | vectors/s | GPU idle | NVDEC busy | slowest stage | cosine |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for way, found in rounds.items():
        summary = found[0].summary
        seconds = median(one.summary.seconds for one in found)
        cells: Sequence[object] = (
            way.decode_device,
            way.workers,
            f"{summary.embedded / seconds:.2f}",
            f"{summary.vectors / seconds:.1f}",
            share(one.idle for one in found),
            share(one.engine for one in found),
            slowest(summary.shares),
            f"{smallest_cosine(first, found[0].vectors):.5f}",
        )
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
        for failure in summary.failures:
            print(f"failed: {failure.id}: {failure.detail}", file=sys.stderr)
        for reason, count in summary.decoded_on_cpu.items():
            print(f"decoded on the CPU in this row: {counted(count, 'video')}: {reason}", file=sys.stderr)


def share(values: Iterable[float]) -> str:
    middle = median(values)
    return "-" if isnan(middle) else f"{middle:.0%}"


def smallest_cosine(a: Vectors, b: Vectors) -> float:
    a, b = a.astype(np.float32), b.astype(np.float32)
    return float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())


if __name__ == "__main__":
    main()
