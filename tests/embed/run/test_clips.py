"""Runs over clips: one vector for W frames, with its span, by every way to decode."""

from pathlib import Path

import numpy as np
import pytest

from embed import Clips, EmbedConfig, EmbeddingStore, UniformFrames, Windows, embed_videos
from embed.decode_pool import DecodeLimits, DecodePlan
from embed.errors import EncoderError, StoreMismatch
from embed.run.fidelity import first_frames
from embed.sources import find_videos
from tests.embed.clip_reader import ClipReader, spelled_clips
from tests.media import BarReader, write_video

WINDOW, FRAME_COUNT, FPS = 4, 40, 25


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    (tmp_path / "videos").mkdir()
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / "videos" / name, FRAME_COUNT, fps=FPS)
    write_video(tmp_path / "videos" / "short.mp4", 2, fps=FPS)
    return tmp_path / "videos"


RULES = [Clips(WINDOW, "auto", 3), Clips(WINDOW, 5), Windows(0.8, 0.4, WINDOW), Windows(0.4, None, WINDOW, 1.0)]


@pytest.mark.parametrize("decoder", ["pyav", "opencv"])
@pytest.mark.parametrize("rule", RULES, ids=["auto", "stride", "overlapping windows", "windows of the first second"])
def test_every_clip_has_its_own_frames_and_their_span(
    videos: Path, tmp_path: Path, rule: Clips | Windows, decoder: str
) -> None:
    config = EmbedConfig(sampling=rule, decoder=decoder, workers=1)  # type: ignore[arg-type]

    embed_videos(videos, tmp_path / "s.h5", config, encoder=ClipReader(WINDOW))

    with EmbeddingStore(tmp_path / "s.h5") as store:
        video = store.read("a.mp4")
        clips = np.array(spelled_clips(video.vectors, WINDOW))
        assert len(clips) > 1
        np.testing.assert_allclose(video.spans_s, clips[:, [0, -1]] / FPS, atol=1e-5)
        np.testing.assert_allclose(video.timestamps_s, clips.mean(axis=1) / FPS, atol=1e-5)
        assert set(spelled_clips(store.read("short.mp4").vectors, WINDOW)[0]) <= {0, 1}
        if isinstance(rule, Clips):
            assert clips.tolist() == rule.choose(FRAME_COUNT).tolist()


def test_views_of_a_clip_have_its_span_each(videos: Path, tmp_path: Path) -> None:
    config = EmbedConfig(sampling=Clips(WINDOW, "auto", 2), views=("centre", "whole"), workers=1)

    embed_videos(videos, tmp_path / "s.h5", config, encoder=ClipReader(WINDOW))

    with EmbeddingStore(tmp_path / "s.h5") as store:
        spans_s = store.read("b.mp4").spans_s
        assert len(spans_s) == 4
        assert np.array_equal(spans_s[:2], spans_s[2:])


def test_a_second_run_embeds_only_what_is_new_and_refuses_other_clips(videos: Path, tmp_path: Path) -> None:
    config = EmbedConfig(sampling=Clips(WINDOW, "auto", 2), workers=1)
    embed_videos(videos, tmp_path / "s.h5", config, encoder=ClipReader(WINDOW))
    write_video(videos / "c.mp4", FRAME_COUNT, fps=FPS)

    again = embed_videos(videos, tmp_path / "s.h5", config, encoder=ClipReader(WINDOW))

    assert (again.embedded, again.skipped) == (1, 3)
    other = EmbedConfig(sampling=Clips(WINDOW, "auto", 3), workers=1)
    with pytest.raises(StoreMismatch, match="at most 2 clips, not clips, 4 frames each, stride auto, at most 3 clips"):
        embed_videos(videos, tmp_path / "s.h5", other, encoder=ClipReader(WINDOW))


@pytest.mark.parametrize(
    ("encoder", "sampling", "message"),
    [
        (ClipReader(4), UniformFrames(3), "clip-reader encodes clips of 4 frames, not single frames. Choose clips"),
        (ClipReader(4), Clips(8), r"clip-reader encodes clips of 4 frames, not of 8\. Use --clip-frames 4"),
        (BarReader(), Clips(8), "bar-reader encodes single frames, not clips of 8. Leave out --clip-frames"),
    ],
)
def test_frames_that_are_no_clips_of_the_encoder_are_refused_before_a_store_is_made(
    videos: Path, tmp_path: Path, encoder: ClipReader | BarReader, sampling: Clips | UniformFrames, message: str
) -> None:
    with pytest.raises(EncoderError, match=message):
        embed_videos(videos, tmp_path / "s.h5", EmbedConfig(sampling=sampling), encoder=encoder)

    assert not (tmp_path / "s.h5").exists()


def test_a_lower_precision_is_measured_on_clips(videos: Path) -> None:
    plan = DecodePlan(Clips(WINDOW, 5), ClipReader(WINDOW).identity.preprocessing)

    rgb = first_frames(find_videos(videos), plan, DecodeLimits())

    assert rgb is not None
    assert rgb.shape[:2] == (5, WINDOW)  # two clips of each video, and one of the short one
