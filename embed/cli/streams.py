"""The streams of a command: there, whatever the shell closed, and with a message where they take nothing."""

import errno
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

import click

_STREAMS = ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w"))


@contextmanager
def usable_streams() -> Iterator[None]:
    """Open what a shell closed (`2>&-`) as /dev/null, and end with code 2 where stdout or stderr cannot be written.

    Without the first, the next file that is opened becomes stdout or stderr, and messages are written into it.
    """
    for number, name, mode in _STREAMS:
        if getattr(sys, name) is None:
            _take_nothing(number)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    try:
        yield
    except OSError as error:
        failing = [number for number, stream in ((1, sys.stdout), (2, sys.stderr)) if _fails(stream)]
        if error.errno == errno.EPIPE or not (failing or _came_from_printing(error)):  # a reader ended; another file
            raise
        for number in failing:  # or Python complains once more when it ends
            _take_nothing(number)
        with suppress(OSError):
            click.echo(
                f"Error: The result cannot be printed: {error.strerror}. What the command had finished is kept. Free "
                "disk space, or print to another place, and run the same command again.",
                err=True,
            )
        sys.exit(2)


def _take_nothing(number: int) -> None:
    """Let a descriptor lead to /dev/null, for this process and those that it starts."""
    nothing = os.open(os.devnull, os.O_RDWR)
    if nothing == number:
        os.set_inheritable(number, True)
        return
    os.dup2(nothing, number)
    os.close(nothing)


def _fails(stream: TextIO) -> bool:
    """Return True if a stream holds a text that it cannot write."""
    try:
        stream.flush()
    except (OSError, ValueError):
        return True
    return False


def _came_from_printing(error: OSError) -> bool:
    """Return True if click raised an error; it writes to stdout and stderr only."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals.get("__name__") == click.echo.__module__
