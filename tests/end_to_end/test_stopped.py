"""A command that is told to end, or killed, leaves no process and no temporary file."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from classify import TrainConfig, split_videos, train_head
from embed import EmbedConfig, EmbeddingStore, UniformFrames, embed_videos
from embed.machine import temporary_folder
from tests.media import write_video
from tests.processes import Traced

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PATIENCE_S = 60.0
WITH_WORKERS = """
import sys
from classify.cli import compare_heads
if __name__ == "__main__":
    compare_heads(sys.argv[1:])
"""


@pytest.fixture
def embedded(tmp_path: Path) -> Path:
    """Return a store of 12 short videos of two classes, embedded by the bundled encoder."""
    for number in range(12):
        folder = tmp_path / "videos" / ("hug", "kick")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        write_video(folder / f"{number}.mp4", 8, numbers=range(number, number + 8))
    config = EmbedConfig(model="efficientnet-lite0", sampling=UniformFrames(2), device="cpu")
    embed_videos([tmp_path / "videos"], tmp_path / "s.h5", config)
    return tmp_path / "s.h5"


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_killed_comparison_leaves_no_worker(embedded: Path, tmp_path: Path) -> None:
    traced = Traced()
    many = ["--arch", "linear", "--mixup", "0", "--seeds", "200", "--epochs", "200", "--baselines", "", "--jobs", "2"]
    script = tmp_path / "compare.py"
    script.write_text(WITH_WORKERS)
    run = traced.start([sys.executable, str(script), str(embedded), "-o", str(tmp_path / "out"), "--folds", "2", *many])
    results = tmp_path / "out" / "runs.csv"
    wait_until(lambda: results.exists() and results.read_text().count("\n") > 2)
    assert len(traced.running()) >= 3

    os.kill(run.pid, signal.SIGKILL)

    run.wait(PATIENCE_S)
    assert not {found for found in traced.leavings(PATIENCE_S) if found.startswith("process")}
    run.communicate()


@pytest.fixture
def head(embedded: Path, tmp_path: Path) -> Path:
    split_videos(embedded, tmp_path / "split.csv")
    train_head(embedded, tmp_path / "split.csv", tmp_path / "head", config=TrainConfig(epochs=1))
    return tmp_path / "head"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_predict_videos_that_is_told_to_end_removes_its_temporary_store(
    head: Path, tmp_path: Path, number: int, code: int
) -> None:
    run, temporary = start_predicting(head, tmp_path)

    run.send_signal(number)

    _, said = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == code
    assert (
        "Stopped. With -o, what is done is kept, and with --store the embeddings. Run the same command again." in said
    )
    assert list(temporary.rglob("*.h5*")) == []
    assert list(temporary.glob("framehead-*")) == []


def start_predicting(head: Path, base: Path) -> tuple["subprocess.Popen[str]", Path]:
    """Label 60 new videos; return the run, which has begun its temporary store, and the folder for temporary files."""
    (base / "new").mkdir()
    for video in range(60):
        write_video(base / "new" / f"{video}.mp4", 8, numbers=range(video, video + 8))
    temporary = base / "tmp"
    temporary.mkdir()
    run = subprocess.Popen(
        [sys.executable, "-m", "classify", "predict-videos", head, base / "new"],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: [signal.signal(each, signal.SIG_DFL) for each in (signal.SIGINT, signal.SIGHUP)],
    )
    wait_until(lambda: list(temporary.rglob("*.h5*/lock")))
    return run, temporary


def test_the_temporary_store_of_a_killed_predict_videos_is_removed_by_the_next_run_a_minute_later(
    head: Path, tmp_path: Path
) -> None:
    run, temporary = start_predicting(head, tmp_path)
    run.kill()
    run.communicate(timeout=PATIENCE_S)
    (left,) = temporary.glob("framehead-predict-*")

    with temporary_folder("predict", temporary):
        assert left.exists()  # it may belong to a run that is about to lock it

    os.utime(left, (0, 0))
    with temporary_folder("predict", temporary):
        assert not left.exists()
    assert list(temporary.glob("framehead-*")) == []


def test_a_store_that_is_told_to_end_by_sigterm_keeps_what_is_embedded(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    for number in range(40):
        write_video(tmp_path / "videos" / f"{number}.mp4", 8, numbers=range(number, number + 8))
    command = [sys.executable, "-m", "embed", "embed-videos", tmp_path / "videos", "-o", tmp_path / "s.h5"]
    log = tmp_path / "log.jsonl"
    run = subprocess.Popen(
        [*command, "--model", "efficientnet-lite0", "--log", log], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    wait_until(lambda: log.exists() and log.read_text().count("\n") > 1)

    run.terminate()

    run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 143
    assert log.read_text().count("\n") <= len(EmbeddingStore(tmp_path / "s.h5"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_training_run_that_is_told_to_end_leaves_no_temporary_folder_of_its_tracker(
    base: Path, number: int, code: int
) -> None:
    pytest.importorskip("wandb")
    traced, temporary = Traced({"WANDB_MODE": "offline", "WANDB_SILENT": "true"}), base / "tmp"
    temporary.mkdir()
    (base / "wandb").mkdir()
    command = [sys.executable, "-m", "classify", "train-head", base / "a.h5", "--split", base / "split.csv"]
    traced.environment |= {"TMPDIR": str(temporary), "WANDB_DIR": str(base)}
    run = traced.start([*command, "--log-to", "wandb", "-o", base / "out"])
    wait_until(lambda: list(temporary.glob("*wandb*")))

    run.send_signal(number)

    _, said = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == code, said
    assert "Stopped. Each output is the old one or the whole new one" in said
    assert list(temporary.iterdir()) == []
    assert traced.leavings(PATIENCE_S) == set()
