"""Measure encoders of clips: `encoding`, clips per second beside the backbone's own; `memory`, megabytes a clip.

`encoding` compares two ways that take turns, so that other load affects them
equally. "Backbone" is the forward pass of torchvision's model on floats that
lie ready, on all threads, at the batch size that is best for it. "Encoder" is
what a run does: bytes are copied, scaled and encoded, two batches at a time on
a CPU. The share is the encoder's clips per second divided by the backbone's;
the second one counts CPU time, which other processes change least.

`memory` encodes one batch of each size in a process of its own, and divides
how much more the larger one needs by the clips that it has more.

Weights are random, which are as fast as any others. Prints a Markdown table.
"""

import argparse
import os
import platform
import resource
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from cpu_name import cpu_name
from torch import nn

from embed.encoders import Encoder, begin_encoding, declare_missing_operators, load_encoder, suited_batch_size
from embed.run import Batch, encode_batches
from embed.store import EncoderIdentity

MODELS = ["mvit_v2_s", "swin3d_t", "r2plus1d_18"]
BATCHES = 2  # of the encoder in a round: as many as are encoded at a time on a CPU

Times = dict[Any, list[tuple[float, float]]]
"""Way -> wall and CPU seconds a clip, for each round."""


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    print(f"{options.threads} threads of {cpu_name()}, torch {torch.__version__}, {date.today()}.", flush=True)
    PARTS[options.part](options)


def measure_encoding(options: argparse.Namespace) -> None:
    print(f"Medians of {options.rounds} rounds.\n")
    print("| model | W | backbone, clips/s | batch | encoder, clips/s | batch | share | share, CPU time |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for model in options.models:
            weights = random_weights(model, Path(folder))
            encoder = load_encoder(model, pretrained=weights, device=options.device, window=options.clip_frames)
            times = times_in_turns(encoder, options)
            ours = [median(column) for column in zip(*times.pop("encoder"), strict=True)]
            theirs = {batch: [median(column) for column in zip(*found, strict=True)] for batch, found in times.items()}
            best = min(theirs, key=lambda batch: theirs[batch][0])
            cells = (
                model,
                encoder.identity.window,
                f"{1 / theirs[best][0]:.2f}",
                best,
                f"{1 / ours[0]:.2f}",
                suited_batch_size(encoder),
                f"{theirs[best][0] / ours[0]:.2f}",
                f"{min(cpu for _, cpu in theirs.values()) / ours[1]:.2f}",
            )
            print(f"| {' | '.join(map(str, cells))} |", flush=True)


def times_in_turns(encoder: Encoder, options: argparse.Namespace) -> Times:
    """Return the times of the backbone at each batch size, and of the encoder, after a round to warm up."""
    ways: dict[Any, Callable[[], int]] = {
        batch: backbone_way(encoder.identity, batch, options.device) for batch in options.batch_sizes
    }
    ways["encoder"] = encoder_way(encoder)
    times: Times = {way: [] for way in ways}
    for _ in range(options.rounds + 1):
        for way, encode in ways.items():
            cpu_started, started = process_time(), perf_counter()
            clip_count = encode()
            if options.device.startswith("cuda"):
                torch.cuda.synchronize()
            times[way].append(((perf_counter() - started) / clip_count, (process_time() - cpu_started) / clip_count))
    return {way: found[1:] for way, found in times.items()}


def backbone_way(identity: EncoderIdentity, batch_size: int, device: str) -> Callable[[], int]:
    """Return a function that runs the forward pass of one batch, and returns the number of its clips."""
    side_px, window = identity.preprocessing.side_px, identity.window
    network = whole_model(identity.model).eval().to(device)
    pixels = torch.randn(batch_size, 3, window, side_px, side_px, device=device)

    def encode() -> int:
        with torch.inference_mode():
            network(pixels)
        return batch_size

    return encode


def encoder_way(encoder: Encoder) -> Callable[[], int]:
    """Return a function that encodes batches as a run does, and returns the number of their clips."""
    batch_size, side_px = suited_batch_size(encoder), encoder.identity.preprocessing.side_px
    shape = (batch_size, encoder.identity.window, side_px, side_px, 3)
    rgb = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

    def encode() -> int:
        for _ in encode_batches([Batch(rgb, batch_size, ())] * BATCHES, lambda rgb: begin_encoding(encoder, rgb)):
            pass
        return BATCHES * batch_size

    return encode


def measure_memory(options: argparse.Namespace) -> None:
    least, most = min(options.batch_sizes), max(options.batch_sizes)
    print(f"Batches of {least} and {most} clips.\n")
    print("| model | MB a clip |")
    print("| --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for model in options.models:
            weights = random_weights(model, Path(folder))
            peaks = []
            for batch_size in (least, most):
                with ProcessPoolExecutor(1, get_context("spawn")) as process:
                    peaks.append(process.submit(peak_mb, model, weights, batch_size, options.clip_frames).result())
            print(f"| {model} | {(peaks[1] - peaks[0]) / (most - least):.0f} |", flush=True)


def peak_mb(model: str, weights: str, batch_size: int, clip_frames: int | None) -> float:
    """Return the most memory that this process ever had, after encoding one batch on one thread of the CPU."""
    torch.set_num_threads(1)
    encoder = load_encoder(model, pretrained=weights, device="cpu", window=clip_frames)
    side_px = encoder.identity.preprocessing.side_px
    encoder.encode(np.zeros((batch_size, encoder.identity.window, side_px, side_px, 3), np.uint8))
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def random_weights(model: str, folder: Path) -> str:
    """Save random weights of a model, and return the file."""
    torch.manual_seed(0)
    torch.save(whole_model(model).state_dict(), folder / f"{model}.pt")
    return str(folder / f"{model}.pt")


def whole_model(model: str) -> nn.Module:
    """Return torchvision's model with random weights."""
    declare_missing_operators()
    from torchvision.models import get_model

    network: nn.Module = get_model(model)
    return network


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("part", choices=PARTS, help="what to measure")
    add("--models", nargs="+", default=MODELS, help=f"default: {' '.join(MODELS)}")
    add("--clip-frames", type=int, help="W, the frames of a clip; default: 16")
    add("--batch-sizes", nargs="+", type=int, default=[1, 2, 4], help="clips at once; default: 1 2 4")
    add("--device", default="cpu", help="cpu or cuda, for encoding; default: %(default)s")
    add("--threads", type=int, default=os.cpu_count() or 1, help="torch's threads; default: one per core")
    add("--rounds", type=int, default=3, help="how often each way is measured; default: %(default)s")
    return parser.parse_args()


PARTS = {"encoding": measure_encoding, "memory": measure_memory}


if __name__ == "__main__":
    main()
