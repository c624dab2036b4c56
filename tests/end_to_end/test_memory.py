"""How much memory a run takes: it depends on the chosen frames, and not on the number of videos or their length."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.media import WIDTH_PX, write_video

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

# The encoder is slow, so that frames wait for it.
RUN = """
import re, resource, sys, time
from pathlib import Path
from embed import EmbedConfig, embed_videos
from embed.video.sampling import FramesPerSecond, UniformFrames
from tests.media import BarReader

class SlowReader(BarReader):
    def encode(self, rgb):
        time.sleep(0.02)
        return super().encode(rgb)

sampling = {"uniform": UniformFrames(60), "fps": FramesPerSecond(0.1)}[sys.argv[3]]
summary = embed_videos([sys.argv[1]], sys.argv[2], EmbedConfig(sampling=sampling, workers=2), encoder=SlowReader())
assert not summary.failed
own_kib = int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
print(summary.vectors, (own_kib + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) << 10)
"""
FRAME_BYTES = 3 * WIDTH_PX**2  # as the encoder takes it
WAITING_BYTES = 128 << 20  # of frames, as `embed.decode_pool.pool` promises
NOISE_BYTES = 64 << 20


def measure(videos: Path, sampling: str) -> tuple[int, int]:
    """Embed a folder; return the number of vectors, and the peak bytes of the run plus those of its largest worker."""
    command = [sys.executable, "-c", RUN, videos, videos.with_suffix(".h5"), sampling]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    vectors, peak_bytes = map(int, done.stdout.split())
    return vectors, peak_bytes


def linked(video: Path, folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:04}.mp4").hardlink_to(video)
    return folder


def test_ten_times_the_videos_take_no_more_memory(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", 60)
    few, few_bytes = measure(linked(video, tmp_path / "few", 40), "uniform")
    many, many_bytes = measure(linked(video, tmp_path / "many", 400), "uniform")
    assert (few, many) == (40 * 60, 400 * 60)
    assert many * FRAME_BYTES > 1 << 30  # which a run that keeps its frames would take
    assert many_bytes < few_bytes + WAITING_BYTES + NOISE_BYTES  # on a busy machine fewer may wait in the first


def test_twenty_times_the_length_takes_only_the_memory_of_its_frames(tmp_path: Path) -> None:
    peaks, counts = [], []
    for seconds in (60, 1200):
        folder = tmp_path / f"{seconds}"
        folder.mkdir()
        numbers = [number % 1000 for number in range(5 * seconds)]
        options = {"g": "250", "preset": "ultrafast"}
        write_video(folder / "a.mp4", 5 * seconds, fps=5, options=options, numbers=numbers)
        vectors, peak_bytes = measure(folder, "fps")
        counts.append(vectors)
        peaks.append(peak_bytes)
    assert counts == [6, 120]
    in_worker_and_run = 2 * FRAME_BYTES * (120 - 6)
    assert peaks[1] < peaks[0] + in_worker_and_run + NOISE_BYTES
