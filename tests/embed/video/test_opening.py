import os
import re
import struct
from pathlib import Path

import av
import pytest
from PIL import Image

from embed.errors import VideoError
from embed.video import opening
from embed.video.decoding import Decoder, read_frames
from embed.video.opening import is_playlist, open_video
from embed.video.sampling import UniformFrames
from embed.video.timeline import read_timeline
from tests.media import number_of, write_video

ROOT = Path(__file__).parents[3]
both_decoders = pytest.mark.parametrize("decoder", ["pyav", "opencv"])
SCRIPTS = {
    "ffconcat": "ffconcat version 1.0\nfile secret.mp4\n",
    "ffconcat behind a mark": "\ufeffffconcat version 1.0\nfile secret.mp4\n",
    "HLS": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.2,\nsecret.ts\n#EXT-X-ENDLIST\n",
}


def write_secrets(folder: Path) -> None:
    write_video(folder / "secret.mp4", 30)
    write_video(folder / "secret.ts", 30)


@both_decoders
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts", ".mov", ".webm", ".gif", ""])
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_in_the_place_of_a_video_reads_no_other_file(
    tmp_path: Path, script: str, suffix: str, decoder: Decoder
) -> None:
    write_secrets(tmp_path)
    path = tmp_path / f"a{suffix}"
    path.write_text(script)
    with pytest.raises(VideoError, match=r"unreadable: .* is not a video but a playlist.*Embed those files instead"):
        read_frames(str(path), UniformFrames(3), decoder=decoder, playlists=True)


@pytest.mark.parametrize("name", ["a.m3u8", "a.M3U", "a.ffconcat"])
def test_a_named_playlist_is_refused_unless_it_is_asked_for(tmp_path: Path, name: str) -> None:
    write_secrets(tmp_path)
    (tmp_path / name).write_text(SCRIPTS["ffconcat"] if "ffconcat" in name else SCRIPTS["HLS"])
    with pytest.raises(VideoError, match=r"unreadable: .* is a playlist, which plays other files.*--playlists"):
        read_frames(str(tmp_path / name), UniformFrames(3))


@both_decoders
@pytest.mark.parametrize("name", ["a.m3u8", "a.ffconcat"])
def test_a_playlist_plays_if_it_is_asked_for(tmp_path: Path, name: str, decoder: Decoder) -> None:
    write_secrets(tmp_path)
    (tmp_path / name).write_text(SCRIPTS["ffconcat"] if "ffconcat" in name else SCRIPTS["HLS"])
    frames = read_frames(str(tmp_path / name), UniformFrames(3), decoder=decoder, playlists=True)
    assert [number_of(window[0]) for window in frames.rgb] == UniformFrames(3).choose(30).tolist()


@pytest.mark.parametrize("entry", ["http://127.0.0.1:9/a.ts", "tcp://127.0.0.1:9", "a.txt"])
def test_even_a_trusted_playlist_plays_only_videos_of_this_machine(tmp_path: Path, entry: str) -> None:
    (tmp_path / "a.txt").write_text("a text\n")
    (tmp_path / "a.m3u8").write_text(SCRIPTS["HLS"].replace("secret.ts", entry))
    with pytest.raises(VideoError, match=r"unreadable|no_video_stream|no_frames"):
        read_frames(str(tmp_path / "a.m3u8"), UniformFrames(3), playlists=True)


@both_decoders
@pytest.mark.parametrize("name", ["a.m3u8", "a.ffconcat"])
def test_a_pipe_in_a_playlist_is_refused_at_once(tmp_path: Path, name: str, decoder: Decoder) -> None:
    os.mkfifo(tmp_path / "it's.ts")
    script = SCRIPTS["ffconcat"] if "ffconcat" in name else SCRIPTS["HLS"]
    named = r"'it'\''s.ts'" if "ffconcat" in name else "it's.ts"
    (tmp_path / name).write_text(re.sub(r"secret\.(ts|mp4)", lambda _: named, script))
    with pytest.raises(VideoError, match=r"unreadable: .* names .*it's\.ts: it is a pipe \(FIFO\), not a file"):
        read_frames(str(tmp_path / name), UniformFrames(3), decoder=decoder, playlists=True)


@pytest.mark.parametrize("named", ["pipe", "a.m3u8"])
def test_a_playlist_in_a_playlist_is_looked_at_too(tmp_path: Path, named: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "inner.m3u8").write_text(SCRIPTS["HLS"].replace("secret.ts", named))
    (tmp_path / "a.m3u8").write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\ninner.m3u8\n")
    with pytest.raises(VideoError, match=r"unreadable|no_video_stream|no_frames"):
        read_frames(str(tmp_path / "a.m3u8"), UniformFrames(3), playlists=True)


def test_a_playlist_with_a_nul_is_no_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "a.m3u8").write_text(SCRIPTS["HLS"].replace("secret.ts", "sec\0ret.ts"))
    with pytest.raises(VideoError, match=r"unreadable|no_video_stream|no_frames"):
        read_frames(str(tmp_path / "a.m3u8"), UniformFrames(3), playlists=True)


def test_a_live_playlist_is_refused_at_once(tmp_path: Path) -> None:
    write_secrets(tmp_path)
    (tmp_path / "a.m3u8").write_text(SCRIPTS["HLS"].replace("#EXT-X-ENDLIST\n", ""))
    with pytest.raises(VideoError, match=r"unreadable: .*a\.m3u8 is a live playlist: it has no #EXT-X-ENDLIST"):
        read_frames(str(tmp_path / "a.m3u8"), UniformFrames(3), playlists=True)


def test_a_quicktime_file_does_not_play_another_file_that_it_refers_to(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mov", 5)
    write_video(tmp_path / "secret.mov", 5, numbers=[900, 901, 902, 903, 904])
    path.write_bytes(_with_reference(path.read_bytes(), b"secret.mov"))
    trap = {"enable_drefs": "1", "use_absolute_path": "1"}
    with av.open(str(path), container_options=trap) as container:
        assert sum(packet.size > 0 for packet in container.demux(video=0)) == 5
    with pytest.raises(VideoError, match="no_frames"):
        read_frames(str(path), UniformFrames(5))


def _with_reference(content: bytes, name: bytes) -> bytes:
    """Return a QuickTime file whose `dref` names another file (an alias record) in place of itself."""
    path = b"disk:" + name
    # ISO/IEC 14496-12, 8.7.2, and Apple's alias record as FFmpeg reads it: volume, path (tag 2), end.
    record = b"alis" + bytes(4 + 10) + bytes([4]) + b"disk".ljust(27, b"\0") + bytes(12) + bytes([len(name)])
    record += name.ljust(63, b"\0") + bytes(16) + struct.pack(">hh", 1, 1) + bytes(16)
    record += (
        struct.pack(">hh", 2, len(path)) + path.ljust(len(path) + len(path) % 2, b"\0") + struct.pack(">hh", -1, 0)
    )
    entry = struct.pack(">I", len(record) + 4) + record
    entry = entry[:8] + bytes(4) + entry[12:]  # version and flags: not in this file
    new = struct.pack(">I", 16 + len(entry)) + b"dref" + struct.pack(">II", 0, 1) + entry
    at = content.index(b"dref") - 4
    old = int.from_bytes(content[at : at + 4], "big")
    content = content[:at] + new + content[at + old :]
    for kind in (b"dinf", b"minf", b"mdia", b"trak", b"moov"):  # the index lies behind the media data
        place = content.rindex(kind, 0, at + 8) - 4
        size = int.from_bytes(content[place : place + 4], "big") + len(new) - old
        content = content[:place] + struct.pack(">I", size) + content[place + 4 :]
    return content


@pytest.mark.parametrize("suffix", ["gif", "jpg"])
def test_numbered_pictures_are_not_read_for_one_name(tmp_path: Path, suffix: str) -> None:
    for number in range(3):
        Image.new("RGB", (64, 64), (200, 10, 10)).save(tmp_path / f"a{number:03}.{suffix}")
    Image.new("RGB", (32, 32)).save(tmp_path / f"a%03d.{suffix}")
    try:
        assert read_timeline(str(tmp_path / f"a%03d.{suffix}")).width_px == 32
    except VideoError as error:
        assert "is of a format that is no video's" in error.detail  # noqa: PT017


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "a text, which FFmpeg shows as on a terminal\n" * 20),
        ("a.mp4", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"),
        ("a.svg", '<svg xmlns="http://www.w3.org/2000/svg"><image href="secret.png"/></svg>'),
        ("a.srt", "1\n00:00:00,000 --> 00:00:01,000\nhello\n"),
    ],
)
def test_what_is_no_video_is_not_opened(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(VideoError, match="unreadable"):
        read_timeline(str(tmp_path / name))


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(VideoError, match=r"unreadable: .*a\.mp4 cannot be read as a video: it is a pipe \(FIFO\)"):
        read_frames(str(tmp_path / "a.mp4"), UniformFrames(3))


@pytest.mark.parametrize("name", ["_VIDEO_FORMATS", "_PICTURE_FORMATS", "_SOUND_FORMATS"])
def test_ffmpeg_knows_each_format_of_the_list(name: str) -> None:
    assert set(getattr(opening, name)) <= av.formats_available


def test_containers_are_opened_in_one_place() -> None:
    files = [path for package in ("embed", "classify") for path in (ROOT / package).rglob("*.py")]
    opened = [path.name for path in files if re.search(r"\bav\.open\(", path.read_text(encoding="utf-8"))]
    assert opened == ["opening.py"]


def test_odd_videos_open_as_they_do_without_a_list(odd_videos: Path) -> None:
    files = sorted(path for path in odd_videos.rglob("*") if path.is_file() and not is_playlist(str(path)))
    assert [_format_by_us(path) for path in files] == [_format_by_ffmpeg(path) for path in files]


def _format_by_ffmpeg(path: Path) -> str:
    with av.open(str(path), metadata_errors="replace") as container:
        return container.format.name if container.streams.video else "no_video_stream"


def _format_by_us(path: Path) -> str:
    try:
        with open_video(str(path)) as (container, _):
            return container.format.name
    except VideoError as error:
        return error.reason
