"""Streamed predictions: as those of `predict_videos`, resumed after a kill, and without decoding what is known."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from classify import (
    ClassifyError,
    EncoderMismatch,
    LabelRule,
    PredictConfig,
    Prediction,
    StreamConfig,
    TrainError,
    predict_videos,
    stream_predictions,
)
from classify.streaming import Result
from classify.streaming.journal import Journal
from embed import EmbeddingStore, EmbedError, Failure, find_videos
from tests.classify.streaming.conftest import write_clip

Seen = Callable[[list[object]], int]
LINES = StreamConfig(file_format="jsonl")
EVERY_FORMAT = ("csv", "json", "jsonl", "parquet")


@pytest.fixture
def big_store(make_store: Callable[..., Path]) -> Path:
    """A store of 300 videos and a failure."""
    rng = np.random.default_rng(1)
    failure = Failure("x.mp4", "/videos/x.mp4", "no_frames", "it is empty")
    videos = {f"{number:03}.mp4": rng.standard_normal((3, 16)) for number in range(300)}
    return make_store(videos, name="big.h5", failures=[failure])


def ids_in(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def stop_after(count: int) -> Callable[[Result], None]:
    """Return what raises KeyboardInterrupt at a result."""
    left = iter(range(count - 1))

    def take(_: Result) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    return take


def test_a_csv_is_that_of_predict_videos(toy_head: Path, big_store: Path, tmp_path: Path) -> None:
    predict_videos(toy_head, [big_store], tmp_path / "whole.csv")

    found = stream_predictions(toy_head, [big_store], tmp_path / "streamed.csv")

    assert (tmp_path / "streamed.csv").read_text() == (tmp_path / "whole.csv").read_text()
    assert (found.labelled, found.failed, found.resumed) == (300, 1, 0)
    assert [failure.id for failure in found.failures] == ["x.mp4"]
    assert not [*tmp_path.glob("*.unfinished")]


def test_new_videos_are_labelled_one_at_a_time_as_all_at_once(clips: Path, tmp_path: Path) -> None:
    predict_videos(clips / "head", [clips / "new"], tmp_path / "whole.csv")
    taken: list[Result] = []

    stream_predictions(clips / "head", clips / "new", tmp_path / "streamed.csv", on_result=taken.append)

    assert (tmp_path / "streamed.csv").read_text() == (tmp_path / "whole.csv").read_text()
    assert sorted(own.id if isinstance(own, Failure) else own.video_id for own in taken) == [
        "both.avi",
        "broken.avi",
        "red.avi",
    ]


@pytest.mark.parametrize("file_format", EVERY_FORMAT)
@pytest.mark.parametrize("moments", [False, True], ids=["labels", "moments"])
def test_a_run_that_was_stopped_goes_on_and_ends_as_one_that_was_not(
    toy_head: Path, big_store: Path, tmp_path: Path, file_format: str, moments: bool
) -> None:
    config = StreamConfig(file_format=file_format, moments=moments)  # type: ignore[arg-type]
    stream_predictions(toy_head, big_store, tmp_path / "whole", config=config)
    with pytest.raises(KeyboardInterrupt):
        stream_predictions(toy_head, big_store, tmp_path / "out", config=config, on_result=stop_after(100))
    again: list[Result] = []

    found = stream_predictions(toy_head, big_store, tmp_path / "out", config=config, on_result=again.append)

    assert (found.resumed, found.labelled, found.failed) == (100, 200, 1)
    assert len(again) == 201
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()
    assert not [*tmp_path.glob("*.unfinished")]


KILLED_AT_RESULT_70 = """
import os, signal, sys
from classify import StreamConfig, stream_predictions
left = iter(range(69))
def take(_):
    if next(left, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
stream_predictions(sys.argv[1], sys.argv[2], sys.argv[3], config=StreamConfig(file_format=sys.argv[4]), on_result=take)
"""


@pytest.mark.parametrize(
    ("file_format", "torn"), [("jsonl", b'{"id":"07'), pytest.param("csv", b"", marks=pytest.mark.nightly)]
)
def test_after_sigkill_only_what_is_missing_is_done(
    toy_head: Path, big_store: Path, tmp_path: Path, file_format: str, torn: bytes
) -> None:
    out, config = tmp_path / "out", StreamConfig(file_format=file_format)  # type: ignore[arg-type]
    words = [sys.executable, "-c", KILLED_AT_RESULT_70, str(toy_head), str(big_store), str(out), file_format]
    assert subprocess.run(words, check=False, env={**os.environ}).returncode == -signal.SIGKILL
    if file_format == "jsonl":
        assert ids_in(out) == [f"{number:03}.mp4" for number in range(70)]
        with out.open("ab") as file:
            file.write(torn)
    else:
        assert not out.exists()
    with (tmp_path / "out.unfinished").open("ab") as file:
        file.write(torn)

    found = stream_predictions(toy_head, big_store, out, config=config)

    stream_predictions(toy_head, big_store, tmp_path / "whole", config=config)
    assert (found.resumed, found.labelled) == (70, 230)
    assert out.read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("head", r"out.unfinished is what an unfinished run with another head has left. Run that command again"),
        (StreamConfig(file_format="jsonl", rule=LabelRule(top=2)), r"with another --top has left"),
        (StreamConfig(file_format="jsonl", moments=True), r"with another --moments has left"),
        (StreamConfig(file_format="jsonl", rule=LabelRule(thresholds={"hug": 0.5})), r"with another --threshold has"),
    ],
)
def test_what_a_run_of_another_head_or_other_settings_left_is_not_mixed(
    toy_head: Path, other_head: Path, big_store: Path, tmp_path: Path, change: str | StreamConfig, message: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        stream_predictions(toy_head, big_store, tmp_path / "out", config=LINES, on_result=stop_after(10))
    head, config = (other_head, LINES) if isinstance(change, str) else (toy_head, change)
    before = (tmp_path / "out").read_bytes()

    with pytest.raises(ClassifyError, match=message):
        stream_predictions(head, big_store, tmp_path / "out", config=config)

    assert (tmp_path / "out").read_bytes() == before
    anew = StreamConfig(rule=config.rule, moments=config.moments, file_format="jsonl", overwrite=True)
    assert stream_predictions(head, big_store, tmp_path / "out", config=anew).labelled == 300


def test_the_format_may_change_before_a_run_goes_on(toy_head: Path, big_store: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        stream_predictions(toy_head, big_store, tmp_path / "out", on_result=stop_after(10))
    assert stream_predictions(toy_head, big_store, tmp_path / "out", config=LINES).resumed == 10
    assert sorted(ids_in(tmp_path / "out")) == sorted([*(f"{number:03}.mp4" for number in range(300)), "x.mp4"])


@pytest.mark.parametrize("content", [b"", b'{"kind":"frameh', b'{"kind":"framehead predictions 1","hea'])
def test_a_journal_that_was_torn_in_its_first_line_is_begun_anew(
    toy_head: Path, big_store: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "out.unfinished").write_bytes(content)
    assert stream_predictions(toy_head, big_store, tmp_path / "out").labelled == 300


def test_two_runs_do_not_write_one_file(toy_head: Path, big_store: Path, tmp_path: Path) -> None:
    with (
        Journal(tmp_path / "out", {}, ()),
        pytest.raises(ClassifyError, match=r"Another run is writing .*out now. Wait"),
    ):
        stream_predictions(toy_head, big_store, tmp_path / "out")


@pytest.mark.parametrize("content", ["my diary\n", "my diary", '{"kind": "diary"}\n', "[1]\n"])
def test_a_file_in_the_place_of_the_journal_is_kept(
    toy_head: Path, big_store: Path, tmp_path: Path, content: str
) -> None:
    (tmp_path / "out.unfinished").write_text(content)
    config = StreamConfig(overwrite=True)
    with pytest.raises(ClassifyError, match=r"out.unfinished exists, and no run has written it.*Move it"):
        stream_predictions(toy_head, big_store, tmp_path / "out", config=config)
    assert (tmp_path / "out.unfinished").read_text() == content


@pytest.mark.parametrize("place", ["--store", "named"])
def test_a_video_that_a_store_knows_by_its_content_is_not_decoded_again(
    clips: Path, tmp_path: Path, seen: Seen, place: str
) -> None:
    shutil.copy(clips / "videos" / "red" / "1.avi", tmp_path / "renamed.avi")
    write_clip(tmp_path / "fresh.avi", ["green"], 99)
    shutil.copy(clips / "embeddings.h5", tmp_path / "kept.h5")
    kept = tmp_path / "kept.h5" if place == "--store" else None
    sources = [tmp_path / "renamed.avi", tmp_path / "fresh.avi", *([clips / "embeddings.h5"] if not kept else [])]
    progress: list[object] = []
    found: dict[str, Prediction] = {}

    summary = stream_predictions(
        clips / "head",
        sources,
        config=StreamConfig(predict=PredictConfig(store=kept)),
        on_result=lambda own: found.update({own.video_id: own}) if isinstance(own, Prediction) else None,
        on_progress=progress.append,
    )

    assert (seen(progress), summary.reused) == (1, 1)
    assert (found["renamed.avi"].labels, found["fresh.avi"].labels) == (("red",), ("green",))
    assert found["renamed.avi"].location == str(tmp_path / "renamed.avi")
    (stored,) = (
        own for own in predict_videos(clips / "head", [clips / "embeddings.h5"]).videos if own.video_id == "red/1.avi"
    )
    assert {**found["renamed.avi"].probabilities} == pytest.approx({**stored.probabilities}, abs=1e-6)


def test_a_second_run_with_its_store_decodes_nothing_and_has_the_same_rows(
    clips: Path, tmp_path: Path, seen: Seen
) -> None:
    config = StreamConfig(predict=PredictConfig(store=tmp_path / "kept.h5"), moments=True)
    stream_predictions(clips / "head", clips / "new", tmp_path / "first.csv", config=config)
    progress: list[object] = []

    again = stream_predictions(
        clips / "head", clips / "new", tmp_path / "again.csv", config=config, on_progress=progress.append
    )

    assert (seen(progress), again.reused, again.failed) == (0, 2, 1)
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "first.csv").read_text()
    with EmbeddingStore(tmp_path / "kept.h5") as store:
        assert store.ids == ["both.avi", "red.avi"]


def test_each_name_of_one_file_has_a_row(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    shutil.copy(clips / "new" / "red.avi", tmp_path / "videos" / "a.avi")
    (tmp_path / "list.csv").write_text("id,path\nx,videos/a.avi\n")
    found: list[str] = []
    stream_predictions(
        clips / "head",
        [tmp_path / "videos", tmp_path / "list.csv"],
        on_result=lambda own: found.append(own.video_id if isinstance(own, Prediction) else own.id),
    )
    assert sorted(found) == ["a.avi", "x"]


def test_moments_tell_when_a_colour_is_seen(clips: Path, tmp_path: Path) -> None:
    stream_predictions(
        clips / "head",
        clips / "new",
        tmp_path / "moments.csv",
        config=StreamConfig(moments=True, rule=LabelRule(top=2)),
    )
    with (tmp_path / "moments.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["id"] == "both.avi"]
    spans = {(row["label"], float(row["start_s"]), float(row["end_s"]), row["how"]) for row in rows}
    step_s = 0.5  # six frames of three seconds
    (red,) = [own for own in spans if own[0] == "red"]
    assert red[1] == pytest.approx(1.0, abs=step_s)
    assert red[2] == pytest.approx(2.0, abs=step_s)
    assert red[3] == "exact"
    assert sum(own[0] == "green" for own in spans) == 2


@pytest.mark.parametrize("wrong", ["other encoder", "no such folder", "device"])
def test_bad_input_is_refused_before_any_work_and_an_older_output_stays(
    clips: Path, toy_head: Path, toy_store: Path, tmp_path: Path, wrong: str
) -> None:
    stream_predictions(toy_head, toy_store, tmp_path / "out", config=LINES)
    before = (tmp_path / "out").read_bytes()
    more = {"other encoder": [clips / "embeddings.h5"], "no such folder": [tmp_path / "nowhere"], "device": []}[wrong]
    config = StreamConfig(file_format="jsonl", predict=PredictConfig(device="tpu" if wrong == "device" else "auto"))
    taken: list[Result] = []

    with pytest.raises((EncoderMismatch, EmbedError, TrainError)):
        stream_predictions(toy_head, [toy_store, *more], tmp_path / "out", config=config, on_result=taken.append)

    assert taken == []
    assert (tmp_path / "out").read_bytes() == before
    assert not (tmp_path / "out.unfinished").exists()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"file_format": "yt8m", "moments": True}, r"--format yt8m writes the 20 likeliest.*Leave out"),
        ({"file_format": "yt8m", "rule": LabelRule(top=3)}, r"--format yt8m writes the 20 likeliest.*Leave out"),
        ({"file_format": "jsonl", "spreadsheet_safe": True}, r"--spreadsheet-safe is for CSV files, not for --format"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(config: dict[str, object], message: str) -> None:
    kind = "yt8m" if config["file_format"] == "yt8m" else "csv"
    with pytest.raises(ClassifyError, match=message):
        StreamConfig(predict=PredictConfig(file_format=kind), **config)  # type: ignore[arg-type]


def test_an_unfinished_run_with_new_videos_does_the_others_only(clips: Path, tmp_path: Path, seen: Seen) -> None:
    with pytest.raises(KeyboardInterrupt):
        stream_predictions(clips / "head", clips / "new", tmp_path / "out", config=LINES, on_result=stop_after(1))
    (name,) = ids_in(tmp_path / "out")
    progress: list[object] = []

    stream_predictions(clips / "head", clips / "new", tmp_path / "out", config=LINES, on_progress=progress.append)

    assert seen(progress) == 2
    assert sorted(ids_in(tmp_path / "out")) == sorted(video.id for video in find_videos(clips / "new"))
    assert ids_in(tmp_path / "out")[0] == name
