"""Contact sheets show the frames at the moments of labels."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from classify import ClassifyError, LabelRule, Prediction, StreamConfig, stream_predictions
from classify.moments import Moment
from classify.streaming.sheets import Sheets, choose_moments
from tests.classify.streaming.conftest import COLOURS, write_clip


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(path.read_bytes())).convert("RGB"), dtype=np.int64)


def test_a_sheet_has_the_frame_of_each_moment_in_order(clips: Path, tmp_path: Path) -> None:
    config = StreamConfig(sheets=tmp_path / "sheets", rule=LabelRule(top=2))

    found = stream_predictions(clips / "head", clips / "new", tmp_path / "out.csv", config=config)

    assert (tmp_path / "out.csv").read_text().startswith("id,path,labels,")  # as without sheets
    assert (found.labelled, found.failed, found.unsheeted) == (2, 1, 0)
    both, red = sorted((tmp_path / "sheets").iterdir())
    assert (both.name.rpartition("-")[0], red.name.rpartition("-")[0]) == ("both-avi", "red-avi")
    pixels = picture(both)
    middles = [pixels[200, 8 + 328 * place + 160] for place in range(3)]  # of green, red, green
    for found_rgb, colour in zip(middles, ["green", "red", "green"], strict=True):
        assert np.abs(found_rgb - COLOURS[colour]).max() < 60


def test_a_video_that_is_gone_has_no_sheet_and_is_counted(clips: Path, tmp_path: Path) -> None:
    sheets = Sheets(tmp_path / "sheets")
    moment = Moment("red", 0, 1, 0.5, 0.9)
    assert not sheets.make(Prediction("a.mp4", ("red",), {"red": 0.9}, "/nowhere/a.mp4", (moment,), "exact"))
    assert not sheets.make(
        Prediction("b.avi", ("red",), {"red": 0.9}, str(clips / "new" / "broken.avi"), (moment,), "exact")
    )
    assert not (tmp_path / "sheets").exists()


@pytest.mark.parametrize(
    "video_id", ["../../etc/passwd", "/abs/a.mp4", "a/b/c.mp4", "\udcff.mp4", "x" * 400, "...", "é 日本.mp4"]
)
def test_the_name_of_a_sheet_lies_in_its_folder_whatever_the_id(video_id: str, clips: Path, tmp_path: Path) -> None:
    sheets = Sheets(tmp_path / "sheets")
    moment = Moment("red\nand a label that is far too long for the width of a cell", 0, 1, 0.5, 0.9)
    video = Prediction(
        video_id, (moment.label,), {moment.label: 0.9}, str(clips / "new" / "red.avi"), (moment,), "exact"
    )
    assert sheets.make(video)
    (made,) = (tmp_path / "sheets").iterdir()
    assert picture(made).shape[1] >= 320
    Sheets(tmp_path / "sheets")  # a second run knows it as its own


def test_ids_that_are_written_alike_have_sheets_of_their_own(tmp_path: Path) -> None:
    sheets = Sheets(tmp_path)
    assert sheets.path_of("a/b.mp4") != sheets.path_of("a-b.mp4")


def test_wide_and_tall_videos_keep_their_proportions(tmp_path: Path) -> None:
    sheets = Sheets(tmp_path / "sheets")
    clip = write_clip(tmp_path / "a.avi", ["red"], 0)
    moments = tuple(Moment("red", at / 10, at / 10, at / 10, 0.5 + at / 100) for at in range(20))
    assert sheets.make(Prediction("a", ("red",), {"red": 0.9}, str(clip), moments, "exact"))
    (made,) = (tmp_path / "sheets").iterdir()
    assert picture(made).shape[:2] == (40 + 8 + 3 * (320 + 30 + 8), 8 + 4 * 328)  # 12 of 20, in rows of 4


def test_a_sheet_has_the_best_moment_of_each_label_before_others() -> None:
    many = [Moment("dog", at, at + 1, at, 0.9) for at in range(20)]
    rare = [Moment("cat", 50, 51, 50, 0.1), Moment("cat", 60, 61, 60, 0.2)]
    chosen = choose_moments([*many, *rare])
    assert len(chosen) == 12
    assert [own.best_s for own in chosen] == sorted(own.best_s for own in chosen)
    assert [own.best_s for own in chosen if own.label == "cat"] == [60]


def test_a_folder_with_other_files_is_refused(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(ClassifyError, match=r"holds 'holiday.jpg', which is not part of contact sheets. Name another"):
        stream_predictions(clips / "head", clips / "new", config=StreamConfig(sheets=tmp_path))
    with pytest.raises(ClassifyError, match=r"lies in .*new, an input"):
        stream_predictions(clips / "head", clips / "new", config=StreamConfig(sheets=clips / "new" / "sheets"))
