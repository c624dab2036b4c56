"""Which of FFmpeg's decoders gives a stream's frames: its own choice, but for transparent WebM.

VP8 and VP9 know no transparency. WebM keeps it as a second stream beside each packet, which FFmpeg's own decoders pass
over, and libvpx does not. Source: https://wiki.webmproject.org/alpha-channel.
"""

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

_DECODERS_OF_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


def decoder_for(stream: "VideoStream", thread_count: int) -> "VideoCodecContext":
    """Return what decodes an open stream's packets on `thread_count` threads; 0 takes one a core."""
    import av

    decoder = stream.codec_context
    if has_alpha_beside(stream):
        name = _DECODERS_OF_ALPHA[stream.codec.canonical_name]
        decoder = cast("VideoCodecContext", av.CodecContext.create(name, "r"))
    decoder.thread_type, decoder.thread_count = "AUTO", thread_count
    return decoder


def has_alpha_beside(stream: "VideoStream") -> bool:
    """Tell whether a stream's transparency stands beside its packets."""
    return stream.codec.canonical_name in _DECODERS_OF_ALPHA and stream.metadata.get("alpha_mode") == "1"
