"""`framehead learn`: from a folder of class folders to a head, by commands that it shows."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from classify import LabelConfig, SplitConfig, VideoClassifier
from classify.cli import framehead
from classify.cli.learning_plan import LearningPlan, plan_learning
from embed import EmbeddingStore
from tests.classify.cli.learning_runs import QUICK, commands_of, learn, make_files
from tests.media import write_video


def test_learning_ends_with_a_head_its_report_and_the_command_that_uses_it(first: tuple[Path, Result]) -> None:
    root, result = first
    head = root / "my videos-learned" / "head"

    assert VideoClassifier.load(head).names == ("dark", "light")
    assert (head / "report.html").is_file()
    assert result.stderr.endswith(f"Next:\npredict-videos '{head}' NEW_VIDEOS\n")


def test_learning_says_first_what_there_is_to_learn(first: tuple[Path, Result]) -> None:
    root, result = first

    assert result.stdout.startswith(f"{root / 'my videos'}: 10 labelled videos, 2 labels: dark 6, light 4\n")


def test_learning_shows_each_command_as_one_would_type_it(first: tuple[Path, Result]) -> None:
    root, result = first
    store, split = (root / "my videos-learned" / name for name in ("embeddings.h5", "split.csv"))

    embed, share, train = commands_of(result)
    assert embed == ["embed-videos", str(root / "my videos"), *QUICK[:4], "-o", str(store)]
    assert share == [*("split-videos", str(store), "--test-size", "0.2", "--validation-size", "0", "-o"), str(split)]
    assert train[:4] == ["train-head", str(store), "--split", str(split)]
    assert CliRunner().invoke(framehead, share).exit_code == 0


def test_what_comes_next_is_said_once_at_the_end(first: tuple[Path, Result]) -> None:
    assert first[1].stderr.count("Next:") == 1


def test_a_broken_video_is_listed_and_stops_nothing(first: tuple[Path, Result]) -> None:
    root, result = first

    assert result.exit_code == 1
    assert "  dark/broken.mp4" in result.stderr
    assert "  unreadable: " in result.stderr
    assert "Some videos failed and are listed above. The head has learned from the others." in result.stderr
    with EmbeddingStore(root / "my videos-learned" / "embeddings.h5") as store:
        assert (len(store), len(store.failures)) == (9, 1)


def test_a_second_run_embeds_nothing_anew_also_after_a_move(again: Path) -> None:
    result = learn(again, *QUICK)

    assert result.exit_code == 0, result.output
    assert "0 videos embedded, 9 in the store already" in result.stdout


def test_a_video_that_has_moved_to_another_class_folder_counts_for_that_alone(again: Path) -> None:
    (again / "dark" / "0.mp4").rename(again / "light" / "0.mp4")

    result = learn(again, *QUICK)

    labels = again.with_name("my videos-learned") / "labels-present.csv"
    told = [str(labels.with_name("embeddings.h5")), "--labels", str(labels)]
    assert result.exit_code == 0, result.output
    assert f"The store has 1 video that {again} no longer has, such as 'dark/0.mp4'." in result.stderr
    assert [command[1:4] for command in commands_of(result)[1:]] == [told, told]
    split = labels.with_name("split.csv").read_text()
    assert "light/0.mp4" in split
    assert "dark/0.mp4" not in split

    (again / "dark" / "2.mp4").rename(again / "light" / "2.mp4")
    labels.write_text(labels.read_text().replace("light/0.mp4,light", "light/0.mp4,dark"))
    edited = labels.read_text()
    refused = learn(again, *QUICK)
    assert refused.exit_code == 2
    assert f"{labels} was edited, but framehead learn writes this file. Copy it to another name" in refused.stderr
    assert labels.read_text() == edited


@pytest.mark.parametrize(
    ("label_file", "options"),
    [
        (None, ["--label-folder", "innermost"]),
        ("Clip Name;What\n", ["--path-column", "clip name", "--label-column", "what"]),
        ("id;What\n", ["--label-column", "What", "--multi-label"]),
    ],
    ids=["folder", "columns", "several"],
)
def test_how_labels_are_read_is_handed_on_to_each_command(
    again: Path, label_file: str | None, options: list[str]
) -> None:
    if label_file is not None:
        rows = [f"{number}.MP4;{('dim', 'bright')[number % 2]}\n" for number in range(9)]
        more = ["0.MP4;odd\n", "1.MP4;odd\n"] if "--multi-label" in options else []
        (again.parent / "labels.csv").write_text(label_file + "".join([*rows, *more]))
        options = ["--labels", str(again.parent / "labels.csv"), *options]

    result = learn(again, *QUICK, *options)

    _, split, train = commands_of(result)
    assert result.exit_code == 0, result.output
    assert split[2 : 2 + len(options)] == options
    assert train[2 : 2 + len(options)] == options


def test_a_folder_that_no_video_lies_in_stops_learning_before_it_embeds(again: Path) -> None:
    result = learn(again, *QUICK, "--label-folder", "2")

    assert result.exit_code == 2
    assert "lies in a folder that could be its label, its number 2 from outside" in result.stderr
    assert commands_of(result) == []


def test_a_label_file_and_its_groups_reach_the_commands(again: Path) -> None:
    ids = [path.relative_to(again).as_posix() for path in sorted(again.rglob("*.mp4"))]
    rows = [f"{video_id},{'ab'[number % 2]},{number // 2}\n" for number, video_id in enumerate(ids)]
    labels = again.with_name("labels.csv")
    labels.write_text("id,label,clip\n" + "".join(rows))

    result = learn(again, *QUICK, "--labels", labels, "--group-by", "clip")

    assert result.exit_code == 0, result.output
    assert commands_of(result)[1][2:6] == ["--labels", str(labels), "--group-by", "clip"]
    assert VideoClassifier.load(again.with_name("my videos-learned") / "head").names == ("a", "b")


def test_where_no_video_can_be_embedded_learning_ends_with_the_reasons(tmp_path: Path) -> None:
    make_files(tmp_path / "videos", *(f"{name}/{number}.mp4" for name in "ab" for number in range(3)))

    result = learn(tmp_path / "videos", *QUICK)

    assert result.exit_code == 2
    assert "Error: No video of" in result.stderr
    assert [command[0] for command in commands_of(result)] == ["embed-videos"]


def test_a_step_that_fails_ends_learning_and_says_what_to_do(again: Path) -> None:
    result = learn(again, *QUICK[:2], "--frames-count", 3, "--budget", 1)

    assert result.exit_code == 2
    assert [command[0] for command in commands_of(result)] == ["embed-videos"]
    assert result.stderr.endswith(
        "embed-videos failed; its message is above. Fix the cause and run the same command again: "
        "finished steps are kept.\n"
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param(["readme.txt"], "holds no video file", id="no video"),
        pytest.param(["a.mp4", "b.mp4"], "but no class folders. Move the videos of each class", id="no class folders"),
        pytest.param(["hug/a.mp4", "hug/b.mp4"], "one label: hug 2. A head learns to tell two", id="one class"),
        pytest.param(["hug/a.mp4", "kick/b.mp4", "kick/c.mp4"], "too few videos: hug 1, kick 2.", id="too few videos"),
    ],
)
def test_a_folder_that_cannot_be_learned_from_is_refused_before_anything_is_embedded(
    tmp_path: Path, names: Sequence[str], message: str
) -> None:
    result = learn(make_files(tmp_path / "videos", *names), *QUICK)

    assert result.exit_code == 2
    assert message in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["videos"]


FOUR = ("hug/a.mp4", "hug/b.mp4", "kick/c.mp4", "kick/d.mp4")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["--test-size", "0.5"], "2 videos to train on are too few to choose a head", id="test too large"),
        pytest.param(["--test-size", "2"], "Part sizes are 2.0 (test)", id="no share"),
        pytest.param(["--labels", "none.csv"], "none.csv cannot be read", id="no label file"),
        pytest.param(["--group-by", "clip"], "There is no label file to take the column 'clip' from", id="no column"),
    ],
)
def test_options_that_cannot_work_are_refused_before_anything_is_embedded(
    tmp_path: Path, options: Sequence[str], message: str
) -> None:
    result = learn(make_files(tmp_path / "videos", *FOUR), *options)

    assert result.exit_code == 2
    assert message in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["videos"]


def test_a_label_file_that_fits_no_video_is_refused_before_anything_is_embedded(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("id,label\nother.mp4,hug\n")

    result = learn(make_files(tmp_path / "videos", *FOUR), "--labels", tmp_path / "labels.csv")

    assert result.exit_code == 2
    assert "labels no video of" in result.stderr


@pytest.mark.parametrize(
    ("output", "message"),
    [
        pytest.param("videos", "among the videos. Name one outside with -o", id="the folder itself"),
        pytest.param("videos/learned", "among the videos. Name one outside with -o", id="inside the folder"),
        pytest.param("other", "holds 'head', and framehead learn did not make this folder", id="another head"),
        pytest.param("learned", "holds what was learned from", id="learned from other videos"),
        pytest.param("odd", "learned.json cannot be read", id="a broken note"),
        pytest.param("file/learned", "cannot be written: Not a directory.", id="below a file"),
    ],
)
def test_learning_writes_over_nothing_but_its_own(tmp_path: Path, output: str, message: str) -> None:
    videos = make_files(tmp_path / "videos", *FOUR)
    make_files(tmp_path, "other/head/head.json", "odd/learned.json", "file")
    (tmp_path / "learned").mkdir()
    (tmp_path / "learned" / "learned.json").write_text('{"folder": "../elsewhere"}')
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    result = learn(videos, *QUICK, "-o", tmp_path / output)

    assert result.exit_code == 2
    assert message in result.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., LearningPlan]:
    """Plan learning from files of some names."""

    def make(*names: str, is_sized: bool = False) -> LearningPlan:
        return plan_learning(make_files(tmp_path / "v", *names), LabelConfig(), SplitConfig(0.2, 0), is_sized=is_sized)

    return make


PARTED = [f"{part}/{name}/{n}.mp4" for part in ("train", "test") for name in ("hug", "kick") for n in range(2)]


def test_folders_that_name_parts_are_the_split_unless_a_size_is_asked_for(plan: Callable[..., LearningPlan]) -> None:
    assert plan(*PARTED).split.by_folder
    assert plan(*PARTED).table.names == ("hug", "kick")
    assert not plan(*PARTED, is_sized=True).split.by_folder
    assert not plan(*PARTED, "hug/outside.mp4").split.by_folder


def test_a_plan_names_the_most_frequent_labels(plan: Callable[..., LearningPlan]) -> None:
    names = [f"{number:02d}/{video}.mp4" for number in range(12) for video in range(2 + (number == 11))]

    assert str(plan(*names)).partition(": ")[2] == (
        "25 labelled videos, 12 labels: 11 3, 00 2, 01 2, 02 2, 03 2, 04 2, 05 2, 06 2, 07 2, 08 2 and 2 more"
    )


def test_the_output_note_is_relative_so_that_both_folders_can_move(first: tuple[Path, Result]) -> None:
    note = (first[0] / "my videos-learned" / "learned.json").read_text()

    assert json.loads(note) == {"folder": "../my videos"}


def test_a_label_whose_videos_all_failed_is_named(tmp_path: Path) -> None:
    folder = make_files(tmp_path / "videos", "broken/a.mp4", "broken/b.mp4")
    for number in range(6):
        place = folder / ("hug", "kick")[number % 2]
        place.mkdir(exist_ok=True)
        write_video(place / f"{number}.mp4", 4 + number)

    result = learn(folder, *QUICK)

    assert result.exit_code == 1, result.output
    assert "No video of these labels could be embedded, so the head does not know them: broken." in result.stderr
    assert VideoClassifier.load(tmp_path / "videos-learned" / "head").names == ("hug", "kick")


def test_corrected_labels_stop_a_run_before_anything_is_embedded(again: Path) -> None:
    head = again.with_name("my videos-learned") / "head"
    (head / "suspects.csv").write_text("id,label\n")

    result = learn(again, *QUICK)

    assert result.exit_code == 2
    assert "it may hold labels that you corrected" in result.stderr.replace("\n", " ")
    assert commands_of(result) == []
