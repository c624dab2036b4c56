"""What Ctrl-C, SIGTERM and SIGHUP do to a command, before its work begins, meanwhile, and after it.

Before, the process says so and ends. Meanwhile, an exception ends what is begun: temporary files go, and what is
finished stays. After it, the process ends as the system does it, without a word, since the work is done.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_UNTOUCHED = (signal.SIG_DFL, signal.default_int_handler)


class StoppedBySignal(KeyboardInterrupt):
    """A signal came that ends the command: Ctrl-C, SIGTERM or SIGHUP.

    Args:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def exit_code_of(stop: KeyboardInterrupt) -> int:
    """Return the exit code of a command that was stopped: 130 by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP."""
    return 128 + (stop.number if isinstance(stop, StoppedBySignal) else signal.SIGINT)


@contextmanager
def stopped_before_work() -> Iterator[None]:
    """End the process on a signal in the block, which reads a command. Ignored signals, as below nohup, stay so."""
    before = _handlers(*_UNTOUCHED)
    for number in before:
        signal.signal(number, _end_before_work)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Raise StoppedBySignal on a signal in the block. A block within this one changes nothing.

    After a block within `stopped_before_work`, signals end the process as the system does it.
    """

    def stop(number: int, _: object) -> None:
        raise StoppedBySignal(number)

    before = _handlers(*_UNTOUCHED, _end_before_work)
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is _end_before_work else handler)


@contextmanager
def without_wandb() -> Iterator[None]:
    """Let packages that are loaded in the block find no Weights & Biases, unless it is loaded already.

    timm loads it where it is installed, and it makes two temporary folders, which a process that ends at once leaves.
    """
    if "wandb" in sys.modules:
        yield
        return
    sys.modules["wandb"] = None  # type: ignore[assignment] # an import of it is an ImportError
    try:
        yield
    finally:
        del sys.modules["wandb"]


def _handlers(*kinds: Any) -> dict[signal.Signals, Any]:
    """Return the handlers that are one of these, by their signals; none where they cannot be set, outside main."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    return {number: handler for number, handler in handlers.items() if handler in kinds}


def _end_before_work(number: int, _: object) -> None:
    os.write(2, b"\nStopped. No work had begun.\n")  # print could be in the middle of a line, and fail
    os._exit(128 + number)
