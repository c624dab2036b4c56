"""The marks of VP8 and VP9 packets, and of the alpha that WebM stores beside them.

Sources: RFC 6386 (VP8: 7.3, 9.1, 9.3), the VP9 bitstream specification (6.2),
https://wiki.webmproject.org/alpha-channel.
"""

from embed.video.codecs.marks import ENTRY, HIDDEN, UNPROVEN, Rule

_KEY_HEADER_BYTES = 10  # frame tag, start code, size
_ALPHA = (1).to_bytes(8, "big")  # the number of a block's addition that is alpha


def vp8_marks(data: bytes, is_key: bool) -> int:
    """Return a packet's marks."""
    is_shown = data[0] >> 4 & 1
    is_entry = is_key and not data[0] & 1 and not _keeps_segments(data)
    return (0 if is_shown else HIDDEN) | (ENTRY if is_entry else 0)


def _keeps_segments(data: bytes) -> bool:
    """Return True if a key frame divides its picture by the map of segments of an earlier frame."""
    _, _, is_segmented, has_map = _even_bools(data[_KEY_HEADER_BYTES:], 4)  # the first two: colour space, clamping
    return is_segmented and not has_map


def _even_bools(data: bytes, count: int) -> list[bool]:
    """Return the first bools of a partition that are as often true as false. Source: RFC 6386, 7.3."""
    value = int.from_bytes(data[:8].ljust(8, b"\0"), "big")
    size, at, found = 255, 56, list[bool]()
    for _ in range(count):
        split = 1 + ((size - 1) * 128 >> 8)
        is_true = value >> at >= split
        value -= split << at if is_true else 0
        size = size - split if is_true else split
        while size < 128:
            size, at = size << 1, at - 1
        found.append(is_true)
    return found


def vp9_marks(data: bytes, is_key: bool) -> int:
    """Return a packet's marks."""
    if data[0] >> 6 != 2:
        return UNPROVEN
    shift = 2 if data[0] >> 4 & 3 == 3 else 3  # profile 3 has one more reserved bit
    is_repeat, is_inter, is_shown = data[0] >> shift & 1, data[0] >> shift - 1 & 1, data[0] >> shift - 2 & 1
    is_superframe = data[-1] & 0xE0 == 0xC0
    if is_repeat:
        return 0
    return (0 if is_shown or is_superframe else HIDDEN) | (ENTRY if is_key and is_shown and not is_inter else 0)


def marks_with_alpha(marks: int, addition: bytes, rule: Rule) -> int:
    """Return a packet's marks with regard to its alpha, which is a stream with key frames of its own.

    Args:
        marks: of the packet's own bytes.
        addition: what the container adds to the packet: a number of 8 bytes, then a packet of alpha.
        rule: of the codec.
    """
    number, alpha = addition[:8], addition[8:]
    if number != _ALPHA or not alpha:
        return UNPROVEN
    beside = rule(alpha, True)
    if (marks ^ beside) & HIDDEN:
        return UNPROVEN
    return marks if beside & ENTRY else marks & ~ENTRY
