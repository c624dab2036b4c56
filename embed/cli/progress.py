"""A run's progress on a terminal, and the list of what failed."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from embed.cli.command import echo, show_notes
from embed.run import SHOWN_FAILURES, failures_text

if TYPE_CHECKING:
    from embed.machine import Progress
    from embed.store import Failure

# Fits 80 columns with thousands of videos; tqdm cuts off what does not fit.
_BAR = "{n_fmt}/{total_fmt} videos |{bar}| {elapsed}<{remaining}{postfix}"


class ProgressBar:
    """A bar on stderr: videos, time left, frames a second, failures, the slowest stage. It shows on a terminal only."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __enter__(self) -> "ProgressBar":
        if sys.stderr.isatty():  # seconds pass before there is anything to count
            click.echo("Finding the videos and loading the encoder ...", err=True)
        return self

    def show(self, progress: "Progress") -> None:
        """Draw how far the run is. Draw it also when only time has passed."""
        from tqdm import tqdm

        if progress.note:
            show_notes((progress.note,))
        if self._bar is None:
            self._bar = tqdm(total=progress.videos_total, bar_format=_BAR, disable=None, dynamic_ncols=True)
        rate = progress.frames / progress.seconds if progress.seconds else 0.0
        failed = f", {progress.failed} failed" if progress.failed else ""
        stage = progress.bottleneck
        waiting = f", slowest: {stage} {progress.shares[stage]:.0%}" if stage else ", none embedded yet"
        self._bar.set_postfix_str(f"{rate:.0f} frames/s{failed}{waiting}", refresh=False)
        if progress.videos_done > self._bar.n:
            self._bar.update(progress.videos_done - self._bar.n)
        else:
            self._bar.refresh()

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


@contextmanager
def counting_bar(things: str, *, is_large: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of (things done, things in all) that draws a bar on stderr, on a terminal only.

    Args:
        things: what is counted.
        is_large: True shows thousands and millions as k and M.
    """
    from tqdm import tqdm

    unit = things if is_large else f" {things}"
    with tqdm(unit=unit, unit_scale=is_large, disable=None, dynamic_ncols=True, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def print_failures(failures: "tuple[Failure, ...]") -> None:
    """List on stderr which videos failed, and why."""
    if failures:
        click.echo(click.style("\nFailed:", fg="red", bold=True), err=True)
        echo(failures_text(failures[:SHOWN_FAILURES]), err=True)
    if len(failures) > SHOWN_FAILURES:
        click.echo(f"  ... and {len(failures) - SHOWN_FAILURES:,} more, which --json lists", err=True)
