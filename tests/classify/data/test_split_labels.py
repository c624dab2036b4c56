import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

from classify.data.labels import LabelConfig
from classify.data.split_files import load_split
from classify.data.split_labels import labels_of_split, read_labelled_split
from classify.data.splits import split_videos
from classify.errors import LabelError
from embed import EmbeddingStore


@pytest.fixture
def labels(toy_store: Path) -> Path:
    """A label file whose name and labels are not those of the folders."""
    folder = toy_store.with_name("my labels & co")
    folder.mkdir()
    path = folder / "ä?sha256=x.csv"
    ids = [f"{name}/{number:02d}.mp4" for name in ("hug", "kick", "wave") for number in range(20)]
    path.write_text("id,label\n" + "".join(f"{video_id},{'ab'[n % 2]}\n" for n, video_id in enumerate(ids)))
    return path


def known(split: Path) -> LabelConfig:
    return labels_of_split(split, load_split(split)[0])[0]


@pytest.mark.parametrize("name", ["split.csv", "deep/er/split.csv"])
def test_a_split_knows_its_label_file_wherever_it_lies(toy_store: Path, labels: Path, name: str) -> None:
    split = toy_store.with_name("splits") / name
    split.parent.mkdir(parents=True)
    split_videos(toy_store, split, labels=labels)

    assert Path(known(split).path or "").samefile(labels)
    with EmbeddingStore(toy_store) as store:
        assert read_labelled_split(store, split)[0].names == ("a", "b")


def test_split_and_label_file_can_move_together(toy_store: Path, labels: Path, tmp_path: Path) -> None:
    split_videos(toy_store, labels.parent / "split.csv", labels=labels)
    moved = shutil.move(labels.parent, tmp_path / "elsewhere")

    assert known(Path(moved, "split.csv")).path == Path(moved, labels.name)


def test_other_settings_come_back_too(toy_store: Path, labels: Path, tmp_path: Path) -> None:
    vocabulary = tmp_path / "words.txt"
    vocabulary.write_text("b\na\n")
    config = LabelConfig(labels, min_count=2, vocabulary=vocabulary)
    split_videos(toy_store, tmp_path / "split.csv", labels=config)

    assert known(tmp_path / "split.csv") == LabelConfig(labels, 2, vocabulary)


def test_settings_of_folder_names_come_back(toy_store: Path, tmp_path: Path) -> None:
    split_videos(toy_store, tmp_path / "split.csv", labels=LabelConfig(min_count=3))

    assert known(tmp_path / "split.csv") == LabelConfig(min_count=3)


def test_a_split_by_folder_names_names_no_label_file(toy_store: Path, tmp_path: Path) -> None:
    split_videos(toy_store, tmp_path / "split.csv")

    assert load_split(tmp_path / "split.csv")[0].labels_from == ""


def test_a_named_label_file_comes_first(toy_store: Path, labels: Path, tmp_path: Path) -> None:
    split_videos(toy_store, tmp_path / "split.csv", labels=labels)

    found, notes = labels_of_split("split.csv", load_split(tmp_path / "split.csv")[0], "other.csv")

    assert (found, notes) == (LabelConfig("other.csv"), ())


@pytest.mark.parametrize("is_moved", [False, True], ids=["in place", "copied"])
def test_a_label_file_named_again_is_read_as_for_the_split(
    toy_store: Path, labels: Path, tmp_path: Path, is_moved: bool
) -> None:
    config = LabelConfig(labels, min_count=2, label_column="label", multi_label=True)
    split_videos(toy_store, tmp_path / "split.csv", labels=config)
    named = shutil.copy(labels, tmp_path / "copy.csv") if is_moved else labels

    found, notes = labels_of_split(tmp_path / "split.csv", load_split(tmp_path / "split.csv")[0], named)

    assert found == replace(config, path=named)
    options = "--min-count 2 --label-column label --multi-label"
    assert notes == (f"{named} is read with {options}, as for {tmp_path / 'split.csv'}.",)


def test_settings_given_again_win_and_a_difference_is_told(toy_store: Path, labels: Path, tmp_path: Path) -> None:
    split_videos(toy_store, tmp_path / "split.csv", labels=LabelConfig(labels, min_count=2, label_column="label"))
    asked = LabelConfig(labels, min_count=3, label_column="label")

    found, notes = labels_of_split(tmp_path / "split.csv", load_split(tmp_path / "split.csv")[0], asked)

    assert found == asked
    assert notes == (f"{tmp_path / 'split.csv'} was made with --min-count 2, which differs now.",)


def test_settings_of_a_split_are_not_used_with_another_file(toy_store: Path, labels: Path, tmp_path: Path) -> None:
    split_videos(toy_store, tmp_path / "split.csv", labels=LabelConfig(labels, min_count=2))
    other = tmp_path / "other.csv"
    other.write_text(labels.read_text() + "new.mp4,a\n")

    found, notes = labels_of_split(tmp_path / "split.csv", load_split(tmp_path / "split.csv")[0], other)

    assert found == LabelConfig(other)
    assert notes[0].endswith(
        f"made with {labels} and --min-count 2, which is not used with {other}. Give it again if it is meant."
    )


def test_a_named_label_file_helps_where_the_column_is_broken(labels: Path, tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("id,part,labels_from\na.mp4,train,?colour=blue\n")

    found, _ = labels_of_split(tmp_path / "split.csv", load_split(tmp_path / "split.csv")[0], labels)

    assert found == LabelConfig(labels)


@pytest.mark.parametrize("command", ["train_head", "split_videos", "describe_dataset"])
def test_rare_labels_stay_out_where_the_label_file_is_named_again(
    run: Callable[..., Result], toy_store: Path, labels: Path, command: str
) -> None:
    labels.write_text(labels.read_text().replace("hug/00.mp4,a", "hug/00.mp4,seldom"))
    run("split_videos", toy_store, "--labels", labels, "--min-count", 2, "-o", "split.csv")
    options = {
        "train_head": ["--split", "split.csv", "--epochs", 1],
        "split_videos": ["--keep", "split.csv", "-o", "kept.csv"],
        "describe_dataset": ["--split", "split.csv"],
    }

    again = run(command, toy_store, "--labels", labels, *options[command])

    assert again.exit_code == 0, again.output
    assert "is read with --min-count 2, as for split.csv." in again.stderr
    assert "seldom" not in again.stdout


def test_a_changed_label_file_is_told(toy_store: Path, labels: Path, tmp_path: Path) -> None:
    split_videos(toy_store, tmp_path / "split.csv", labels=labels)
    labels.write_text(labels.read_text() + "new.mp4,a\n")

    with EmbeddingStore(toy_store) as store:
        table, _ = read_labelled_split(store, tmp_path / "split.csv")

    assert table.notes[0] == f"{labels} has changed since {tmp_path / 'split.csv'} was made with it."


def test_a_label_file_that_is_gone_is_asked_for(toy_store: Path, labels: Path, tmp_path: Path) -> None:
    split_videos(toy_store, tmp_path / "split.csv", labels=labels)
    labels.unlink()

    with pytest.raises(LabelError, match=r"made with the labels of .* not there. Name the label file with --labels"):
        known(tmp_path / "split.csv")


@pytest.mark.parametrize("text", ["?colour=blue", "labels.csv?sha256=0&min_count=x", "labels.csv?sha256=0&&=", "?x"])
def test_a_broken_column_is_an_error_that_says_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / "split.csv").write_text(f"id,part,labels_from\na.mp4,train,{text}\n")

    with pytest.raises(LabelError, match=r"does not describe labels. Name the label file with --labels"):
        known(tmp_path / "split.csv")


def test_training_needs_no_label_file_once_there_is_a_split(
    run: Callable[..., Result], toy_store: Path, labels: Path
) -> None:
    run("split_videos", toy_store, "--labels", labels, "-o", "split.csv")

    trained = run("train_head", toy_store, "--split", "split.csv", "--epochs", 1, "--json")

    assert trained.exit_code == 0, trained.output
    assert '"name": "b"' in trained.stdout


@pytest.mark.parametrize("level", ["outermost", 1])
def test_the_folder_that_is_the_label_comes_back(toy_store: Path, tmp_path: Path, level: str | int) -> None:
    split_videos(toy_store, tmp_path / "split.csv", labels=LabelConfig(label_folder=level))

    assert known(tmp_path / "split.csv") == LabelConfig(label_folder=level)


def test_columns_of_the_label_file_come_back(toy_store: Path, labels: Path, tmp_path: Path) -> None:
    config = LabelConfig(labels, path_column="id", label_column="label", multi_label=True)
    split_videos(toy_store, tmp_path / "split.csv", labels=config)

    assert known(tmp_path / "split.csv") == config
