"""README.md and resources/docs/ say what is so: blocks run, links lead somewhere, options exist, pages are short.

A block after the line `<!-- run -->` runs here, in the order of its page and in one folder a page, as a newcomer would.
Of a `console` block, which shows output too, the lines after "$ " run.
"""

import ast
import importlib
import os
import re
import runpy
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.media import write_video

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCS = ROOT / "resources" / "docs"
RECIPES = ROOT / "resources" / "recipes" / "README.md"
GUIDES = [README, RECIPES, *sorted(DOCS.glob("*.md")), *sorted((DOCS / "benchmarks").glob("*.md"))]
PAGES = [*GUIDES, *sorted((DOCS / "reference").glob("*.md")), ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]
BLOCK = re.compile(r"<!-- run -->\n```(bash|python|console)\n(.*?)```", flags=re.DOTALL)

setup = ConfigParser()
setup.read(ROOT / "setup.cfg")
COMMANDS = dict(line.split(" = ") for line in setup.get("options.entry_points", "console_scripts").strip().splitlines())
BIN = Path(sys.executable).parent


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


RUNNING = [page for page in GUIDES if BLOCK.search(text_of(page))]
LONG = {
    "start",
    "comparing",
    "report",
    "onnx",
    "reducing",
    "labels-and-splits",
    "joining",
    "search",
    "retraining",
    "python",
    "youtube-8m",
}
"""Pages whose blocks take 10 to 60 s, and whose commands the README and the commands' own tests run always."""


def blocks_of(page: Path) -> list[tuple[str, str]]:
    """Return the marked blocks of a page: language, and what runs."""
    return [
        (language, typed(block) if language == "console" else block) for language, block in BLOCK.findall(text_of(page))
    ]


def typed(block: str) -> str:
    """Return the lines of a console block that somebody types."""
    return "\n".join(line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ "))


every_guide = pytest.mark.parametrize("page", GUIDES, ids=name_of)


def named_options() -> dict[str, set[str]]:
    """Return what all bash blocks give each command and script of ours: program -> options, with those of comments."""
    found: dict[str, set[str]] = {}
    shown = re.findall(r"```(bash|console)\n(.*?)```", "\n".join(map(text_of, GUIDES)), flags=re.DOTALL)
    for block in (typed(text) if language == "console" else text for language, text in shown):
        program = ""
        for line in block.replace("\\\n", " ").splitlines():
            if not line.startswith("#"):  # a line of comment says more of the program before it
                program = program_in(line.split())
            if program:
                found.setdefault(program, set()).update(re.findall(r"(?<!\S)--[\w-]+", line))
    return found


def program_in(words: list[str]) -> str:
    """Return the program of ours that a command line runs; `framehead learn` has a name of two words."""
    first = next((word for word in words if word in COMMANDS or word.startswith("scripts/")), "")
    after = words[words.index(first) + 1 :][:1] if first else []
    if first == "framehead" and after and not after[0].startswith("-"):
        return after[0] if after[0] in COMMANDS else f"framehead {after[0]}"
    return first


def command_named(program: str) -> click.Command:
    module, name = COMMANDS[program.split()[0]].split(":")
    command = getattr(importlib.import_module(module), name)
    for word in program.split()[1:]:
        command = command.get_command(click.Context(command), word)
    return command


def help_of(program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what a program says of itself. Python runs here, where its libraries are loaded once."""
    if program.split()[0] in COMMANDS:
        return CliRunner().invoke(command_named(program), ["--help"]).output
    if not program.endswith(".py"):
        return subprocess.run([ROOT / program, "--help"], capture_output=True, text=True, check=True).stdout
    monkeypatch.setattr(sys, "argv", [program, "--help"])
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    with pytest.raises(SystemExit):
        runpy.run_path(str(ROOT / program), run_name="__main__")
    return capsys.readouterr().out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what the pages assume: videos/{label}/, labels.csv and new_videos/, all tiny."""
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


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.nightly] * (page.stem in LONG)) for page in RUNNING],
    ids=map(name_of, RUNNING),
)
def test_the_marked_blocks_run_one_after_another(page: Path, folder: Path) -> None:
    bash = ["bash", "-euo", "pipefail", "-c"]
    shells = {"bash": bash, "console": bash, "python": [sys.executable, "-c"]}
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HF_HUB_OFFLINE": "1"}
    for language, block in blocks_of(page):
        run = [*shells[language], block]
        result = subprocess.run(run, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"{block}\n{result.stdout}\n{result.stderr}"


def test_the_marked_blocks_use_every_command() -> None:
    words = {word for page in RUNNING for _, block in blocks_of(page) for word in block.split()}
    assert set(COMMANDS) <= words


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_stands_in_the_readme(command: str) -> None:
    result = subprocess.run([BIN / command, "--help"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith(f"Usage: {command} ")
    assert re.search(rf"(?<![\w-]){command}(?![\w-])", text_of(README))


@pytest.mark.parametrize(("program", "options"), [(name, given) for name, given in named_options().items() if given])
def test_the_options_that_the_blocks_give_a_program_are_in_its_help(
    program: str, options: set[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = help_of(program, monkeypatch, capsys)
    listed = set(re.findall(r"(?<![\w-])--[\w-]+", shown))
    assert options <= listed


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_inside_the_project_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)\s#]*)(?:#([^)\s]*))?\)", text_of(page))
    for target, anchor in targets:
        place = page.parent / target if target else page
        assert place.exists(), target
        if anchor and place.suffix == ".md":
            assert anchor in anchors_of(place), f"{target}#{anchor}"


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    outside = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", outside, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_guide
def test_a_paragraph_has_at_most_four_lines(page: Path) -> None:
    outside = re.sub(r"```.*?```|<!--.*?-->", "", text_of(page), flags=re.DOTALL)
    paragraphs = [part.splitlines() for part in re.split(r"\n\s*\n", outside)]
    prose = [lines for lines in paragraphs if lines and not re.match(r"\s*(\||#|- |\d+\. |!?\[|>|<)", lines[0])]
    assert not [lines for lines in prose if len(lines) > 4]


@every_guide
def test_no_page_waits_for_its_text(page: Path) -> None:
    assert not re.search(r"TODO|<!-- output", text_of(page))


def messages() -> str:
    """Return all texts of the code, with a gap where a value stands."""
    found = [path.read_text(encoding="utf-8") for path in (ROOT / "scripts").iterdir() if path.is_file()]
    for path in [*ROOT.glob("embed/**/*.py"), *ROOT.glob("classify/**/*.py")]:
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.append("...".join(str(part.value) for part in node.values if isinstance(part, ast.Constant)))
    return "\n".join(found)


@pytest.fixture(scope="module")
def said() -> str:
    return messages()


SYMPTOMS = re.findall(r"^\| `([^`]*[a-z] [^`]*)`", text_of(DOCS / "troubleshooting.md"), flags=re.MULTILINE)


@pytest.mark.parametrize("symptom", [text for text in SYMPTOMS if not text.startswith(("--", "operator "))])
def test_the_messages_of_the_troubleshooting_page_are_those_of_the_code(symptom: str, said: str) -> None:
    pieces = [piece.strip() for piece in re.split(r"\.\.\.| [A-Z] |\bN\b", symptom)]
    assert not [piece for piece in pieces if piece and piece not in said]


def test_the_readme_is_short() -> None:
    assert len(text_of(README).splitlines()) <= 200
    assert len(text_of(README).encode()) <= 10_000


def test_the_reference_says_what_the_code_says() -> None:
    run = [sys.executable, ROOT / "scripts" / "make_reference.py", "--check"]
    result = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
