"""Files that are written whole or not at all, and hashes that tell whether they were edited since."""

import os
from hashlib import sha256
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Write bytes, or text as UTF-8, to a temporary file, then rename it to `path`; missing folders are created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def hash_text(text: str) -> str:
    """Return the sha256 of a text, as hex digits."""
    return sha256(text.encode(errors="surrogateescape")).hexdigest()
