import os
from pathlib import Path

from embed.run.absent import absent_among, failure_of_absent
from embed.sources import Video


def test_a_pipe_that_a_list_names_is_not_said_to_be_absent(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    videos = [Video(name, str(tmp_path / name), listed_in=str(tmp_path / "list.csv")) for name in ("a.mp4", "b.mp4")]
    pipe, gone = map(failure_of_absent, absent_among(videos))
    assert pipe.detail == f"{tmp_path}/a.mp4 is a folder, pipe or device, no file"
    assert gone.detail.startswith(f"{tmp_path}/b.mp4 does not exist. ")
