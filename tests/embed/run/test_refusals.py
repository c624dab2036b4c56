"""What is wrong with a store is told before the encoder is looked for, which may take a network and a minute."""

from pathlib import Path

import pytest

from embed import EmbedConfig, FramesPerSecond, StoreWriter, UniformFrames, embed_videos
from embed.errors import StoreBusy, StoreDamaged, StoreMismatch
from embed.store import EmbeddingStore
from tests.media import BarReader, write_video

NOBODY = "a model that nobody has"
FRAMES = UniformFrames(2)


@pytest.fixture(params=["s.h5", "shards"], ids=["one file", "shards"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a store of one video, to which another one has been added since."""
    path: Path = tmp_path / request.param
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos" / "a.mp4", 9)
    embed_videos(tmp_path / "videos", path, EmbedConfig(sampling=FRAMES), encoder=BarReader())
    write_video(tmp_path / "videos" / "b.mp4", 8)
    return path


def test_a_store_that_another_run_writes(store: Path, tmp_path: Path) -> None:
    with StoreWriter(store, EmbeddingStore(store).provenance), pytest.raises(StoreBusy, match="Wait until it ends"):
        embed_videos(tmp_path / "videos", store, EmbedConfig(model=NOBODY, sampling=FRAMES))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (EmbedConfig(model=NOBODY, sampling=UniformFrames(3)), "sampling is uniform, 2 frames, not uniform, 3 frames"),
        (EmbedConfig(model=NOBODY, sampling=FramesPerSecond(1)), "sampling is uniform, 2 frames, not fps, 1 a second"),
        (EmbedConfig(model=NOBODY, sampling=FRAMES, views=("left",)), "views is centre, not left"),
    ],
)
def test_a_store_of_other_frames(store: Path, tmp_path: Path, config: EmbedConfig, message: str) -> None:
    with pytest.raises(StoreMismatch, match=message):
        embed_videos(tmp_path / "videos", store, config)


def test_a_damaged_store(store: Path, tmp_path: Path) -> None:
    file = store if store.is_file() else next(store.glob("*.h5"))
    content = bytearray(file.read_bytes())
    content[40:60] = bytes(20)
    file.write_bytes(content)
    with pytest.raises(StoreDamaged):
        embed_videos(tmp_path / "videos", store, EmbedConfig(model=NOBODY, sampling=FRAMES))


def test_a_lock_that_a_killed_run_left_refuses_nothing(store: Path, tmp_path: Path) -> None:
    folder = store if store.is_dir() else store.with_name("s.h5.parts")
    folder.mkdir(exist_ok=True)
    (folder / "lock").touch()
    summary = embed_videos(tmp_path / "videos", store, EmbedConfig(sampling=FRAMES), encoder=BarReader())
    assert (summary.embedded, (folder / "lock").exists()) == (1, False)
