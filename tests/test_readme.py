"""README.md says what is so: its marked blocks run, its links lead somewhere, and it names every command.

A block after the line `<!-- run -->` runs here, in the order of the page and in one folder, as a newcomer would.
"""

import importlib
import os
import re
import runpy
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.media import write_video

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- run -->\n```(bash|python)\n(.*?)```", README, flags=re.DOTALL)

setup = ConfigParser()
setup.read(ROOT / "setup.cfg")
COMMANDS = dict(line.split(" = ") for line in setup.get("options.entry_points", "console_scripts").strip().splitlines())
BIN = Path(sys.executable).parent


def named_options() -> dict[str, set[str]]:
    """Return what all bash blocks give each command and script of ours: program -> options, with those of comments."""
    found: dict[str, set[str]] = {}
    for block in re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL):
        program = ""
        for line in block.replace("\\\n", " ").splitlines():
            if not line.startswith("#"):  # a line of comment says more of the program before it
                program = next((word for word in line.split() if word in COMMANDS or word.startswith("scripts/")), "")
            if program:
                found.setdefault(program, set()).update(re.findall(r"(?<!\S)--[\w-]+", line))
    return found


def help_of(program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what a program says of itself. Python runs here, where its libraries are loaded once."""
    if program in COMMANDS:
        module, name = COMMANDS[program].split(":")
        return CliRunner().invoke(getattr(importlib.import_module(module), name), ["--help"]).output
    if not program.endswith(".py"):
        return subprocess.run([ROOT / program, "--help"], capture_output=True, text=True, check=True).stdout
    monkeypatch.setattr(sys, "argv", [program, "--help"])
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    with pytest.raises(SystemExit):
        runpy.run_path(str(ROOT / program), run_name="__main__")
    return capsys.readouterr().out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what README assumes: videos/{label}/, labels.csv and new_videos/, all tiny."""
    rows = ["id,labels,group"]
    for number in range(12):
        label = ("cooking", "travel")[number % 2]
        (tmp_path / "videos" / label).mkdir(parents=True, exist_ok=True)
        write_video(tmp_path / "videos" / label / f"{number}.mp4", 4 + number)
        rows.append(f"{label}/{number}.mp4,{'cooking|travel' if number == 0 else label},trip {number // 2}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    (tmp_path / "new_videos").mkdir()
    write_video(tmp_path / "new_videos" / "new.mp4", 5)
    return tmp_path


def test_the_marked_blocks_run_one_after_another(folder: Path) -> None:
    shells = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HF_HUB_OFFLINE": "1"}
    for language, block in BLOCKS:
        run = [*shells[language], block]
        result = subprocess.run(run, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"{block}\n{result.stdout}\n{result.stderr}"
    assert (folder / "predictions.csv").read_text().splitlines()[1].startswith("new.mp4,")


def test_the_marked_blocks_use_every_command_and_python() -> None:
    languages = {language for language, _ in BLOCKS}
    words = set(" ".join(block for _, block in BLOCKS).split())
    assert languages == {"bash", "python"}
    assert set(COMMANDS) <= words


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_stands_in_the_readme(command: str) -> None:
    result = subprocess.run([BIN / command, "--help"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith(f"Usage: {command} ")
    assert f"**`{command}`**" in README


@pytest.mark.parametrize(("program", "options"), [(name, given) for name, given in named_options().items() if given])
def test_the_options_that_the_blocks_give_a_program_are_in_its_help(
    program: str, options: set[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = re.findall(r"^ +(?:-\w, )?(--[\w-]+)", help_of(program, monkeypatch, capsys), flags=re.MULTILINE)
    assert options <= set(listed)


@pytest.mark.parametrize("page", PAGES)
def test_links_inside_the_project_lead_somewhere(page: str) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))
    assert not [target for target in targets if not (ROOT / target).exists()]
