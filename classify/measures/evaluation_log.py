"""A log of every evaluation on a split's test videos: a file of JSON lines beside the split file.

    split.csv.evaluations.jsonl    test (sha256 of the test videos' ids), head, arch, micro_f1, when (UTC)

Training many heads and keeping the one with the best test figure chooses by the test videos: that figure is too high.
"""

import errno
import json
import os
import stat
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from classify.data import Split
from embed.machine import read_regular


def log_evaluation(path: str | Path, split: Split, *, head: Path, arch: str, micro_f1: float) -> int | None:
    """Log an evaluation on the test videos of a split, and return how many there were.

    Args:
        path: the split file.
        split: its content.
        head: the folder of the head that was tested.
        arch: its architecture.
        micro_f1: its micro-F1 on the test videos.

    Returns:
        The number of evaluations on the same test videos, including this one; None if the log cannot be written or
        read.
    """
    log = Path(f"{path}.evaluations.jsonl")
    ids = sorted(split.ids[row] for row in split.indices("test"))
    test = sha256("\n".join(ids).encode(errors="surrogateescape")).hexdigest()
    when = datetime.now(UTC).isoformat(timespec="seconds")
    look = {"test": test, "head": str(head), "arch": arch, "micro_f1": micro_f1, "when": when}
    try:
        _append(log, json.dumps(look) + "\n")
        looks = [json.loads(line) for line in read_regular(log).decode().splitlines()]
        return [found["test"] for found in looks].count(test)
    # A read-only folder, or no file; or lines that something else has edited, perhaps away.
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _append(path: Path, line: str) -> None:
    """Add a line in one write, so that the lines of simultaneous training runs never mix.

    Raises:
        OSError: the file cannot be written, or is a link, a pipe or a device.
    """
    # Without O_NONBLOCK, opening a pipe waits until somebody reads from it.
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "it is not a file", str(path))
        os.write(file, line.encode())
    finally:
        os.close(file)
