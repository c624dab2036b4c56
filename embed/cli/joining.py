"""`join-stores`."""

import json
from typing import TYPE_CHECKING

import click

from embed.cli.command import GOES_ON, Command, as_line, echo, option, output_options, show_next
from embed.cli.progress import counting_bar
from embed.machine import operand
from embed.run import wrapped

if TYPE_CHECKING:
    from embed.joining import JoinReport, Scaling

_SHOWN = 5


@click.command(cls=Command, guide="joining.md", when_stopped=GOES_ON)
@click.argument("stores", nargs=-1, required=True, type=click.Path())
@option("-o", "--output", metavar="NEW", required=True, help="Store to make or continue.")
@option(
    "--scale",
    "scaling",
    default="l2",
    show_default=True,
    type=click.Choice(["l2", "standardised", "none"]),
    help="Bring the parts to one size. l2: each row of a part to length 1. standardised: a part by one factor, to a "
    "root mean square of 1.",
)
@option(
    "--common",
    is_flag=True,
    setting="is_common",
    help="Leave out videos that not all stores have, or whose content differs.",
)
@output_options
def join_stores(stores: tuple[str, ...], output: str, scaling: "Scaling", common: bool, as_json: bool) -> None:
    """Put the vectors of several encoders side by side, for one head.

    STORES hold the same videos, embedded by different encoders. A row of the new store is a row of the first store with
    the nearest row in time of each other store behind it. STORES are not changed.

    \b
    join-stores clip.h5 motion.h5 -o both.h5
    join-stores clip.h5 motion.h5 -o both.h5 --scale standardised --common
    """  # noqa: D301 (click needs a real backspace)
    from embed.joining import join_stores

    with counting_bar("videos") as on_progress:
        report = join_stores(stores, output, scaling=scaling, is_common=common, on_progress=on_progress)
    echo(json.dumps(report.to_json(), indent=2) if as_json else _text(report))
    if not as_json:
        show_next(as_line(["split-videos", operand(output)]))


def _text(report: "JoinReport") -> str:
    from embed.machine import counted

    parts = zip(report.models, report.dimensions, strict=True)
    lines = [
        f"{counted(report.videos, 'video')} joined, {report.skipped:,} in the store already",
        f"{counted(report.vectors, 'vector')} of {sum(report.dimensions):,} dimensions: "
        + " + ".join(f"{dimension:,} of {model}" for model, dimension in parts),
    ]
    if report.left_out:
        more = ", ..." if len(report.left_out) > _SHOWN else ""
        lines.append(f"{counted(len(report.left_out), 'video')} left out: {', '.join(report.left_out[:_SHOWN])}{more}")
    return "\n".join(map(wrapped, lines))
