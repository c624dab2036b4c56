"""An address as an output is refused before anything is made, and its secrets are not shown."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import classify
from classify.cli.front_door import framehead

ADDRESS = "https://me:PASSWORD@host/out?token=PASSWORD"


@pytest.mark.parametrize(
    "words",
    [
        ["learn", ".", "-o", ADDRESS],
        ["embed-videos", ".", "-o", ADDRESS],
        ["embed-videos", ".", "--log", ADDRESS],
        ["inspect-embeddings", "s.h5", "--repair", ADDRESS],
        ["inspect-embeddings", "s.h5", "--merge", ADDRESS],
        ["predict-videos", "head", "s.h5", "-o", ADDRESS],
        ["export-head", "head", "-o", ADDRESS],
        ["compare-heads", "s.h5", "-o", ADDRESS],
        ["evaluate-head", "head", "s.h5", "-o", ADDRESS],
    ],
    ids=lambda words: " ".join(words[:1] + words[-2:-1]),
)
def test_a_command_refuses_an_address_as_its_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(framehead, words)
    assert result.exit_code == 2
    assert "An address (https://...) is no place for" in result.stderr
    assert "PASSWORD" not in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "call",
    [
        lambda place: classify.train_head("s.h5", "split.csv", place),
        lambda place: classify.split_videos("s.h5", place),
    ],
    ids=["a head", "a split"],
)
def test_a_function_refuses_an_address_as_its_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[Path], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(classify.ClassifyError, match="is no place for") as refused:
        call(Path(ADDRESS))
    assert "PASSWORD" not in str(refused.value)
    assert not list(tmp_path.iterdir())
