"""What can be known of the container file without an engine that runs it."""

import re
import tomllib
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[1]


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Containerfile").read_text(), flags=re.M).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def test_each_instruction_exists_and_the_first_names_a_version() -> None:
    known = {"FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "CMD"}
    assert {name for name, _ in instructions()} <= known
    assert re.fullmatch(r"python:3\.\d+-slim", dict(instructions()[:1])["FROM"])


def test_each_copied_file_is_there_and_the_build_has_all_it_reads() -> None:
    copied = [name for verb, told in instructions() if verb == "COPY" for name in told.split()[:-1]]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    read = {setup["metadata"]["long_description"].removeprefix("file: "), setup["metadata"]["license_files"]}
    assert read | {"setup.cfg", "pyproject.toml", "embed", "classify"} <= set(copied)
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]


def test_the_extras_that_it_installs_exist() -> None:
    (run,) = (told for verb, told in instructions() if verb == "RUN")
    found = re.search(r"\.\[([a-z0-9,]+)\]", run)
    assert found
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert set(found[1].split(",")) <= set(setup["options.extras_require"])


def test_it_runs_as_no_administrator_and_keeps_no_cache() -> None:
    verbs = [verb for verb, _ in instructions()]
    assert verbs.index("USER") < verbs.index("CMD")
    assert dict(instructions())["USER"] == "framehead"
    assert "--no-cache-dir" in dict(instructions())["RUN"]
