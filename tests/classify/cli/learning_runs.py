"""Runs of `framehead learn` on made folders, and what they showed."""

import shlex
from pathlib import Path

from click.testing import CliRunner, Result

from classify.cli import framehead

QUICK = ("--model", "efficientnet-lite0", "--frames-count", "2", "--budget", "1")


def learn(*arguments: object) -> Result:
    return CliRunner().invoke(framehead, ["learn", *map(str, arguments)])


def commands_of(result: Result) -> list[list[str]]:
    """Return the commands that were shown, as a shell takes them apart."""
    return [shlex.split(line[2:]) for line in result.stdout.splitlines() if line.startswith("$ ")]


def make_files(folder: Path, *names: str) -> Path:
    """Make files that are videos by their names alone: enough for what is checked before they are opened."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"no video")
    return folder
