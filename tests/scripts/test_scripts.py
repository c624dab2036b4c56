"""The bash scripts: what scripts/install asks pip for, and what scripts/quickstart does with a user's own videos."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.media import write_video

ROOT = Path(__file__).parents[2]
TORCH = next(line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch=="))

# Replaces .venv's python: it logs what pip is asked for, and claims to have what the test sets.
FAKE_PYTHON = """#!/usr/bin/env bash
case "$*" in
    *sys.version_info*) exit "${IS_OLD:-0}" ;;
    *importlib.metadata*) exit "${LACKS_TORCH:-1}" ;;
    --version) echo Python 3.9.2 ;;
    *compileall*) exit 1 ;; # as if a package included examples of wrong code
    *+cpu*) echo "$*" >>pip.log; exit "${LACKS_CPU_BUILD:-0}" ;;
    *) echo "$*" >>pip.log ;;
esac
"""


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@dataclass(frozen=True)
class Checkout:
    """A copy of the scripts beside a fake .venv."""

    folder: Path

    def install(self, *extra: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            [self.folder / "scripts" / "install", *extra],
            env={**os.environ, "PATH": path, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def wanted(self) -> list[str]:
        """Return what pip was asked for, one entry per call."""
        log = self.folder / "pip.log"
        return [line.split()[-1] for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Return a checkout on a Linux machine without a GPU."""
    for name in ("setup.cfg", "constraints.txt", "scripts/install"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    write_program(tmp_path / ".venv" / "bin" / "python", FAKE_PYTHON)
    write_program(tmp_path / "bin" / "nvidia-smi", "#!/bin/sh\nexit 1\n")
    write_program(tmp_path / "bin" / "uname", "#!/bin/sh\necho Linux\n")
    return Checkout(tmp_path)


def test_without_a_gpu_the_cpu_build_of_torch_is_installed_first(checkout: Checkout) -> None:
    assert checkout.install("test").returncode == 0
    assert checkout.wanted == [f"{TORCH}+cpu", ".[test]"]


def test_without_a_cpu_build_pips_own_torch_is_installed_and_a_message_says_how_to_choose(checkout: Checkout) -> None:
    result = checkout.install(LACKS_CPU_BUILD="1")
    assert checkout.wanted == [f"{TORCH}+cpu", TORCH, "."]
    assert "no CPU build of torch" in result.stderr
    assert "set PIP_EXTRA_INDEX_URL" in result.stderr


def test_with_a_gpu_the_cuda_build_is_installed(checkout: Checkout) -> None:
    write_program(checkout.folder / "bin" / "nvidia-smi", "#!/bin/sh\nexit 0\n")
    checkout.install()
    assert checkout.wanted == [TORCH, "."]


def test_a_torch_of_the_right_version_is_kept(checkout: Checkout) -> None:
    checkout.install(LACKS_TORCH="0")
    assert checkout.wanted == ["."]


def test_a_second_call_installs_nothing(checkout: Checkout) -> None:
    checkout.install("test")
    before = checkout.wanted
    assert checkout.install("test").stderr == ""
    assert checkout.install().stderr == ""
    assert checkout.wanted == before


def test_new_constraints_install_again(checkout: Checkout) -> None:
    checkout.install(LACKS_TORCH="0")
    (checkout.folder / "constraints.txt").write_text(f"{TORCH}\n")
    checkout.install(LACKS_TORCH="0")
    assert checkout.wanted == [".", "."]


def test_an_old_python_is_refused_and_the_message_says_what_to_do(checkout: Checkout) -> None:
    result = checkout.install(IS_OLD="1")
    assert result.returncode == 2
    assert "needs Python 3.11 or newer, but .venv/bin/python is Python 3.9.2" in result.stderr
    assert "PYTHON=python3.12 scripts/install" in result.stderr
    assert checkout.wanted == []


@pytest.fixture
def quickstart(tmp_path: Path) -> Path:
    """Return a copy of the script in a project whose .venv is the one that runs this test."""
    project = tmp_path / "project"
    (project / ".venv" / "bin").parent.mkdir(parents=True)
    (project / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    write_program(project / "scripts" / "install", "#!/bin/sh\n")
    shutil.copy(ROOT / "scripts" / "quickstart", project / "scripts" / "quickstart")
    return project / "scripts" / "quickstart"


def run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    folder = script.parents[2]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [script, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_quickstart_runs_from_a_folder_to_predictions_and_embeds_once(quickstart: Path, tmp_path: Path) -> None:
    for number in range(8):
        label = ("cooking", "travel by train")[number % 2]
        (tmp_path / "my videos" / label).mkdir(parents=True, exist_ok=True)
        write_video(tmp_path / "my videos" / label / f"{number}.mp4", 4, numbers=range(number, number + 4))
    (tmp_path / "my videos" / "travel by train" / "broken.mp4").write_text("x")
    first = run(quickstart, "my videos", "--frames-count", "2", "--budget", "3")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "broken.mp4" in first.stderr
    shown = [
        "$ framehead learn",
        "$ embed-videos",
        "$ split-videos",
        "$ train-head",
        "$ compare-heads",
        "$ predict-videos",
    ]
    assert [first.stdout.count(command) for command in shown] == [1] * 6
    results = quickstart.parents[1] / "quickstart" / "my videos" / "efficientnet-lite0-2"
    split_files = {"split.csv", "split.csv.evaluations.jsonl"}
    assert {path.name for path in results.iterdir()} == {
        "embeddings.h5",
        "head",
        "comparison",
        "learned.json",
    } | split_files
    assert "Report:  quickstart/my videos/efficientnet-lite0-2/head/report.html" in first.stdout
    assert (results / "head" / "report.html").exists()
    store = (results / "embeddings.h5").read_bytes()
    assert run(quickstart, "my videos", "--frames-count", "2", "--budget", "3").returncode == 0
    assert (results / "embeddings.h5").read_bytes() == store


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["absent"], "absent is not a folder", id="an absent folder"),
        pytest.param(["--modell", "x"], "there is no option --modell", id="an unknown option"),
        pytest.param(["--model"], "--model needs a value", id="a missing value"),
    ],
)
def test_quickstart_explains_wrong_usage(quickstart: Path, arguments: list[str], message: str) -> None:
    result = run(quickstart, *arguments)
    assert result.returncode == 2
    assert message in result.stderr


def test_quickstart_stops_if_a_command_fails(quickstart: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run(quickstart, "empty")
    assert result.returncode == 2
    assert "holds no video file" in result.stderr
    assert "failed, as said above" in result.stderr
    assert "split-videos" not in result.stdout


def test_the_training_benchmark_measures_every_row_of_a_tiny_set(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "benchmark_training.py"), "--tiny", "--folder", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}  # more threads wait for each other

    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr
    rows = [line.split("|")[1].strip() for line in result.stdout.splitlines() if line.startswith("| ")]
    assert {"linear", "statistics", "attention"} <= set(rows)
    assert {"transformer", "transformer, --max-frames 3", "transformer, --project 16"} <= set(rows)
    assert [row for row in rows if "20 labels" in row] == [
        "moe, 64 videos, 20 labels",
        "nextvlad, 64 videos, 20 labels",
    ]
    assert list(tmp_path.iterdir()) == []
