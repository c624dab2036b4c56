"""MP4 files as trees of boxes, which tests change and write again. Source: ISO/IEC 14496-12, 4.2."""

import struct
from dataclasses import dataclass, field
from pathlib import Path

# Bytes before the boxes inside a box.
_HEAD_BYTES = dict.fromkeys((b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"sinf"), 0) | {
    b"stsd": 8,
    b"avc1": 78,
    b"encv": 78,
}


@dataclass
class Box:
    """A box: its kind, its own content, and the boxes inside."""

    kind: bytes
    content: bytes
    inside: list["Box"] = field(default_factory=list)

    def find(self, *path: bytes) -> "Box":
        """Return the first box at a path of kinds."""
        found = self
        for kind in path:
            found = next(box for box in found.inside if box.kind == kind)
        return found

    def without(self, *kinds: bytes) -> "Box":
        """Return the box without the boxes of some kinds that are directly inside."""
        return Box(self.kind, self.content, [box for box in self.inside if box.kind not in kinds])

    def to_bytes(self) -> bytes:
        """Return the box as it stands in a file."""
        body = self.content + b"".join(box.to_bytes() for box in self.inside)
        return struct.pack(">I", 8 + len(body)) + self.kind + body


def read_boxes(path: Path) -> list[Box]:
    """Return the boxes of a file."""
    return _parse(path.read_bytes())


def write_boxes(path: Path, boxes: list[Box]) -> Path:
    """Write a file of boxes."""
    path.write_bytes(b"".join(box.to_bytes() for box in boxes))
    return path


def _parse(content: bytes) -> list[Box]:
    boxes, at = [], 0
    while at < len(content):
        size, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        body, at = content[at + 8 : at + size], at + size
        head = _HEAD_BYTES.get(kind, len(body))
        boxes.append(Box(kind, body[:head], _parse(body[head:])))
    return boxes
