"""Reads a header bit by bit, as video standards write them."""

from typing import final


class NotCovered(Exception):
    """The stream uses what is not read here, or its header ends too soon."""


@final
class Bits:
    r"""Fixed-length numbers and Exp-Golomb codes, one after another.

    Args:
        content: of the header, without emulation prevention bytes.

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
        """Return the next so many bits as a number.

        Raises:
            NotCovered: there are fewer.
        """
        self._at += count
        if self._at > self._length:
            raise NotCovered
        return self._value >> self._length - self._at & (1 << count) - 1

    def code(self) -> int:
        """Return the next Exp-Golomb code, ue(v).

        Raises:
            NotCovered: there is no whole one.
        """
        rest = self._value & (1 << self._length - self._at) - 1
        if not rest:
            raise NotCovered
        zeros = self._length - self._at - rest.bit_length()
        self._at += zeros
        return self.take(zeros + 1) - 1

    def skip_codes(self, count: int) -> None:
        """Pass over so many Exp-Golomb codes."""
        for _ in range(count):
            self.code()
