"""One run after another: what is new is learned, and only what is surely better is used."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from classify import ClassifyError, HeadError, SplitError, VideoClassifier
from classify.cli import refresh_head as command
from classify.corrections import Correction, CorrectionLog, state_path
from classify.refresh import HeadVersions, RefreshConfig, champion_folder, refresh_head, roll_back
from tests.media import write_video

LABELS = ("dark", "light")


def write_videos(folder: Path, first: int, count: int) -> None:
    """Write videos of two classes, of which one is bright: frames show their numbers as bars."""
    for number in range(first, first + count):
        place = folder / LABELS[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        write_video(place / f"{number}.mp4", 3 + number % 5, numbers=[number % 2 * 1023] * (3 + number % 5))


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which refresh-head has run once, on 24 videos."""
    folder = tmp_path_factory.mktemp("refreshed")
    write_videos(folder / "videos", 0, 24)
    (folder / "c.toml").write_text(
        'sources = ["videos/"]\nstore = "e.h5"\nheads = "heads/"\nmodel = "efficientnet-lite0"\nframes_count = 2\n'
        'arch = "linear"\nepochs = 3\ntest_size = 0.25\n'
    )
    summary = refresh_head(RefreshConfig.read(folder / "c.toml"))
    assert (summary.embedded, summary.version, summary.champion) == (24, "v0001", "v0001")
    assert summary.decision is not None
    assert summary.decision.is_promoted
    return folder


@pytest.fixture
def folder(first_run: Path, tmp_path: Path) -> Path:
    """A copy of it, in which the videos stay where they were."""
    subprocess.run(["cp", "-r", *first_run.iterdir(), tmp_path], check=True)
    return tmp_path


@pytest.fixture
def config(folder: Path) -> RefreshConfig:
    return RefreshConfig.read(folder / "c.toml")


def test_nothing_new_trains_nothing_and_looks_at_nothing(config: RefreshConfig) -> None:
    before = (config.heads / "held_out.json").read_bytes()

    began = time.monotonic()
    summary = refresh_head(config)

    assert summary.version is None
    assert "Nothing has changed since the last version" in summary.note
    assert (config.heads / "held_out.json").read_bytes() == before
    assert HeadVersions(config.heads).names() == ["v0001"]
    assert time.monotonic() - began < 10  # seconds of a busy machine


def test_new_videos_train_and_held_out_ones_never_do(config: RefreshConfig, folder: Path) -> None:
    held_out = {one["id"] for one in json.loads((config.heads / "held_out.json").read_text())["videos"]}
    write_videos(folder / "videos", 24, 6)

    summary = refresh_head(config)

    parts = dict(line.split(",")[:2] for line in (config.heads / "split.csv").read_text().splitlines()[1:])
    assert (summary.embedded, summary.version, summary.looks) == (6, "v0002", 2)
    assert {name for name, part in parts.items() if part == "test"} == held_out
    assert len(parts) == 30
    assert summary.drift is not None
    assert summary.drift["new_videos"] == 6
    assert summary.decision is not None
    assert not summary.decision.is_promoted  # as good on six videos that are easy: not surely better
    lineage = HeadVersions(config.heads).lineage("v0002")
    assert lineage["parent"] == "v0001"
    assert lineage["labels"] == {"dark": 15, "light": 15}
    assert champion_folder(config.heads).name == "v0001"


def test_a_worse_challenger_is_trained_and_not_used(config: RefreshConfig) -> None:
    log = CorrectionLog(state_path(config.store))
    held_out = {one["id"] for one in json.loads((config.heads / "held_out.json").read_text())["videos"]}
    rng = np.random.default_rng(0)
    wrong = [
        Correction(f"{LABELS[number % 2]}/{number}.mp4", (LABELS[int(rng.integers(2))],))
        for number in range(24)
        if f"{LABELS[number % 2]}/{number}.mp4" not in held_out
    ]
    log.append(wrong)

    summary = refresh_head(config)

    assert summary.corrections == len(wrong)
    assert summary.version == "v0002"
    assert summary.decision is not None
    assert not summary.decision.is_promoted
    assert champion_folder(config.heads).name == "v0001"


def test_a_new_label_extends_the_vocabulary_behind_the_old_ones(config: RefreshConfig) -> None:
    held_out = {one["id"] for one in json.loads((config.heads / "held_out.json").read_text())["videos"]}
    free = [f"dark/{number}.mp4" for number in range(0, 24, 2) if f"dark/{number}.mp4" not in held_out][:4]
    CorrectionLog(state_path(config.store)).append([Correction(name, ("black",)) for name in free], who="Ada")

    summary = refresh_head(config)

    assert summary.new_labels == {"black": 4}
    assert summary.version is not None
    assert VideoClassifier.load(config.heads / summary.version).names == ("dark", "light", "black")


def test_a_rollback_needs_an_earlier_champion_and_a_dry_run_writes_nothing(config: RefreshConfig, folder: Path) -> None:
    write_videos(folder / "videos", 24, 2)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    summary = refresh_head(config, is_dry=True)

    assert "2 of 26 videos would be embedded. Nothing was written." in summary.note
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    with pytest.raises(HeadError, match="no earlier champion"):
        roll_back(config)
    refresh_head(replace(config, min_gain=-1.0))  # any head is taken
    assert champion_folder(config.heads).name == "v0002"
    assert roll_back(config).champion == "v0001"


def test_copies_and_mates_of_held_out_videos_are_set_aside(config: RefreshConfig, folder: Path) -> None:
    name = json.loads((config.heads / "held_out.json").read_text())["videos"][0]["id"]
    (folder / "videos" / name).with_name("copy.mp4").write_bytes((folder / "videos" / name).read_bytes())

    assert refresh_head(config).set_aside == 1


def test_a_lost_list_of_held_out_videos_is_never_drawn_again_in_silence(config: RefreshConfig) -> None:
    (config.heads / "held_out.json").write_text("{}")
    with pytest.raises(SplitError, match="videos that were held out would be trained on"):
        refresh_head(config)


@pytest.mark.parametrize("is_dry", [False, True])
def test_a_folder_with_files_of_somebody_takes_no_versions_and_stays(tmp_path: Path, is_dry: bool) -> None:
    write_videos(tmp_path / "videos", 0, 2)
    (tmp_path / "labels.csv").write_text("id,label\ndark/0.mp4,dark\nlight/1.mp4,light\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    config = RefreshConfig((str(tmp_path / "videos"),), tmp_path / "e.h5", tmp_path, tmp_path / "labels.csv")

    with pytest.raises(HeadError, match=r"holds 'labels\.csv', which is not part of versions of a head"):
        refresh_head(config, is_dry=is_dry)

    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_head_that_was_to_be_used_is_used_by_the_run_after_a_kill(config: RefreshConfig) -> None:
    (config.heads / "champion").unlink()  # as a kill between the two renames leaves it
    (config.heads / "v0001" / "to-be-champion").touch()

    assert refresh_head(config).champion == "v0001"
    assert champion_folder(config.heads).name == "v0001"


def test_two_at_once_do_not_mix(config: RefreshConfig) -> None:
    with HeadVersions(config.heads).lock(), pytest.raises(HeadError, match="Another process is changing"):
        refresh_head(config)


KILLED = """
import os, signal, sys
from classify.refresh import RefreshConfig, refresh_head
number, seen = int(sys.argv[2]), 0
def hook(event, args):
    global seen
    if event in ("os.rename", "os.replace") and "heads" in str(args[1]):
        seen += 1
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
refresh_head(RefreshConfig.read(sys.argv[1]))
"""


@pytest.mark.parametrize(
    "number", [3, *(pytest.param(number, marks=pytest.mark.nightly) for number in (1, 2, 4, 5, 6))]
)
def test_a_run_that_is_killed_leaves_the_champion_and_the_next_one_ends_it(
    config: RefreshConfig, folder: Path, number: int
) -> None:
    write_videos(folder / "videos", 24, 2)
    command = [sys.executable, "-c", KILLED, folder / "c.toml", str(number)]
    killed = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert VideoClassifier.load(champion_folder(config.heads)).names == LABELS
    refresh_head(config)
    assert VideoClassifier.load(champion_folder(config.heads)).names == LABELS
    assert refresh_head(config).note
    assert not (config.heads / ".making").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lacks heads"),
        ('modell = "x"', "'modell', which does not exist. Perhaps you mean model"),
        ("test_size = 2", "test_size is 2, but must be a share between 0 and 1"),
        ("prune = 1", "prune is 1, but must be true or false"),
        ("sources = [1]", "must be a list of texts"),
        ("epochs = [", "cannot be read as TOML"),
    ],
)
def test_a_wrong_setting_is_named_before_any_work(tmp_path: Path, text: str, said: str) -> None:
    settings = {"sources": '["v"]', "store": '"e.h5"', "heads": '"h"'}
    lines = [f"{name} = {value}" for name, value in settings.items() if name != "heads" or text]
    (tmp_path / "c.toml").write_text("\n".join([*(line for line in lines if line[:7] != text[:7]), text]))
    with pytest.raises(ClassifyError, match=said.replace("(", r"\(")):
        RefreshConfig.read(tmp_path / "c.toml")


def test_the_command_writes_a_file_to_begin_with_and_says_what_it_did(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)

    def call(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(command, list(words))
        return result.exit_code, result.output

    assert call("new.toml", "--init") == (0, "-> new.toml\n")
    assert RefreshConfig.read("new.toml").arch == "auto"
    assert call("new.toml", "--init")[0] == 2  # it is not replaced
    assert call("gone.toml") == (2, "Error: gone.toml does not exist. refresh-head gone.toml --init writes one.\n")
    code, said = call("c.toml")
    assert code == 0
    assert "24 labelled videos" in said
    assert "Nothing has changed since the last version" in said
    assert json.loads(call("c.toml", "--json")[1])["champion"] == "v0001"
    write_videos(folder / "videos", 24, 2)
    code, said = call("c.toml")
    assert code == 0
    assert "trained v0002" in said
    assert "is not promoted" in said
    assert "in use: v0001" in said
