"""An encoder is tried before the first vector of a store."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embed import EmbedConfig, EmbeddingStore, UniformFrames, embed_videos
from embed.encoders import load_encoder
from embed.errors import EncoderError
from embed.machine import Progress
from embed.run.self_check import check_encoder_itself
from embed.store import Provenance, StoreWriter
from tests.embed.clip_reader import ClipReader
from tests.media import BarReader, write_video


class Broken:
    """A BarReader with a fault."""

    def __init__(self, fault: str) -> None:
        self.identity, self._fault = BarReader().identity, fault
        self._rng = np.random.default_rng(0)

    def encode(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        vectors = BarReader().encode(rgb)
        if self._fault == "constant":
            vectors[:] = 0.5
        elif self._fault == "nearly constant":
            vectors[:] = 0.5 + 1e-6 * np.arange(len(vectors))[:, None]
        elif self._fault == "too large":
            vectors *= 1e6
        elif self._fault == "not finite":
            vectors[1, 3] = np.nan
        elif self._fault == "random":
            vectors = self._rng.normal(size=vectors.shape).astype(np.float32)
        return vectors


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("constant", "bar-reader gives the same vector for two different frames. Try --device cpu"),
        ("nearly constant", "bar-reader gives the same vector for two different frames. Try --device cpu"),
        ("too large", "bar-reader gives values beyond float16, which ends at 65,504, for made frames. Try --device"),
        ("not finite", "bar-reader gives values that are not finite for made frames"),
        ("random", r"bar-reader gives two vectors for one frame \(cosine -?0\."),
    ],
)
def test_an_encoder_that_cannot_be_right_is_refused_with_what_was_seen(fault: str, message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        check_encoder_itself(Broken(fault))


@pytest.mark.parametrize("encoder", [BarReader(), ClipReader(4)], ids=["frames", "clips"])
def test_a_sound_encoder_gives_the_same_hash_each_time(encoder: BarReader | ClipReader) -> None:
    assert check_encoder_itself(encoder) == check_encoder_itself(encoder)
    assert len(check_encoder_itself(encoder)) == 64


def test_a_store_keeps_the_hash_of_its_device_and_the_licence(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 4)
    config = EmbedConfig(model="efficientnet-lite0", sampling=UniformFrames(1), device="cpu", batch_size=3)
    embed_videos(tmp_path / "a.mp4", tmp_path / "e.h5", config)

    with EmbeddingStore(tmp_path / "e.h5") as store:
        made = store.provenance

    assert made.licence == "Apache-2.0"
    assert list(made.references.values()) == [check_encoder_itself(load_encoder("efficientnet-lite0", device="cpu"))]
    assert Provenance.from_json(made.to_json()) == made
    assert "references" not in Provenance(made.encoder, {}).to_json()


@pytest.mark.parametrize("is_other", [False, True])
def test_a_run_that_continues_a_store_says_if_the_device_computes_otherwise_now(tmp_path: Path, is_other: bool) -> None:
    write_video(tmp_path / "a.mp4", 4)
    config = EmbedConfig(model="efficientnet-lite0", sampling=UniformFrames(1), device="cpu")
    embed_videos(tmp_path / "a.mp4", tmp_path / "made.h5", config)
    with EmbeddingStore(tmp_path / "made.h5") as store:
        made, found = store.provenance, store.read("a.mp4")
        record = store.video("a.mp4")
    if is_other:
        versions = {**made.versions, "torch": "2.0.0"}
        made = replace(made, references=dict.fromkeys(made.references, "0" * 64), versions=versions)
    with StoreWriter(tmp_path / "e.h5", made) as writer:
        writer.append(record, found.vectors, found.timestamps_s)
    write_video(tmp_path / "b.mp4", 5)

    said = " ".join(notes_of([tmp_path / "a.mp4", tmp_path / "b.mp4"], tmp_path / "e.h5", config))

    assert ("gave another vector for the same made frame on this device when the store was made" in said) == is_other
    assert ("(with torch 2.0.0, now " in said) == is_other


def notes_of(videos: Sequence[Path], store: Path, config: EmbedConfig) -> list[str]:
    shown: list[Progress] = []
    assert embed_videos(list(videos), store, config, on_progress=shown.append).embedded == 1
    return [progress.note for progress in shown]
