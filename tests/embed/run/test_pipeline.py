import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from embed import EmbedConfig, embed_videos
from embed.encoders.loading import load_encoder
from embed.errors import StoreMismatch
from embed.machine.progress import Progress
from embed.store import EmbeddingStore
from embed.store.inspection import inspect_embeddings
from embed.store.provenance import Provenance
from embed.video.sampling import UniformFrames
from tests.media import BarReader, spelled_numbers, write_damaged_stream, write_video

CONFIG = EmbedConfig(sampling=UniformFrames(6), batch_size=4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five videos of 3 to 31 frames."""
    (tmp_path / "videos").mkdir()
    for number in range(5):
        write_video(tmp_path / "videos" / f"{number}.mp4", 3 + 7 * number)
    return tmp_path / "videos"


def test_every_vector_belongs_to_its_frame_and_moment(folder: Path, tmp_path: Path) -> None:
    embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=BarReader())
    store = EmbeddingStore(tmp_path / "s.h5")
    for number in range(5):
        video = store.read(f"{number}.mp4")
        expected = UniformFrames(6).choose(3 + 7 * number)
        assert spelled_numbers(video.vectors) == expected.tolist()
        np.testing.assert_allclose(video.timestamps_s, expected / 25, atol=1e-6)


def test_the_rows_of_one_view_follow_those_of_another(folder: Path, tmp_path: Path) -> None:
    embed_videos([folder], tmp_path / "s.h5", replace(CONFIG, views=("centre", "centre-mirrored")), encoder=BarReader())
    video = EmbeddingStore(tmp_path / "s.h5").read("4.mp4")
    expected = UniformFrames(6).choose(31)
    assert spelled_numbers(video.vectors[:6]) == expected.tolist()
    assert spelled_numbers(video.vectors[6:, ::-1]) == expected.tolist()
    np.testing.assert_allclose(video.timestamps_s, np.tile(expected / 25, 2), atol=1e-6)


def test_a_second_run_embeds_only_what_is_missing(folder: Path, tmp_path: Path) -> None:
    embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=BarReader())
    write_video(folder / "new.mp4", 9)
    summary = embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=BarReader())
    assert (summary.embedded, summary.skipped, summary.failed, summary.vectors) == (1, 5, 0, 6)
    assert len(EmbeddingStore(tmp_path / "s.h5")) == 6


def test_a_file_with_other_content_is_embedded_again(folder: Path, tmp_path: Path) -> None:
    embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=BarReader())
    write_video(folder / "4.mp4", 20)
    (folder / "3.mp4").touch()
    (folder / "2.mp4").unlink()
    summary = embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=BarReader())
    assert (summary.embedded, summary.changed, summary.skipped, summary.vectors) == (1, 1, 3, 6)
    store = EmbeddingStore(tmp_path / "s.h5")
    assert spelled_numbers(store.read("4.mp4").vectors) == UniformFrames(6).choose(20).tolist()
    assert (len(store), store.row_counts.tolist()) == (5, [3, 6, 6, 6, 6])
    assert inspect_embeddings(tmp_path / "s.h5", is_verifying=True).problems == ()


def test_a_file_that_is_now_broken_keeps_its_vectors_and_is_named(folder: Path, tmp_path: Path) -> None:
    embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=BarReader())
    (folder / "4.mp4").write_text("x")
    for _ in range(2):
        summary = embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=BarReader())
        assert [failure.id for failure in summary.failures] == ["4.mp4"]
        assert (summary.embedded, summary.changed, summary.skipped) == (0, 0, 4)
    assert len(EmbeddingStore(tmp_path / "s.h5").read("4.mp4").vectors) == 6


def test_two_runs_with_other_batches_give_the_same_vectors(folder: Path, tmp_path: Path) -> None:
    embed_videos([folder], tmp_path / "a.h5", CONFIG, encoder=BarReader())
    for video in sorted(folder.iterdir(), reverse=True):
        embed_videos([video], tmp_path / "b.h5", CONFIG, encoder=BarReader())
    a, b = EmbeddingStore(tmp_path / "a.h5"), EmbeddingStore(tmp_path / "b.h5")
    assert a.ids == b.ids
    np.testing.assert_array_equal(a.read_many(a.ids)[0], b.read_many(b.ids)[0])


def test_broken_videos_are_counted_stored_and_not_tried_again(folder: Path, tmp_path: Path) -> None:
    (folder / "broken.mp4").write_text("x")
    first = embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=BarReader())
    assert (first.embedded, first.failed) == (5, 1)
    assert (first.failures[0].id, first.failures[0].reason) == ("broken.mp4", "unreadable")
    again = embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=BarReader())
    assert (again.embedded, again.skipped, again.failed, again.failures[0].attempts) == (0, 5, 1, 1)


def test_a_repaired_video_is_embedded_when_failures_are_retried(folder: Path, tmp_path: Path) -> None:
    (folder / "broken.mp4").write_text("x")
    embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=BarReader())
    retrying = EmbedConfig(sampling=UniformFrames(6), is_retrying=True)
    assert embed_videos([folder], tmp_path / "s.h5", retrying, encoder=BarReader()).failures[0].attempts == 2
    write_video(folder / "broken.mp4", 9)
    summary = embed_videos([folder], tmp_path / "s.h5", retrying, encoder=BarReader())
    assert (summary.embedded, summary.failed) == (1, 0)
    assert EmbeddingStore(tmp_path / "s.h5").failures == []


@pytest.mark.parametrize(
    ("config", "encoder", "message"),
    [
        pytest.param(CONFIG, BarReader(weights="two"), "weights sha256 is one, not two", id="other weights"),
        pytest.param(EmbedConfig(sampling=UniformFrames(7)), BarReader(), "sampling is .*6.*, not .*7", id="sampling"),
        pytest.param(
            replace(CONFIG, views=("centre", "left")), BarReader(), "views is centre, not centre, left", id="views"
        ),
    ],
)
def test_a_store_never_mixes(
    folder: Path, tmp_path: Path, config: EmbedConfig, encoder: BarReader, message: str
) -> None:
    embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=BarReader())
    with pytest.raises(StoreMismatch, match=message):
        embed_videos([folder], tmp_path / "s.h5", config, encoder=encoder)


def test_an_interrupted_run_keeps_what_is_done(folder: Path, tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.videos_done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=BarReader(), on_progress=interrupt)
    assert len(EmbeddingStore(tmp_path / "s.h5")) == 3
    assert embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=BarReader()).embedded == 2


def test_vectors_with_nan_fail_the_video_and_not_the_run(folder: Path, tmp_path: Path) -> None:
    class Overflowing(BarReader):
        def encode(self, rgb: np.ndarray) -> np.ndarray:
            return super().encode(rgb) * np.float32(1e9)

    summary = embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=Overflowing())
    assert {failure.reason for failure in summary.failures} == {"encode_error"}


def test_progress_counts_videos_and_frames(folder: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=BarReader(), on_progress=seen.append)
    assert list(dict.fromkeys(progress.videos_done for progress in seen)) == [0, 1, 2, 3, 4, 5]
    assert seen[-1].frames == 3 + 6 + 6 + 6 + 6
    assert seen[-1].videos_total == 5


def test_a_still_picture_is_encoded_once_and_has_all_its_vectors(tmp_path: Path) -> None:
    encoded: list[int] = []

    class Counting(BarReader):
        def encode(self, rgb: np.ndarray) -> np.ndarray:
            encoded.append(len(rgb))
            return super().encode(rgb)

    write_video(tmp_path / "still.mp4", 20, numbers=[5] * 20, options={"qp": "0"})
    summary = embed_videos([tmp_path / "still.mp4"], tmp_path / "s.h5", CONFIG, encoder=Counting())
    assert (summary.vectors, summary.repeated, encoded) == (6, 5, [CONFIG.batch_size])
    assert spelled_numbers(EmbeddingStore(tmp_path / "s.h5").read("still.mp4").vectors) == [5] * 6


def test_batches_have_the_size_that_suits_the_encoder_where_none_is_named(folder: Path, tmp_path: Path) -> None:
    encoded: list[int] = []

    class Sized(BarReader):
        batch_size = 5

        def encode(self, rgb: np.ndarray) -> np.ndarray:
            encoded.append(len(rgb))
            return super().encode(rgb)

    embed_videos([folder], tmp_path / "s.h5", EmbedConfig(sampling=UniformFrames(6)), encoder=Sized())
    assert set(encoded) == {5}


def test_a_run_reports_the_time_of_each_stage_and_logs_each_video(folder: Path, tmp_path: Path) -> None:
    (folder / "broken.mp4").write_text("x")
    config = EmbedConfig(sampling=UniformFrames(6), log=str(tmp_path / "run.jsonl"))
    summary = embed_videos([folder], tmp_path / "s.h5", config, encoder=BarReader())
    assert sum(summary.shares.values()) == pytest.approx(1)
    assert summary.hint is not None
    assert "of the time: " in summary.hint
    logged = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert {line["id"]: line["status"] for line in logged} == {
        **{f"{number}.mp4": "embedded" for number in range(5)},
        "broken.mp4": "failed",
    }


def test_the_store_and_the_log_count_the_damaged_frames_of_each_video(folder: Path, tmp_path: Path) -> None:
    write_damaged_stream(folder / "damaged.ts")
    config = EmbedConfig(sampling=UniformFrames(1000), log=tmp_path / "run.jsonl")
    embed_videos([folder], tmp_path / "s.h5", config, encoder=BarReader())
    with EmbeddingStore(tmp_path / "s.h5") as store:
        counts = {name: store.video(name).damaged_count for name in store.ids}
    assert {name: count for name, count in counts.items() if count} == {"damaged.ts": 4}
    logged = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert {line["id"]: line["damaged"] for line in logged if "damaged" in line} == {"damaged.ts": 4}
    assert inspect_embeddings(tmp_path / "s.h5").to_json()["damaged"] == {"damaged.ts": 4}


def test_a_report_has_the_moment_at_which_each_video_starts(tmp_path: Path) -> None:
    """The ffmpeg program starts the clock of a transport stream at 1.4 s."""
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos" / "a.ts", 50, options={"bf": "0"}, ticks=range(35, 85))
    write_video(tmp_path / "videos" / "a.mp4", 50)
    embed_videos([tmp_path / "videos"], tmp_path / "s.h5", EmbedConfig(sampling=UniformFrames(5)), encoder=BarReader())
    starts_s = inspect_embeddings(tmp_path / "s.h5").to_json()["starts_s"]
    assert starts_s == {"a.mp4": 0, "a.ts": pytest.approx(1.4)}
    with EmbeddingStore(tmp_path / "s.h5") as store:
        for name, start_s in starts_s.items():
            assert store.video(name).duration_s == pytest.approx(2)
            np.testing.assert_allclose(store.read(name).timestamps_s - start_s, [0.2, 0.6, 1.0, 1.4, 1.8], atol=1e-4)


def test_a_run_with_nothing_to_do_has_no_hint(folder: Path, tmp_path: Path) -> None:
    embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=BarReader())
    assert embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=BarReader()).hint is None


def test_a_config_can_be_made_from_what_made_a_store() -> None:
    provenance = Provenance(BarReader().identity, UniformFrames(9).to_json(), decoder="opencv", views=("left",))
    config = EmbedConfig.from_provenance(provenance, pretrained="moved.pt")
    assert (config.model, config.pretrained, config.decoder) == ("bar-reader", "moved.pt", "opencv")
    assert (config.sampling, config.views) == (UniformFrames(9), ("left",))


def test_a_summary_has_processor_time_and_what_would_make_the_run_faster(folder: Path, tmp_path: Path) -> None:
    summary = embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=BarReader())
    work_s = summary.decode_cpu_seconds + summary.encode_cpu_seconds
    assert summary.decode_cpu_seconds > 0
    assert summary.encode_cpu_seconds > 0
    assert summary.to_json()["cores_used"] == pytest.approx(work_s / summary.seconds)
    most_of_it_loading = replace(summary, seconds=10.0, load_seconds=8.0)
    assert most_of_it_loading.hint == "loading the encoder took 80% of the time: embed more videos in one run"


@pytest.mark.parametrize("foreseen_px", [224, 96], ids=["rightly", "wrongly"])
def test_videos_decoded_while_the_encoder_loads_give_the_same_vectors(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foreseen_px: int
) -> None:
    config = replace(CONFIG, model="efficientnet-lite0", device="cpu")
    encoder = load_encoder("efficientnet-lite0", device="cpu")
    foreseen = replace(encoder.identity.preprocessing, side_px=foreseen_px)
    monkeypatch.setattr("embed.run.pipeline.foresee_preprocessing", lambda _: foreseen)

    embed_videos([folder], tmp_path / "early.h5", config)
    embed_videos([folder], tmp_path / "late.h5", config, encoder=encoder)

    early, late = EmbeddingStore(tmp_path / "early.h5"), EmbeddingStore(tmp_path / "late.h5")
    assert sorted(early.ids) == sorted(late.ids)
    for video_id in late.ids:
        np.testing.assert_array_equal(early.read(video_id).vectors, late.read(video_id).vectors)
