"""Chooses the FFmpeg decoder of a stream: FFmpeg's own choice, except for transparent WebM.

VP8 and VP9 have no transparency. WebM stores it as a second stream beside each packet, which FFmpeg's own decoders
ignore and libvpx decodes. Source: https://wiki.webmproject.org/alpha-channel.
"""

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

_DECODERS_OF_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


def decoder_for(stream: "VideoStream", thread_count: int) -> "VideoCodecContext":
    """Return the decoder of an open stream's packets, with `thread_count` threads; 0 uses one per core."""
    import av

    decoder = stream.codec_context
    if has_alpha_beside(stream):
        name = _DECODERS_OF_ALPHA[stream.codec.canonical_name]
        decoder = cast("VideoCodecContext", av.CodecContext.create(name, "r"))
    decoder.thread_type, decoder.thread_count = "AUTO", thread_count
    return decoder


def has_alpha_beside(stream: "VideoStream") -> bool:
    """Return True if a stream's transparency is stored beside its packets."""
    return stream.codec.canonical_name in _DECODERS_OF_ALPHA and stream.metadata.get("alpha_mode") == "1"
