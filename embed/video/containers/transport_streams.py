"""Whether a stream of an MPEG transport stream (.ts, .m2ts) is scrambled or encrypted.

FFmpeg decodes scrambled packets as if they were clear. Each packet says in two bits whether it is scrambled. Packets
are looked at in 64 places, evenly spaced over the file, all of them if the file is small. This takes about 2 ms.

Sources: ISO/IEC 13818-1, 2.4.3.2 (packets); "MPEG-2 Stream Encryption Format for HTTP Live Streaming" (stream types).
"""

import os
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.video.stream import VideoStream

_PLACES = 64
_PLACE_BYTES = 16 << 10
_SYNC = 0x47
_PACKET_BYTES = (188, 192, 204)  # plain; behind a time of 4 bytes (M2TS); in front of 16 bytes of error correction
_ENCRYPTED_TYPES = (0xDB, 0xDE)  # SAMPLE-AES of H.264, and of HEVC
# A scrambled stretch of 1/64 of the file holds one of the places, while a damaged byte changes one packet.
_MOST_SCRAMBLED_SHARE = 0.01
_MOST_FLIPPED = 1


def is_scrambled(file: IO[bytes], stream: "VideoStream") -> bool:
    """Return True if a transport stream states that an open stream of it is scrambled, as a whole or in part."""
    if _type_of(stream) in _ENCRYPTED_TYPES:
        return True
    scrambled = total = 0
    for heads in _heads(file):
        is_intact = heads[:, 1] & 0x80 == 0  # the receiver marks packets with errors
        is_ours = is_intact & (((heads[:, 1] & 0x1F).astype(np.int64) << 8 | heads[:, 2]) == stream.id)
        scrambled += int(np.count_nonzero(heads[is_ours, 3] & 0xC0))
        total += int(np.count_nonzero(is_ours))
    return scrambled > max(_MOST_FLIPPED, _MOST_SCRAMBLED_SHARE * total)


def _type_of(stream: "VideoStream") -> int:
    """Return the type that the program's map gives a stream, which FFmpeg keeps as its tag."""
    try:
        tag = stream.codec_context.codec_tag.encode("ascii")
    except UnicodeDecodeError as error:  # PyAV takes each tag for four letters
        tag = error.object
    return int.from_bytes(tag, "little")


def _heads(file: IO[bytes]) -> Iterator[NDArray[np.uint8]]:
    """Yield the (N, 4) first bytes of the packets at each place of a file; none where it has no packets."""
    size = os.fstat(file.fileno()).st_size
    starts = np.linspace(0, max(0, size - _PLACE_BYTES), _PLACES).astype(np.int64)
    if size <= _PLACES * _PLACE_BYTES:
        starts = np.arange(0, size, _PLACE_BYTES)
    for start in starts.tolist():
        file.seek(start)
        content = np.frombuffer(file.read(_PLACE_BYTES), dtype=np.uint8)
        for packet_bytes in _PACKET_BYTES:
            count = len(content) // packet_bytes - 1
            if count < 1:
                break
            grid = content[: count * packet_bytes].reshape(count, packet_bytes)
            offset = int(np.argmax((grid == _SYNC).sum(axis=0)))
            rows = np.arange(count) * packet_bytes + offset
            heads = content[rows[:, None] + np.arange(4)]
            is_packet = heads[:, 0] == _SYNC
            if is_packet.mean() > 0.8:
                yield heads[is_packet]
                break
