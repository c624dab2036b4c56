"""The files of a comparison. runs.csv gets one row per training run as it ends, and the same command goes on from it.

    runs.csv   name, mixup, seed, fold (from 1), micro_f1, macro_f1, mean_average_precision, seconds, parameters,
               predicted: the labels given to the videos that the fold tests, in the order of the table. Labels are
               numbers from 0, joined by "+"; videos are separated by spaces; "-" is a video without labels

A row that a kill or a full disk cut off is dropped when the comparison goes on, and run again.

    comparison.json   the settings, and the table once all runs are done; an older table stays until then
"""

import csv
import fcntl
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.comparison.trials import Trial, TrialResult
from classify.errors import ClassifyError, TrainError
from classify.files import is_unfinished, refuse_other_folder, refuse_output_file, write_whole
from classify.picture_style import describe_picture_file
from embed.machine import remedy_for

RUNS_FILE, SUMMARY_FILE, PICTURE_FILE = "runs.csv", "comparison.json", "comparison.png"
FORMAT = "framehead comparison 1"
_COLUMNS = (
    *("name", "mixup", "seed", "fold", "micro_f1", "macro_f1", "mean_average_precision", "seconds", "parameters"),
    "predicted",
)
_HEADER = ",".join(_COLUMNS) + "\n"
WORDS = "set of prompts"
"""The setting that only zero-shot has."""
_OTHERWISE = "To keep these results, name another folder; to lose them, add --overwrite."


def refuse_comparison_folder(folder: str | Path, inputs: Sequence[str | Path], *, overwrite: bool = False) -> None:
    """Raise ClassifyError unless a comparison can be written to a folder, such as one that holds other things.

    Args:
        folder: the folder. Results in it are looked at by `read_earlier`.
        inputs: files and folders that the command reads.
        overwrite: replace also other files of these names, except inputs.
    """
    if not str(folder):
        raise ClassifyError("The folder for the results is ''. Name a folder.")
    own = (RUNS_FILE, SUMMARY_FILE, PICTURE_FILE)
    refuse_other_folder(
        Path(folder),
        what="a comparison",
        is_own=lambda path: path.name in own or is_unfinished(path.name),
        inputs=inputs,
    )
    for name, recognise in (
        (RUNS_FILE, _describe_runs_file),
        (SUMMARY_FILE, _describe_summary_file),
        (PICTURE_FILE, describe_picture_file),
    ):
        kind = f"{name} of compare-heads"
        refuse_output_file(Path(folder, name), kind=kind, recognise=recognise, inputs=inputs, overwrite=overwrite)


def _describe_runs_file(path: Path) -> str | None:
    with path.open("rb") as file:
        return "the results" if file.readline() == _HEADER.encode() else None


def _describe_summary_file(path: Path) -> str | None:
    found = json.loads(path.read_bytes())
    return "the comparison" if isinstance(found, dict) and found.get("format") == FORMAT else None


def read_earlier(
    folder: Path, settings: Mapping[str, Any], class_count: int, *, overwrite: bool = False
) -> tuple[dict[str, Any], dict[Trial, TrialResult]]:
    """Return the settings and results of the comparison in a folder; both are empty if there are no results.

    Args:
        folder: the folder.
        settings: those of the new comparison.
        class_count: C.
        overwrite: results of other settings, or damaged ones, count as none.

    Raises:
        TrainError: the results were made with other settings, or cannot be read.
    """
    if not _has_results(folder / RUNS_FILE):
        return {}, {}
    try:
        before = _read_settings(folder, settings)
        return before, {result.trial: result for result in read_results(folder / RUNS_FILE, class_count)}
    except TrainError:
        if overwrite:
            return {}, {}
        raise


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keep other runs from writing results to a folder, which is made; a kill ends this, too.

    Raises:
        TrainError: another run writes results to it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network disks have no locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise TrainError(
                    f"Another run of compare-heads writes to {folder}. Wait for its end, or name another folder."
                ) from error
        yield
    finally:
        os.close(descriptor)


def start_results(folder: Path, settings: Mapping[str, Any], *, is_new: bool) -> None:
    """Write the settings, and make runs.csv ready for rows: without any if `is_new`, else with whole ones alone."""
    runs, summary = folder / RUNS_FILE, folder / SUMMARY_FILE
    before: dict[str, Any] = {}
    if is_new:
        write_whole(runs, _HEADER)  # first: rows of other settings are never beside these
    else:
        os.truncate(runs, len(_whole_rows(runs.read_bytes())))
        before = json.loads(summary.read_text(encoding="utf-8"))
    now = {**before, "format": FORMAT, "settings": settings}
    if now != before:
        write_whole(summary, json.dumps(now, indent=2) + "\n")


def append_result(path: Path, result: TrialResult) -> None:
    """Add a row, and wait until it is on disk.

    Raises:
        ClassifyError: the disk does not take it. A part of it is dropped when the comparison goes on.
    """
    trial = result.trial
    figures = (result.micro_f1, result.macro_f1, result.mean_average_precision, result.seconds)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(
        (trial.name, trial.mixup, trial.seed, trial.fold + 1, *figures, result.parameters, _encode(result.predicted))
    )
    try:
        with path.open("ab") as file:
            file.write(text.getvalue().encode(errors="surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ClassifyError(
            f"{path} cannot be written: {error.strerror}. {remedy_for(error, 'Free disk space')}, and run the same "
            "command again: it goes on from the rows that are there."
        ) from error


def _has_results(path: Path) -> bool:
    """Return True if a file holds more than the header, or was not written by `start_results`."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        header, row = file.readline(), file.readline()
    return header.decode(errors="replace") != _HEADER or row.endswith(b"\n")  # a row that is cut off does not count


def _read_settings(folder: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a folder's results, if new results would be comparable."""
    path = folder / SUMMARY_FILE
    try:
        before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["settings"]
        unshared = sorted((before.keys() ^ settings.keys()) - {WORDS})  # zero-shot may be added or left out later
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise TrainError(
            f"The comparison in {path} cannot be continued: {type(error).__name__}: {error}. {_OTHERWISE}"
        ) from error
    if unshared:
        verb = "has" if unshared[0] in before else "lacks"
        raise TrainError(
            f"The comparison in {folder} was made by another version, which {verb} the setting {unshared[0]}. "
            f"{_OTHERWISE}"
        )
    differing = sorted(name for name in settings.keys() & before.keys() if before[name] != settings[name])
    if differing:
        named = ", ".join(f"`{name}`" if name.isidentifier() else name for name in differing)
        raise TrainError(
            f"The comparison in {folder} was made with other settings ({named}), so new results would not be "
            f"comparable. Use the same labels, folds and recipe as before. {_OTHERWISE}"
        )
    return before


def read_results(path: Path, class_count: int) -> list[TrialResult]:
    """Read the results of a file, without a row that a kill left unfinished.

    Args:
        path: the file.
        class_count: C.

    Raises:
        TrainError: the file cannot be read, or is not a file of results.
    """
    try:
        lines = _whole_rows(path.read_bytes()).decode().splitlines()
        if lines[:1] != [_HEADER.rstrip()]:
            raise ValueError("it has other columns")
        return [_parse(line, class_count) for line in lines[1:]]
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise TrainError(f"{path} holds no results to continue: {error}. {_OTHERWISE}") from error


def _whole_rows(content: bytes) -> bytes:
    return content[: content.rfind(b"\n") + 1]


def _parse(line: str, class_count: int) -> TrialResult:
    # The last cell is split off first: csv refuses cells of more than 131,072 characters, which a large fold has.
    start, _, predicted = line.rpartition(",")
    row = dict(zip(_COLUMNS, [*next(csv.reader([start])), predicted], strict=True))
    return TrialResult(
        trial=Trial(row["name"], float(row["mixup"]), int(row["seed"]), int(row["fold"]) - 1),
        predicted=_decode(row["predicted"], class_count),
        micro_f1=float(row["micro_f1"]),
        macro_f1=float(row["macro_f1"]),
        mean_average_precision=float(row["mean_average_precision"]),
        seconds=float(row["seconds"]),
        parameters=int(row["parameters"]),
    )


def _encode(predicted: NDArray[np.bool_]) -> str:
    """Return labels (n, C) as text.

    >>> _encode(np.array([[True, False], [True, True], [False, False]]))
    '0 0+1 -'
    """
    return " ".join("+".join(map(str, np.flatnonzero(row).tolist())) or "-" for row in predicted)


def _decode(text: str, class_count: int) -> NDArray[np.bool_]:
    """Return labels (n, C) from text.

    >>> _decode("0 0+1 -", 2).tolist()
    [[True, False], [True, True], [False, False]]
    """
    videos = text.split()
    predicted = np.zeros((len(videos), class_count), dtype=np.bool_)
    for row, video in zip(predicted, videos, strict=True):
        if video != "-":
            row[[int(number) for number in video.split("+")]] = True
    return predicted
