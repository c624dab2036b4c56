"""What kind of video a file is, by its first bytes. Its name says nothing: a page may be called clip.mp4."""

SNIFFED_BYTES = 512

_MP4 = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"FLV\x01", "video/x-flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
    (b"OggS", "video/ogg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"DKIF", "video/x-ivf"),
    (b"YUV4MPEG2 ", "video/x-yuv4mpeg"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01", "application/mxf"),
    (b"nut/multimedia container", "video/x-nut"),
    (b"\x1f\x07\x00", "video/x-dv"),
    (b"\xff\xd8\xff", "video/x-mjpeg"),
    (b"\x00\x00\x01\xba", "video/mpeg"),
    (b"\x00\x00\x01\xb3", "video/mpeg"),
    (b"\x00\x00\x00\x01", "video/x-h264"),  # also HEVC: parameters first, as Annex B of both writes them
    (b"\x00\x00\x01", "video/x-h264"),
)
"""Sources: ISO/IEC 14496-12, 13818-1, 14496-10 (Annex B), RFC 3533, and FFmpeg's probes of the others."""


def kind_of(head: bytes) -> str | None:
    r"""Return the media type of a file that begins with these bytes; None if it is none of the videos that are taken.

    >>> kind_of(b"\x00\x00\x00\x18ftypmp42"), kind_of(b"<!doctype html>"), kind_of(b"PK\x03\x04"), kind_of(b"#EXTM3U")
    ('video/mp4', None, None, None)
    """
    for judge in (_boxes, _matroska, _avi, _transport_stream):
        if (found := judge(head)) is not None:
            return found
    return next((kind for beginning, kind in _BEGINNINGS if head.startswith(beginning)), None)


def _boxes(head: bytes) -> str | None:
    """MP4, MOV, 3GP. A browser plays what it can of each as video/mp4."""
    return "video/mp4" if head[4:8] in _MP4 else None


def _matroska(head: bytes) -> str | None:
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return None
    return "video/webm" if b"webm" in head[:64] else "video/x-matroska"


def _avi(head: bytes) -> str | None:
    return "video/x-msvideo" if head[:4] == b"RIFF" and head[8:12] == b"AVI " else None


def _transport_stream(head: bytes) -> str | None:
    """Packets of 188 bytes that begin with 0x47, or of 192 with four bytes before it."""
    plain, stamped = (head[first::step][:2] == b"\x47\x47" for first, step in ((0, 188), (4, 192)))
    return "video/mp2t" if plain or stamped else None
