"""SIGTERM and Ctrl-C at random moments of every command: it ends, leaves nothing behind, and says what is true."""

import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from classify import SplitConfig, TrainConfig, split_videos, train_head
from embed import EmbedConfig, UniformFrames, embed_videos
from tests.processes import Traced

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

TRIES = 20
RUN_AGAIN = 4  # so many-th attempts are followed by the same command, to its end
PATIENCE_S = 60.0
ENCODER = ("--model", "efficientnet-lite0", "--frames-count", "2")
COMMANDS = {
    "learn": ("videos", *ENCODER, "--budget", "1", "-o", "out"),
    "embed-videos": ("videos", *ENCODER, "-o", "out.h5"),
    "inspect-embeddings": ("a.h5", "b.h5", "--merge", "out.h5"),
    "describe-dataset": ("a.h5", "-o", "out"),
    "split-videos": ("a.h5", "-o", "out.csv"),
    "train-head": ("a.h5", "--split", "split.csv", "--html", "-o", "out"),
    "compare-heads": ("a.h5", "--arch", "linear", "--mixup", "0", "--folds", "2", "--jobs", "2", "-o", "out"),
    "evaluate-head": ("head", "c.h5", "-o", "out"),
    "predict-videos": ("video-head", "videos", "-o", "out.csv"),
    "export-head": ("head", "-o", "out.onnx"),
}
TRACKERS = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}
"""Tracker -> its module."""
TEMPORARY = re.compile(r"\.part-|\.new-|\.moved-|\.tmp|\.finished|\.lock|^lock$")
SAID = r"Stopped\. (No work had begun|Finished work is stored|The stores are unchanged|Each output is|With -o, what is)"


class Stoppable:
    """One command, run again and again in copies of a folder."""

    def __init__(self, base: Path, words: tuple[str, ...]) -> None:
        self.base, self.words = base, words
        started = time.monotonic()
        code, said = self.run("whole")
        assert code == 0, said
        self.seconds = time.monotonic() - started

    def run(self, name: str, stop: tuple[int, float] | None = None) -> tuple[int, str]:
        """Run the command in a copy of the folder, or in what an earlier run left there; return exit code and stderr.

        Args:
            name: the copy.
            stop: a signal, and the seconds until it is sent.
        """
        folder = self.base.with_name(name)
        if not folder.exists():
            shutil.copytree(self.base, folder)
            (folder / "tmp").mkdir()
        variables = {
            "TMPDIR": str(folder / "tmp"),
            "WANDB_MODE": "offline",
            "WANDB_SILENT": "true",
            "MLFLOW_ALLOW_FILE_STORE": "true",
            "MLFLOW_TRACKING_URI": (folder / "mlruns").as_uri(),
        }
        traced = Traced(variables)
        run = traced.start([sys.executable, "-m", "classify", *self.words], folder)
        if stop is not None:
            number, seconds = stop
            with suppress(subprocess.TimeoutExpired):
                run.wait(seconds)
            run.send_signal(number)
        said = run.communicate(timeout=10 * PATIENCE_S)[1]
        assert traced.leavings(PATIENCE_S) == set()
        return run.returncode, said


def check_stops(base: Path, words: tuple[str, ...], number: int) -> int:
    """Stop a command at random moments, and run it again; return how many stops met work."""
    command, draw, met = Stoppable(base, words), random.Random(f"{words}{number}"), 0
    for attempt in range(TRIES):
        name, moment_s = f"stopped-{attempt}", draw.uniform(0, command.seconds)
        code, said = command.run(name, (number, moment_s))
        folder = base.with_name(name)
        case = f"{words[0]} after {moment_s:.2f} s: exit {code}\n{said}"
        assert code in (0, 128 + number, -number), case
        assert (code == 128 + number) == bool(re.search(SAID, said)), case
        assert "Warning" not in said, case
        assert "Traceback" not in said or is_before_ours(said), case
        assert names(folder / "tmp") <= names(base.with_name("whole") / "tmp"), case
        assert [path for path in folder.rglob("*") if TEMPORARY.search(path.name)] == [], case
        met += code == 128 + number
        if attempt % RUN_AGAIN == 0:
            again, said = command.run(name)
            assert again == 0, f"{case}\nand then:\n{said}"
        shutil.rmtree(folder)
    return met


def names(folder: Path) -> set[str]:
    """Return what is in a folder: in that for temporary files, an unstopped run leaves the caches of torch."""
    return {path.name for path in folder.iterdir()}


def is_before_ours(said: str) -> bool:
    """Return True if Python says that it was stopped while it loaded the command."""
    return said.rstrip().endswith("KeyboardInterrupt") and "stopped_before_work" not in said


@pytest.fixture
def video_head(base: Path) -> None:
    """Train a head on the videos in the folder."""
    config = EmbedConfig(model="efficientnet-lite0", sampling=UniformFrames(2), device="cpu")
    store, split = base / "videos.h5", base / "split-videos.csv"
    embed_videos([base / "videos"], store, config)
    split_videos(store, split, config=SplitConfig(test_size=0.25, validation_size=0))
    train_head(store, split, base / "video-head", config=TrainConfig(epochs=1))


@pytest.mark.nightly
@pytest.mark.usefixtures("video_head")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_stopped_at_any_moment_leaves_nothing_and_works_again(
    base: Path, name: str, number: int
) -> None:
    assert check_stops(base, (name, *COMMANDS[name]), number)


@pytest.mark.nightly
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_training_run_that_is_stopped_at_any_moment_leaves_nothing_of_its_tracker(
    base: Path, tracker: str, number: int
) -> None:
    pytest.importorskip(TRACKERS[tracker])
    logged = ("train-head", "a.h5", "--split", "split.csv", "--log-to", tracker, "-o", "out")

    assert check_stops(base, logged, number)
