"""`find-duplicates`."""

import json
from typing import TYPE_CHECKING

import click

from embed.cli.command import Command, FiniteRange, echo, option, output_options, show_notes
from embed.run import wrapped

if TYPE_CHECKING:
    from embed.search import Duplicates

_SHOWN = 20


@click.command(cls=Command, guide="duplicates.md")
@click.argument("store", type=click.Path())
@option("-o", "--output", metavar="FILE", type=click.Path(), help="Write all groups as CSV.")
@option(
    "--similarity",
    metavar="COSINE",
    type=FiniteRange(0, 1, min_open=True),
    default=0.93,
    show_default=True,
    help="Near copies are at least so alike in each eighth of their time.",
)
@option(
    "--agreement",
    metavar="CORRELATION",
    type=FiniteRange(0, 1, min_open=True),
    default=0.55,
    show_default=True,
    help="Copies whose beginning or end is cut off change at least so much alike.",
)
@option("--overwrite", is_flag=True, help="Replace FILE although find-duplicates did not write it.")
@output_options
def find_duplicates(
    store: str, output: str | None, similarity: float, agreement: float, overwrite: bool, as_json: bool
) -> None:
    """Find videos that a store has more than once: the same file, the same footage, or a part of it.

    A group begins with its longest video. No video is opened, and nothing is deleted.

    \b
    find-duplicates embeddings.h5
    find-duplicates embeddings.h5 -o copies.csv
    """  # noqa: D301 (click needs a real backspace)
    from embed.search import find_duplicates, refuse_duplicates_file, write_duplicates

    if output is not None:
        refuse_duplicates_file(output, store=store, overwrite=overwrite)
    found = find_duplicates(store, similarity=similarity, agreement=agreement)
    replaced = None if output is None else write_duplicates(found, output, store=store, overwrite=overwrite)
    if replaced:
        show_notes((replaced,))
    echo(json.dumps(found.to_json(), indent=2) if as_json else _text(found))


def _text(found: "Duplicates") -> str:
    from embed.machine import counted

    lines = [wrapped(f"{counted(len(found.groups), 'group')} of copies among {counted(found.compared, 'video')}")]
    for group in found.groups[:_SHOWN]:
        first, *others = group.videos
        lines += ["", first.video_id]
        for own in others:
            shift = f", begins {own.shift_s:+.1f} s" if own.kind == "shifted copy" else ""
            lines.append(f"  {own.video_id}  {own.kind} of {own.copy_of}, {own.similarity:.3f}{shift}")
    if len(found.groups) > _SHOWN:
        lines.append(f"\n... and {len(found.groups) - _SHOWN:,} more groups, which -o FILE and --json list")
    return "\n".join(lines)
