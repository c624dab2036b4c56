"""Stores made in tests, with vectors whose values show their video and row."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embed.store import StoreWriter, VideoRecord
from embed.store.provenance import Provenance
from tests.media import BarReader

PROVENANCE = Provenance(BarReader().identity, {"name": "uniform", "frame_count": 4})


def vectors_of(number: int, count: int = 3) -> NDArray[np.float16]:
    """Return (count, 10) vectors that no other video has."""
    return (number + np.arange(count * 10).reshape(count, 10) / 100).astype(np.float16)


def append(writer: StoreWriter, name: str, number: int, count: int = 3) -> None:
    record = VideoRecord(name, location=f"/videos/{name}", duration_s=2.0, width_px=64, height_px=48)
    writer.append(record, vectors_of(number, count), np.arange(count, dtype=np.float32))


def write_store(path: Path, names: list[str]) -> Path:
    with StoreWriter(path, PROVENANCE) as writer:
        for number, name in enumerate(names):
            append(writer, name, number, count=number % 3 + 1)
    return path
