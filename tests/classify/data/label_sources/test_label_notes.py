from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from classify.data.label_sources.label_notes import note_alike, note_joined, note_several
from classify.data.labels import LabelConfig, read_labels
from embed import EmbeddingStore


@pytest.fixture
def store(make_store: Callable[..., Path]) -> EmbeddingStore:
    """Videos Hug/a.mp4, hug/b.mp4, kick/c.mp4."""
    return EmbeddingStore(make_store(dict.fromkeys(("Hug/a.mp4", "hug/b.mp4", "kick/c.mp4"), np.zeros((1, 16)))))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hug", "hug"),
        ("hug ", "hug"),
        ("hand shake", "hand_shake"),
        ("hand-shake", "Handshake"),
        ("hug\u200b", "hug"),
        ("\uff48ug", "hug"),
        ("STRASSE", "stra\u00dfe"),
    ],
)
def test_labels_that_differ_by_accident_are_told_as_perhaps_one(one: str, other: str) -> None:
    (note,) = note_alike({one: 2, "kick": 1, other: 1})

    assert f"may be one: {one!r} (2 videos) and {other!r} (1 video)." in note


@pytest.mark.parametrize("other", ["kick", "hugs", "C++"])
def test_labels_that_differ_in_letters_are_not_told(other: str) -> None:
    assert note_alike({"hug": 1, "C": 1, other: 1}) == ()


@pytest.mark.parametrize("labels", [None, "id,label\nHug/a.mp4,Hug\nhug/b.mp4,hug\n"], ids=["folders", "file"])
def test_the_table_has_the_note(store: EmbeddingStore, tmp_path: Path, labels: str | None) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(labels or "")

    notes = read_labels(store, LabelConfig(path if labels else None)).notes

    assert any("may be one: 'Hug' (1 video) and 'hug' (1 video)" in note for note in notes)


@pytest.mark.parametrize(
    "names",
    [{"kick;body"}, {"kick; body", "hug"}, {"kick,body"}, {"kick,body", "kick"}, {"a,b", "a,c", "d"}],
    ids=["in-every-cell", "semicolon", "comma-in-all", "part-is-a-label", "parts-recur"],
)
def test_other_separators_than_ours_are_told(names: set[str]) -> None:
    assert "is one label. If it is several, write '|' between them." in note_joined(names)[0]


@pytest.mark.parametrize("names", [{"Tops, T-shirts", "Shoes"}, {"hug|kick"}, {"a;"}, set()])
def test_a_comma_within_a_name_is_not_told(names: set[str]) -> None:
    assert note_joined(names) == ()


def test_a_column_of_joined_labels_is_told(store: EmbeddingStore, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("id,labels\nHug/a.mp4,kick;body\nhug/b.mp4,kick;body\nkick/c.mp4,kick;body\n")

    notes = read_labels(store, tmp_path / "labels.csv").notes

    assert notes[0].startswith("';' does not separate labels, so 'kick;body' is one label.")


def test_a_few_videos_with_several_labels_are_told_with_what_follows() -> None:
    labels = {f"{index}.mp4": ["hug"] for index in range(20)}
    labels["7.mp4"] = ["wave", "hug"]

    (note,) = note_several(labels)

    assert note.startswith("1 of 20 videos has several labels: 7.mp4 (hug|wave). So a head decides on each label")


@pytest.mark.parametrize("several", [0, 3, 20])
def test_none_or_many_videos_with_several_labels_are_no_slip(several: int) -> None:
    labels = {f"{index}.mp4": ["hug", "wave"][: 1 + (index < several)] for index in range(20)}

    assert note_several(labels) == ()
