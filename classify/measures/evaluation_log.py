"""How often the test videos of a split were looked at: one JSON object a look, beside the split file.

    split.csv.evaluations.jsonl    test (which videos, as a sha256), head, arch, micro_f1, when (UTC)

Whoever trains many heads and keeps the one that tests best has chosen by the test videos, and its figure flatters.
"""

import json
import os
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from classify.data import Split


def log_evaluation(path: str | Path, split: Split, *, head: Path, arch: str, micro_f1: float) -> int | None:
    """Note a look at the test videos of a split.

    Args:
        path: the split file.
        split: its content.
        head: the folder of the head that was tested.
        arch: its architecture.
        micro_f1: what it reached.

    Returns:
        How often the same test videos were looked at, this time included; None where that cannot be noted or read.
    """
    log = Path(f"{path}.evaluations.jsonl")
    ids = sorted(split.ids[row] for row in split.indices("test"))
    test = sha256("\n".join(ids).encode()).hexdigest()
    when = datetime.now(UTC).isoformat(timespec="seconds")
    look = {"test": test, "head": str(head), "arch": arch, "micro_f1": micro_f1, "when": when}
    try:
        _append(log, json.dumps(look) + "\n")
        looks = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        return [found["test"] for found in looks].count(test)
    except (OSError, ValueError, LookupError, TypeError):  # a read-only folder, or lines that something else has edited
        return None


def _append(path: Path, line: str) -> None:
    """Add a line in one write, so that those of trainings at the same time never mix."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)
