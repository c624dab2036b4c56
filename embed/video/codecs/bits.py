"""Reads the bit fields and codes of headers, as video standards define them."""

from typing import final


class NotCovered(Exception):
    """The stream uses a feature that is not read here, or its header ends too soon."""


@final
class Bits:
    r"""Reads fixed-length numbers and Exp-Golomb codes, one after another.

    Args:
        content: the header's bytes, without emulation prevention bytes.

    Source: ITU-T H.264, 9.1; the same codes are uvlc() in the AV1 bitstream specification, 4.10.3.

    >>> bits = Bits(b"\xa6")
    >>> bits.take(2), bits.take(1), bits.code()
    (2, 1, 5)
    """

    def __init__(self, content: bytes) -> None:
        self._length = 8 * len(content)
        self._value = int.from_bytes(content, "big")
        self._at = 0

    def take(self, count: int) -> int:
        """Return the next `count` bits as a number.

        Raises:
            NotCovered: fewer bits are left.
        """
        self._at += count
        if self._at > self._length:
            raise NotCovered
        return self._value >> self._length - self._at & (1 << count) - 1

    def code(self) -> int:
        """Return the next Exp-Golomb code, ue(v).

        Raises:
            NotCovered: no complete code is left.
        """
        rest = self._value & (1 << self._length - self._at) - 1
        if not rest:
            raise NotCovered
        zeros = self._length - self._at - rest.bit_length()
        self._at += zeros
        return self.take(zeros + 1) - 1

    def skip_codes(self, count: int) -> None:
        """Skip `count` Exp-Golomb codes."""
        for _ in range(count):
            self.code()
