from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from classify.data.labels import LabelConfig, LabelTable, read_labels
from classify.errors import LabelError
from embed import EmbeddingStore, Failure, Provenance, StoreWriter, VideoRecord
from embed.store import kept_location


@pytest.fixture
def store(make_store: Callable[..., Path], tmp_path: Path) -> EmbeddingStore:
    """Videos hug/a.mp4, kick/b.mp4, kick/c.mp4 that lie in videos/, and one that failed."""
    vectors = np.zeros((2, 16), dtype=np.float32)
    failure = Failure("hug/broken.mp4", str(tmp_path / "videos/hug/broken.mp4"), "no_frames", "it is empty")
    path = make_store(dict.fromkeys(("hug/a.mp4", "kick/b.mp4", "kick/c.mp4"), vectors), failures=[failure])
    return EmbeddingStore(path)


@pytest.fixture
def label_file(tmp_path: Path) -> Callable[[str], Path]:
    """Write a label file beside the videos' folder."""

    def write(text: str) -> Path:
        path = tmp_path / "labels.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def labels_of(table: LabelTable) -> dict[str, str]:
    return {video_id: table.labels_of(index) for index, video_id in enumerate(table.ids)}


def test_without_a_file_a_video_shows_what_its_folder_is_called(store: EmbeddingStore) -> None:
    table = read_labels(store)

    assert labels_of(table) == {"hug/a.mp4": "hug", "kick/b.mp4": "kick", "kick/c.mp4": "kick"}
    assert table.notes == ()


def test_folders_are_one_label_however_their_accents_were_typed(
    make_store: Callable[..., Path], tmp_path: Path
) -> None:
    vectors = np.zeros((1, 16), dtype=np.float32)
    store = EmbeddingStore(make_store({"cafe\u0301/a.mp4": vectors, "caf\u00e9/b.mp4": vectors}))
    (tmp_path / "labels.txt").write_text("bar\ncafe\u0301\n", encoding="utf-8")

    table = read_labels(store, LabelConfig(vocabulary=tmp_path / "labels.txt"))

    assert labels_of(table) == {"cafe\u0301/a.mp4": "caf\u00e9", "caf\u00e9/b.mp4": "caf\u00e9"}
    assert table.names == ("bar", "caf\u00e9")


_BARRED = r"label 'hug\|kick' has a '\|' in its name, .* Rename the folder or column that it comes from"


def test_a_folder_with_a_bar_in_its_name_is_refused_since_it_would_read_as_two_labels(
    make_store: Callable[..., Path],
) -> None:
    vectors = np.zeros((1, 16), dtype=np.float32)
    store = EmbeddingStore(make_store({"hug|kick/a.mp4": vectors, "wave/b.mp4": vectors}))

    with pytest.raises(LabelError, match=_BARRED):
        read_labels(store)


@pytest.mark.parametrize(
    ("text", "vocabulary"),
    [("id,hug|kick,x\nhug/a.mp4,1,0\nkick/b.mp4,0,1\n", None), ("id,label\nhug/a.mp4,x\n", "hug|kick\n")],
    ids=["wide", "vocabulary"],
)
def test_a_column_or_vocabulary_with_a_bar_in_a_label_is_refused(
    store: EmbeddingStore, label_file: Callable[[str], Path], tmp_path: Path, text: str, vocabulary: str | None
) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(vocabulary or "x\n")

    with pytest.raises(LabelError, match=_BARRED):
        read_labels(store, LabelConfig(label_file(text), vocabulary=path))


def test_without_a_file_videos_in_no_folder_are_left_out_with_a_note(make_store: Callable[..., Path]) -> None:
    vectors = np.zeros((1, 16), dtype=np.float32)
    store = EmbeddingStore(make_store({"hug/a.mp4": vectors, "b.mp4": vectors}))

    table = read_labels(store)

    assert table.ids == ("hug/a.mp4",)
    assert table.notes == ("1 video without a label (their ids name no folder): b.mp4.",)


def test_a_store_without_folders_or_file_is_refused(make_store: Callable[..., Path]) -> None:
    store = EmbeddingStore(make_store({"b.mp4": np.zeros((1, 16), dtype=np.float32)}))

    with pytest.raises(LabelError, match=r"No id .* lies in a folder .* e.g. 'b.mp4'.*Name a label file with --labels"):
        read_labels(store)


@pytest.mark.parametrize(
    "text",
    [
        "id,label\nhug/a.mp4,x\nkick/b.mp4,y\nkick/c.mp4,y\n",
        "path,label\nhug/a.mp4,x\nkick/b.mp4,y\nkick/c.mp4,y\n",
        "path,label\nvideos/hug/a.mp4,x\nvideos/kick/b.mp4,y\n./videos/kick/../kick/c.mp4,y\n",
        "\ufeffid,label\nhug/a.mp4,x\nkick/b.mp4,y\nkick/c.mp4,y\n",
        " id , label , note\n hug/a.mp4 , x ,\nkick/b.mp4,y,second\n,,\nkick/c.mp4,y,\n",
        "id,label\nhug/a.mp4,x\nhug/a.mp4,x\nkick/b.mp4,y\nkick/c.mp4,y\n",
        'label,id\nx,"hug/a.mp4"\r\ny,kick/b.mp4\r\ny,kick/c.mp4\r\n',
    ],
    ids=["ids", "paths-that-are-ids", "paths-from-the-file", "byte-order-mark", "blanks", "row-twice", "windows"],
)
def test_a_label_file_is_read_in_any_of_its_shapes(
    store: EmbeddingStore, label_file: Callable[[str], Path], text: str
) -> None:
    table = read_labels(store, label_file(text))

    assert labels_of(table) == {"hug/a.mp4": "x", "kick/b.mp4": "y", "kick/c.mp4": "y"}
    assert table.notes == ()


def test_a_list_of_links_labels_the_videos_that_came_from_them(
    tmp_path: Path, provenance: Provenance, label_file: Callable[[str], Path]
) -> None:
    with StoreWriter(tmp_path / "embeddings.h5", provenance) as writer:
        for name in ("one", "two"):
            record = VideoRecord(f"watch/{name}", location=f"https://videos.example/watch/{name}")
            writer.append(record, np.zeros((1, 16)), np.zeros(1))
    path = label_file(
        "link,title,description,category\n"
        "https://videos.example/watch/one,Ramen at home,So good #food,food\n"
        "https://videos.example/watch/two,Fjords,By train,travel\n"
    )

    table = read_labels(EmbeddingStore(tmp_path / "embeddings.h5"), path)

    assert labels_of(table) == {"watch/one": "food", "watch/two": "travel"}
    assert table.notes == ()


def test_links_in_full_fit_videos_whose_stored_addresses_lack_their_secrets(
    tmp_path: Path, provenance: Provenance, label_file: Callable[[str], Path]
) -> None:
    links = [f"https://me:hush@videos.example/dl/token=hush/{name}.mp4?item={name}&sig=hush" for name in ("one", "two")]
    with StoreWriter(tmp_path / "embeddings.h5", provenance) as writer:
        for name, link in zip(("one", "two"), links, strict=True):
            writer.append(VideoRecord(name, location=kept_location(link)), np.zeros((1, 16)), np.zeros(1))
    path = label_file(f"link,category\n{links[0]},food\n{links[1]},travel\n")

    table = read_labels(EmbeddingStore(tmp_path / "embeddings.h5"), path)

    assert sorted(labels_of(table).values()) == ["food", "travel"]


def test_several_labels_stand_between_bars_and_names_are_sorted(
    store: EmbeddingStore, label_file: Callable[[str], Path]
) -> None:
    table = read_labels(store, label_file("id,labels\nhug/a.mp4,y| x\nkick/b.mp4,z\nkick/c.mp4,x||y\n"))

    assert table.names == ("x", "y", "z")
    assert table.targets.tolist() == [[True, True, False], [False, False, True], [True, True, False]]


def test_groups_come_from_the_column_that_is_named(store: EmbeddingStore, label_file: Callable[[str], Path]) -> None:
    path = label_file("id,label,person\nkick/c.mp4,y,Eve\nhug/a.mp4,x,Ada\nkick/b.mp4,y,Eve\n")

    assert read_labels(store, path, group_by="person").groups == ("Ada", "Eve", "Eve")


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        ("hug/z.mp4,x\n", "1 video labelled but not in the store: hug/z.mp4."),
        (
            "hug/broken.mp4,x\n",
            "1 video labelled but not embedded (inspect-embeddings lists the reasons): hug/broken.mp4.",
        ),
        (
            "videos/hug/broken.mp4,x\n",
            "1 video labelled but not embedded (inspect-embeddings lists the reasons): hug/broken.mp4.",
        ),
        ("hug/a.mp4,\n", "1 video without a label in labels.csv: hug/a.mp4."),
        ("", "1 video without a label in labels.csv: hug/a.mp4."),
    ],
    ids=["unknown", "failed", "failed-by-path", "blank-label", "no-row"],
)
def test_what_is_left_out_is_noted(
    store: EmbeddingStore, label_file: Callable[[str], Path], rows: str, note: str
) -> None:
    table = read_labels(store, label_file(f"path,label\nkick/b.mp4,y\nkick/c.mp4,y\n{rows}"))

    assert note in table.notes
    assert table.names == ("y",)


def test_a_long_list_is_cut(store: EmbeddingStore, label_file: Callable[[str], Path]) -> None:
    unknown = "".join(f"u{index:02d},x\n" for index in range(13))

    table = read_labels(store, label_file(f"id,label\nhug/a.mp4,x\n{unknown}"))

    assert table.notes[0].startswith("13 videos labelled but not in the store: u00, u01,")
    assert table.notes[0].endswith("u09 and 3 more.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name,label\na,x\n",
            r"the columns name, label, but needs one of the videos \('id', 'path', .*Rename",
        ),
        ("id,label,labels\na,x,y\n", r"in a column 'label' or 'labels'.*Rename"),
        ("", r"has the columns \(none\).*Rename"),
        ("id,label\n", r"has no rows below its header.*Write one row for each video"),
        ("id,label\n,x\n", r"line 2, names no video: its id is blank.*Fill it in"),
        ("id,label\na,b,c\n", r"line 2, has more cells than the header.*Quote cells"),
        (
            "id,labels\nhug/a.mp4,x\nkick/b.mp4,y\nhug/a.mp4,y\n",
            r"itself: 'hug/a\.mp4' is 'x' in line 2, but 'y' in line 4\. Keep one line .* give --multi-label",
        ),
        ("id,label\nnope.mp4,x\n", r"labels no video of .*e.g. 'nope.mp4', but the ids are e.g. 'hug/a.mp4'.*Write"),
        ("id,label\nhug/a.mp4,\n", r"labels no video of .*Write these ids"),
    ],
    ids=["key", "labels", "empty", "header-only", "blank-key", "cells", "contradiction", "unknown", "blank-labels"],
)
def test_a_label_file_that_cannot_be_used_is_refused(
    store: EmbeddingStore, label_file: Callable[[str], Path], text: str, message: str
) -> None:
    with pytest.raises(LabelError, match=message):
        read_labels(store, label_file(text))


def test_a_path_and_an_id_of_one_video_may_not_disagree(
    store: EmbeddingStore, label_file: Callable[[str], Path]
) -> None:
    path = label_file("path,labels\nhug/a.mp4,x\nvideos/hug/a.mp4,y\n")

    with pytest.raises(LabelError, match=r"contradicts itself: 'hug/a.mp4' is 'x' in line 2, but 'y' in line 3"):
        read_labels(store, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,label\nhug/a.mp4,x\n", "has no column 'group' to group by \\(--group-by\\). It has: id, label"),
        ("id,label,group\nhug/a.mp4,x,\n", "line 2, has no group. Write a group for every video"),
    ],
    ids=["no-column", "blank-group"],
)
def test_groups_that_are_missing_are_refused(
    store: EmbeddingStore, label_file: Callable[[str], Path], text: str, message: str
) -> None:
    with pytest.raises(LabelError, match=message):
        read_labels(store, label_file(text), group_by="group")


def test_groups_without_a_label_file_are_refused(store: EmbeddingStore) -> None:
    with pytest.raises(LabelError, match=r"no label file to take the column 'group' from. Name it with --labels"):
        read_labels(store, group_by="group")


def test_a_label_file_that_is_absent_or_no_text_is_refused(store: EmbeddingStore, tmp_path: Path) -> None:
    (tmp_path / "labels.xlsx").write_bytes(b"PK\x03\x04\xff\xfe")

    with pytest.raises(LabelError, match=r"not a CSV file in UTF-8.*Save it as one"):
        read_labels(store, tmp_path / "labels.xlsx")
    with pytest.raises(LabelError, match=r"absent.csv cannot be read: No such file.*Name a CSV or JSON lines file"):
        read_labels(store, tmp_path / "absent.csv")


def test_a_table_whose_targets_do_not_fit_is_refused() -> None:
    with pytest.raises(LabelError, match=r"bool \(1, 1\), but the ids and names need bool \(1, 2\)"):
        LabelTable(("a",), ("x", "y"), np.zeros((1, 1), dtype=np.bool_))


_TWICE = "id,{}\nhug/a.mp4,x\nkick/b.mp4,y\nhug/a.mp4,y\nkick/c.mp4,x\n"


@pytest.mark.parametrize("column", ["label", "labels"])
def test_rows_of_a_video_add_up_if_that_is_asked_for(
    store: EmbeddingStore, label_file: Callable[[str], Path], column: str
) -> None:
    table = read_labels(store, LabelConfig(label_file(_TWICE.format(column)), multi_label=True))

    assert labels_of(table) == {"hug/a.mp4": "x|y", "kick/b.mp4": "y", "kick/c.mp4": "x"}
    assert table.notes == ("1 video with several rows in labels.csv, whose labels add up: hug/a.mp4.",)


def test_a_doubled_row_with_another_label_is_refused_and_named(
    store: EmbeddingStore, label_file: Callable[[str], Path]
) -> None:
    message = (
        r"itself: 'hug/a\.mp4' is 'x' in line 2, but 'y' in line 4\. The column 'label' is for one label of each "
        r"video: correct the lines; or, if videos have several labels, give --multi-label"
    )

    with pytest.raises(LabelError, match=message):
        read_labels(store, label_file(_TWICE.format("label")))


def test_a_doubled_row_without_a_label_says_nothing(store: EmbeddingStore, label_file: Callable[[str], Path]) -> None:
    table = read_labels(store, label_file("id,label\nhug/a.mp4,\nhug/a.mp4,x\nkick/b.mp4,y\nkick/c.mp4,y\n"))

    assert labels_of(table) == {"hug/a.mp4": "x", "kick/b.mp4": "y", "kick/c.mp4": "y"}


def test_rows_of_one_video_may_not_name_two_groups(store: EmbeddingStore, label_file: Callable[[str], Path]) -> None:
    path = label_file("id,label,group\nhug/a.mp4,x,g\nhug/a.mp4,y,h\n")

    with pytest.raises(LabelError, match=r"Lines 2 and 3 of .* put 'hug/a.mp4' into the groups 'g' and 'h'"):
        read_labels(store, path, group_by="group")


def test_rare_labels_are_dropped_and_listed_with_the_videos_they_leave_bare(
    store: EmbeddingStore, label_file: Callable[[str], Path]
) -> None:
    path = label_file("id,labels\nhug/a.mp4,x|once\nkick/b.mp4,x\nkick/c.mp4,alone\n")

    table = read_labels(store, LabelConfig(path, min_count=2))

    assert labels_of(table) == {"hug/a.mp4": "x", "kick/b.mp4": "x"}
    assert table.notes == (
        "2 labels of fewer than 2 videos dropped: alone (1), once (1).",
        "1 video without any other label: kick/c.mp4.",
    )


def test_a_count_that_no_label_reaches_is_refused(store: EmbeddingStore) -> None:
    with pytest.raises(LabelError, match=r"No label has 3 videos; .* 'kick', has 2. Lower min_count"):
        read_labels(store, LabelConfig(min_count=3))


def test_a_count_below_1_is_refused() -> None:
    with pytest.raises(LabelError, match=r"min_count is 0. Use a whole number of 1 or more"):
        LabelConfig(min_count=0)


def test_a_store_of_failures_only_says_why_it_has_no_labels(make_store: Callable[..., Path]) -> None:
    failures = [Failure(f"hug/{number}.mp4", "", "no_frames", "it is empty") for number in range(3)]

    with (
        EmbeddingStore(make_store({}, failures=failures)) as store,
        pytest.raises(LabelError, match=r"since all 3 failed, e\.g\. 'hug/0\.mp4': no_frames\. inspect"),
    ):
        read_labels(store)
