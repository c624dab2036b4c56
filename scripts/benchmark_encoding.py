"""Measure what an encoder's precision gains and costs: images per second, and the cosine to float32.

The first batch of frames of the VIDEOs is encoded again and again, two batches
at a time as in a run. All precisions take turns, so that other load affects
them equally. Without --pretrained, open_clip's models get random weights,
which are as fast as any others.

Prints a Markdown table with the medians of images per second of CPU time and
of wall time. On a CPU, the ratio to float32 is that of CPU time, which other
processes change least; on other devices it is that of wall time. If a model
does not have a precision, its row says so.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np
import torch
from cpu_name import cpu_name
from numpy.typing import NDArray

from embed.encoders import Encoder, begin_encoding, declare_missing_operators, load_encoder
from embed.errors import EncoderError
from embed.run import measure_fidelity
from embed.store import Precision
from embed.video import UniformFrames, read_frames

_FRAMES_A_VIDEO = 8
_AT_ONCE = 2


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    print(f"{options.threads} threads of {cpu_name()}, torch {torch.__version__}, {date.today()}.")
    print(f"Batches of {options.batch_size}, medians of {options.rounds}.\n")
    print("| encoder | precision | images / CPU second | images / second | x float32 | cosine, worst | mean |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for model in options.models:
        _measure(model, options)


def _measure(model: str, options: argparse.Namespace) -> None:
    """Print the rows of one encoder."""
    encoders: dict[Precision, Encoder] = {}
    with tempfile.TemporaryDirectory() as folder:
        pretrained = _weights(model, options.pretrained, Path(folder))
        for precision in dict.fromkeys(["float32", *options.precisions]):
            try:
                encoders[precision] = load_encoder(
                    model, pretrained=pretrained, device=options.device, precision=precision
                )
            except EncoderError as error:
                print(f"| {model} | {precision} | {str(error).split(':')[0]} | | | | |")
    reference = encoders["float32"]
    rgb = _frames(options.videos, reference, options.batch_size)
    times = _times(encoders, rgb, options.rounds)
    clock = 0 if options.device == "cpu" else 1
    for precision, encoder in encoders.items():
        fidelity = measure_fidelity(encoder, reference, rgb)
        rates = [_AT_ONCE * len(rgb) / seconds for seconds in times[precision]]
        gain = times["float32"][clock] / times[precision][clock]
        cosines = f"{fidelity.cosine_min:.5f} | {fidelity.cosine_mean:.5f}"
        print(f"| {model} | {precision} | {rates[0]:.1f} | {rates[1]:.1f} | {gain:.2f} | {cosines} |", flush=True)


def _times(
    encoders: dict[Precision, Encoder], rgb: NDArray[np.uint8], rounds: int
) -> dict[Precision, tuple[float, float]]:
    """Return the median CPU and wall seconds of batches encoded at the same time, after a warm-up round."""
    taken: dict[Precision, list[tuple[float, float]]] = {precision: [] for precision in encoders}
    for _ in range(rounds + 1):
        for precision, encoder in encoders.items():
            cpu_started, started = process_time(), perf_counter()
            for pending in [begin_encoding(encoder, rgb) for _ in range(_AT_ONCE)]:
                pending.result()
            taken[precision].append((process_time() - cpu_started, perf_counter() - started))
    return {
        precision: (median(cpu for cpu, _ in found[1:]), median(wall for _, wall in found[1:]))
        for precision, found in taken.items()
    }


def _frames(videos: Sequence[str], encoder: Encoder, count: int) -> NDArray[np.uint8]:
    """Return the first frames, as many as a batch holds; they repeat if there are too few."""
    found: list[NDArray[np.uint8]] = []
    for video in videos:
        found.extend(read_frames(video, UniformFrames(_FRAMES_A_VIDEO), encoder.identity.preprocessing).rgb)
        if len(found) >= count:
            break
    return np.resize(np.stack(found), (count, *found[0].shape))


def _weights(model: str, pretrained: str | None, folder: Path) -> str | None:
    """Return the given weights, or a file of random weights for open_clip's models."""
    declare_missing_operators()
    import open_clip

    if pretrained or model not in open_clip.list_models():
        return None if model.startswith("efficientnet-lite") else pretrained
    torch.manual_seed(0)
    torch.save(open_clip.create_model(model).state_dict(), folder / "random.pt")
    return str(folder / "random.pt")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    models, precisions = ["ViT-B-32", "efficientnet-lite0"], ["float32", "bfloat16", "int8"]
    add = parser.add_argument
    add("videos", nargs="+", metavar="VIDEO", help="videos to take the frames from")
    add("--models", nargs="+", default=models, help="encoders; default: ViT-B-32 efficientnet-lite0")
    add("--precisions", nargs="+", default=precisions, help="precisions; default: float32 bfloat16 int8")
    add("--pretrained", help="a checkpoint file for open_clip's models; default: random weights")
    add("--device", default="cpu", help="cpu or cuda; default: %(default)s")
    add("--threads", type=int, default=os.cpu_count() or 1, help="torch's threads; default: one per core")
    add("--batch-size", type=int, default=32, help="frames per batch; default: %(default)s")
    add("--rounds", type=int, default=5, help="how often each precision is measured; default: %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    main()
