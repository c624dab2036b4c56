"""Clips of real models -> a store -> a head -> labels: what only the order of frames tells is learned."""

from pathlib import Path

import av
import numpy as np
import pytest

from classify import TrainConfig, predict_videos, split_videos, train_head
from embed import Clips, EmbedConfig, EmbeddingStore, embed_videos
from tests.embed.encoders.clip_models import checkpoint_of, full_model

WINDOW = 2


def write_fade(path: Path, seed: int, *, is_brightening: bool) -> Path:
    """Write 8 frames of a random pattern that becomes brighter or darker: the same frames in either order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pattern = np.random.default_rng(seed).integers(0, 128, (8, 8, 3)).repeat(16, 0).repeat(16, 1)
    levels = np.linspace(0, 127, 8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=8, options={"qp": "0", "g": "1"})
        stream.width = stream.height = 128
        for level in levels if is_brightening else levels[::-1]:
            frame = av.VideoFrame.from_ndarray((pattern + level).astype(np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def fades(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fades")
    for seed in range(8):
        write_fade(folder / "videos" / "brighter" / f"{seed}.mp4", seed, is_brightening=True)
        write_fade(folder / "videos" / "darker" / f"{seed}.mp4", seed, is_brightening=False)
    for seed in range(100, 102):
        write_fade(folder / "new" / f"brighter-{seed}.mp4", seed, is_brightening=True)
        write_fade(folder / "new" / f"darker-{seed}.mp4", seed, is_brightening=False)
    return folder


def test_a_head_on_clips_learns_what_only_the_order_of_frames_tells(fades: Path, tmp_path: Path) -> None:
    weights = checkpoint_of(full_model("r2plus1d_18"), tmp_path / "weights.pt")
    config = EmbedConfig("r2plus1d_18", weights, Clips(WINDOW, clip_count=1), device="cpu")
    embed_videos([fades / "videos"], tmp_path / "clips.h5", config)
    assert EmbeddingStore(tmp_path / "clips.h5").provenance.encoder.window == WINDOW
    split_videos(tmp_path / "clips.h5", tmp_path / "split.csv")
    train_head(tmp_path / "clips.h5", tmp_path / "split.csv", tmp_path / "head", config=TrainConfig(mixup=0, epochs=40))

    found = predict_videos(tmp_path / "head", [fades / "new"]).videos

    assert {Path(video.video_id).stem: video.labels for video in found} == {
        path.stem: (path.stem.split("-")[0],) for path in (fades / "new").iterdir()
    }


@pytest.mark.nightly
def test_real_clips_get_a_head_and_predictions_from_mvit(ut_interaction6: Path, tmp_path: Path) -> None:
    clips = sorted(path for path in ut_interaction6.rglob("*") if path.suffix in (".avi", ".mp4"))[::5]
    for clip in clips:
        goal = tmp_path / "videos" / clip.parent.name / clip.name
        goal.parent.mkdir(parents=True, exist_ok=True)
        goal.symlink_to(clip)
    weights = checkpoint_of(full_model("mvit_v2_s"), tmp_path / "weights.pt")
    config = EmbedConfig("mvit_v2_s", weights, Clips(16, clip_count=1, first_seconds=10), device="cpu")
    summary = embed_videos([tmp_path / "videos"], tmp_path / "clips.h5", config)
    assert (summary.embedded, summary.vectors) == (len(clips), len(clips))
    split_videos(tmp_path / "clips.h5", tmp_path / "split.csv")
    train_head(tmp_path / "clips.h5", tmp_path / "split.csv", tmp_path / "head", config=TrainConfig(epochs=2))

    from_videos = predict_videos(tmp_path / "head", [tmp_path / "videos"]).videos
    from_store = predict_videos(tmp_path / "head", [tmp_path / "clips.h5"]).videos

    probabilities = {video.video_id: dict(video.probabilities) for video in from_store}
    for video in from_videos:
        assert dict(video.probabilities) == pytest.approx(probabilities[video.video_id], abs=1e-3)
