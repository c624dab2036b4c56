"""Stores of activations before the last block of S3D, with random weights, to test the last-block head."""

from pathlib import Path

import numpy as np
import torch

from embed.encoders.cutting import stop_before
from embed.encoders.torchvision_clips import build
from embed.store import EncoderIdentity, Provenance, StoreWriter, VideoRecord
from embed.video import Clips
from tests.embed.encoders.clip_models import checkpoint_of, full_model

MODEL, BLOCK = "s3d", "features.15"

SAMPLING = Clips(14, "auto", 2)


def write_checkpoint(folder: Path) -> str:
    return checkpoint_of(full_model(MODEL), folder / "s3d.pt")


def identity_of(checkpoint: str) -> EncoderIdentity:
    return stop_before(build(MODEL, pretrained=checkpoint, window=14), BLOCK).identity


def write_activations(path: Path, identity: EncoderIdentity, *, videos_a_class: int = 8) -> Path:
    """Write videos of one or two clips in the folders `low` and `high`, which channels tell apart."""
    rng = np.random.default_rng(0)
    with StoreWriter(path, Provenance(identity, SAMPLING.to_json())) as writer:
        for number in range(2 * videos_a_class):
            label = ("low", "high")[number % 2]
            rows = rng.standard_normal((1 + number % 3 % 2, *identity.shape), dtype=np.float32)
            rows[:, :400] += 2.0 * (label == "high")
            record = VideoRecord(f"{label}/{number}.mp4", content_hash=str(number))
            writer.append(record, rows.reshape(len(rows), -1), np.arange(len(rows), dtype=np.float32))
    return path


def torch_rows(identity: EncoderIdentity, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, identity.dimension, generator=torch.Generator().manual_seed(1))
