"""Read a file that may be damaged in a separate process, because the HDF5 library can crash or hang on one."""

import math
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from embed.errors import EmbedError, StoreDamaged

_Result = TypeVar("_Result")
_LEAST_S = 60.0
_SLOWEST_BYTES_S = 4e6  # a tenth of a slow network disk's speed, so that only a hanging process is stopped

_CHILD = """
import ctypes, os, pickle, signal, sys
signal.alarm(int(sys.argv[2]))  # where the parent is killed, this process ends, although it may hang in the library
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != int(sys.argv[1]):
        sys.exit()
sys.path[:] = pickle.load(sys.stdin.buffer)
function, args = pickle.load(sys.stdin.buffer)
from embed.errors import EmbedError
try:
    answer = function(*args)
except EmbedError as error:
    answer = error
pickle.dump(answer, sys.stdout.buffer)
"""


def read_apart(function: Callable[..., _Result], path: Path, *args: object, limit_s: float | None = None) -> _Result:
    """Return `function(path, *args)`, computed in a separate process that may crash or hang without harm.

    Args:
        function: defined at the top of a module, so that another process finds it.
        path: the file or folder that it reads.
        args: its other arguments. They and the result must be picklable.
        limit_s: longest time it may take; None uses `reading_limit_s` of the path.

    Raises:
        StoreDamaged: the process crashed or took too long.
        EmbedError: raised by the function itself.
    """
    limit_s = reading_limit_s(path) if limit_s is None else limit_s
    packed = pickle.dumps(sys.path) + pickle.dumps((function, (path, *args)))
    # -P: do not import from the working folder, where a user may keep a pickle.py.
    command = [sys.executable, "-P", "-c", _CHILD, str(os.getpid()), str(math.ceil(limit_s) + 1)]
    try:
        done = subprocess.run(command, input=packed, capture_output=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        raise StoreDamaged(
            f"{path} is damaged: reading it did not end and was stopped after {limit_s:.0f} s."
        ) from None
    if done.returncode:
        raise StoreDamaged(f"{path} is damaged: reading it crashed ({_cause(done)}).")
    answer: _Result | EmbedError = pickle.loads(done.stdout)
    if isinstance(answer, EmbedError):
        raise answer
    return answer


def reading_limit_s(*paths: Path) -> float:
    """Return one minute plus the time that a very slow disk needs for these files, or all files in these folders."""
    files = [file for path in paths for file in (path.iterdir() if path.is_dir() else [path])]
    return _LEAST_S + sum(file.stat().st_size for file in files if file.is_file()) / _SLOWEST_BYTES_S


def _cause(done: subprocess.CompletedProcess[bytes]) -> str:
    if done.returncode < 0:
        return signal.Signals(-done.returncode).name
    return (done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"])[-1]
