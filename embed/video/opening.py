"""Opens one local file with FFmpeg, and lets FFmpeg open no other file and no address.

Some of FFmpeg's formats are scripts over other files: `ffconcat version 1.0` inside a file named a.mp4 plays whatever
it names, and an HLS playlist reads any path or address. So FFmpeg gets an allow-list of formats, all of which lie in
one file, and an allow-list of protocols, which is `file`. A playlist is opened only if its name ends as one
(`is_playlist`), and its entries have to be videos of these formats on this machine.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import RawIOBase
from pathlib import PurePath
from typing import TYPE_CHECKING

from embed.errors import VideoError
from embed.machine import open_regular, require_regular

if TYPE_CHECKING:
    from av.codec.hwaccel import HWAccel
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

# FFmpeg's names of its formats. Not here: playlists (concat, hls, dash, imf), numbered pictures (image2), films in
# several files (mlv, vobsub), generated pictures (lavfi), devices, servers (rtsp, rtp, sdp, sap), subtitles, raw data
# and plain text (tty, data, rawvideo), and SVG, which may name other files.
_VIDEO_FORMATS = (
    *("apv", "asf", "asf_o", "av1", "avi", "avs", "avs2", "avs3", "bink", "cavsvideo", "cine", "dhav", "dirac"),
    *("dnxhd", "dv", "dxa", "evc", "filmstrip", "flic", "flv", "gxf", "h261", "h263", "h264", "hevc", "iff", "ifv"),
    *("ingenient", "ipmovie", "ipu", "ivf", "ivr", "jv", "kux", "live_flv", "lmlm4", "lxf", "m4v", "matroska"),
    *("mgsts", "mjpeg", "mjpeg_2000", "mods", "moflex", "mov", "mpeg", "mpegts", "mpegvideo", "mpjpeg", "mtv"),
    *("mv", "mxf", "mxg", "nsv", "nut", "nuv", "obu", "ogg", "pva", "r3d", "rm", "roq", "rpl", "ser", "siff", "smjpeg"),
    *("smk", "swf", "thp", "ty", "usm", "vc1", "vc1test", "vivo", "vvc", "webm", "wtv", "xmv", "yop"),
    "yuv4mpegpipe",
)
_PICTURE_FORMATS = (
    *("apng", "gif", "ico", "jpegxl_anim"),
    *(f"{name}_pipe" for name in ("bmp", "dds", "dpx", "exr", "gif", "hdr", "j2k", "jpeg", "jpegls", "jpegxl", "pam")),
    *(f"{name}_pipe" for name in ("pbm", "pcx", "pgm", "png", "ppm", "psd", "qoi", "sgi", "sunrast", "tiff", "webp")),
)
# So that a song is called a file without a video stream, and its cover art is no video.
_SOUND_FORMATS = (
    *("aac", "ac3", "aiff", "amr", "ape", "au", "caf", "dsf", "dts", "dtshd", "eac3", "flac", "mp3", "mpc", "mpc8"),
    *("oma", "tak", "truehd", "tta", "voc", "w64", "wav", "wv", "xwma"),
)
_PLAYLIST_FORMATS = {".ffconcat": "concat", ".m3u8": "hls", ".m3u": "hls"}
_PLAYLIST_BEGINNINGS = (b"ffconcat version", b"#EXTM3U")


def is_playlist(path: str) -> bool:
    """Return True if a file is named as a playlist, which makes FFmpeg read the other files that it names.

    >>> is_playlist("videos/a.M3U8"), is_playlist("videos/a.mp4")
    (True, False)
    """
    return _suffix_of(path) in _PLAYLIST_FORMATS


def refuse_playlist(path: str) -> None:
    """Raise VideoError (unreadable) if a file is named as a playlist."""
    if is_playlist(path):
        raise VideoError("unreadable", f"{path} is a playlist, which plays other files. {_WAYS_WITH_PLAYLISTS}")


def _require_files(path: str, seen: set[str]) -> None:
    """Check that a playlist, and those that it names, end and name only files: FFmpeg waits for all else for ever.

    Names that do not exist are left to FFmpeg.

    Raises:
        VideoError: they do not (unreadable).
    """
    seen.add(path)
    with open_regular(path) as file:
        text = os.fsdecode(file.read(_MOST_PLAYLIST_BYTES))
    lines = [line.strip() for line in re.split(r"[\r\n]+", text)]
    if any(line.startswith("#EXTINF") for line in lines) and not any("#EXT-X-ENDLIST" in line for line in lines):
        raise VideoError(
            "unreadable", f"{path} is a live playlist: it has no #EXT-X-ENDLIST. Add that line once it is complete"
        )
    for name in _names_in(lines):
        named = str(PurePath(path).parent / name.removeprefix("file:"))
        try:
            require_regular(named)
        except (FileNotFoundError, ValueError):  # also a name with a NUL
            continue
        except OSError as error:
            raise VideoError("unreadable", f"{path} names {named}: {error.strerror or error}. Remove it") from error
        if named not in seen and _begins_as_playlist(named):
            _require_files(named, seen)


def _names_in(lines: Sequence[str]) -> Iterator[str]:
    """Yield the names of other files in the lines of a playlist of either kind."""
    is_script = any(line.startswith("ffconcat") for line in lines)
    for line in lines:
        if is_script:
            words = line.split(maxsplit=1)
            if len(words) == 2 and words[0] == "file":
                yield re.sub(r"\\(.)|'([^']*)'", r"\1\2", words[1])
        elif line.startswith("#"):
            yield from re.findall('URI="([^"]+)"', line)
        elif line:
            yield line


_MOST_PLAYLIST_BYTES = 16 << 20
_WAYS_WITH_PLAYLISTS = "Embed those files; or, if you know what it names, give --playlists"


@contextmanager
def open_video(path: str, accelerator: "HWAccel | None" = None) -> Iterator[tuple["InputContainer", "VideoStream"]]:
    """Open a local file's best video stream, for decoding on the CPU or an accelerator.

    Raises:
        VideoError: not_found, unreadable or no_video_stream; also when FFmpeg fails inside the `with` block.
    """
    import av
    from av.codec.context import Flags

    container: InputContainer | None = None
    try:
        require_regular(path)
        if is_playlist(path) and _begins_as_playlist(path):
            _require_files(path, set())
        with open_container(path, accelerator) as container:
            stream = _best_video_stream(container, path)
            # Without this flag FFmpeg crops the left in steps of about 64 pixels, so some hidden pixels would stay.
            stream.codec_context.flags |= Flags.unaligned
            yield container, stream
    except FileNotFoundError as error:
        raise VideoError("not_found", f"{path} does not exist. Check the path") from error
    except (av.FFmpegError, OSError) as error:
        why = f"{path} cannot be read as a video: {error.strerror or error}. {_advice(error)}"
        refused = _refused_format(path, error) if container is None else None
        raise VideoError("unreadable", refused or why) from error


def whole_packets(container: "InputContainer", stream: "VideoStream") -> Iterator["Packet[VideoStream]"]:
    """Yield the stream's packets until its end or the first byte that cannot be parsed.

    Raises:
        OSError: the disk or the network fails; the rest may be readable at another time.
    """
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except OSError:  # some FFmpegErrors are OSErrors too, so this comes first
            raise
        except (StopIteration, av.FFmpegError):
            return
        except IndexError:  # raised by PyAV 18 at the end of a file in which a stream appears late
            return
        if packet.size:
            yield packet


def open_container(source: str | RawIOBase, accelerator: "HWAccel | None" = None) -> "InputContainer":
    """Open a video's container, of a format that lies in one file; a playlist only if its name says that it is one.

    Args:
        source: a path, or a file object.
        accelerator: what decodes instead of the CPU.

    Raises:
        av.FFmpegError: it cannot be opened, or is of another format (av.error.ArgumentError).
    """
    import av

    # A video whose frames are fine must not fail because of a title or comment in an unusual encoding.
    return av.open(
        source,
        "r",
        metadata_errors="replace",
        container_options=_allowed(source if isinstance(source, str) else ""),
        hwaccel=accelerator,
    )


def capture_options(path: str) -> str:
    """Return the same limits for OpenCV's FFmpeg, as OPENCV_FFMPEG_CAPTURE_OPTIONS takes them."""
    return "|".join(f"{name};{value}" for name, value in _allowed(path).items())


def _allowed(path: str) -> dict[str, str]:
    playlists = {_PLAYLIST_FORMATS[_suffix_of(path)]} if is_playlist(path) else ()
    formats = (*_VIDEO_FORMATS, *_PICTURE_FORMATS, *_SOUND_FORMATS, *playlists)
    return {"format_whitelist": ",".join(formats), "protocol_whitelist": "file"}


def _suffix_of(path: str) -> str:
    return PurePath(path).suffix.lower()


def _refused_format(path: str, error: Exception) -> str | None:
    """Return why a file's format is refused, if that was the error."""
    import av

    if not isinstance(error, av.FFmpegError):
        return None
    if not is_playlist(path) and _begins_as_playlist(path):
        return f"{path} is not a video but a playlist, which plays other files. Embed those files instead"
    if isinstance(error, av.error.ArgumentError):
        return f"{path} is of a format that is no video's, or names other files. Convert it, e.g. to MP4"
    return None


def _advice(error: Exception) -> str:
    import av

    if isinstance(error, PermissionError):
        return "Allow your user to read it"
    return "Check that the file plays" if isinstance(error, av.FFmpegError) else "Name a file that can be read"


def _begins_as_playlist(path: str) -> bool:
    try:
        with open_regular(path) as file:
            return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_PLAYLIST_BEGINNINGS)
    except OSError:  # the disk fails: that is the error to tell
        return False


def _best_video_stream(container: "InputContainer", path: str) -> "VideoStream":
    """Return FFmpeg's choice among the video streams; the cover art of a song does not count."""
    from av.stream import Disposition

    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise VideoError("no_video_stream", f"{path} has no video stream. Remove it from the videos to embed")
    streams = [s for s in streams if s.codec_context]  # None if FFmpeg has no decoder
    if not streams:
        raise VideoError("unreadable", f"{path} has a video codec that FFmpeg cannot decode. Convert it, e.g. to H.264")
    best = container.streams.best("video")
    return next((stream for stream in streams if stream is best), streams[0])
