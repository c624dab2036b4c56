"""Odd files and hundreds of damaged ones: each gives vectors or a reason, and the run ends normally."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from embed.machine import VIDEO_SUFFIXES
from embed.sources.videos import find_videos
from embed.store import EmbeddingStore
from embed.store.inspection import inspect_embeddings
from tests.mutations import write_mutants, write_originals
from tests.processes import Traced

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

RUN = """
import json, sys
from embed.decode_pool.pool import DecodeLimits
from embed import EmbedConfig, embed_videos
from embed.video.sampling import UniformFrames
from tests.media import BarReader
config = EmbedConfig(sampling=UniformFrames(5), workers=2, limits=DecodeLimits(timeout_s=20, memory_bytes=1 << 30))
summary = embed_videos([sys.argv[1]], sys.argv[2], config, encoder=BarReader())
print(json.dumps(summary.to_json()))
"""
EXPECTED = {"embedded", "unreadable", "no_video_stream", "no_frames", "decode_error", "damaged"}


def embed_mutants(folder: Path, originals: list[Path], count: int, *, limit_s: float) -> Counter[str]:
    """Embed damaged copies of the originals, and return the count of each outcome."""
    write_mutants(folder / "mutants", originals, count, seed=1)
    return embed_checked(folder / "mutants", folder / "s.h5", limit_s=limit_s)


def embed_checked(videos: Path, path: Path, *, limit_s: float) -> Counter[str]:
    """Embed a folder, check that all its videos are accounted for and nothing is left, and count the outcomes."""
    traced = Traced()
    run = traced.start([sys.executable, "-c", RUN, videos, path])
    try:
        output, complaints = run.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        run.kill()
        raise
    assert (run.returncode, complaints) == (0, "")
    assert traced.leavings() == set()

    summary, store = json.loads(output), EmbeddingStore(path)
    reasons = {failure.id: failure.reason for failure in store.failures}
    assert reasons == {failure["id"]: failure["reason"] for failure in summary["failures"]}
    assert sorted([*store.ids, *reasons]) == sorted(video.id for video in find_videos([videos]))
    assert not inspect_embeddings(path, is_verifying=True).problems
    return Counter({"embedded": len(store)}) + Counter(reasons.values())


def test_every_odd_video_gives_vectors_or_a_reason(tmp_path: Path, odd_videos: Path) -> None:
    outcomes = embed_checked(odd_videos, tmp_path / "s.h5", limit_s=120)
    assert outcomes["embedded"] > 50
    assert outcomes.keys() <= {"embedded", "no_video_stream"}


def test_150_damaged_files_give_vectors_or_a_reason(tmp_path: Path) -> None:
    outcomes = embed_mutants(tmp_path, write_originals(tmp_path / "originals"), 150, limit_s=60)
    assert outcomes.total() == 150
    assert outcomes["embedded"] > 50
    assert outcomes.keys() <= EXPECTED


@pytest.mark.nightly
def test_5000_damaged_files_give_vectors_or_a_reason(
    tmp_path: Path, odd_videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    originals = write_originals(tmp_path / "originals")
    odd = [path for path in sorted(odd_videos.rglob("*.*")) if path.suffix in VIDEO_SUFFIXES]
    originals += [path for path in odd if path.stat().st_size < 1_000_000]
    outcomes = embed_mutants(tmp_path, originals, 5000, limit_s=900)
    with capsys.disabled():
        print(f"\n5000 damaged files: {dict(outcomes)}")
    assert outcomes.total() == 5000
    assert outcomes.keys() <= EXPECTED
