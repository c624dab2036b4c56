"""`framehead learn`, run again: what was in a part of the split stays there."""

import csv
from pathlib import Path

from tests.classify.cli.learning_runs import QUICK, commands_of, learn
from tests.media import write_video


def parts_in(split: Path) -> dict[str, str]:
    with split.open(newline="") as file:
        return {row["id"]: row["part"] for row in csv.DictReader(file)}


def test_videos_keep_their_parts_when_others_come_and_go(again: Path) -> None:
    split = again.with_name("my videos-learned") / "split.csv"
    before = parts_in(split)
    for number in range(20, 24):
        write_video(again / "dark" / f"{number}.mp4", number, numbers=[0] * number)
    more = learn(again, *QUICK)
    assert more.exit_code == 0, more.output
    assert commands_of(more)[1][-4:] == ["--keep", str(split), "-o", str(split)]
    extended = parts_in(split)
    assert len(extended) == 13
    assert {video_id: extended[video_id] for video_id in before} == before

    (again / "dark" / "20.mp4").unlink()
    fewer = learn(again, *QUICK)
    assert fewer.exit_code == 0, fewer.output
    (again / "dark" / "20.mp4").write_bytes((again / "dark" / "21.mp4").read_bytes())
    for number in range(2):  # also once the label file without the absent video is the split's own
        back = learn(again, *QUICK)
        assert back.exit_code == 0, (number, back.output)
        assert {video_id: parts_in(split)[video_id] for video_id in before} == before


def test_a_split_that_was_edited_is_extended_as_it_is(again: Path) -> None:
    split = again.with_name("my videos-learned") / "split.csv"
    split.write_text(split.read_text().replace(",train,", ",validation,", 1))
    edited = parts_in(split)

    result = learn(again, *QUICK)

    assert result.exit_code == 0, result.output
    assert parts_in(split) == edited


def test_a_split_that_was_edited_is_not_replaced_by_one_of_other_labels(again: Path) -> None:
    split = again.with_name("my videos-learned") / "split.csv"
    split.write_text(split.read_text().replace(",train,", ",validation,", 1))
    edited = split.read_text()
    rows = [f"{number},{'ab'[number // 5]}\n" for number in range(9)]
    (again.parent / "labels.csv").write_text("id,label\n" + "".join(rows))

    result = learn(again, *QUICK, "--labels", again.parent / "labels.csv")

    assert result.exit_code == 2
    assert f"{split} was edited, or written by something else, and would be lost. Move it away" in result.stderr
    assert split.read_text() == edited
