"""What a user sees of a command on a terminal, tested with a pseudo-terminal."""

import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

from tests.media import write_video
from tests.processes import slow_file


def seen_on_a_terminal(command: list[str | Path]) -> str:
    """Run a command on a terminal and return all that it wrote, including what it later wrote over."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 120))
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        written = b""
        try:
            while part := os.read(ours, 4096):
                written += part
        except OSError:  # on Linux this means that the other side is closed
            pass
    os.close(ours)
    return written.decode()


def test_a_terminal_shows_the_count_the_failures_the_slowest_stage_and_advice(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    for number in range(3):
        write_video(tmp_path / "videos" / f"{number}.mp4", 10)
    (tmp_path / "videos" / "broken.mp4").write_text("x")
    command = [Path(sys.executable).with_name("embed-videos"), tmp_path / "videos", "-o", tmp_path / "s.h5"]
    seen = seen_on_a_terminal([*command, "--model", "efficientnet-lite0", "--frames-count", "3"])
    lines = seen.replace("\r\n", "\n").split("\r")
    assert lines[0].endswith("loading the encoder ...\n")
    assert "0/4" in lines[1]
    bar, summary = lines[-1].split("\n", 1) if "4/4" in lines[-1] else (lines[-2], lines[-1])
    assert "4/4" in bar
    assert "1 failed, slowest: encode" in bar
    assert "3 videos embedded, 0 in the store already, 1 failed\n9 vectors in" in summary
    assert "busy on average\nTo go faster: " in summary
    assert "  broken.mp4\n    unreadable:" in summary
    assert "another time" not in summary


def test_during_a_slow_video_a_terminal_shows_passing_time_and_then_what_to_retry(
    tmp_path: Path,
) -> None:
    command = [Path(sys.executable).with_name("embed-videos"), tmp_path / "silent.mp4", "-o", tmp_path / "s.h5"]
    with slow_file(tmp_path / "silent.mp4"):
        seen = seen_on_a_terminal([*command, "--model", "efficientnet-lite0", "--timeout", "3"])
    bars = re.findall(r"0/1 videos \|[^\r]*\| 00:(\d\d)<\?, 0 frames/s, none embedded yet", seen)
    seconds = {int(elapsed) for elapsed in bars}
    assert len(seconds) > 3
    assert "1 video of these may succeed another time" in seen
    assert "embed-videos --retry-failed " in seen
