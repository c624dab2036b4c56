"""README.md says what is so: its marked blocks run, its links lead somewhere, and it names every command.

A block after the line `<!-- run -->` runs here, in the order of the page and in one folder, as a newcomer would.
"""

import os
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.media import write_video

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- run -->\n```(bash|python)\n(.*?)```", README, flags=re.DOTALL)

setup = ConfigParser()
setup.read(ROOT / "setup.cfg")
COMMANDS = re.findall(r"^(\S+) = ", setup.get("options.entry_points", "console_scripts").strip(), flags=re.MULTILINE)
BIN = Path(sys.executable).parent


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


@pytest.mark.parametrize("page", PAGES)
def test_links_inside_the_project_lead_somewhere(page: str) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))
    assert not [target for target in targets if not (ROOT / target).exists()]
