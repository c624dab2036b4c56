from pathlib import Path

import pytest

from classify import Prediction, Predictions
from classify.classifier import count_text, predictions_text
from embed import Failure
from embed.machine import columns_of, shown

NAMES = ("hand_shake", "hug", "kick", "wave")


def predicted(*videos: Prediction, names: tuple[str, ...] = NAMES) -> Predictions:
    return Predictions(names, videos, ())


def video(location: str, *labels: str, figures: tuple[float, ...] = (0.7, 0.2, 0.06, 0.04)) -> Prediction:
    return Prediction(location.rpartition("/")[2], labels, dict(zip(NAMES, figures, strict=True)), location)


def test_the_table_has_path_labels_their_probabilities_and_the_three_likeliest() -> None:
    found = predicted(video("/v/a.mp4", "hand_shake"), video("/v/b.mp4", "wave", figures=(0.1, 0.1, 0.05, 0.75)))

    assert predictions_text(found).splitlines() == [
        "path      labels      probability  top 3",
        "/v/a.mp4  hand_shake         0.70  hand_shake 0.70, hug 0.20, kick 0.06",
        "/v/b.mp4  wave               0.75  wave 0.75, hand_shake 0.10, hug 0.10",
    ]


def test_a_video_with_several_labels_shows_them_with_their_probabilities_and_one_without_a_dash() -> None:
    several = video("/v/a.mp4", "hug", "kick", figures=(0.1, 0.9, 0.8, 0.3))
    none = video("/v/b.mp4", figures=(0.1, 0.2, 0.3, 0.4))

    assert predictions_text(predicted(several, none)).splitlines() == [
        "path      labels     probability  top 3",
        "/v/a.mp4  hug, kick   0.90, 0.80  hug 0.90, kick 0.80, wave 0.30",
        "/v/b.mp4  -                    -  wave 0.40, kick 0.30, hug 0.20",
        "-: no label reached its threshold",
    ]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("given", [1, 3, 4])
@pytest.mark.parametrize("length", [4, 30])
def test_the_table_fits_its_width(width: int, given: int, length: int) -> None:
    names = tuple(f"{number}{'x' * (length - 1)}" for number in range(4))
    location = "/a folder/with many/folders in it/and a very long name of the video at its end.mp4"
    found = Prediction("id", names[:given], dict(zip(names, (0.9, 0.8, 0.7, 0.6), strict=True)), location)

    lines = predictions_text(predicted(found, names=names), width).splitlines()

    assert max(map(len, lines)) <= width
    assert lines[1].startswith("/a f")
    assert ".mp4  0x" in lines[1]


def test_a_path_starts_in_the_current_folder_if_it_lies_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    found = predictions_text(predicted(video(f"{tmp_path}/new/a.mp4", "hug"), video("s3://bucket/b.mp4", "hug")))

    assert [line.split()[0] for line in found.splitlines()[1:]] == ["new/a.mp4", "s3://bucket/b.mp4"]


def test_a_video_whose_place_is_unknown_shows_its_id() -> None:
    unknown = Prediction("c/d.mp4", ("hug",), dict.fromkeys(NAMES, 0.25))

    assert predictions_text(predicted(unknown)).splitlines()[1].startswith("c/d.mp4  hug")


def test_a_head_of_two_labels_shows_the_top_2() -> None:
    found = predicted(Prediction("a.mp4", ("hug",), {"hug": 0.6, "kick": 0.4}), names=("hug", "kick"))

    assert predictions_text(found).splitlines()[0].endswith("top 2")


def test_a_long_table_is_cut_and_names_the_option_that_writes_all_of_it() -> None:
    found = predictions_text(predicted(*(video(f"/v/{number}.mp4", "hug") for number in range(102))))

    assert len(found.splitlines()) == 102
    assert found.endswith("... and 2 more videos: -o FILE writes them all")


def test_where_all_videos_failed_there_is_a_count_and_no_table() -> None:
    found = Predictions(NAMES, (), (Failure("a.mp4", "/v/a.mp4", "unreadable", "no video"),))

    assert predictions_text(found) == ""
    assert count_text(found) == "0 videos labelled, 1 failed"


@pytest.mark.parametrize("width", [40, 30, 24])
def test_on_a_narrow_terminal_the_likeliest_labels_give_way(width: int) -> None:
    found = predicted(video("/videos/of the year/a kick.mp4", "hand_shake"), video("/v/b.mp4", "hug", "kick"))

    lines = predictions_text(found, width).splitlines()

    assert max(map(len, lines)) <= width
    assert "hand_" in lines[1]
    assert "top 3" not in lines[0]


def test_names_of_any_script_stand_in_columns_and_none_moves_the_cursor() -> None:
    figures = {"踢球": 0.7, "a\x1b[2J": 0.2, "\nError: b": 0.1}
    videos = [
        Prediction(name, ("踢球", "a\x1b[2J"), figures, f"/v/{name}") for name in ("动作.mp4", "b.mp4", "👩‍🚒\r.mp4")
    ]

    lines = predictions_text(predicted(*videos, names=tuple(figures)), 120).splitlines()

    assert len(lines) == 4
    assert len({columns_of(line[: line.index("0.70")]) for line in lines[1:]}) == 1
    assert shown("".join(lines)) == "".join(lines)
