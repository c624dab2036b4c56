from pathlib import Path

import pytest

from embed.decode_pool import DecodedVideo, DecodePlan, decode_videos, hash_content
from embed.pieces import Failure
from embed.sampling import UniformFrames
from embed.videos import Video
from tests.media import HEIGHT_PX, WIDTH_PX, BarReader, write_video

PLAN = DecodePlan(UniformFrames(4), BarReader().identity.preprocessing)


def test_videos_come_in_their_order_with_what_is_known_of_them(tmp_path: Path) -> None:
    videos = [Video(f"{count}", str(write_video(tmp_path / f"{count}.mp4", count))) for count in (40, 5, 20)]
    results = list(decode_videos(videos, PLAN, workers=2))
    assert [result.record.id for result in results if isinstance(result, DecodedVideo)] == ["40", "5", "20"]
    assert [result.record.frame_count for result in results if isinstance(result, DecodedVideo)] == [40, 5, 20]
    record = results[0].record if isinstance(results[0], DecodedVideo) else None
    assert record is not None
    assert (record.width_px, record.height_px, record.fps) == (WIDTH_PX, HEIGHT_PX, pytest.approx(25))


def test_a_broken_file_is_a_failure_among_the_others(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_text("x")
    good = Video("good", str(write_video(tmp_path / "good.mp4", 5)))
    broken, absent = Video("broken", str(tmp_path / "broken.mp4")), Video("absent", str(tmp_path / "absent.mp4"))
    results = list(decode_videos([broken, good, absent], PLAN))
    assert [getattr(result, "reason", "decoded") for result in results] == ["unreadable", "decoded", "not_found"]
    assert isinstance(results[0], Failure)


def test_decoding_runs_only_so_far_ahead(tmp_path: Path) -> None:
    path, taken = str(write_video(tmp_path / "a.mp4", 3)), []

    def videos() -> object:
        for number in range(50):
            taken.append(number)
            yield Video(str(number), path)

    results = decode_videos(videos(), PLAN, workers=2)  # type: ignore[arg-type]
    next(results)
    assert len(taken) <= 5
    results.close()  # type: ignore[attr-defined]


def test_a_content_hash_tells_files_by_size_and_ends(tmp_path: Path) -> None:
    contents = [b"a" * 3_000_000, b"a" * 2_999_999 + b"b", b"b" + b"a" * 2_999_999, b"a" * 2_999_999, b""]
    hashes = set()
    for number, content in enumerate(contents):
        (tmp_path / str(number)).write_bytes(content)
        hashes.add(hash_content(str(tmp_path / str(number))))
    assert len(hashes) == len(contents)
