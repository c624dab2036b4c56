"""Names of files that hold control characters reach a terminal only as text."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from classify.cli import framehead
from embed.cli import embed_videos, inspect_embeddings
from embed.store import EmbeddingStore
from tests.media import write_video

LITE0 = ["--model", "efficientnet-lite0", "--frames-count", "2", "--batch-size", "4"]
HOSTILE = "\x1b[2J\x07\nError: forged\r\u202e.mp4"


def refuse_control(result: Result) -> None:
    shown = result.output.replace("\n", "")
    assert all(character.isprintable() for character in shown), repr(shown)
    assert not any(line.startswith("Error: forged") for line in result.output.splitlines())


def test_a_name_neither_clears_the_screen_nor_forges_a_line(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    folder.mkdir()
    write_video(tmp_path / "a.mp4", 5).rename(folder / f"good{HOSTILE}")
    (folder / f"bad{HOSTILE}").write_text("x")
    store = str(tmp_path / f"s{HOSTILE}.h5")
    result = CliRunner().invoke(embed_videos, [str(folder), *LITE0, "-o", store])
    assert result.exit_code == 1
    assert "bad\\x1b[2J\\x07\\nError: forged\\r\\u202e.mp4" in result.stderr
    refuse_control(result)
    refuse_control(CliRunner().invoke(inspect_embeddings, [store]))
    with EmbeddingStore(store) as opened:
        assert opened.ids == [f"good{HOSTILE}"]
    listed = json.loads(CliRunner().invoke(inspect_embeddings, [store, "--json"]).stdout)
    assert listed["failures"][0]["id"] == f"bad{HOSTILE}"


@pytest.mark.parametrize(
    "words",
    [
        ["embed-videos", HOSTILE],
        ["embed-videos", "--fps", HOSTILE, "v"],
        ["embed-videos", f"--fps={HOSTILE}", "v"],
        ["inspect-embeddings", HOSTILE],
        ["learn", HOSTILE],
        [HOSTILE],
        ["train-head", HOSTILE, "--split", HOSTILE],
        ["predict-videos", HOSTILE, HOSTILE],
    ],
)
def test_what_was_typed_is_quoted_without_its_control_characters(words: list[str]) -> None:
    result = CliRunner().invoke(framehead, words)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
    refuse_control(result)


def test_colours_are_kept_in_a_pipe_if_they_are_forced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[31m" in CliRunner().invoke(embed_videos, [str(tmp_path / "gone")]).stderr
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in CliRunner().invoke(embed_videos, [str(tmp_path / "gone")]).stderr


def test_a_folder_that_begins_with_a_dash_is_learned_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(8):
        folder = tmp_path / "-v" / ("dark", "light")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        write_video(folder / f"{number}.mp4", 4 + number, numbers=[number % 2 * 1023] * (4 + number))
    result = CliRunner().invoke(framehead, ["learn", *LITE0[:4], "--budget", "1", "--", "-v"])
    assert result.exit_code == 0, result.output
    assert "$ embed-videos ./-v " in result.stdout
    assert "$ train-head ./-v-learned/embeddings.h5 " in result.stdout
    assert result.stderr.endswith("Next:\npredict-videos ./-v-learned/head NEW_VIDEOS\n")
