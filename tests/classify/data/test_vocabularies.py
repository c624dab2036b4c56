from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from classify.data.labels import LabelConfig, read_labels
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
