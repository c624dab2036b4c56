"""What plain PyAV decodes of a file, damaged or not."""

from pathlib import Path

import av


def count_decoded(path: Path) -> int:
    """Return how many frames one thread decodes; packets that do not decode are passed over."""
    count = 0
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for packet in container.demux(video=0):
            try:
                count += len(packet.decode())
            except av.error.InvalidDataError:
                continue
    return count
