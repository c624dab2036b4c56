"""Signals before, in and after the work of a command. Each test runs a process, since signals end it."""

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")

START = """
import os, signal, sys
from embed.cli.stopping import exit_code_of, stopped_before_work, stopped_by_signals
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test in the background of a shell ignores it
send = lambda: os.kill(os.getpid(), int(sys.argv[1]))
"""
BEFORE = """
with stopped_before_work():
    send()
"""
MEANWHILE = """
with stopped_before_work():
    try:
        with stopped_by_signals(), stopped_before_work(), stopped_by_signals():
            send()
    except KeyboardInterrupt as stop:
        sys.exit(exit_code_of(stop))
"""
AFTER = """
with stopped_before_work():
    with stopped_by_signals():
        pass
    send()
"""
IGNORED = """
signal.signal(int(sys.argv[1]), signal.SIG_IGN)
with stopped_before_work(), stopped_by_signals():
    send()
"""
RESTORED = """
with stopped_before_work(), stopped_by_signals():
    pass
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
"""
NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP] if sys.platform != "win32" else []


LOADED = """
from embed.cli.stopping import without_wandb
from embed.encoders.torchvision_operators import declare_missing_operators
declare_missing_operators()
with without_wandb():
    import timm.utils.summary
    assert not hasattr(timm.utils.summary, "wandb")
import wandb
"""


def run(code: str, number: int) -> tuple[int, str]:
    """Return exit code and stderr of a process that sends itself a signal."""
    found = subprocess.run(
        [sys.executable, "-c", START + code, str(int(number))], capture_output=True, text=True, check=False
    )
    return found.returncode, found.stderr


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_before_the_work_ends_the_process_and_says_so(number: int) -> None:
    assert run(BEFORE, number) == (128 + number, "\nStopped. No work had begun.\n")


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_in_the_work_of_a_step_of_another_command_is_an_exception(number: int) -> None:
    assert run(MEANWHILE, number) == (128 + number, "")


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_after_the_work_ends_the_process_without_a_word(number: int) -> None:
    assert run(AFTER, number) == (-number, "")


@pytest.mark.parametrize("number", NUMBERS)
def test_an_ignored_signal_stays_ignored(number: int) -> None:
    assert run(IGNORED, number) == (0, "")


def test_timm_loads_no_wandb_for_a_command_that_may_end_at_once() -> None:
    pytest.importorskip("wandb")
    assert run(LOADED, 0) == (0, "")


def test_after_a_command_signals_do_what_they_did_before() -> None:
    assert run(RESTORED, 0) == (0, "")
