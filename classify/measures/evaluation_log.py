"""A log of every evaluation on a split's test videos: a file of JSON lines beside the split file.

    split.csv.evaluations.jsonl    test (sha256 of the test videos' ids), head, arch, micro_f1, when (UTC)

Training many heads and keeping the one with the best test figure chooses by the test videos: that figure is too high.
"""

import json
import os
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from classify.data import Split


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
        looks = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        return [found["test"] for found in looks].count(test)
    except (OSError, ValueError, LookupError, TypeError):  # a read-only folder, or lines that something else has edited
        return None


def _append(path: Path, line: str) -> None:
    """Add a line in one write, so that the lines of simultaneous training runs never mix."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)
