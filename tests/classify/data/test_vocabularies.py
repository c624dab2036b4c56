import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from classify.data.labels import LabelConfig, read_labels
from classify.data.split_files import load_split
from classify.data.split_labels import labels_of_split
from classify.data.splits import split_videos
from classify.errors import LabelError
from embed import EmbeddingStore


@pytest.fixture
def store(make_store: Callable[..., Path]) -> EmbeddingStore:
    """Videos hug/a.mp4, kick/b.mp4, kick/c.mp4."""
    return EmbeddingStore(make_store(dict.fromkeys(("hug/a.mp4", "kick/b.mp4", "kick/c.mp4"), np.zeros((2, 16)))))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.txt", "wave\nkick\n\nclap\n"),
        ("labels.json", '["wave", "kick", "clap"]'),
        ("head/head.json", '{"format": "framehead head 1", "label_names": ["wave", "kick", "clap"]}'),
    ],
    ids=["text", "json", "head"],
)
def test_a_vocabularys_labels_keep_their_places_and_new_ones_follow(
    store: EmbeddingStore, tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    vocabulary = tmp_path / "head" if name.startswith("head/") else tmp_path / name

    table = read_labels(store, LabelConfig(vocabulary=vocabulary))

    assert table.names == ("wave", "kick", "clap", "hug")
    assert table.targets.sum(axis=0).tolist() == [0, 2, 0, 1]


def test_a_rare_label_of_the_vocabulary_is_kept(store: EmbeddingStore, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("hug\n")

    assert read_labels(store, LabelConfig(None, 2, tmp_path / "labels.txt")).names == ("hug", "kick")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x\ny\nx\n", r"has the label 'x' twice\. Write each once"),
        ("\n", r"has no label\. Write each once"),
        ("[1, ", r"is not a vocabulary: JSONDecodeError.*Name a head's folder"),
        ('{"names": []}', r"is not a vocabulary: KeyError.*Name a head's folder"),
    ],
    ids=["twice", "empty", "no-json", "no-head"],
)
def test_a_vocabulary_that_cannot_be_used_is_refused(
    store: EmbeddingStore, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "labels.txt").write_text(text)

    with pytest.raises(LabelError, match=message):
        read_labels(store, LabelConfig(vocabulary=tmp_path / "labels.txt"))


def test_a_vocabulary_has_labels_whose_bytes_are_no_utf_8(make_store: Callable[..., Path], tmp_path: Path) -> None:
    star = os.fsdecode(b"\xe9toile")
    store = EmbeddingStore(make_store(dict.fromkeys((f"{star}/a.mp4", "hug/b.mp4"), np.zeros((2, 16)))))
    (tmp_path / "labels.txt").write_bytes(b"wave\n\xe9toile\n")

    table = read_labels(store, LabelConfig(vocabulary=tmp_path / "labels.txt"))

    assert table.names == ("wave", star, "hug")
    assert table.targets.sum(axis=0).tolist() == [0, 1, 1]


def test_a_vocabulary_in_another_encoding_is_refused(store: EmbeddingStore, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(b"hug\ngr\xfc\xdfen\n")

    with pytest.raises(LabelError, match=r"labels.txt is not in UTF-8: no video has the label .* Save it as a text in"):
        read_labels(store, LabelConfig(vocabulary=tmp_path / "labels.txt"))


def test_a_vocabulary_whose_own_name_is_no_utf_8_is_kept_in_the_split(
    make_store: Callable[..., Path], tmp_path: Path
) -> None:
    ids = [f"{name}/{number}.mp4" for name in ("hug", "kick") for number in range(6)]
    store = make_store(dict.fromkeys(ids, np.zeros((2, 16))))
    words = tmp_path / os.fsdecode(b"caf\xe9 & co.txt")
    words.write_text("kick\n")
    split_videos(store, tmp_path / "split.csv", labels=LabelConfig(vocabulary=words))

    split, _ = load_split(tmp_path / "split.csv")

    assert labels_of_split(tmp_path / "split.csv", split)[0].vocabulary == words
