from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from classify.data.labels import LabelConfig, LabelTable, read_labels
from classify.errors import LabelError
from embed import EmbeddingStore

DATED = ("hug/2023-01/a.mp4", "hug/2023-02/b.mp4", "kick/2023-01/c.mp4")
UNEVEN = ("hug/a.mp4", "kick/2023-01/b.mp4", "c.mp4")
SPLIT = ("set/train/hug/a.mp4", "set/val/hug/b.mp4", "set/test/kick/2023/c.mp4")


@pytest.fixture
def labelled(make_store: Callable[..., Path]) -> Callable[..., LabelTable]:
    """Read the labels of the folders of some ids."""

    def read(ids: tuple[str, ...], level: str | int | None = None) -> LabelTable:
        store = EmbeddingStore(make_store(dict.fromkeys(ids, np.zeros((1, 16)))))
        return read_labels(store, LabelConfig(label_folder=level))

    return read


def labels_of(table: LabelTable) -> list[str]:
    return [table.labels_of(index) for index in range(len(table.ids))]


@pytest.mark.parametrize(
    ("ids", "level", "labels"),
    [
        (DATED, None, ["2023-01", "2023-02", "2023-01"]),
        (DATED, "innermost", ["2023-01", "2023-02", "2023-01"]),
        (DATED, "outermost", ["hug", "hug", "kick"]),
        (DATED, 1, ["hug", "hug", "kick"]),
        (DATED, 2, ["2023-01", "2023-02", "2023-01"]),
        (UNEVEN, "outermost", ["hug", "kick"]),
        (UNEVEN, 2, ["2023-01"]),
        (SPLIT, "outermost", ["kick", "hug", "hug"]),
        (SPLIT, 1, ["kick", "hug", "hug"]),
        (SPLIT, "innermost", ["2023", "hug", "hug"]),
    ],
)
def test_the_folder_that_is_asked_for_is_the_label(
    labelled: Callable[..., LabelTable], ids: tuple[str, ...], level: str | int | None, labels: list[str]
) -> None:
    assert labels_of(labelled(ids, level)) == labels


def test_folders_of_parts_are_no_labels(labelled: Callable[..., LabelTable]) -> None:
    with pytest.raises(LabelError, match=r"No id in .* lies in a folder that could be its label"):
        labelled(("train/a.mp4", "test/b.mp4"))


def test_a_class_may_be_called_as_a_part_is(labelled: Callable[..., LabelTable]) -> None:
    assert labels_of(labelled(("train/a.mp4", "plane/b.mp4"))) == ["plane", "train"]


@pytest.mark.parametrize(
    ("ids", "note"),
    [
        (
            DATED,
            "Labels are the innermost folders, such as '2023-01' of hug/2023-01/a.mp4. --label-folder outermost takes "
            "'hug' there; --label-folder 2 the second folder.",
        ),
        (
            UNEVEN,
            "Labels are the innermost folders, which lie at different depths: 'hug' of hug/a.mp4, '2023-01' of "
            "kick/2023-01/b.mp4. --label-folder outermost takes 'kick' there; --label-folder 2 the second folder.",
        ),
    ],
    ids=["one-depth", "different-depths"],
)
def test_where_another_folder_could_be_meant_this_is_told(
    labelled: Callable[..., LabelTable], ids: tuple[str, ...], note: str
) -> None:
    assert note in labelled(ids).notes


def test_a_folder_that_is_asked_for_is_not_told(labelled: Callable[..., LabelTable]) -> None:
    assert labelled(DATED, "innermost").notes == ()


@pytest.mark.parametrize("ids", [("hug/a.mp4", "kick/b.mp4", "c.mp4"), ("train/hug/a.mp4", "test/kick/b.mp4")])
def test_folders_that_leave_no_choice_are_not_told(labelled: Callable[..., LabelTable], ids: tuple[str, ...]) -> None:
    assert not [note for note in labelled(ids).notes if "innermost" in note]


def test_videos_without_that_folder_are_left_out_with_a_note(labelled: Callable[..., LabelTable]) -> None:
    table = labelled(UNEVEN, 2)

    assert table.notes == (
        "2 videos without a label (their ids have no folder 2, counted from the outermost): c.mp4, hug/a.mp4.",
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_folder": 0}, r"label folder is 0\. Use innermost, outermost, or a number"),
        ({"label_folder": "inner"}, r"label folder is 'inner'\. Use innermost"),
        ({"path": "a.csv", "label_folder": 1}, r"those in a.csv, not folders\. Give --labels or --label-folder"),
        ({"path_column": "x"}, r"--path-column is for label files, but there is none\. Name it with --labels"),
        ({"label_column": "x"}, r"--label-column is for label files"),
        ({"multi_label": True}, r"--multi-label is for label files"),
    ],
)
def test_settings_that_have_no_meaning_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(LabelError, match=message):
        LabelConfig(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["path", "url", "file_name"])
def test_a_column_that_numbers_the_rows_names_no_videos(
    key: str, make_store: Callable[..., Path], tmp_path: Path
) -> None:
    ids = [f"{'hug' if number % 2 else 'kick'}/{number}.mp4" for number in range(1, 9)]
    store = make_store(dict.fromkeys(ids, np.zeros((1, 16))))
    rows = [f"{row},{video_id},{video_id.split('/')[0]}" for row, video_id in enumerate(reversed(ids), 1)]
    (tmp_path / "labels.csv").write_text("\n".join([f"id,{key},label", *rows]))
    with EmbeddingStore(store) as opened:
        table = read_labels(opened, LabelConfig(tmp_path / "labels.csv"))
    assert {video_id: table.labels_of(index) for index, video_id in enumerate(table.ids)} == {
        video_id: video_id.split("/")[0] for video_id in ids
    }


def test_a_file_address_names_a_video(make_store: Callable[..., Path], tmp_path: Path) -> None:
    store = make_store({"hug/a b.mp4": np.zeros((1, 16))})
    (tmp_path / "labels.csv").write_text(f"path,label\nfile://{tmp_path}/videos/hug/a%20b.mp4,hug\n")
    with EmbeddingStore(store) as opened:
        assert labels_of(read_labels(opened, LabelConfig(tmp_path / "labels.csv"))) == ["hug"]


def test_labels_that_programs_write_for_blanks_are_told(make_store: Callable[..., Path], tmp_path: Path) -> None:
    store = make_store(dict.fromkeys(("a.mp4", "b.mp4"), np.zeros((1, 16))))
    (tmp_path / "labels.csv").write_text("path,label\na.mp4,hug\nb.mp4,#N/A\n")
    with EmbeddingStore(store) as opened:
        notes = read_labels(opened, LabelConfig(tmp_path / "labels.csv")).notes
    assert any(note.startswith("'#N/A' (1 video) is a label here, but spreadsheets and pandas") for note in notes)
