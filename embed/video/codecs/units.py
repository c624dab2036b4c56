"""Divides H.264 and HEVC packets into units, and reads what of them outlives its picture.

Sources: ITU-T H.264 (7.3.1, 7.3.2.3, 7.4.1, annex D), H.265 (7.3.1, 7.3.2, annex D), ISO/IEC 14496-15 (5.3.3.1,
8.3.3.1).
"""

import re
from collections.abc import Callable, Container, Hashable, Iterable, Iterator

from embed.video.codecs.bits import Bits, NotCovered
from embed.video.codecs.h264_headers import stated_colours

_START_CODE = b"\0\0\1"
_PARAMETERS = {"h264": frozenset({7, 8}), "hevc": frozenset({32, 33, 34})}
_SLICES_AND_PARAMETERS = frozenset({1, 2, 3, 4, 5, 7, 8})
_SLICES = {
    "h264": frozenset(head for head in range(256) if 1 <= head & 31 <= 5),
    "hevc": frozenset(head for head in range(256) if head >> 1 & 63 < 32),
}
"""The first bytes of units that are parts of a picture."""
_HEAD_BYTES = 64  # of a slice: more than the fields need that are read here


def unit_splitter(codec: str, extradata: bytes) -> Callable[[bytes], list[bytes]]:
    """Return the function that divides an H.264 or HEVC packet into units, of slices only the heads.

    Units are separated by start codes or by length fields.
    """
    slices = _SLICES[codec]
    if extradata[:1] != b"\1":
        return lambda data: _units_after_start_codes(data, slices)
    length_at = {"h264": 4, "hevc": 21}[codec]
    length_bytes = (extradata[length_at] & 3) + 1 if len(extradata) > length_at else 4
    return lambda data: _units_after_lengths(data, length_bytes, slices)


def heads_for(codec: str, extradata: bytes) -> Callable[[bytes], tuple[bytes, ...]] | None:
    """Return the function that reads the heads of a packet's slices, and its parameter sets; None if not H.264."""
    if codec != "h264":
        return None
    split = unit_splitter(codec, extradata)
    return lambda data: tuple(unit for unit in split(data) if unit and unit[0] & 31 in _SLICES_AND_PARAMETERS)


def join_h264_units(units: Iterable[bytes], extradata: bytes) -> bytes:
    """Return units joined into a packet, in the format of the stream with this header."""
    if extradata[:1] != b"\1":
        return b"".join(_START_CODE + unit for unit in units)
    length_bytes = (extradata[4] & 3) + 1
    return b"".join(len(unit).to_bytes(length_bytes, "big") + unit for unit in units)


def parameter_units(codec: str, extradata: bytes) -> list[bytes]:
    """Return the parameter sets in a stream's header."""
    if extradata[:1] != b"\1":
        return unit_splitter(codec, b"")(extradata)
    return _h264_listed(extradata) if codec == "h264" else _hevc_listed(extradata)


def _h264_listed(extradata: bytes) -> list[bytes]:
    """Return the units of an avcC box."""
    units, at = list[bytes](), 5
    for count_mask in (31, 255):
        count = extradata[at] & count_mask if at < len(extradata) else 0
        at = _take_units(extradata, at + 1, count, units)
    return units


def _hevc_listed(extradata: bytes) -> list[bytes]:
    """Return the units of an hvcC box."""
    units, at = list[bytes](), 23
    for _ in range(extradata[22] if len(extradata) > 22 else 0):
        at = _take_units(extradata, at + 3, int.from_bytes(extradata[at + 1 : at + 3], "big"), units)
    return units


def _take_units(extradata: bytes, at: int, count: int, units: list[bytes]) -> int:
    """Append `count` units, each after its length, and return where they end."""
    for _ in range(count):
        if at >= len(extradata):
            break
        begin = at + 2
        at = begin + int.from_bytes(extradata[at:begin], "big")
        units.append(extradata[begin:at])
    return at


def _units_after_lengths(data: bytes, length_bytes: int, slices: Container[int]) -> list[bytes]:
    units, at = list[bytes](), 0
    while at + length_bytes < len(data):
        begin = at + length_bytes
        at = begin + int.from_bytes(data[at:begin], "big")
        units.append(data[begin : min(at, begin + _HEAD_BYTES) if data[begin] in slices else at])
    return units


def _units_after_start_codes(data: bytes, slices: Container[int]) -> list[bytes]:
    units, at = list[bytes](), data.find(_START_CODE)
    while at >= 0:
        begin = at + 3
        at = data.find(_START_CODE, begin)
        end = at if at >= 0 else len(data)
        units.append(data[begin : min(end, begin + _HEAD_BYTES) if begin < end and data[begin] in slices else end])
    return units


def lasting_elements(codec: str, units: Iterable[bytes]) -> dict[Hashable, bytes]:
    """Return the parameter sets among units, by number, and the messages that FFmpeg heeds beyond their picture."""
    found: dict[Hashable, bytes] = {}
    slices, message_kind = _SLICES[codec], 6 if codec == "h264" else 39
    for unit in units:
        if len(unit) < 3 or unit[0] in slices:
            continue
        kind = unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63
        if kind in _PARAMETERS[codec]:
            found[codec, kind, _number_of(codec, kind, unit)] = unit.rstrip(b"\0")
            if (codec, kind) == ("h264", 7):
                found |= _colours(unit)
        elif kind == message_kind:
            found |= _lasting_messages(unit[1 if codec == "h264" else 2 :])
    return found


def _colours(unit: bytes) -> dict[Hashable, bytes]:
    try:
        return {name: str(value).encode() for name, value in stated_colours(unit).items()}
    except NotCovered:
        return {"colours": unit}


def _number_of(codec: str, kind: int, unit: bytes) -> Hashable:
    """Return the number of a parameter set and its layer; as many as there are contents where it cannot be read."""
    start = 1 if codec == "h264" else 2
    layer = 0 if codec == "h264" else (unit[0] & 1) << 5 | unit[1] >> 3
    bits = Bits(unit[start : start + _HEAD_BYTES].replace(b"\0\0\3", b"\0\0"))
    try:
        if kind == 7:
            bits.take(24)
        elif kind == 32:
            return layer, bits.take(4)
        elif kind == 33 and layer:
            return layer, None
        elif kind == 33:
            _skip_profile(bits)
        return layer, bits.code()
    except NotCovered:
        return layer, unit


def _skip_profile(bits: Bits) -> None:
    """Skip what precedes the number of an HEVC sequence parameter set. Source: H.265, 7.3.2.2.1 and 7.3.3."""
    bits.take(4)
    sub_layers = bits.take(3)
    bits.take(1 + 96)
    present = [(bits.take(1), bits.take(1)) for _ in range(8 if sub_layers else 0)]
    for has_profile, has_level in present[:sub_layers]:
        bits.take(88 * has_profile + 8 * has_level)


# Film grain, orientation, another transfer: FFmpeg (libavcodec/h2645_sei.c) keeps them, and they change pixels.
_LASTING_MESSAGES = frozenset({19, 47, 147})
_TEXT = 5
_X264 = re.compile(rb"x264 - core \d+")


def _lasting_messages(payload: bytes) -> dict[Hashable, bytes]:
    found: dict[Hashable, bytes] = {}
    for kind, content in messages(payload):
        if kind in _LASTING_MESSAGES:
            found["message", kind] = content
        elif kind == _TEXT and (version := _X264.search(content)):
            found["message", kind] = version.group()
    return found


def messages(payload: bytes) -> Iterator[tuple[int, bytes]]:
    r"""Yield type and content of the messages in a unit of supplemental information.

    Source: ITU-T H.264, 7.3.2.3.1: type and size are sums of bytes, of which all but the last are 255.

    >>> list(messages(bytes.fromhex("0603aabbcc 80")))
    [(6, b'\xaa\xbb\xcc')]
    """
    content, at = payload.replace(b"\0\0\3", b"\0\0"), 0
    while at + 2 < len(content):
        numbers = [0, 0]
        for place in range(2):
            while at < len(content) and content[at] == 255:
                numbers[place] += 255
                at += 1
            numbers[place] += content[at] if at < len(content) else 0
            at += 1
        kind, size = numbers
        yield kind, content[at : at + size]
        at += size
