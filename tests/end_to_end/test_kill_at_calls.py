"""SIGKILL before every system call that makes, moves or removes a name, of every command that writes.

After each kill the output is the old one or the new one, the same command again ends with the new one, and nothing else
is left: no process, and no file beside those of a run that was never killed.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from classify import VideoClassifier
from embed import EmbeddingStore

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a library is loaded before others, as Linux does it")

SOURCE = Path(__file__).parents[1] / "kill_at.c"
MOST_CALLS = 400  # a command that makes more does not end


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the library that kills."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler to build the library that kills")
    built = tmp_path_factory.mktemp("library") / "kill_at.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", built, SOURCE, "-ldl"], check=True)
    return built


def content(path: Path) -> str | None:
    """Return what identifies the content of a file; None if there is none."""
    return sha256(path.read_bytes()).hexdigest() if path.exists() else None


def head(path: Path) -> str | None:
    """Return what identifies a head as it loads: weights, recipe, temperature and figures."""
    if not path.exists() or not any(path.iterdir()):
        return None
    if {entry.name.partition("-")[0] for entry in path.iterdir()} == {".new"}:
        return None  # nothing was there, and nothing has been finished
    loaded = VideoClassifier.load(path)
    if "test" not in loaded.metrics:
        return None  # saved before it is measured, in a folder without an older head, as train_head says
    weights = b"".join(tensor.numpy().tobytes() for tensor in loaded.head.state_dict().values())
    return sha256(weights + repr((loaded.config, loaded.temperature, dict(loaded.metrics))).encode()).hexdigest()


def store(path: Path) -> str | None:
    """Return what identifies the videos and vectors of a store; None if there is none."""
    if not path.is_file() and not any(path.glob("*-*.h5")):
        return None
    with EmbeddingStore(path) as opened:
        rows = opened.read_many(opened.ids)[0].tobytes()
        return sha256(rows + repr(opened.ids).encode()).hexdigest()


def table(path: Path) -> str | None:
    """Return the table of a comparison, without the seconds; None if there is none."""
    contenders = json.loads(path.read_text()).get("contenders") if path.exists() else None
    return contenders and repr([{**found, "seconds": 0} for found in contenders])


def learned(path: Path) -> str | None:
    """Return the videos of the store and their split, once there is also a head, whose choice depends on the time."""
    if head(path / "head") is None:
        return None
    with EmbeddingStore(path / "embeddings.h5") as opened:
        return repr((opened.ids, (path / "split.csv").read_text()))


@dataclass(frozen=True)
class Case:
    """A command that writes.

    Args:
        words: the command, for the folder `base`.
        output: what it writes.
        identity: returns what identifies the output; None if there is none.
        older: further words, which make another output: the old one.
    """

    words: tuple[str, ...]
    output: str
    identity: Callable[[Path], str | None] = content
    older: tuple[str, ...] = ()


FEW_RUNS = ("--mixup", "0", "--folds", "2", "--seeds", "1", "--epochs", "2", "--baselines", "", "--jobs", "1")
CASES = {
    "split-videos": Case(("split-videos", "a.h5", "-o", "out.csv"), "out.csv", older=("--seed", "1")),
    "train-head": Case(
        ("train-head", "a.h5", "--split", "split.csv", "--epochs", "2", "-o", "out"), "out", head, ("--seed", "1")
    ),
    "predict-videos": Case(("predict-videos", "head", "a.h5", "-o", "out.csv"), "out.csv"),
    "evaluate-head": Case(("evaluate-head", "head", "c.h5", "-o", "out"), "out/evaluation.json"),
    "merge": Case(("inspect-embeddings", "a.h5", "b.h5", "--merge", "out.h5"), "out.h5", store),
    "merge to shards": Case(("inspect-embeddings", "a.h5", "b.h5", "--merge", "out"), "out", store),
    "repair": Case(("inspect-embeddings", "a.h5", "--repair", "out.h5"), "out.h5", store),
    "describe-dataset": Case(("describe-dataset", "a.h5", "-o", "out"), "out/dataset.json"),
    "export-head": Case(("export-head", "head", "-o", "out.onnx"), "out.onnx"),
    "page": Case(
        ("train-head", "d.h5", "--split", "split-d.csv", "--epochs", "2", "--html", "-o", "out"),
        "out",
        head,
        ("--seed", "1"),
    ),
    "compare-heads": Case(
        ("compare-heads", "a.h5", "--arch", "linear", *FEW_RUNS, "-o", "out"),
        "out/comparison.json",
        table,
        ("--arch", "mlp"),
    ),
    "learn": Case(
        ("learn", "videos", "--model", "efficientnet-lite0", "--frames-count", "2", "--budget", "1", "-o", "out"),
        "out",
        learned,
    ),
}
REPLACING = [name for name, case in CASES.items() if case.older]
QUICK = {"split-videos": 5, "train-head": 13, "merge": 9}
"""Case -> of how many calls one is killed before, in the tests that run always."""
RUN = """
import json, os, sys
from importlib import import_module
import numpy, sklearn, torch  # noqa: each run is a fork that has loaded them
import classify
from classify.cli.front_door import COMMANDS
from embed.machine import read_apart

torch.set_num_threads(1)
commands = {name: getattr(import_module(home), name.replace("-", "_")) for name, (home, _) in COMMANDS.items()}
for line in sys.stdin:
    name, *words = json.loads(line)["words"]
    order = json.loads(line)
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        os.chdir(order["folder"])
        said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1), os.dup2(said, 2)
        if order["kill_at"]:
            os.environ |= {"KILL_AT": str(order["kill_at"]), "KILL_PID": str(os.getpid()), "KILL_IN": order["folder"]}
        commands[name].main(words, prog_name=name)
    _, status = os.waitpid(child, 0)
    print(json.dumps([child, os.waitstatus_to_exitcode(status)]), flush=True)
"""


class Commands:
    """Commands, run one after another in forks of one process, each in a folder of its own."""

    def __init__(self, library: Path, said: Path) -> None:
        self._said = said
        self._process = subprocess.Popen(
            [sys.executable, "-c", RUN],
            env={**os.environ, "LD_PRELOAD": str(library)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, words: Sequence[str], folder: Path, *, kill_at: int = 0) -> bool:
        """Run a command to its end or to the kill; return True if it was killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"words": words, "folder": str(folder), "kill_at": kill_at, "said": str(self._said)}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        group, code = json.loads(self._process.stdout.readline())
        assert code in (0, -signal.SIGKILL), self._said.read_text()
        assert not is_alive_after_patience(group), "a process is left"
        return bool(code)

    def close(self) -> None:
        """End the process that forks."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait(60) == 0


def is_alive_after_patience(group: int, patience_s: float = 5.0) -> bool:
    """Return True if a process of a group is still there after some seconds."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.01)
    return True


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def check_kills(base: Path, name: str, commands: Commands, *, step: int = 1, older: bool = True) -> int:
    """Kill a command before each of its calls, or every `step`-th, until it ends unkilled; return the number of kills.

    Args:
        base: a folder with what the command reads.
        name: one of `CASES`.
        commands: runs commands.
        step: kill before every so many calls.
        older: the output exists before, and is another one.
    """
    case = CASES[name]
    start, whole = copy(base, "start"), base.with_name("whole")
    if older:
        commands.run([*case.words, *case.older], start)
    before = case.identity(start / case.output)
    shutil.copytree(start, whole)
    commands.run(case.words, whole)
    after = case.identity(whole / case.output)
    assert after is not None
    assert before != after
    for kills, number in enumerate(range(1, MOST_CALLS, step)):
        folder = copy(start, f"killed-{number}")
        was_killed = commands.run(case.words, folder, kill_at=number)
        assert case.identity(folder / case.output) in (before, after), f"call {number}: neither old nor new"
        if not was_killed:
            return kills
        commands.run(case.words, folder)
        assert case.identity(folder / case.output) == after, f"call {number}: another output"
        assert files(folder) == files(whole), f"call {number}: files are left"
        shutil.rmtree(folder)
    raise AssertionError(f"{name} makes more than {MOST_CALLS} calls")


def copy(folder: Path, name: str) -> Path:
    goal = folder.with_name(name)
    shutil.copytree(folder, goal)
    return goal


@pytest.fixture
def commands(library: Path, tmp_path: Path) -> Iterator[Commands]:
    found = Commands(library, tmp_path / "said")
    yield found
    found.close()


@pytest.mark.parametrize(("name", "step"), QUICK.items())
def test_a_kill_before_some_calls_leaves_the_old_output_or_the_new_one(
    base: Path, name: str, commands: Commands, step: int
) -> None:
    assert check_kills(base, name, commands, step=step, older=bool(CASES[name].older))


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "older"), [*[(name, False) for name in CASES], *[(name, True) for name in REPLACING]])
def test_a_kill_before_any_call_leaves_the_old_output_or_the_new_one(
    base: Path, name: str, commands: Commands, older: bool
) -> None:
    assert check_kills(base, name, commands, older=older)
