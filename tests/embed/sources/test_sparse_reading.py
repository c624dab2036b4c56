from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import av
import numpy as np
import pytest

from embed.decode_pool.pool import DecodedVideo, DecodePlan, decode_videos
from embed.sources import fetching
from embed.sources.fetching import FetchConfig, Fetcher
from embed.sources.sparse_copies import SparseCopy
from embed.sources.sparse_reading import SparseFile, read_few_frames
from embed.sources.videos import Video
from embed.store.records import Failure
from embed.video.decoding import read_frames
from embed.video.preprocessing import Preprocessing
from embed.video.sampling import FramesPerSecond, KeyFrames, Sampling, UniformFrames
from tests.buckets import bucket
from tests.media import write_moving_video
from tests.servers import FaultyServer, faulty_server

FRAME_COUNT = 400
# Lossless or nearly so: megabytes in seconds of encoding.
H264 = {"qp": "0", "preset": "ultrafast", "g": "25"}
X265 = "log-level=none:lossless=1:keyint=25:min-keyint=25"
CODINGS = {
    "H.264": ("libx264", H264, ".mp4"),
    "H.264, index first": ("libx264", H264, ".faststart.mp4"),
    "H.264, open groups": ("libx264", {"qp": "1", "bf": "3", "x264-params": "open-gop=1:keyint=25"}, ".mov"),
    "HEVC, open groups": ("libx265", {"preset": "ultrafast", "x265-params": f"{X265}:open-gop=1:bframes=3"}, ".mp4"),
    "AV1": ("libsvtav1", {"crf": "5", "preset": "12", "g": "25"}, ".mp4"),
}
UNFIT = {
    "fragments": ("libx264", H264, ".fragmented.mp4"),
    "no index of all packets": ("libx264", H264, ".mkv"),
    "a codec that hides frames": ("libvpx-vp9", {"lossless": "1", "cpu-used": "8", "deadline": "realtime"}, ".mp4"),
}
FLAGS = {".faststart.mp4": "faststart", ".fragmented.mp4": "frag_keyframe+empty_moov"}


@pytest.fixture(scope="module")
def video_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function from the name of a coding to a video of some megabytes."""
    made: dict[str, Path] = {}

    def make(coding: str) -> Path:
        if coding not in made:
            codec, options, ending = (CODINGS | UNFIT)[coding]
            plain = tmp_path_factory.mktemp("large") / f"a.{ending.rpartition('.')[2]}"
            write_moving_video(plain, FRAME_COUNT, codec=codec, options=options, width_px=256, height_px=192)
            made[coding] = copy_with(FLAGS[ending], plain) if ending in FLAGS else plain
        return made[coding]

    return make


def copy_with(flags: str, source: Path) -> Path:
    """Write a video's packets and a silent audio track to another file, with the muxer's flags."""
    goal = source.with_name("b.mp4")
    with av.open(str(source)) as reading, av.open(str(goal), "w", options={"movflags": flags}) as writing:
        video = writing.add_stream_from_template(reading.streams.video[0])
        sound = writing.add_stream("aac", rate=48000)
        for packet in reading.demux(video=0):
            if packet.size:
                packet.stream = video
                writing.mux(packet)
                silence = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
                silence.sample_rate = 48000
                writing.mux(sound.encode(silence))
        writing.mux(sound.encode(None))
    return goal


def far_copy(source: Path, folder: Path) -> SparseCopy:
    """Return a copy that reads its bytes from a local file, as a server would send them."""
    content = source.read_bytes()
    path = folder / f"copy-{source.name}"
    return SparseCopy(
        path,
        len(content),
        read=lambda spans: [content[start:stop] for start, stop in spans],
        copy=lambda: path.write_bytes(content),
    )


def read_few(copy: SparseCopy, sampling: Sampling) -> np.ndarray | None:
    with closing(SparseFile(str(copy.path), copy.spans, copy.bring)) as file:
        frames = read_few_frames(file, sampling)
    return None if frames is None else frames.rgb


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("sampling", [UniformFrames(5), FramesPerSecond(0.5)], ids=["uniform", "fps"])
def test_frames_of_a_partial_copy_are_those_of_the_whole_file(
    video_of: Callable[[str], Path], tmp_path: Path, coding: str, sampling: Sampling
) -> None:
    path = video_of(coding)
    copy = far_copy(path, tmp_path)
    np.testing.assert_array_equal(read_few(copy, sampling), read_frames(str(path), sampling).rgb)
    assert copy.fetched_bytes < 0.5 * path.stat().st_size


def test_the_timeline_of_a_partial_copy_is_that_of_the_whole_file(
    video_of: Callable[[str], Path], tmp_path: Path
) -> None:
    path = video_of("H.264, index first")
    copy, whole = far_copy(path, tmp_path), read_frames(str(path), UniformFrames(3))
    with closing(SparseFile(str(copy.path), copy.spans, copy.bring)) as file:
        few = read_few_frames(file, UniformFrames(3))
    assert few is not None
    np.testing.assert_array_equal(few.timestamps_s, whole.timestamps_s)
    np.testing.assert_array_equal(few.timeline.timestamps_s, whole.timeline.timestamps_s)
    np.testing.assert_array_equal(few.timeline.is_keyframe, whole.timeline.is_keyframe)
    assert few.timeline.duration_s == whole.timeline.duration_s


@pytest.mark.parametrize("coding", UNFIT)
def test_a_file_whose_index_does_not_list_all_is_needed_whole(
    video_of: Callable[[str], Path], tmp_path: Path, coding: str
) -> None:
    assert read_few(far_copy(video_of(coding), tmp_path), UniformFrames(3)) is None


def test_a_file_of_which_most_is_needed_is_needed_whole(video_of: Callable[[str], Path], tmp_path: Path) -> None:
    copy = far_copy(video_of("H.264"), tmp_path)
    assert read_few(copy, UniformFrames(100)) is None
    assert copy.fetched_bytes < 0.1 * copy.size_bytes


def test_key_frames_are_taken_from_an_index_only_if_it_is_sure(video_of: Callable[[str], Path], tmp_path: Path) -> None:
    assert read_few(far_copy(video_of("H.264"), tmp_path), KeyFrames(3)) is None
    path = video_of("HEVC, open groups")
    few = read_few(far_copy(path, tmp_path), KeyFrames(3))
    np.testing.assert_array_equal(few, read_frames(str(path), KeyFrames(3)).rgb)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as state:
        yield state


def decode_far(address: str, folder: Path, **changes: object) -> DecodedVideo | Failure:
    """Fetch and decode one video as a run does."""
    square = Preprocessing(64, 64, "squash", "bilinear", (0, 0, 0), (1, 1, 1))
    settings = {"folder": str(folder), "backoff_s": 0.01, "stall_s": 5, "sparse_bytes": 1 << 20, "attempts": 2}
    with Fetcher(FetchConfig(**(settings | changes))) as fetcher:  # type: ignore[arg-type]
        videos = fetcher.ahead([Video("a", address)])
        (result,) = decode_videos(videos, DecodePlan(UniformFrames(4), square), fetch=fetcher.local_file, workers=1)
    return result


def test_a_large_remote_video_is_fetched_in_part(
    server: FaultyServer, video_of: Callable[[str], Path], tmp_path: Path
) -> None:
    server.files["/a.mp4"] = video_of("H.264").read_bytes()
    few = decode_far(f"{server.url}/a.mp4", tmp_path)
    part_bytes = server.bytes_served
    whole = decode_far(f"{server.url}/a.mp4", tmp_path, sparse_bytes=1 << 40)
    assert isinstance(few, DecodedVideo)
    assert isinstance(whole, DecodedVideo)
    np.testing.assert_array_equal(few.rgb, whole.rgb)
    assert few.record == whole.record
    assert few.fetched_bytes == part_bytes - 1 < 0.4 * len(server.files["/a.mp4"])  # one byte is asked for twice
    assert whole.fetched_bytes == len(server.files["/a.mp4"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", ["no ranges", "503 twice"])
def test_a_server_without_ranges_or_with_passing_errors_loses_no_frame(
    server: FaultyServer, video_of: Callable[[str], Path], tmp_path: Path, fault: str
) -> None:
    server.files["/a.mp4"], server.faults["/a.mp4"] = video_of("H.264").read_bytes(), fault
    far = decode_far(f"{server.url}/a.mp4", tmp_path, attempts=4)
    assert isinstance(far, DecodedVideo)
    server.faults.clear()
    np.testing.assert_array_equal(far.rgb, decode_far(f"{server.url}/a.mp4", tmp_path, sparse_bytes=1 << 40).rgb)  # type: ignore[union-attr]


def test_a_file_that_is_needed_whole_is_decoded_from_a_copy(
    server: FaultyServer, video_of: Callable[[str], Path], tmp_path: Path
) -> None:
    server.files["/a.mp4"] = video_of("fragments").read_bytes()
    far = decode_far(f"{server.url}/a.mp4", tmp_path)
    assert isinstance(far, DecodedVideo)
    assert far.record.frame_count == FRAME_COUNT


def test_a_part_that_never_arrives_is_a_fetch_error(
    server: FaultyServer, video_of: Callable[[str], Path], tmp_path: Path
) -> None:
    server.files["/a.mp4"], server.faults["/a.mp4"] = video_of("H.264").read_bytes(), "503 inside"
    failure = decode_far(f"{server.url}/a.mp4?Signature=hush", tmp_path)
    assert isinstance(failure, Failure)
    assert failure.reason == "fetch_error"
    advice = "Try it again later with --retry-failed"
    assert failure.detail == f"{server.url}/a.mp4 was not fetched: HTTP 503 (2 attempts). {advice}"


@pytest.mark.parametrize("where", ["", " inside"], ids=["anywhere", "inside"])
@pytest.mark.parametrize("fault", ["cut", "longer", "stall", "trickle"])
def test_a_part_that_differs_from_what_was_stated_gives_no_frame(
    server: FaultyServer,
    video_of: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    where: str,
) -> None:
    monkeypatch.setattr(fetching, "LEAST_BYTES_PER_S", 1 << 20)  # else a trickle of a megabyte takes an hour
    server.files["/a.mp4"], server.faults["/a.mp4"] = video_of("H.264").read_bytes(), fault + where
    failure = decode_far(f"{server.url}/a.mp4", tmp_path, stall_s=0.5)
    assert isinstance(failure, Failure)
    assert failure.reason == "fetch_error"
    assert failure.detail.endswith(" (2 attempts). Try it again later with --retry-failed")
    assert list(tmp_path.iterdir()) == []


def test_a_video_of_a_bucket_is_fetched_in_part(
    video_of: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bucket({"a.mp4": video_of("H.264").read_bytes()}, monkeypatch) as address:
        few = decode_far(f"{address}/a.mp4", tmp_path)
    assert isinstance(few, DecodedVideo)
    assert few.record.frame_count == FRAME_COUNT
    assert few.fetched_bytes < 0.4 * video_of("H.264").stat().st_size
