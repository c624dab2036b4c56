"""An epoch of last-block training from stored activations, against an epoch of the plain way, on the same clips.

    python scripts/benchmark_last_block.py shared/data/ut_interaction6 --clips 60 --plain-clips 8

The plain way decodes each clip, runs the whole model, and goes backward through the last block: nothing is augmented,
and what is frozen keeps no gradients. It is measured on `--plain-clips` clips, and scaled to all. The stored way is
`fit_head` on a store, with all that an epoch of `train-head` does. Weights are random, which changes no time.

Break-even is the number of epochs after which embedding the activations first has cost less in all.
"""

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from classify.heads import describe_tail
from classify.training import RECIPES, LabelledSet, TrainConfig, fit_head, open_videos
from embed import EmbeddingStore, Encoder, Provenance, StoreWriter, VideoRecord, find_videos, load_encoder, read_frames
from embed.encoders import begin_encoding, declare_missing_operators
from embed.store import EncoderIdentity
from embed.video import Clips

BLOCKS = {"mvit_v2_s": "blocks.15", "swin3d_t": "features.6", "r2plus1d_18": "layer4"}
SAMPLING = Clips(16, "auto", 1, 10.0)  # row B: the first 10 s, one clip of 16 frames
CLASSES = 12
EPOCHS = 3  # the first one also loads the encoder, and is not counted


@dataclass(frozen=True)
class Times:
    """Seconds for one clip, but `epoch_s` for all.

    Args:
        decode_s: decoding 16 frames.
        plain_s: whole forward and backward of the last block.
        store_s: forward up to the block.
        epoch_s: an epoch from the store.
        clip_bytes: of the store.
    """

    decode_s: float
    plain_s: float
    store_s: float
    epoch_s: float
    clip_bytes: int

    def row(self, model: str, clips: int) -> str:
        """Return a row of the table."""
        plain_s, once_s = clips * (self.decode_s + self.plain_s), clips * (self.decode_s + self.store_s)
        even = once_s / (plain_s - self.epoch_s)
        return (
            f"| {model}, {BLOCKS[model]} | {self.clip_bytes / 1000:,.0f} kB | {self.decode_s:.2f} s "
            f"| {self.plain_s:.2f} s | {plain_s:.1f} s | {self.epoch_s:.2f} s | {plain_s / self.epoch_s:.0f} x "
            f"| {once_s:.1f} s | {even:.1f} |"
        )


def main() -> None:
    """Measure the three backbones and print a table."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    print(
        f"{date.today()}: {arguments.clips} clips, the plain way on {arguments.plain_clips} of them, batches of "
        f"{arguments.batch_size}, {arguments.threads} threads, torch {torch.__version__}\n\n"
        "| model, block | a clip | decode | forward, backward | plain epoch | stored epoch | faster | embedding once "
        "| break-even, epochs |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    for model in arguments.models:
        with TemporaryDirectory() as folder:
            times = measure(model, arguments, Path(folder))
        print(times.row(model, arguments.clips), flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("videos", help="folder of videos")
    parser.add_argument("--models", nargs="+", choices=BLOCKS, default=[*BLOCKS])
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--plain-clips", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=32, help="of the stored way")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def measure(model: str, arguments: argparse.Namespace, folder: Path) -> Times:
    """Return the times of one backbone."""
    network, checkpoint = _random_network(model, folder)
    encoder = load_encoder(model, pretrained=checkpoint, device="cpu", stop_before=BLOCKS[model])
    paths = [video.location for video in find_videos([arguments.videos])][: arguments.plain_clips]
    started = time.perf_counter()
    clips = [read_frames(path, SAMPLING, encoder.identity.preprocessing).rgb for path in paths]
    decode_s = (time.perf_counter() - started) / len(paths)
    store_s, rows = _time_encoding(encoder, clips)
    plain_s = _time_plain(network, BLOCKS[model], clips, encoder.identity)
    epoch_s = _time_stored(rows, encoder.identity, arguments, folder)
    return Times(decode_s, plain_s, store_s, epoch_s, 2 * encoder.identity.dimension)


def _random_network(model: str, folder: Path) -> tuple[nn.Module, str]:
    declare_missing_operators()
    from torchvision.models import get_model

    network: nn.Module = get_model(model, num_classes=CLASSES)
    torch.save(network.state_dict(), folder / "weights.pt")
    return network, str(folder / "weights.pt")


def _time_encoding(encoder: Encoder, clips: Sequence[NDArray[np.uint8]]) -> tuple[float, NDArray[np.float32]]:
    """Return the seconds for a clip up to the block, and the activations."""
    encoder.encode(clips[0])
    started = time.perf_counter()
    rows = [pending.result() for pending in [begin_encoding(encoder, clip) for clip in clips]]
    return (time.perf_counter() - started) / len(clips), np.concatenate(rows)


def _time_plain(network: nn.Module, block: str, clips: Sequence[NDArray[np.uint8]], identity: EncoderIdentity) -> float:
    """Return the seconds for a clip of a whole forward and the last block's backward, two clips a batch."""
    mean, std = (
        torch.tensor(own)[:, None, None, None] for own in (identity.preprocessing.mean, identity.preprocessing.std)
    )
    network.requires_grad_(False).eval()
    last = network.get_submodule(block).requires_grad_(True).train()
    classifier = next(own for name, own in reversed([*network.named_modules()]) if isinstance(own, nn.Linear))
    classifier.requires_grad_(True)
    optimizer = torch.optim.Adam([*last.parameters(), *classifier.parameters()], lr=1e-3)

    def step(rgb: NDArray[np.uint8]) -> None:
        pixels = (torch.from_numpy(rgb).permute(0, 4, 1, 2, 3) / 255 - mean) / std
        _descend(network(pixels), optimizer)

    batches = [np.concatenate(clips[start : start + 2]) for start in range(0, len(clips), 2)]
    step(batches[0])
    started = time.perf_counter()
    for batch in batches:
        step(batch)
    return (time.perf_counter() - started) / len(clips)


def _descend(logits: Tensor, optimizer: torch.optim.Optimizer) -> None:
    loss = nn.functional.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _time_stored(
    rows: NDArray[np.float32], identity: EncoderIdentity, arguments: argparse.Namespace, folder: Path
) -> float:
    """Return the seconds of an epoch of `fit_head` on as many clips as asked for; activations repeat."""
    count = arguments.clips
    with StoreWriter(folder / "a.h5", Provenance(identity, SAMPLING.to_json())) as writer:
        for number in range(count):
            row = rows[[number % len(rows)]]
            writer.append(VideoRecord(f"{number}.mp4", content_hash=str(number)), row, np.zeros(1, np.float32))
    recipe = TrainConfig("last-block", tail=describe_tail(identity), device="cpu", **RECIPES["last-block"])
    config = replace(recipe, epochs=EPOCHS, batch_size=arguments.batch_size, mixup=0.4)
    ends: list[float] = []
    with EmbeddingStore(folder / "a.h5") as store:
        videos = open_videos(store, [*store.ids], device="cpu")
        targets = np.random.default_rng(0).random((count, CLASSES)) < 0.2
        dataset = LabelledSet(videos, tuple(f"label {number}" for number in range(CLASSES)), targets, True)
        every = np.arange(count)
        fit_head(dataset, every, every[:0], config, on_epoch=lambda _: ends.append(time.perf_counter()))
    return (ends[-1] - ends[0]) / (EPOCHS - 1)


if __name__ == "__main__":
    main()
