"""A listener of a run gets what the store will hold, as soon as it is there, and may leave videos out."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from embed import EmbedConfig, Failure, RunListener, UniformFrames, Video, VideoRecord, embed_videos
from embed.store import EmbeddingStore, VideoVectors
from tests.media import BarReader, write_video

CONFIG = EmbedConfig(sampling=UniformFrames(6), batch_size=4)


@dataclass
class Ears:
    """Keeps what it hears, and leaves out what it is told to."""

    without: str = ""
    heard: dict[str, VideoVectors] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def wants(self, video: Video) -> bool:
        return video.id != self.without

    def take(self, record: VideoRecord, vectors: VideoVectors) -> None:
        self.heard[record.id] = vectors

    def take_failure(self, failure: Failure) -> None:
        self.failed.append(failure.id)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "videos").mkdir()
    for number in range(3):
        write_video(tmp_path / "videos" / f"{number}.mp4", 3 + 7 * number)
    (tmp_path / "videos" / "broken.mp4").write_bytes(b"no video")
    return tmp_path / "videos"


@pytest.mark.parametrize("is_quantised", [False, True], ids=["float16", "uint8"])
def test_a_listener_gets_the_vectors_that_the_store_returns(folder: Path, tmp_path: Path, is_quantised: bool) -> None:
    ears: RunListener = (own := Ears())
    embed_videos(
        folder, tmp_path / "s.h5", replace(CONFIG, is_quantised=is_quantised), encoder=BarReader(), listener=ears
    )
    assert own.failed == ["broken.mp4"]
    with EmbeddingStore(tmp_path / "s.h5") as store:
        assert sorted(own.heard) == store.ids == ["0.mp4", "1.mp4", "2.mp4"]
        stored = store.read("2.mp4")
    for name in ("vectors", "timestamps_s", "spans_s"):
        np.testing.assert_array_equal(getattr(own.heard["2.mp4"], name), getattr(stored, name))


def test_what_a_listener_does_not_want_is_not_embedded(folder: Path, tmp_path: Path) -> None:
    ears = Ears(without="1.mp4")
    summary = embed_videos(folder, tmp_path / "s.h5", CONFIG, encoder=BarReader(), listener=ears)
    assert (summary.embedded, summary.failed) == (2, 1)
    assert sorted(ears.heard) == ["0.mp4", "2.mp4"]
