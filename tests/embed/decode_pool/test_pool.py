import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from embed.decode_pool.pool import DecodedVideo, DecodeLimits, DecodePlan, DecodePool, decode_videos
from embed.decode_pool.process import DecodeProcess
from embed.errors import EmbedError, VideoError
from embed.sources import hash_content
from embed.sources.videos import Video
from embed.store.records import Failure
from embed.video.sampling import UniformFrames
from tests.embed import hostile
from tests.embed.hostile import HOSTILE_FRAME_COUNT, Hostile
from tests.media import HEIGHT_PX, WIDTH_PX, BarReader, spelled_numbers, write_video

PREPROCESSING = BarReader().identity.preprocessing
PLAN = DecodePlan(UniformFrames(4), PREPROCESSING)
MEMORY_BYTES = 400 << 20
IN_TIME, SOON = 60.0, 3.0  # time limits in seconds: one that no video meets even on a busy machine, and a short one
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def video_of(folder: Path, frame_count: int) -> Video:
    return Video(f"{frame_count}", str(write_video(folder / f"{frame_count}.mp4", frame_count)))


def reasons(results: list[DecodedVideo | Failure]) -> dict[str, str]:
    """Return the outcome of each video by its id, in the order in which they came."""
    return dict(
        (result.id, result.reason) if isinstance(result, Failure) else (result.record.id, "decoded")
        for result in results
    )


def test_every_video_comes_with_its_frames_and_its_record(tmp_path: Path) -> None:
    videos = [video_of(tmp_path, count) for count in (40, 5, 20)]
    decoded = {r.record.id: r for r in decode_videos(videos, PLAN, workers=2) if isinstance(r, DecodedVideo)}
    assert {name: video.record.frame_count for name, video in decoded.items()} == {"40": 40, "5": 5, "20": 20}
    assert spelled_numbers(BarReader().encode(decoded["40"].rgb)) == [5, 15, 25, 35]
    np.testing.assert_allclose(decoded["40"].timestamps_s * 25, [5, 15, 25, 35])
    record = decoded["40"].record
    assert (record.width_px, record.height_px, record.fps) == (WIDTH_PX, HEIGHT_PX, pytest.approx(25))


def test_a_broken_file_is_a_failure_among_the_others(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_text("x")
    broken, absent = Video("broken", str(tmp_path / "broken.mp4")), Video("absent", str(tmp_path / "absent.mp4"))
    results = list(decode_videos([broken, video_of(tmp_path, 5), absent], PLAN))
    assert reasons(results) == {"broken": "unreadable", "5": "decoded", "absent": "not_found"}


@pytest.mark.parametrize(
    ("deed", "limit_s", "reason", "detail"),
    [
        pytest.param(hostile.sleep_for_ever, SOON, "timeout", "13.mp4 was not decoded after 3 s", id="sleeps for ever"),
        pytest.param(hostile.eat_memory, IN_TIME, "out_of_memory", "takes more than 0.391 GiB", id="eats memory"),
        pytest.param(hostile.segfault, IN_TIME, "crashed", "ended its process by SIGSEGV", id="segfaults"),
        pytest.param(hostile.leave, IN_TIME, "crashed", "ended its process: exit code 3", id="exits"),
        pytest.param(hostile.leave_in_silence, IN_TIME, "crashed", "its process: exit code 0", id="exits in silence"),
        pytest.param(hostile.write_garbage, IN_TIME, "crashed", "that cannot be read", id="answers with garbage"),
        pytest.param(hostile.write_half_an_answer, IN_TIME, "crashed", "process: exit code 0", id="half an answer"),
        pytest.param(
            hostile.write_half_an_answer_and_hang, SOON, "crashed", "cannot be read", id="hangs in its answer"
        ),
    ],
)
def test_a_misbehaving_decoder_loses_only_its_own_video(
    tmp_path: Path, deed: Callable[[], None], limit_s: float, reason: str, detail: str
) -> None:
    videos = [video_of(tmp_path, count) for count in (HOSTILE_FRAME_COUNT, 5, 20, 7)]
    plan, limits = DecodePlan(Hostile(deed), PREPROCESSING), DecodeLimits(limit_s, MEMORY_BYTES)
    results = list(decode_videos(videos, plan, workers=2, limits=limits))
    assert reasons(results) == {"13": reason, "5": "decoded", "20": "decoded", "7": "decoded"}
    failure = next(result for result in results if isinstance(result, Failure))
    assert (failure.id, failure.location) == ("13", videos[0].location)
    assert detail in failure.detail


def test_an_error_that_a_decoder_raises_is_the_videos_own_and_the_worker_goes_on(tmp_path: Path) -> None:
    videos = [video_of(tmp_path, count) for count in (HOSTILE_FRAME_COUNT, 5)]
    plan = DecodePlan(Hostile(hostile.raise_an_error_of_its_own), PREPROCESSING)
    failure, decoded = decode_videos(videos, plan, workers=1)
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.attempts) == ("decode_error", 1)
    assert failure.detail == f"{videos[0].location}: LookupError: no such atom"
    assert isinstance(decoded, DecodedVideo)


def test_a_video_whose_worker_died_is_tried_once_more_after_the_others(tmp_path: Path) -> None:
    videos = [video_of(tmp_path, count) for count in (HOSTILE_FRAME_COUNT, 5, 20)]
    plan = DecodePlan(Hostile(hostile.segfault, once=tmp_path / "done"), PREPROCESSING)
    results = list(decode_videos(videos, plan, workers=1))
    assert list(reasons(results).items()) == [("5", "decoded"), ("20", "decoded"), ("13", "decoded")]


def test_a_worker_killed_from_outside_counts_as_out_of_memory(tmp_path: Path) -> None:
    plan = DecodePlan(Hostile(hostile.kill_itself), PREPROCESSING)
    assert reasons(list(decode_videos([video_of(tmp_path, 13)], plan))) == {"13": "out_of_memory"}


def test_decoding_runs_ahead_only_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "embed.decode_pool.pool._MOST_WAITING_BYTES", 2 << 20
    )  # enough for two small videos: each holds a descriptor
    path, taken = str(write_video(tmp_path / "a.mp4", 3)), []

    def videos() -> Iterator[Video]:
        for number in range(50):
            taken.append(number)
            yield Video(str(number), path)

    with DecodePool(PLAN, workers=2) as pool:
        results = pool.decode(videos())
        next(results)
        time.sleep(0.5)
        assert len(taken) <= 5


def test_a_failing_source_of_videos_reaches_the_caller(tmp_path: Path) -> None:
    def videos() -> Iterator[Video]:
        yield video_of(tmp_path, 5)
        raise RuntimeError("the list ends here")

    with pytest.raises(RuntimeError, match="the list ends here"):
        list(decode_videos(videos(), PLAN))


def test_closing_a_pool_ends_the_iterators_that_wait_for_it(tmp_path: Path) -> None:
    plan = DecodePlan(Hostile(hostile.sleep_for_ever), PREPROCESSING)
    pool = DecodePool(plan, workers=1)
    results = pool.decode([video_of(tmp_path, 5), video_of(tmp_path, HOSTILE_FRAME_COUNT)])
    next(results)
    pool.close()
    assert list(results) == []


DYING = """
import os, pathlib, sys
if "embed.decode_pool.worker" in sys.orig_argv[-1]:
    deaths = pathlib.Path(__file__).with_name("deaths")
    with deaths.open("a") as file:
        file.write("x")
    if deaths.stat().st_size <= {deaths}:
        print("no more threads here", file=sys.stderr, flush=True)
        {deed}
"""
KILL = "import signal; os.kill(os.getpid(), signal.SIGKILL)"


def let_workers_die_at_the_start(folder: Path, monkeypatch: pytest.MonkeyPatch, deed: str, *, deaths: int) -> None:
    """Have Python run `deed` at the start of the next worker processes."""
    (folder / "dying").mkdir()
    (folder / "dying" / "sitecustomize.py").write_text(DYING.format(deed=deed, deaths=deaths))
    monkeypatch.syspath_prepend(folder / "dying")


@pytest.mark.parametrize("deed", [KILL, "os._exit(3)", "raise SystemExit(1)"], ids=["killed", "exits", "raises"])
def test_a_worker_that_dies_while_it_starts_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    let_workers_die_at_the_start(tmp_path, monkeypatch, deed, deaths=3)
    videos = [video_of(tmp_path, count) for count in (5, 20, 7)]
    assert reasons(list(decode_videos(videos, PLAN, workers=2))) == {"5": "decoded", "20": "decoded", "7": "decoded"}


@pytest.mark.parametrize(
    ("deed", "seen", "remedy"),
    [
        pytest.param(KILL, "was ended by SIGKILL", "too little memory .* use fewer --workers", id="killed"),
        pytest.param(
            "os._exit(3)", "ended with exit code 3", "Check the installation with: .* -m pip check", id="exits"
        ),
    ],
)
def test_a_run_ends_with_what_was_seen_when_no_worker_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str, seen: str, remedy: str
) -> None:
    monkeypatch.setattr("embed.decode_pool.pool._PATIENCE_S", 1.0)
    let_workers_die_at_the_start(tmp_path, monkeypatch, deed, deaths=1000)
    message = rf"has started for \d s \(\d+ tries\): the last one {seen} and wrote: no more threads here\. .*{remedy}"
    with pytest.raises(EmbedError, match=message):
        list(decode_videos([video_of(tmp_path, 5)], PLAN, workers=2))


def test_closing_a_pool_whose_workers_do_not_start_ends_it_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_workers_die_at_the_start(tmp_path, monkeypatch, KILL, deaths=1000)
    pool = DecodePool(PLAN, workers=1)
    results = pool.decode([video_of(tmp_path, 5)])
    while not (tmp_path / "dying" / "deaths").exists():
        time.sleep(0.01)
    pool.close()
    assert list(results) == []


def test_a_worker_that_cannot_be_replaced_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embed.decode_pool.pool._PATIENCE_S", 1.0)

    def videos() -> Iterator[Video]:
        yield video_of(tmp_path, HOSTILE_FRAME_COUNT)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
        yield video_of(tmp_path, 5)

    plan = DecodePlan(Hostile(hostile.segfault), PREPROCESSING)
    message = r"was refused by the system: No such file or directory\. Free some disk space .*Embedded videos are kept"
    with pytest.raises(EmbedError, match=message):
        list(decode_videos(videos(), plan, workers=1))


def test_a_sampling_that_workers_cannot_import_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hostile, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "Hostile", Hostile, raising=False)
    plan = DecodePlan(Hostile(hostile.leave), PREPROCESSING)
    with pytest.raises(EmbedError, match=r"does not start: .*AttributeError.*Hostile"):
        list(decode_videos([video_of(tmp_path, 5)], plan))


def test_a_fetched_copy_is_reported_under_the_location_of_the_video(tmp_path: Path) -> None:
    copy = write_video(tmp_path / "copy.mp4", 5)

    @contextmanager
    def fetch(video: Video) -> Iterator[str]:
        if video.id == "lost":
            raise VideoError("fetch_error", f"{video.location} answers 404")
        yield str(copy)
        copy.unlink()

    videos = [Video("lost", "https://example.org/lost.mp4"), Video("far", "https://example.org/far.mp4")]
    results = list(decode_videos(videos, PLAN, workers=1, fetch=fetch))
    assert reasons(results) == {"lost": "fetch_error", "far": "decoded"}
    assert isinstance(results[1], DecodedVideo)
    assert results[1].record.location == "https://example.org/far.mp4"
    assert not copy.exists()


@on_linux
def test_frames_are_in_unnamed_shared_memory_that_is_freed(tmp_path: Path) -> None:
    def shared_mappings() -> int:
        return Path("/proc/self/maps").read_text().count("/memfd:frames (deleted)")

    results = list(decode_videos([video_of(tmp_path, 5)], PLAN))
    assert shared_mappings() == 1
    results.clear()
    assert shared_mappings() == 0


# Workers inherit that SIGIO is ignored, which does not end a process on BSD either.
DEAF = "import signal; signal.signal(signal.SIGIO, signal.SIG_IGN)"
ORPHANING = """
import sys
from embed.decode_pool.pool import DecodePlan, DecodePool
from embed.sources.videos import Video
from tests.embed.hostile import Hostile, sleep_for_ever
from tests.media import BarReader
pool = DecodePool(DecodePlan(Hostile(sleep_for_ever), BarReader().identity.preprocessing), workers=1)
results = pool.decode([Video("5", sys.argv[1]), Video("13", sys.argv[2])])
next(results)
(process,) = pool._processes
print(process._process.pid, flush=True)
next(results)
"""


@on_linux
@pytest.mark.parametrize("prelude", ["", DEAF], ids=["Linux", "BSD"])
def test_a_killed_parent_leaves_no_worker(tmp_path: Path, prelude: str) -> None:
    videos = [video_of(tmp_path, 5).location, video_of(tmp_path, HOSTILE_FRAME_COUNT).location]
    parent = subprocess.Popen([sys.executable, "-c", prelude + ORPHANING, *videos], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        worker = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 5
    while is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(worker)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@on_linux
def test_the_system_ends_a_worker_before_the_run_if_memory_runs_out() -> None:
    process = DecodeProcess(PLAN, DecodeLimits())
    with closing(process):
        wish = Path(f"/proc/{process._process.pid}/oom_score_adj").read_text()
    assert int(wish) == 1000


def test_workers_do_not_import_torch() -> None:
    code = "import embed.decode_pool.worker, sys; print('torch' in sys.modules, 'click' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("timeout_s", 0), ("timeout_s", float("inf")), ("timeout_s", float("nan")), ("memory_bytes", 0)],
)
def test_limits_must_be_finite_and_positive(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be .*, got {value}"):
        DecodeLimits(**{name: value})


def test_a_content_hash_distinguishes_files_by_size_and_ends(tmp_path: Path) -> None:
    contents = [b"a" * 3_000_000, b"a" * 2_999_999 + b"b", b"b" + b"a" * 2_999_999, b"a" * 2_999_999, b""]
    hashes = set()
    for number, content in enumerate(contents):
        (tmp_path / str(number)).write_bytes(content)
        hashes.add(hash_content(str(tmp_path / str(number))))
    assert len(hashes) == len(contents)
