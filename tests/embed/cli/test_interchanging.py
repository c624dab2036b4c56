"""`import-yt8m` and `export-yt8m` as people and programs see them, also where they are stopped."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from embed.cli import export_yt8m, import_yt8m
from embed.interchange import import_youtube8m
from embed.store import EmbeddingStore
from tests.embed.interchange.records import codes_of, write_frames, write_segments

STOPPED = """
import os, signal, sys
from embed.cli import import_yt8m
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test in the background of a shell ignores it
opened = []
def hook(event, arguments):
    if event == "open" and str(arguments[0]).endswith("y.tfrecord"):
        opened.append(arguments)
        if len(opened) == 2:  # the first time it was only looked whether it can be read
            os.kill(os.getpid(), int(sys.argv[1]))
sys.addaudithook(hook)
import_yt8m([sys.argv[2], "-o", sys.argv[3]])
"""
KILLED = """
import os, signal, sys
import embed.store.writing
from embed.interchange import import_youtube8m
embed.store.writing._COMMIT_BYTES = 1  # every video is stored at once
calls = []
def killed(done, total):
    calls.append(done)
    if len(calls) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
import_youtube8m(sys.argv[2], sys.argv[3], on_progress=killed)
"""


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """A folder with two files of four videos each."""
    folder = tmp_path / "records"
    folder.mkdir()
    videos = [(f"v{number}", [number % 3], codes_of(number)) for number in range(8)]
    write_frames(folder / "x.tfrecord", videos[:4])
    write_frames(folder / "y.tfrecord", videos[4:])
    return folder


def run(command: object, *words: object) -> Result:
    return CliRunner().invoke(command, [*map(str, words)])  # type: ignore[arg-type]


def told(text: str) -> str:
    """Return a text as one line, wherever its lines end."""
    return " ".join(text.split())


def test_an_import_says_what_came_and_what_comes_next(records: Path, tmp_path: Path) -> None:
    result = run(import_yt8m, records, "-o", tmp_path / "s.h5")
    assert result.exit_code == 0
    assert told(result.stdout).startswith("8 videos imported, 0 in the store already, 0 records damaged 40 vectors -> ")
    assert "videos of a label: 0: 3, 1: 3, 2: 2" in told(result.stdout)
    assert f"\nNext:\nsplit-videos {tmp_path}/s.h5 --labels {tmp_path}/s.labels.csv\n" in result.stderr
    again = json.loads(run(import_yt8m, records, "-o", tmp_path / "s.h5", "--json").stdout)
    assert (again["imported"], again["skipped"], again["changed"]) == (0, 8, [])


def test_segments_are_split_by_their_videos(tmp_path: Path) -> None:
    write_segments(tmp_path / "x.tfrecord", "a", [(0, 3, 1.0)])
    result = run(import_yt8m, tmp_path / "x.tfrecord", "-o", tmp_path / "s.h5", "--segments")
    assert f"split-videos {tmp_path}/s.h5 --labels {tmp_path}/s.segments.csv --group-by video" in result.stderr


def test_damaged_records_are_listed_and_exit_1(records: Path, tmp_path: Path) -> None:
    content = bytearray((records / "y.tfrecord").read_bytes())
    content[100] ^= 1
    (records / "y.tfrecord").write_bytes(content)
    result = run(import_yt8m, records, "-o", tmp_path / "s.h5")
    assert result.exit_code == 1
    assert told(result.stdout).startswith("7 videos imported, 0 in the store already, 1 record damaged ")
    assert "\nDamaged:\n" in result.stderr
    assert "y.tfrecord, byte 0: a record's bytes are damaged" in told(result.stderr)


def test_changed_videos_are_told_and_exit_1(records: Path, tmp_path: Path) -> None:
    run(import_yt8m, records, "-o", tmp_path / "s.h5")
    write_frames(records / "x.tfrecord", [("v0", [1], codes_of(77))])
    result = run(import_yt8m, records, "-o", tmp_path / "s.h5")
    assert result.exit_code == 1
    assert (
        "Note: 1 video of the store (v0) now has other vectors in the files. The store keeps its own." in result.stderr
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.tfrecord", "-o", "s.h5"], "The source none.tfrecord does not exist. Name TFRecord files"),
        (["{records}", "-o", "s.h5", "--features", "rgb,video"], "--features is 'rgb,video'. Use rgb, audio, or rgb"),
        (["{records}", "-o", "s.h5", "--labels", "1,b"], "'1,b' is not a list of numbers such as 1,3,5"),
        (["{records}", "-o", "s.h5", "--labels", "99"], "None of 8 videos has one of the labels 99"),
        (["{records}", "-o", "s.h5", "--vocabulary", "v.csv"], "v.csv cannot be read"),
        (["{records}", "-o", "s.mp4"], "s.mp4 is the name of a video, not of a store"),
        (["{records}"], "Missing option '-o' / '--output'"),
    ],
    ids=["no file", "features", "no number", "no such label", "no vocabulary", "a video", "no store"],
)
def test_wrong_usage_exits_2_and_leaves_nothing(
    words: list[str], said: str, records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(import_yt8m, *(word.format(records=records) for word in words))
    assert result.exit_code == 2
    assert said in told(result.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


def test_an_export_says_where_its_labels_are_from_and_is_not_written_over_other_things(
    records: Path, tmp_path: Path
) -> None:
    run(import_yt8m, records, "-o", tmp_path / "s.h5")
    result = run(export_yt8m, tmp_path / "s.h5", "-o", tmp_path / "out")
    assert result.exit_code == 0
    assert told(result.stdout).startswith("8 videos, 40 vectors -> ")
    assert "s.labels.csv, 0 videos without one" in told(result.stdout)
    refused = run(export_yt8m, tmp_path / "s.h5", "-o", records)
    assert refused.exit_code == 2
    assert "holds 'x.tfrecord', which no export wrote" in refused.stderr
    assert json.loads(run(export_yt8m, tmp_path / "s.h5", "-o", tmp_path / "out", "--json").stdout)["videos"] == 8


def rows_of(store: Path) -> dict[str, bytes]:
    with EmbeddingStore(store) as opened:
        assert not opened.failures
        return {video_id: opened.read_stored(video_id).rows.tobytes() for video_id in opened.ids}


def goes_on_as_if_never_stopped(records: Path, store: Path, tmp_path: Path) -> None:
    assert not store.with_name("s.labels.csv").exists()
    import_youtube8m(records, store)
    import_youtube8m(records, tmp_path / "whole.h5")
    assert rows_of(store) == rows_of(tmp_path / "whole.h5")
    assert (tmp_path / "s.labels.csv").read_bytes() == (tmp_path / "whole.labels.csv").read_bytes()
    left = {"records", "s.h5", "s.labels.csv", "whole.h5", "whole.labels.csv"}
    assert {path.name for path in tmp_path.iterdir()} == left


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_stopped_import_goes_on(number: signal.Signals, records: Path, tmp_path: Path) -> None:
    call = [sys.executable, "-c", STOPPED, str(int(number)), str(records), str(tmp_path / "s.h5")]
    stopped = subprocess.run(call, capture_output=True, text=True, check=False)
    assert stopped.returncode == 128 + number
    assert "Stopped. Finished work is stored. Run the same command again to continue." in stopped.stderr
    assert len(rows_of(tmp_path / "s.h5")) == 4
    goes_on_as_if_never_stopped(records, tmp_path / "s.h5", tmp_path)


def test_a_killed_import_goes_on(records: Path, tmp_path: Path) -> None:
    call = [sys.executable, "-c", KILLED, "", str(records), str(tmp_path / "s.h5")]
    assert subprocess.run(call, check=False).returncode == -signal.SIGKILL
    half = rows_of(tmp_path / "s.h5")
    assert 0 < len(half) < 8
    (tmp_path / "s.labels.csv").unlink(missing_ok=True)
    goes_on_as_if_never_stopped(records, tmp_path / "s.h5", tmp_path)
    np.testing.assert_equal(half.items() <= rows_of(tmp_path / "s.h5").items(), True)
