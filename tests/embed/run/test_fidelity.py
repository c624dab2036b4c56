"""Runs in a lower precision: what is measured, refused, stored and continued."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from embed import EmbedConfig, embed_videos
from embed.cli import embed_videos as embed_command, inspect_embeddings as inspect_command
from embed.decode_pool.pool import DecodeLimits, DecodePlan
from embed.encoders import open_clip
from embed.errors import EncoderError, StoreMismatch
from embed.machine.progress import Progress
from embed.run.fidelity import first_frames, measure_fidelity
from embed.sources.videos import Video
from embed.store import EmbeddingStore
from embed.store.inspection import inspect_embeddings
from embed.store.provenance import Provenance
from embed.video.sampling import UniformFrames
from tests.embed.encoders.frames import SMALL_CLIP
from tests.media import WIDTH_PX, BarReader, write_moving_video
from tests.servers import faulty_server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six videos of a moving picture, and one file that is not a video."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(6):
        write_moving_video(folder / f"{number}.mp4", 9 + number, codec="libx264", options={"bf": "0"})
    (folder / "broken.mp4").write_text("x")
    return folder


@pytest.fixture(scope="module")
def config(checkpoint: Path) -> EmbedConfig:
    return EmbedConfig(
        SMALL_CLIP, str(checkpoint), UniformFrames(6), device="cpu", precision="int8", batch_size=4, workers=1
    )


@pytest.fixture(scope="module")
def whole(folder: Path, config: EmbedConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the folder in int8."""
    path = tmp_path_factory.mktemp("store") / "whole.h5"
    embed_videos([folder], path, config)
    return path


def test_frames_are_measured_in_batches_that_suit_the_encoder() -> None:
    seen: list[int] = []

    class Small(BarReader):
        batch_size = 3

        def encode(self, rgb: np.ndarray) -> np.ndarray:
            seen.append(len(rgb))
            return super().encode(rgb)

    rgb = np.random.default_rng(0).integers(0, 256, (7, 1, WIDTH_PX, WIDTH_PX, 3), dtype=np.uint8)
    assert measure_fidelity(Small(), BarReader(), rgb).cosine_min == pytest.approx(1)
    assert seen == [3, 3, 1]


def test_the_loss_by_int8_is_measured_on_the_first_videos_and_stored(
    folder: Path, whole: Path, tmp_path: Path, config: EmbedConfig
) -> None:
    embed_videos([folder], tmp_path / "full.h5", replace(config, precision="float32"))
    store, full = EmbeddingStore(whole), EmbeddingStore(tmp_path / "full.h5")
    fidelity = store.provenance.fidelity
    assert store.provenance.encoder.precision == "int8"
    assert fidelity is not None
    assert fidelity.frame_count == 4 * 8
    assert 0.999 <= fidelity.cosine_min <= fidelity.cosine_mean < 1
    assert full.provenance.fidelity is None
    ours, theirs = (made.read_many(made.ids)[0].astype(np.float32) for made in (store, full))
    cosines = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    assert cosines.mean() == pytest.approx(fidelity.cosine_mean, abs=1e-4)


def test_a_run_that_was_stopped_ends_with_the_rows_of_one_that_was_not(
    folder: Path, whole: Path, tmp_path: Path, config: EmbedConfig
) -> None:
    def stop(progress: Progress) -> None:
        if progress.videos_done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_videos([folder], tmp_path / "s.h5", config, on_progress=stop)
    before = EmbeddingStore(tmp_path / "s.h5").provenance.fidelity
    embed_videos([folder], tmp_path / "s.h5", replace(config, precision=None))
    store, expected = EmbeddingStore(tmp_path / "s.h5"), EmbeddingStore(whole)
    assert sorted(store.ids) == sorted(expected.ids)
    np.testing.assert_array_equal(store.read_many(expected.ids)[0], expected.read_many(expected.ids)[0])
    assert store.provenance.fidelity == before


def test_precisions_never_mix(folder: Path, whole: Path, config: EmbedConfig) -> None:
    with pytest.raises(StoreMismatch, match="precision is int8, not float32"):
        embed_videos([folder], whole, replace(config, precision="float32"))


def test_a_precision_that_changes_vectors_too_much_is_refused_before_anything_is_stored(
    folder: Path, tmp_path: Path
) -> None:
    config = EmbedConfig("efficientnet-lite0", sampling=UniformFrames(6), device="cpu", precision="bfloat16")
    message = (
        r"bfloat16 changes the vectors of efficientnet-lite0 too much: on 8 of your frames.* Use --precision float32"
    )
    with pytest.raises(EncoderError, match=message):
        embed_videos([folder / "0.mp4"], tmp_path / "s.h5", config)
    assert not (tmp_path / "s.h5").exists()


def test_nothing_is_measured_if_no_video_can_be_decoded(tmp_path: Path, config: EmbedConfig) -> None:
    (tmp_path / "broken.mp4").write_text("x")
    assert embed_videos([tmp_path / "broken.mp4"], tmp_path / "s.h5", config).failed == 1
    assert inspect_embeddings(tmp_path / "s.h5").provenance.fidelity is None


def test_few_more_remote_videos_are_fetched_than_measured(folder: Path) -> None:
    with faulty_server() as server:
        server.files = {f"/{number}.mp4": (folder / f"{number % 6}.mp4").read_bytes() for number in range(12)}
        videos = [Video(path, f"{server.url}{path}") for path in server.files]
        rgb = first_frames(videos, DecodePlan(UniformFrames(6), BarReader().identity.preprocessing), DecodeLimits())
        assert rgb is not None
        assert len(rgb) == 4 * 8
        assert len(server.requests) <= 7  # four, two that are decoded ahead, and one that is fetched ahead


def test_a_list_that_begins_with_dead_links_is_not_searched_to_its_end(tmp_path: Path) -> None:
    plan = DecodePlan(UniformFrames(6), BarReader().identity.preprocessing)
    videos = iter([Video(f"{number}", str(tmp_path / f"{number}.mp4")) for number in range(70)])
    assert first_frames(videos, plan, DecodeLimits()) is None
    assert next(videos).id == "64"


def test_a_silent_server_is_waited_for_until_the_time_limit(folder: Path) -> None:
    plan = DecodePlan(UniformFrames(6), BarReader().identity.preprocessing)
    with faulty_server() as server:
        server.files["/a.mp4"], server.faults["/a.mp4"] = (folder / "0.mp4").read_bytes(), "stall"
        assert first_frames([Video("a", f"{server.url}/a.mp4")], plan, DecodeLimits(timeout_s=1)) is None
        assert server.requests["/a.mp4"] == 1


@pytest.mark.parametrize(("least_cosine", "precision"), [(0.999, "bfloat16"), (1.1, "float32")])
def test_a_default_precision_that_loses_too_much_is_replaced_by_float32(
    folder: Path,
    tmp_path: Path,
    config: EmbedConfig,
    monkeypatch: pytest.MonkeyPatch,
    least_cosine: float,
    precision: str,
) -> None:
    monkeypatch.setattr(open_clip, "default_precision", lambda _: "bfloat16")  # as on a GPU
    monkeypatch.setattr("embed.run.fidelity.LEAST_COSINE", least_cosine)
    embed_videos([folder / "0.mp4"], tmp_path / "s.h5", replace(config, precision=None))
    assert EmbeddingStore(tmp_path / "s.h5").provenance.encoder.precision == precision


def test_a_config_from_a_store_has_its_precision(whole: Path) -> None:
    provenance = EmbeddingStore(whole).provenance
    assert EmbedConfig.from_provenance(provenance).precision == "int8"
    assert Provenance.from_json(provenance.to_json()) == provenance


def test_inspecting_a_store_shows_its_precision_and_the_measured_loss(whole: Path) -> None:
    shown = " ".join(CliRunner().invoke(inspect_command, [str(whole)]).stdout.split())
    assert re.search(r"precision int8; cosine to float32 0\.999\d+ at worst, 0\.999\d+ on average of 32 frames", shown)


def test_the_command_refuses_int8_for_an_encoder_without_it(folder: Path, tmp_path: Path) -> None:
    options = ["--model", "efficientnet-lite0", "--precision", "int8", "-o", str(tmp_path / "s.h5")]
    result = CliRunner().invoke(embed_command, [str(folder), *options])
    assert result.exit_code == 2
    assert "has no int8 form" in result.stderr
