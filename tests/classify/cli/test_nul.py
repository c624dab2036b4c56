"""A NUL in a name, which a program may pass although no shell can, is an error and no traceback."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import classify
import embed
from classify.cli import framehead
from tests.embed.stores import write_store

NUL = "x\0y"


@pytest.mark.parametrize(
    "words",
    [
        ["embed-videos", NUL],
        ["embed-videos", ".", "-o", NUL],
        ["inspect-embeddings", "s.h5", "--merge", NUL],
        ["split-videos", "s.h5", "--labels", NUL],
        ["train-head", "s.h5", "--split", NUL],
        ["predict-videos", "head", NUL],
        ["learn", NUL],
    ],
)
def test_a_command_refuses_a_word_with_a_nul(words: list[str]) -> None:
    result = CliRunner().invoke(framehead, words)
    assert result.exit_code == 2
    assert "'x\\x00y' has a NUL in it" in result.stderr


CALLS: dict[str, Callable[[Path], object]] = {
    "a source": lambda store: embed.embed_videos(NUL, store),
    "a store to write": lambda store: embed.embed_videos([store], NUL),
    "a log": lambda store: embed.embed_videos([store], store, config=embed.EmbedConfig(log=NUL)),
    "a store to read": lambda _: embed.EmbeddingStore(NUL),
    "a store to inspect": lambda _: embed.inspect_embeddings(NUL),
    "a store to split": lambda store: classify.split_videos(NUL, store.with_name("split.csv")),
    "labels": lambda store: classify.split_videos(store, store.with_name("split.csv"), labels=NUL),
    "a split to write": lambda store: classify.split_videos(store, NUL),
    "a split": lambda store: classify.train_head(store, NUL, store.with_name("head")),
    "a head to write": lambda store: classify.train_head(store, store.with_name("split.csv"), NUL),
    "a head": lambda _: classify.VideoClassifier.load(NUL),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_function_refuses_a_name_with_a_nul(tmp_path: Path, call: Callable[[Path], object]) -> None:
    store = write_store(tmp_path / "s.h5", ["a/1.mp4", "a/2.mp4", "b/1.mp4", "b/2.mp4", "a/3.mp4", "b/3.mp4"])
    classify.split_videos(store, tmp_path / "split.csv")
    with pytest.raises((embed.EmbedError, classify.ClassifyError)):
        call(store)
