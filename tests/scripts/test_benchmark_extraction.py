"""The benchmark of whole runs on tiny clips: it prints its tables, and memory does not grow with a video."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark_extraction.py"


def rows_of(text: str, table: str) -> list[dict[str, str]]:
    """Return the rows, by column, of the Markdown table whose header contains a text."""
    lines = text[text.index(table) :].split("\n\n")[0].splitlines()
    head, _, *rows = ([cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines)
    return [dict(zip(head, row, strict=False)) for row in rows]


@pytest.fixture(scope="module")
def printed() -> str:
    return print_with("--tiny")


def print_with(*options: str) -> str:
    result = subprocess.run([sys.executable, SCRIPT, *options], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def peaks_mb(text: str, table: str) -> list[float]:
    return [float(row["peak memory, MB"].replace(",", "")) for row in rows_of(text, table)]


@pytest.mark.nightly
def test_all_systems_are_measured_on_the_same_number_of_frames(printed: str) -> None:
    rows = rows_of(printed, "videos x frames")
    assert [(row["system"], row["vectors"]) for row in rows] == [("framehead", "8"), ("loop", "8")]
    assert float(rows[0]["encode CPU, s"]) > 0


@pytest.mark.nightly
def test_an_absent_system_is_named_with_the_option_that_adds_it(printed: str) -> None:
    assert (
        "clip-video-encode is left out: use --clip-video-encode to name the folder in which it is installed" in printed
    )


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux reports this memory")
def test_a_ten_times_longer_video_takes_no_more_memory(printed: str) -> None:
    short, long = peaks_mb(printed, "96p H.264")
    assert 100 < long < 1.1 * short


@pytest.mark.nightly  # minutes, and 4 GB of disk
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux reports this memory")
def test_an_hour_of_4k_takes_no_more_memory_than_a_minute() -> None:
    short, long = peaks_mb(print_with("--memory", "--minutes", "1", "60"), "2160p H.264")
    assert 100 < long < 1.1 * short
