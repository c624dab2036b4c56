"""Options that choose clips, as they are typed."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embed.cli import embed_videos
from embed.cli.sampling_options import SamplingChoice
from embed.video import Clips, Windows

UNTYPED = {
    "sampling": "uniform",
    "frames_count": None,
    "fps": None,
    "first_seconds": None,
    "clip_frames": None,
    "clip_stride": None,
    "clips_count": None,
    "window": None,
    "stride": None,
}


def run(tmp_path: Path, *options: str) -> Result:
    (tmp_path / "a.mp4").touch()
    return CliRunner().invoke(embed_videos, [str(tmp_path), "-o", str(tmp_path / "e.h5"), *options])


@pytest.mark.parametrize(
    ("model", "typed", "rule"),
    [
        ("mvit_v2_s", {}, Clips(16, "auto", 8)),
        ("mvit_v2_s", {"first_seconds": 10.0}, Clips(16, "auto", 8, 10.0)),
        ("swin3d_t", {"clip_frames": 32, "clip_stride": 2}, Clips(32, 2)),
        (
            "r2plus1d_18",
            {"clip_frames": 16, "clip_stride": "auto", "clips_count": 1, "first_seconds": 10.0},
            Clips(16, "auto", 1, 10.0),
        ),
        ("vjepa2:some/model", {"window": 4.0, "stride": 2.0}, Windows(4.0, 2.0, 64)),
        ("my-own-encoder", {"clips_count": 3}, Clips(16, "auto", 3)),
    ],
    ids=["nothing", "first seconds", "frames and stride", "one clip", "windows", "unknown model"],
)
def test_options_describe_clips(model: str, typed: dict[str, object], rule: Clips | Windows) -> None:
    assert SamplingChoice(**{**UNTYPED, **typed}).rule(model) == rule  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "mvit_v2_s", "--frames-count", "16"), "mvit_v2_s encodes clips of 16 frames, but --frames-count"),
        (("--model", "mvit_v2_s", "--sampling", "keyframes"), "--sampling keyframes chooses single frames"),
        (("--clips-count", "4"), "ViT-B-32 encodes single frames, but --clips-count is for models of clips"),
        (("--model", "s3d", "--window", "4s", "--fps", "2"), "--window chooses clips, but --fps chooses single frames"),
        (("--model", "s3d", "--window", "4s", "--clips-count", "2"), "--window says in time what --clip-stride"),
        (("--model", "s3d", "--stride", "2s"), "name their length, too, such as --window 4s"),
        (("--model", "s3d", "--window", "4 parsecs"), "'4 parsecs' is no length of time above 0. Write 4s, 0.5s"),
        (("--model", "s3d", "--window", "0s"), "'0s' is no length of time above 0"),
        (("--model", "s3d", "--clip-stride", "0"), "0 is not in the range x>=1"),
    ],
)
def test_options_that_contradict_each_other_are_refused_before_any_work(
    tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    result = run(tmp_path, *options)

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert not (tmp_path / "e.h5").exists()


@pytest.mark.parametrize(("text", "seconds"), [("4", 4.0), ("4s", 4.0), ("500ms", 0.5), ("0.25 s", 0.25), (".5S", 0.5)])
def test_lengths_of_time_have_units(text: str, seconds: float) -> None:
    context = embed_videos.make_context("embed-videos", ["videos", "--window", text])

    assert context.params["window"] == seconds
