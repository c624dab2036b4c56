"""What an unfinished run has done, one line a video, so that the same command goes on where it was killed.

    predictions.csv.unfinished    beside the output, until the output is whole

Its first line says which head and which settings made it. Each further line is the JSON of a video: the probabilities
as base64 of little-endian floats, which keeps all digits in a third of the space; or why it failed. A last line that
a kill has torn is cut off. While a run writes, it holds a lock on the file.
"""

import fcntl
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, final

import numpy as np

from classify.classifier import Prediction, Probabilities
from classify.errors import ClassifyError
from classify.files import hash_text
from classify.moments import Moment
from embed.machine import remedy_for
from embed.store import Failure

_KIND = "framehead predictions 1"
_BEGINS = b'{"kind":"framehead predictions '
_SUFFIX = ".unfinished"
_LONGEST_NAME = 255  # bytes, of most disks
_NAMES = {"head": "head", "top": "--top", "thresholds": "--threshold", "moments": "--moments"}
Result = Prediction | Failure
Key = tuple[str, str]
"""Id and location: two stores may have videos of one id."""


def journal_beside(output: str | Path) -> Path:
    """Return where the journal of an output lies."""
    place = Path(os.path.realpath(output))
    is_long = len(os.fsencode(place.name)) + len(_SUFFIX) > _LONGEST_NAME
    return place.with_name(f"{hash_text(place.name)[:16] if is_long else place.name}{_SUFFIX}")


@final
class Journal:
    """The journal of an output. It is made, or continued if it exists.

    Args:
        output: the file that the run will write.
        made_by: what the results depend on: head and settings, JSON-ready.
        names: (C,) labels of the head.
        overwrite: begin anew where it belongs to another head or other settings.

    Raises:
        ClassifyError: it belongs to another head or other settings, another run writes it, or it cannot be written.
    """

    def __init__(
        self, output: str | Path, made_by: Mapping[str, Any], names: tuple[str, ...], *, overwrite: bool = False
    ) -> None:
        self.path = journal_beside(output)
        self.done: set[Key] = set()  # by earlier runs
        self._is_empty = True
        self._output, self._names = output, names
        self._place_of = {name: place for place, name in enumerate(names)}
        self._made_by = {"kind": _KIND, **made_by}
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b", buffering=0)
            self._lock()
            try:
                self._continue(overwrite)
            except BaseException:
                self._file.close()
                raise

    def append(self, result: Result) -> None:
        """Add a result. It is there for the next run as soon as this returns."""
        with self._explained():
            self._write(self._encode(result))
        self._is_empty = False

    def results(self) -> Iterator[Result]:
        """Yield all results in the order in which they came."""
        with self.path.open("rb") as file:
            next(file)
            yield from map(self._decode, file)

    def places(self) -> Iterator[tuple[Key, bool, int]]:
        """Yield of each result its key, whether it failed, and where in the file it begins."""
        with self.path.open("rb") as file:
            at = len(next(file))
            for line in file:
                told = json.loads(line)
                yield (told["id"], told["path"]), "error" in told, at
                at += len(line)

    def results_at(self, places: Iterable[int]) -> Iterator[Result]:
        """Yield the results that begin at places of the file."""
        with self.path.open("rb") as file:
            for place in places:
                file.seek(place)
                yield self._decode(file.readline())

    def remove(self) -> None:
        """Delete the file: the output is whole."""
        self.path.unlink(missing_ok=True)
        self._file.close()

    def close(self) -> None:
        """Close the file, for the next run to go on; if nothing is done, delete it."""
        if not self._file.closed and self._is_empty:
            self.path.unlink(missing_ok=True)
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise ClassifyError(
                f"Another run is writing {self._output} now. Wait until it has ended, or name another file."
            ) from None
        except OSError:  # some network disks have no locks
            return

    def _continue(self, overwrite: bool) -> None:
        """Read what an unfinished run has left, and cut off what it tore."""
        with self.path.open("rb") as file:  # which reads blocks, unlike the file that is written
            whole = sum(map(len, self._read_whole(file, overwrite)))
        self._file.truncate(whole)
        self._is_empty = not self.done
        if not whole:
            self._write(self._made_by)

    def _read_whole(self, file: Iterable[bytes], overwrite: bool) -> Iterator[bytes]:
        """Yield the lines that are whole, and learn what is done."""
        for number, line in enumerate(file):
            if number == 0 and not (line.startswith(_BEGINS) or _BEGINS.startswith(line)):
                raise ClassifyError(
                    f"{self.path} exists, and no run has written it. This run would keep what it has done there. Move "
                    "it, or name another file."
                )
            told = _read(line, needs_id=number > 0) if line.endswith(b"\n") else None
            if told is None or (number == 0 and not self._is_same(told, overwrite)):
                return
            if number:
                self.done.add((told["id"], told["path"]))
            yield line

    def _is_same(self, found: Mapping[str, Any], overwrite: bool) -> bool:
        """Return True if the first line is of this head and these settings, and False if it may be replaced."""
        if found == json.loads(json.dumps(self._made_by)):
            return True
        if overwrite:
            return False
        changed = [text for name, text in _NAMES.items() if found.get(name) != self._made_by.get(name)]
        other = "another head" if "head" in changed else f"another {' and '.join(changed) or 'version'}"
        raise ClassifyError(
            f"{self.path} is what an unfinished run with {other} has left. Run that command again to finish it, name "
            "another file, or begin anew with --overwrite."
        )

    def _write(self, told: Mapping[str, Any]) -> None:
        line = json.dumps(told, separators=(",", ":")).encode() + b"\n"
        while line:
            line = line[self._file.write(line) or 0 :]

    def _encode(self, result: Result) -> dict[str, Any]:
        if isinstance(result, Failure):
            return {"id": result.id, "path": result.location, "error": [result.reason, result.detail]}
        found = result.probabilities
        row = found.row if isinstance(found, Probabilities) else np.array([found[name] for name in self._names])
        is_short = row.dtype == np.float32
        told: dict[str, Any] = {"id": result.video_id, "path": result.location}
        told["labels"] = [self._place_of[label] for label in result.labels]
        told["p4" if is_short else "p8"] = b64encode(row.astype("<f4" if is_short else "<f8").tobytes()).decode()
        if result.how:
            told["how"] = result.how
            told["moments"] = [
                [self._place_of[own.label], own.start_s, own.end_s, own.best_s, own.score] for own in result.moments
            ]
        return told

    def _decode(self, line: bytes) -> Result:
        told = json.loads(line)
        if "error" in told:
            reason, detail = told["error"]
            return Failure(told["id"], told["path"], reason, detail)
        kind = "<f4" if "p4" in told else "<f8"
        row = np.frombuffer(b64decode(told.get("p4") or told["p8"]), dtype=kind)
        return Prediction(
            told["id"],
            tuple(self._names[place] for place in told["labels"]),
            Probabilities(self._place_of, row),
            told["path"],
            tuple(Moment(self._names[place], *times) for place, *times in told.get("moments", ())),
            told.get("how", ""),
        )

    def _explained(self) -> "_Explained":
        return _Explained(self.path)


@final
class _Explained:
    """Turns an error of the system into a message."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError):
            raise ClassifyError(
                f"{self._path} cannot be written: {error.strerror}. What is done is kept. "
                f"{remedy_for(error, 'Free disk space, make the folder writable')}, and run the same command again."
            ) from error


def _read(line: bytes, *, needs_id: bool = True) -> dict[str, Any] | None:
    """Return the object of a line; None if it is not one of a journal."""
    with suppress(ValueError, RecursionError):
        told = json.loads(line)
        if isinstance(told, dict) and (not needs_id or {"id", "path"} <= told.keys()):
            return told
    return None
