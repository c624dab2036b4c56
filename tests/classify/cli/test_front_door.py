"""`framehead` lists all commands and runs them; modules and shells know them as well."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from classify import __file__ as package
from classify.cli import framehead
from classify.cli.front_door import COMMANDS
from tests.test_architecture import HEAVY

ROOT = Path(package).parents[1]

setup = ConfigParser()
setup.read(ROOT / "setup.cfg")
PROGRAMS = dict(line.split(" = ") for line in setup.get("options.entry_points", "console_scripts").strip().splitlines())


def run_module(*arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "COLUMNS": "80", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def complete(program: str, typed: str) -> list[str]:
    """Return what a shell offers behind what was typed, and fail if a heavy library was loaded for it."""
    module, name = PROGRAMS[program].split(":")
    code = (
        f"import sys\nfrom {module} import {name} as command\n"
        f"try:\n    command(prog_name={program!r})\n"
        f"finally:\n    print('loaded:', *sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)\n"
    )
    words = f"{program} {typed}"
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1), "PYTHONPATH": str(ROOT)}
    asked[f"_{program.replace('-', '_').upper()}_COMPLETE"] = "bash_complete"
    result = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True, check=True
    )
    assert result.stderr.strip() == "loaded:"
    return [line.partition(",")[2] for line in result.stdout.splitlines()]


def test_the_commands_are_the_programs_in_the_order_of_their_use() -> None:
    assert list(COMMANDS) == ["learn", *(name for name in PROGRAMS if name != "framehead")]


def test_without_a_command_the_list_is_no_error() -> None:
    result = CliRunner().invoke(framehead, [])

    assert result.exit_code == 0
    assert result.output == CliRunner().invoke(framehead, ["--help"]).output


def test_help_lists_the_commands_each_in_a_line() -> None:
    lines = CliRunner().invoke(framehead, ["-h"], terminal_width=80).output.splitlines()

    first = lines.index("Commands, in the order of their use:") + 1
    assert [line.split()[0] for line in lines[first : first + len(COMMANDS)]] == list(COMMANDS)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("flag", ["-h", "--help", "--version"])
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_and_version_are_everywhere(command: str, flag: str) -> None:
    result = CliRunner().invoke(framehead, [*filter(None, [command]), flag], prog_name="framehead")

    assert result.exit_code == 0
    expected = "framehead, version " if flag == "--version" else f"Usage: framehead {command}".rstrip()
    assert result.output.startswith(expected)


@pytest.mark.parametrize("flag", ["-h", "--version"])
@pytest.mark.parametrize("package", ["embed", "classify"])
def test_each_package_runs_as_a_module(package: str, flag: str) -> None:
    result = run_module(package, flag)

    assert result.returncode == 0, result.stderr
    assert f"python -m {package}" in result.stdout


@pytest.mark.usefixtures("toy_store")
def test_a_subcommand_does_what_its_program_does(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    alone = run("split_videos", "embeddings.h5", "-o", "one.csv")

    behind = CliRunner().invoke(framehead, ["split-videos", "embeddings.h5", "-o", "other.csv"])

    assert behind.exit_code == 0, behind.output
    assert behind.stdout == alone.stdout.replace("one.csv", "other.csv")
    assert (tmp_path / "other.csv").read_text() == (tmp_path / "one.csv").read_text()


def test_a_subcommands_library_error_is_a_message_and_exit_code_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(framehead, ["split-videos", str(tmp_path / "absent.h5")])

    assert result.exit_code == 2
    assert result.stderr.startswith("Error: There is no store")


def test_a_subcommand_that_does_not_exist_is_wrong_usage() -> None:
    result = CliRunner().invoke(framehead, ["train-heads"])

    assert result.exit_code == 2
    assert "No such command 'train-heads'. Perhaps you mean train-head." in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_a_script_that_completes(shell: str) -> None:
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("click asks bash for its version, and there is none here")

    result = CliRunner().invoke(framehead, prog_name="framehead", env={"_FRAMEHEAD_COMPLETE": f"{shell}_source"})

    assert result.exit_code == 0
    assert "_FRAMEHEAD_COMPLETE" in result.output


@pytest.mark.parametrize(
    ("program", "typed", "offered"),
    [
        pytest.param("framehead", "", list(COMMANDS), id="commands"),
        pytest.param("framehead", "ex", ["export-yt8m", "export-head"], id="some commands"),
        pytest.param("framehead", "predict-videos --st", ["--store"], id="options of a subcommand"),
        pytest.param("train-head", "--bud", ["--budget"], id="options of a program"),
        pytest.param("embed-videos", "--sampling key", ["keyframes"], id="choices"),
    ],
)
def test_completion_offers_what_fits_and_loads_nothing_heavy(program: str, typed: str, offered: list[str]) -> None:
    assert complete(program, typed) == offered
