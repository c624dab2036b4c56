"""runs.csv, the file of a comparison's results: one row per training run, written as each ends, so it can be resumed.

    runs.csv   name, mixup, seed, fold (from 1), micro_f1, macro_f1, mean_average_precision, seconds, parameters,
               predicted: the labels given to the videos that the fold tests, in the order of the table. Labels are
               numbers from 0, joined by "+"; videos are separated by spaces; "-" is a video without labels

A row is written in one piece. A row that a kill cut off is dropped when the file is read, and run again.
"""

import csv
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classify.comparison.trials import Trial, TrialResult
from classify.errors import ClassifyError, TrainError
from classify.files import refuse_output_file, write_whole
from classify.picture_style import describe_picture_file

RUNS_FILE, SUMMARY_FILE, PICTURE_FILE = "runs.csv", "comparison.json", "comparison.png"
FORMAT = "framehead comparison 1"
_COLUMNS = (
    *("name", "mixup", "seed", "fold", "micro_f1", "macro_f1", "mean_average_precision", "seconds", "parameters"),
    "predicted",
)
_HEADER = ",".join(_COLUMNS) + "\n"


def refuse_comparison_folder(
    folder: str | Path, inputs: Iterable[str | Path], *, resume: bool, overwrite: bool = False
) -> None:
    """Raise ClassifyError unless a comparison can be written to a folder.

    Args:
        folder: the folder.
        inputs: files and folders that the command reads.
        resume: continue with the results in the folder, instead of refusing them.
        overwrite: replace also other files of these names, except inputs and results.

    Raises:
        TrainError: the folder holds results, and they are not to be continued.
        ClassifyError: a file is an input or somebody else's, or the folder cannot be written.
    """
    if not str(folder):
        raise ClassifyError("The folder for the results is ''. Name a folder.")
    runs = Path(folder, RUNS_FILE)
    for name, recognise in (
        *(() if resume else ((RUNS_FILE, _describe_runs_file),)),  # `read_results` refuses what cannot be continued
        (SUMMARY_FILE, _describe_summary_file),
        (PICTURE_FILE, describe_picture_file),
    ):
        kind = f"{name} of compare-heads"
        refuse_output_file(Path(folder, name), kind=kind, recognise=recognise, inputs=inputs, overwrite=overwrite)
    if not resume and runs.exists() and _describe_runs_file(runs) and has_results(runs):
        raise TrainError(
            f"{runs} holds the results of a comparison. Continue it with --resume, or name another folder."
        )


def _describe_runs_file(path: Path) -> str | None:
    with path.open("rb") as file:
        return "the results" if file.readline() == _HEADER.encode() else None


def _describe_summary_file(path: Path) -> str | None:
    found = json.loads(path.read_bytes())
    return "the comparison" if isinstance(found, dict) and found.get("format") == FORMAT else None


def start_results(path: Path) -> None:
    """Write a file without results, whole or not at all."""
    write_whole(path, _HEADER)


def has_results(path: Path) -> bool:
    """Return True if a file holds more than the header, or was not written by `start_results`."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        header, row = file.readline(), file.readline()
    return header.decode(errors="replace") != _HEADER or row.endswith(b"\n")  # a row that is cut off does not count


def append_result(path: Path, result: TrialResult) -> None:
    """Add a row, and wait until it is on disk."""
    trial = result.trial
    figures = (result.micro_f1, result.macro_f1, result.mean_average_precision, result.seconds)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(
        (trial.name, trial.mixup, trial.seed, trial.fold + 1, *figures, result.parameters, _encode(result.predicted))
    )
    with path.open("ab", buffering=0) as file:
        file.write(text.getvalue().encode(errors="surrogateescape"))
        os.fsync(file.fileno())


def read_results(path: Path, class_count: int) -> list[TrialResult]:
    """Read the results of a file, and cut off a row that a kill left unfinished.

    Args:
        path: the file.
        class_count: C.

    Raises:
        TrainError: the file cannot be read, or is not a file of results.
    """
    try:
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        lines = whole.decode().splitlines()
        if lines[:1] != [_HEADER.rstrip()]:
            raise ValueError("it has other columns")
        results = [_parse(line, class_count) for line in lines[1:]]
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise TrainError(f"{path} holds no results to continue: {error}. Name another folder.") from error
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    return results


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
