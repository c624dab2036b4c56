import csv
import html
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from classify import HeadError, SplitConfig, TrainConfig, read_labels, train_head, write_page
from classify.files import write_whole
from embed import EmbeddingStore
from tests.classify.report.conftest import HOSTILE, MISLABELLED, SECOND_LABELS, MakePage

Run = Callable[..., Result]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def labels_in(store: Path, labels: Path) -> dict[str, str]:
    with EmbeddingStore(store) as opened:
        table = read_labels(opened, labels)
    return {video_id: table.labels_of(index) for index, video_id in enumerate(table.ids)}


def correct_first(path: Path) -> None:
    """Put what the first row suggests into its label, as an editor would. A copy may have set any time."""
    rows = rows_of(path)
    rows[0]["label"] = rows[0]["suggestion"]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    page = path.with_name("report.html").stat().st_mtime_ns
    os.utime(path, ns=(page - 1, page - 1))


def commands_on(page: Path) -> list[list[str]]:
    shown = re.findall("<pre>(.*?)</pre>", page.read_text())
    return [shlex.split(html.unescape(re.sub("<.*?>", "", line))) for line in shown]


def test_suspects_lists_all_videos_and_the_doubtful_one_first(make_page: MakePage, tmp_path: Path) -> None:
    make_page()

    rows = rows_of(tmp_path / "head" / "suspects.csv")
    assert rows[0] == {
        "id": MISLABELLED,
        "path": str(tmp_path / "videos" / MISLABELLED),
        "label": "wave",
        "suggestion": HOSTILE,
    }
    assert len(rows) == 60
    assert {row["suggestion"] for row in rows[1:]} == {""}


def test_an_edited_suspects_file_corrects_a_label_and_keeps_all_others(
    make_page: MakePage, tmp_path: Path, toy_store: Path, run: Run
) -> None:
    page, suspects = make_page(), tmp_path / "head" / "suspects.csv"
    before = labels_in(toy_store, tmp_path / "labels.csv")

    correct_first(suspects)
    results = [run(name.replace("-", "_"), *arguments) for name, *arguments in commands_on(page)]

    assert [result.exit_code for result in results] == [0, 0], [result.output for result in results]
    assert labels_in(toy_store, suspects) == {**before, MISLABELLED: HOSTILE}
    split = {row["id"]: row["labels"] for row in rows_of(tmp_path / "split-corrected.csv")}
    assert split == {**before, MISLABELLED: HOSTILE}
    assert (tmp_path / "head-corrected" / "report.html").exists()
    assert not (tmp_path / "head-corrected" / "suspects.csv").exists()  # nothing is doubtful any more


def test_the_parts_of_the_new_split_are_as_large_as_those_of_the_old(
    make_page: MakePage, tmp_path: Path, run: Run
) -> None:
    split_again, _ = commands_on(make_page(split=SplitConfig(test_size=0.3, validation_size=0)))

    result = run("split_videos", *split_again[1:])

    assert result.exit_code == 0, result.output
    parts = [row["part"] for row in rows_of(tmp_path / "split-corrected.csv")]
    assert {part: parts.count(part) for part in ("train", "validation", "test")} == {
        "train": 42,
        "validation": 0,
        "test": 18,
    }


def test_the_old_split_file_refuses_corrected_labels(
    make_page: MakePage, tmp_path: Path, toy_store: Path, run: Run
) -> None:
    make_page()
    correct_first(tmp_path / "head" / "suspects.csv")

    result = run("train_head", toy_store, "--labels", "head/suspects.csv", "--split", "split.csv", "-o", "other")

    assert result.exit_code == 2
    assert f"split.csv has the labels 'wave' for '{MISLABELLED}', but they are now" in result.output
    assert "make a new split that keeps the parts: split-videos --keep split.csv" in result.output


def test_groups_go_into_the_file_and_into_the_command(make_page: MakePage, tmp_path: Path, run: Run) -> None:
    page = make_page(split=SplitConfig(group_by="trip"))
    split_again, _ = commands_on(page)
    trip_of = {row["id"]: row["trip"] for row in rows_of(tmp_path / "labels.csv")}

    result = run("split_videos", *split_again[1:])

    assert result.exit_code == 0, result.output
    assert {row["id"]: row["group"] for row in rows_of(tmp_path / "split-corrected.csv")} == trip_of


def test_of_several_labels_the_suggestion_is_all_that_the_video_should_have(
    make_page: MakePage, tmp_path: Path
) -> None:
    make_page(*SECOND_LABELS, f"{MISLABELLED},kick")

    (row,) = [row for row in rows_of(tmp_path / "head" / "suspects.csv") if row["id"] == MISLABELLED]
    assert row["label"] == "kick|wave"
    assert HOSTILE in row["suggestion"].split("|")
    assert len(row["suggestion"].split("|")) < 3


@pytest.mark.parametrize("names_labels", [True, False])
def test_a_suspects_file_that_has_the_labels_is_not_deleted_with_its_head(
    names_labels: bool, make_page: MakePage, tmp_path: Path, toy_store: Path, run: Run
) -> None:
    make_page()
    labels = ["--labels", "head/suspects.csv"]
    assert run("split_videos", toy_store, *labels, "-o", "again.csv").exit_code == 0
    before = (tmp_path / "head" / "suspects.csv").read_text()

    result = run("train_head", toy_store, *labels[: 2 * names_labels], "--split", "again.csv", "-o", "head")

    assert result.exit_code == 2
    assert "has the labels of this training, and would be deleted with the head that is in head" in result.output
    assert (tmp_path / "head" / "suspects.csv").read_text() == before


def test_a_suspects_file_that_was_edited_is_not_lost_to_the_next_training(
    make_page: MakePage, tmp_path: Path, toy_store: Path, run: Run
) -> None:
    make_page()
    correct_first(tmp_path / "head" / "suspects.csv")
    edited = (tmp_path / "head" / "suspects.csv").read_text()

    result = run("train_head", toy_store, "--labels", "labels.csv", "--split", "split.csv", "-o", "head")

    assert result.exit_code == 2
    assert "suspects.csv was edited since it was written" in result.output
    assert "Name another folder for the head, or move the file" in result.output
    assert (tmp_path / "head" / "suspects.csv").read_text() == edited


def test_a_suspects_file_that_was_edited_is_not_lost_to_the_next_page(
    make_page: MakePage, tmp_path: Path, toy_store: Path
) -> None:
    make_page()
    split, labels = tmp_path / "split.csv", tmp_path / "labels.csv"
    report = train_head(toy_store, split, tmp_path / "other", labels=labels, config=TrainConfig(epochs=1))
    write_page(report, toy_store, split, labels=labels)
    correct_first(tmp_path / "other" / "suspects.csv")

    with pytest.raises(HeadError, match=r"suspects\.csv was edited since it was written"):
        write_page(report, toy_store, split, labels=labels)


def test_a_suspects_file_that_was_only_copied_counts_as_unedited(
    make_page: MakePage, tmp_path: Path, toy_store: Path, run: Run
) -> None:
    make_page()
    page = (tmp_path / "head" / "report.html").stat().st_mtime_ns
    os.utime(tmp_path / "head" / "suspects.csv", ns=(page + 1, page + 1))

    result = run("train_head", toy_store, "--labels", "labels.csv", "--split", "split.csv", "-o", "head")

    assert result.exit_code == 0, result.output


def test_the_way_back_keeps_the_options_of_the_training_run(make_page: MakePage) -> None:
    _, again = commands_on(
        make_page(command="train-head e.h5 --labels=l.csv --split s.csv --arch auto -o h --budget 9")
    )

    assert again[:5] == ["train-head", "e.h5", "--arch", "auto", "--budget"]
    assert [again.count(name) for name in ("--labels", "--split", "-o")] == [1, 1, 1]


@pytest.mark.parametrize("at", ["report.html", "suspects.csv"])
def test_a_run_killed_while_it_writes_the_page_can_be_started_again(
    make_page: MakePage, toy_store: Path, run: Run, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    make_page()
    again = ("train_head", toy_store, "--labels", "labels.csv", "--split", "split.csv", "--html", "-o", "head")

    def killed(path: Path, content: str | bytes) -> None:
        if path.name == at:
            raise KeyboardInterrupt
        write_whole(path, content)

    with monkeypatch.context() as patched:
        patched.setattr("classify.report.page.write_whole", killed)
        patched.setattr("os._exit", lambda _: None)
        run(*again)
    result = run(*again)

    assert result.exit_code == 0, result.output


def test_a_suspects_file_without_its_page_is_not_lost(toy_store: Path, tmp_path: Path, run: Run) -> None:
    run("split_videos", toy_store)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "suspects.csv").write_text("id,label\n")

    result = run("train_head", toy_store, "--split", "split.csv", "-o", "mine")

    assert result.exit_code == 2
    assert "is gone, so it may hold labels that you corrected" in result.output
    assert (tmp_path / "mine" / "suspects.csv").read_text() == "id,label\n"


@pytest.mark.parametrize("option", [(), ("--html",)], ids=["without a page", "with a page"])
def test_a_suspects_file_that_nobody_edited_goes_with_its_head(
    make_page: MakePage, tmp_path: Path, toy_store: Path, run: Run, option: tuple[str, ...]
) -> None:
    make_page()

    result = run("train_head", toy_store, "--split", "split.csv", "--labels", "labels.csv", *option, "-o", "head")

    assert result.exit_code == 0, result.output
    assert (tmp_path / "head" / "suspects.csv").exists() == bool(option)


def test_the_commands_quote_odd_names_and_stay_before_the_end_of_options(make_page: MakePage, tmp_path: Path) -> None:
    command = "train-head --html '--labels=my file.csv' --split $'s\\x1b.csv' --log-with tensorboard -- -v.h5"
    page = make_page(command=command).read_text()

    again = html.unescape(re.sub("<.*?>", "", re.findall("<pre>(.*?)</pre>", page)[1]))
    assert again.startswith("train-head --html --log-with tensorboard --labels ")
    assert again.endswith(f"-o {tmp_path / 'head-corrected'} -- -v.h5")
