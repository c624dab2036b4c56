"""`inspect-embeddings`."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embed.cli.command import Command, as_line, echo, option, output_options, show_command
from embed.machine import operand, shown
from embed.run import SHOWN_FAILURES, listed_text, report_text, wrapped

if TYPE_CHECKING:
    from embed.store import RepairReport


@click.command(
    cls=Command,
    guide="store.md",
    when_stopped="The stores are unchanged. A new store appears whole or not at all.",
)
@click.argument("stores", nargs=-1, required=True, type=click.Path())
@option("--verify", is_flag=True, help="Read every vector and check it. Exit with 1 if something is wrong.")
@option("--merge", metavar="NEW", type=click.Path(), help="Write a new store with the content of all STORES.")
@option("--repair", metavar="NEW", type=click.Path(), help="Write a new store with what can be saved of a damaged one.")
@option("--list", "listing", is_flag=True, help="List the videos: id, folder (the label, if no file has labels), path.")
@output_options
def inspect_embeddings(
    stores: tuple[str, ...], verify: bool, merge: str | None, repair: str | None, listing: bool, as_json: bool
) -> None:
    """Show what is in a store: videos, vectors, what made them, and which videos failed and why.

    STORES is one store: a file, or a folder of shards. With --merge it is several stores, or shards of one. With
    --merge and --repair, the new store is shown. The command exits with 1 if a video could not be saved.

    \b
    inspect-embeddings embeddings.h5 --verify
    inspect-embeddings embeddings.h5 --list
    inspect-embeddings machine1.h5 machine2.h5 --merge all.h5
    inspect-embeddings damaged.h5 --repair saved.h5
    """  # noqa: D301 (click needs a real backspace)
    if merge and repair:
        raise click.UsageError("--merge and --repair are two steps. Repair first, then merge the repaired stores.")
    if len(stores) > 1 and not merge:
        raise click.UsageError(f"You named {len(stores)} stores. Name one, or join them with --merge NEW.")
    import embed
    from embed.store import list_embeddings, merge_embeddings, repair_embeddings

    if merge:
        merge_embeddings(stores, merge)
    repaired = repair_embeddings(stores[0], repair) if repair else None
    report = embed.inspect_embeddings(merge or repair or stores[0], is_verifying=verify)
    listed = list_embeddings(merge or repair or stores[0]) if listing else ()
    described = report.to_json() | ({"repair": repaired.to_json()} if repaired else {})
    described |= {"listed": [asdict(video) for video in listed]} if listing else {}
    if as_json:
        echo(json.dumps(described, indent=2))
    elif listing:
        click.echo("\n".join(map(listed_text, listed)))  # its cells are safe already, and tabs stay between them
    else:
        echo(report_text(report))
    if report.problems and not repaired:
        store = merge or stores[0]
        repairing = as_line(["inspect-embeddings", operand(store), "--repair", operand(_beside(store))])
        show_command("To save the undamaged videos:", repairing)
    if repaired:
        _print_losses(repaired)
    sys.exit(1 if report.problems or (repaired and (repaired.lost or repaired.problems)) else 0)


def _beside(store: str) -> str:
    """Return a new name beside a store: `all.h5` -> `all-repaired.h5`."""
    path = Path(store)
    return str(path.with_name(f"{path.stem}-repaired{path.suffix}"))


def _print_losses(repaired: "RepairReport") -> None:
    """List on stderr what could not be saved."""
    for problem in repaired.problems:
        echo(wrapped(f"damaged  {problem}", indent=2), err=True)
    for video_id in repaired.lost[:SHOWN_FAILURES]:
        echo(f"  lost  {shown(video_id)}", err=True)
    if len(repaired.lost) > SHOWN_FAILURES:
        click.echo(f"  ... and {len(repaired.lost) - SHOWN_FAILURES:,} more, which --json lists", err=True)
