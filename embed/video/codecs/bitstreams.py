"""What a packet's own bytes show: whether decoding can begin there, and whether other pictures refer to it.

A container marks key frames, but not whether the pictures around a key frame refer across it, nor which pictures no
other picture refers to. The first bytes of the pictures show both. A codec without a rule here is decoded from its
first packet to its last; so is a stream that contains something its rule does not cover (UNPROVEN).

Sources: ITU-T H.264 (7.3.1, 7.4.1, D.2.8), H.265 (7.3.1.2, 7.4.2.2), H.262 (6.2.3), ISO/IEC 14496-2 (6.2.5), RFC 6386
(VP8, 9.1), the VP9 bitstream specification (6.2), the AV1 bitstream specification (5.3, 5.9.2).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import final

from embed.video.codecs.av1_headers import (
    REPEATED_HEADER,
    SEQUENCE_HEADER,
    FrameSyntax,
    Unit,
    is_unreferenced,
    read_sequence_header,
    split_units,
)
from embed.video.codecs.bits import NotCovered
from embed.video.codecs.h264_headers import ParameterSets

ENTRY = 1  # decoding can begin here: later pictures refer to nothing before it, except leading pictures (see OPEN)
OPEN = 2  # together with ENTRY: pictures shown before this one may follow it, and refer to pictures before it
DISPOSABLE = 4  # no other picture refers to this one
HIDDEN = 8  # shows no picture of its own
SKIPPED = 16  # refers to pictures before an open entry, and cannot be decoded when decoding begins there
PARAMETERS = 32  # carries parameter sets, which are needed to read later pictures
LAYERED = 64  # has a higher sub-layer, whose pictures may refer to those that are DISPOSABLE below it
UNPROVEN = 128  # not covered by the rules: decode the whole stream in order
PREDICTED = 256  # refers to another picture, though its container may call it a key frame (AVI without an index does)
PYRAMIDAL = 512  # an H.264 B-picture that others may refer to
TRAILED = 1024  # only the picture that it shows is DISPOSABLE: pictures that are not shown precede that one

Rule = Callable[[bytes, bool], int]
"""A packet's bytes, and True if its container marks it as a key frame -> the packet's marks."""

_START_CODE = b"\0\0\1"


def rule_for(codec: str, extradata: bytes | None) -> Rule | None:
    """Return the function that reads the marks of a codec's packets; None if no rule is proven for the codec.

    Args:
        codec: FFmpeg's name of the codec.
        extradata: the stream's header bytes, which show how H.264 and HEVC packets are divided into units.
    """
    if codec in ("h264", "hevc"):
        split = _unit_splitter(codec, extradata or b"")
        marks = _H264Rule(h264_parameter_units(extradata or b"")).marks if codec == "h264" else _hevc_marks
        return lambda data, is_key: marks(list(split(data)), is_key)
    return _Av1Rule().marks if codec == "av1" else _RULES.get(codec)


def _unit_splitter(codec: str, extradata: bytes) -> Callable[[bytes], Iterator[bytes]]:
    """Return the function that divides an H.264 or HEVC packet into the heads of its units.

    Units are separated by start codes or by length fields.
    """
    if extradata[:1] != b"\1":
        return _units_after_start_codes
    length_at = {"h264": 4, "hevc": 21}[codec]
    length_bytes = (extradata[length_at] & 3) + 1 if len(extradata) > length_at else 4
    return lambda data: _units_after_lengths(data, length_bytes)


def heads_for(codec: str, extradata: bytes) -> Callable[[bytes], tuple[bytes, ...]] | None:
    """Return the function that reads the heads of a packet's slices and parameter sets; None if not H.264."""
    if codec != "h264":
        return None
    split = _unit_splitter(codec, extradata)
    return lambda data: tuple(unit for unit in split(data) if unit and unit[0] & 31 in _SLICES_AND_PARAMETERS)


def join_h264_units(units: Iterable[bytes], extradata: bytes) -> bytes:
    """Return units joined into a packet, in the format of the stream with this header."""
    if extradata[:1] != b"\1":
        return b"".join(_START_CODE + unit for unit in units)
    length_bytes = (extradata[4] & 3) + 1
    return b"".join(len(unit).to_bytes(length_bytes, "big") + unit for unit in units)


_SLICES_AND_PARAMETERS = frozenset({1, 2, 3, 4, 5, 7, 8})


def h264_parameter_units(extradata: bytes) -> list[bytes]:
    """Return the sequence and picture parameter sets in a stream's header. Source: ISO/IEC 14496-15, 5.3.3.1 (avcC)."""
    if extradata[:1] != b"\1":
        return list(_units_after_start_codes(extradata))
    units, at = [], 5
    for count_mask in (31, 255):
        count = extradata[at] & count_mask if at < len(extradata) else 0
        at += 1
        for _ in range(count):
            begin = at + 2
            at = begin + int.from_bytes(extradata[at:begin], "big")
            units.append(extradata[begin:at])
    return units


_UNIT_HEAD_BYTES = 64


def _units_after_lengths(data: bytes, length_bytes: int) -> Iterator[bytes]:
    """Yield the head of each unit."""
    at = 0
    while at + length_bytes < len(data):
        begin = at + length_bytes
        at = begin + int.from_bytes(data[at:begin], "big")
        yield data[begin : min(at, begin + _UNIT_HEAD_BYTES)]


def _units_after_start_codes(data: bytes) -> Iterator[bytes]:
    """Yield the head of each unit."""
    at = data.find(_START_CODE)
    while at >= 0:
        begin = at + 3
        at = data.find(_START_CODE, begin)
        end = at if at >= 0 else len(data)
        yield data[begin : min(end, begin + _UNIT_HEAD_BYTES)]


@final
class _H264Rule:
    """Marks the packets of one H.264 stream, and remembers its parameter sets.

    Args:
        parameter_units: the parameter sets in the stream's header.
    """

    def __init__(self, parameter_units: Iterable[bytes]) -> None:
        self._known = ParameterSets()
        self._may_have_fields = False
        self._learn(parameter_units)

    def marks(self, units: list[bytes], is_key: bool) -> int:
        """Return a packet's marks."""
        self._learn(units)
        return UNPROVEN if self._may_have_fields and not self._is_whole(units) else _h264_marks(units, is_key)

    def _learn(self, units: Iterable[bytes]) -> None:
        for unit in units:
            try:
                self._known.learn(unit)
            except NotCovered:
                self._may_have_fields = True
        self._may_have_fields |= self._known.may_have_fields

    def _is_whole(self, units: list[bytes]) -> bool:
        """Return True if a packet holds a frame or both of its fields: from one field, decoders invent the other."""
        try:
            fields = {self._known.field_of(unit) for unit in units if unit and 1 <= unit[0] & 31 <= 5}
        except (NotCovered, KeyError):
            return False
        return fields in ({None}, {0, 1})


def _h264_marks(units: list[bytes], is_key: bool) -> int:
    kinds = {unit[0] & 31 for unit in units if unit}
    pictures = [unit for unit in units if len(unit) > 1 and 1 <= unit[0] & 31 <= 5]
    parameters = PARAMETERS if kinds & {7, 8} else 0
    if not pictures or len(kinds & {7, 8}) == 1:
        return UNPROVEN
    if 5 in kinds:
        return ENTRY | parameters
    if is_key and _is_recovery_point(units) and all(_is_intra_slice(unit) for unit in pictures):
        return ENTRY | OPEN | parameters
    marks = parameters
    if is_key and not all(_is_intra_slice(unit) for unit in pictures):
        marks |= PREDICTED
    if not any(unit[0] >> 5 & 3 for unit in pictures):
        return marks | DISPOSABLE
    return marks | (PYRAMIDAL if all(_slice_kind(unit) in _B_SLICES for unit in pictures) else 0)


def _is_recovery_point(units: list[bytes]) -> bool:
    """Return True if every picture from this one on is exact when decoding begins here.

    Messages in a unit of supplemental information (type 6) consist of type, size and payload. Message type 6 is the
    recovery point. Its payload begins with the number of pictures until recovery, where a single 1 bit is the code for
    0; then comes a bit that is 1 if the pictures from there on are exact rather than approximately correct.
    """
    for escaped in units:
        if not escaped or escaped[0] & 31 != 6:
            continue
        unit = escaped.replace(b"\0\0\3", b"\0\0")
        at = 1
        while at + 2 < len(unit) and unit[at] != 0x80:
            kind, size = unit[at], unit[at + 1]
            if 0xFF in (kind, size):
                break
            if kind == 6:
                return unit[at + 2] & 0xC0 == 0xC0
            at += 2 + size
    return False


_B_SLICES, _I_SLICES = (1, 6), (2, 7)


def _is_intra_slice(unit: bytes) -> bool:
    return _slice_kind(unit) in _I_SLICES


def _slice_kind(unit: bytes) -> int:
    """Read first_mb_in_slice and slice_type, two Exp-Golomb codes after the unit's header byte."""
    bits = int.from_bytes(unit[1:9].ljust(8, b"\0"), "big")
    _, at = _exp_golomb(bits, 0)
    return _exp_golomb(bits, at)[0]


def _exp_golomb(bits: int, at: int) -> tuple[int, int]:
    """Return the unsigned code that begins at bit `at` of a 64-bit number, and the bit where it ends."""
    zeros = 64 - at - (bits & (1 << 64 - at) - 1).bit_length()
    end = at + 2 * zeros + 1
    return ((bits >> max(0, 64 - end)) & (1 << zeros + 1) - 1) - 1, end


def _hevc_marks(units: list[bytes], is_key: bool) -> int:  # noqa: ARG001
    whole = [(unit[0] >> 1 & 63, unit[1] & 7) for unit in units if len(unit) > 2]
    kinds = {kind for kind, _ in whole}
    pictures = {kind for kind in kinds if kind < 32}
    if len(pictures) != 1 or kinds & {36, 37} or len(kinds & {32, 33, 34}) in (1, 2):
        return UNPROVEN
    (kind,) = pictures
    marks = PARAMETERS if kinds & {32, 33, 34} else 0
    if any(kind < 32 and layer > 1 for kind, layer in whole):
        marks |= LAYERED
    if kind in (19, 20, 21):
        return marks | ENTRY | (OPEN if kind == 21 else 0)
    if kind > 9:
        return UNPROVEN
    return marks | (SKIPPED if kind in (8, 9) else 0) | (DISPOSABLE if kind in (0, 2, 4, 6, 8) else 0)


def _mpeg2_marks(data: bytes, is_key: bool) -> int:
    at = data.find(b"\0\0\1\0")
    if at < 0 or at + 5 >= len(data):
        return UNPROVEN
    kind = data[at + 5] >> 3 & 7
    has_sequence_header = data.find(b"\0\0\1\xb3", 0, at) >= 0
    if kind == 1:
        return ENTRY | OPEN if is_key and has_sequence_header else 0
    return {2: PREDICTED, 3: PREDICTED | DISPOSABLE}.get(kind, UNPROVEN)


_EMPTY_PICTURE_BYTES = 19  # the longest MPEG-4 picture without content, by FFmpeg's mpeg4_unpack_bframes


def _mpeg4_marks(data: bytes, is_key: bool) -> int:
    at = data.find(b"\0\0\1\xb6")
    if at < 0 and len(data) == 1:
        return HIDDEN  # a placeholder for a picture that Xvid had not finished yet
    if at < 0 or len(data) - at <= _EMPTY_PICTURE_BYTES or data.find(b"\0\0\1\xb6", at + 4) >= 0:
        return UNPROVEN  # a repeat of the previous picture, or two pictures packed in one packet, as by DivX
    kind, parameters = data[at + 4] >> 6, PARAMETERS if _has_mpeg4_layer(data[:at]) else 0
    if kind == 0:
        return parameters | (ENTRY | OPEN if is_key else 0)
    return parameters | PREDICTED | (DISPOSABLE if kind == 2 else 0)


def _has_mpeg4_layer(head: bytes) -> bool:
    """Return True if a video object layer's header (start codes 0x20 to 0x2F) is among the bytes before a picture."""
    return any(0x20 <= part[0] <= 0x2F for part in head.split(_START_CODE)[1:] if part)


def _vp8_marks(data: bytes, is_key: bool) -> int:
    is_shown = data[0] >> 4 & 1
    return (0 if is_shown else HIDDEN) | (ENTRY if is_key and not data[0] & 1 else 0)


def _vp9_marks(data: bytes, is_key: bool) -> int:
    if data[0] >> 6 != 2:
        return UNPROVEN
    shift = 2 if data[0] >> 4 & 3 == 3 else 3  # profile 3 has one more reserved bit
    is_repeat, is_inter, is_shown = data[0] >> shift & 1, data[0] >> shift - 1 & 1, data[0] >> shift - 2 & 1
    is_superframe = data[-1] & 0xE0 == 0xC0
    if is_repeat:
        return 0
    return (0 if is_shown or is_superframe else HIDDEN) | (ENTRY if is_key and is_shown and not is_inter else 0)


@final
class _Av1Rule:
    """Marks the packets (temporal units) of one AV1 stream, and remembers its sequence header."""

    def __init__(self) -> None:
        self._header: bytes | None = None
        self._syntax: FrameSyntax | None = None

    def marks(self, data: bytes, is_key: bool) -> int:
        """Return a packet's marks. It is an entry if a sequence header precedes a shown key frame."""
        units = list(split_units(data))
        frames = [unit for unit in units if unit.begins_frame]
        if not frames:
            return UNPROVEN
        before = takewhile(lambda unit: not unit.begins_frame, units)
        header = next((unit.content for unit in before if unit.kind == SEQUENCE_HEADER), None)
        if header is not None:
            self._learn(header)
            if is_key and frames[0].is_shown_key:
                return ENTRY
        is_plain = not any(unit.is_layered or unit.kind == REPEATED_HEADER for unit in units)
        return self._marks_of(frames) if is_plain else 0

    def _marks_of(self, frames: Sequence[Unit]) -> int:
        if not self._is_unreferenced(frames[-1].content) or any(frame.shows for frame in frames[:-1]):
            return 0
        return TRAILED if len(frames) > 1 else DISPOSABLE

    def _learn(self, header: bytes) -> None:
        """Read the stream's sequence header. After a different one, no frame is marked as disposable any more."""
        if header == self._header:
            return
        is_first, self._header, self._syntax = self._header is None, header, None
        if is_first:
            with suppress(NotCovered):
                self._syntax = read_sequence_header(header)

    def _is_unreferenced(self, frame: bytes) -> bool:
        try:
            return self._syntax is not None and is_unreferenced(frame, self._syntax)
        except NotCovered:
            return False


def _jpeg_marks(data: bytes, is_key: bool) -> int:  # noqa: ARG001
    """Return an entry's marks for a picture with tables of its own; any other may use tables of an earlier picture."""
    return ENTRY | DISPOSABLE if b"\xff\xc4" in data and b"\xff\xdb" in data else UNPROVEN


def _intra_marks(data: bytes, is_key: bool) -> int:  # noqa: ARG001
    return ENTRY | DISPOSABLE


_RULES: dict[str, Rule] = {
    "mjpeg": _jpeg_marks,
    "mpeg2video": _mpeg2_marks,
    "mpeg4": _mpeg4_marks,
    "png": _intra_marks,
    "prores": _intra_marks,
    "vp8": _vp8_marks,
    "vp9": _vp9_marks,
}
