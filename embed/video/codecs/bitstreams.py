"""The rule of a codec: what its packets' own bytes show.

A codec without a rule here is decoded from its first packet to its last; so is a stream that contains something its
rule does not cover (UNPROVEN).
"""

from collections.abc import Callable

from embed.video.codecs.av1_marks import Av1Rule
from embed.video.codecs.h264_marks import H264Rule
from embed.video.codecs.hevc_marks import HevcRule
from embed.video.codecs.marks import Rule
from embed.video.codecs.mpeg_marks import Mpeg2Rule, Mpeg4Rule
from embed.video.codecs.still_marks import JpegRule, PngRule, prores_marks
from embed.video.codecs.vpx_marks import vp8_marks, vp9_marks


def rule_for(codec: str, extradata: bytes | None) -> Rule | None:
    """Return the function that reads the marks of one stream's packets, in decoding order; None without a proven rule.

    Args:
        codec: FFmpeg's name of the codec.
        extradata: the stream's header bytes, which show how H.264 and HEVC packets are divided into units.
    """
    make = _RULES.get(codec)
    return make(extradata or b"") if make else None


_RULES: dict[str, Callable[[bytes], Rule]] = {
    "av1": lambda _: Av1Rule().marks,
    "h264": lambda extradata: H264Rule(extradata).marks,
    "hevc": lambda extradata: HevcRule(extradata).marks,
    "mjpeg": lambda _: JpegRule().marks,
    "mpeg2video": lambda _: Mpeg2Rule().marks,
    "mpeg4": lambda extradata: Mpeg4Rule(extradata).marks,
    "png": lambda _: PngRule().marks,
    "prores": lambda _: prores_marks,
    "vp8": lambda _: vp8_marks,
    "vp9": lambda _: vp9_marks,
}
