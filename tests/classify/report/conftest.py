"""A head that makes mistakes, on labels of which one is wrong and one is hostile, with its page."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from classify import LabelConfig, SplitConfig, TrainConfig, split_videos, train_head, write_page

HOSTILE = "<script>alert(1)</script> $x_1$ & co"
SECOND_LABELS = ("hug/00.mp4,kick", "kick/01.mp4,wave", "wave/02.mp4,kick")
MISLABELLED = "hug/05.mp4"

MakePage = Callable[..., Path]


def grab_red(location: str) -> list[NDArray[np.uint8]]:
    """Return one red frame, whatever the video."""
    assert location
    return [np.full((36, 64, 3), (255, 0, 0), dtype=np.uint8)]


@pytest.fixture
def make_page(toy_store: Path, tmp_path: Path) -> MakePage:
    """Write labels.csv (60 videos, 3 labels, some more rows), split.csv and head/ beside the store; return the page."""
    rows = ["id,label,trip"]
    for name in ("hug", "kick", "wave"):
        for index in range(20):
            video_id = f"{name}/{index:02d}.mp4"
            label = "wave" if video_id == MISLABELLED else {"hug": HOSTILE}.get(name, name)
            rows.append(f"{video_id},{label},{index // 2}")

    def make(
        *more_rows: str,
        command: str | None = None,
        config: TrainConfig = TrainConfig(epochs=2, learning_rate=1e-5),  # noqa: B008 - frozen
        split: SplitConfig = SplitConfig(),  # noqa: B008 - frozen
    ) -> Path:
        places = [tmp_path / name for name in ("split.csv", "head")]
        (tmp_path / "labels.csv").write_text("\n".join([*rows, *(f"{row}," for row in more_rows)]))
        labels = LabelConfig(str(tmp_path / "labels.csv"), multi_label=True)
        split_videos(toy_store, places[0], labels=labels, config=split)
        report = train_head(toy_store, *places, labels=labels, config=config)
        return write_page(report, toy_store, places[0], labels=labels, grab_frames=grab_red, command=command)

    return make
