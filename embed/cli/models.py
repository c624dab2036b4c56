"""`embed-videos --list-models`: the encoders that are known by name."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from embed.cli.command import echo, show_notes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embed.encoders import KnownEncoder

_COLUMNS = ("model", "weights", "D", "side", "W", "texts", "/s", "licence of the weights")
_FIGURES = ("D", "side", "W", "/s")
_GAP = "  "
_FOOTNOTE = """
D: numbers a vector. side: pixels of the square that it sees. W: frames behind one
vector. texts: it also encodes words, for zero-shot labels. /s: vectors a second on
two cores of AMD EPYC, where it was measured.

Any other model of open_clip works by its name, and any of timm as timm:NAME. Models
of clips by transformers are videomae:NAME, vjepa2:NAME, videoprism:NAME and
pe-av:NAME, with a name of the hub or a folder. --pretrained takes other weights.
""".strip()


def show_models(ctx: click.Context, _: click.Parameter, is_asked: bool) -> None:
    """Print the table, and end the command."""
    if is_asked and not ctx.resilient_parsing:
        echo(models_text())
        ctx.exit()


def show_licence(model: str, pretrained: str | None) -> None:
    """Print on stderr the licence of the weights that are about to be loaded, and what a file of them is taken for."""
    from embed.encoders import default_tag, doubt_of_file, licence_of

    source = pretrained or default_tag(model) or model.partition(":")[2]
    echo(f"Weights of {model}{f' ({source})' if source else ''}, licence: {licence_of(model, source)}", err=True)
    doubt = doubt_of_file(model) if pretrained and Path(pretrained).is_file() else None
    if doubt:
        show_notes((doubt,))


def models_text() -> str:
    """Return the table of encoders: images, then clips."""
    from embed.encoders import ENCODERS

    groups = ([known for known in ENCODERS if (known.window == 1) == is_image] for is_image in (True, False))
    return "\n\n".join([*map(_table, groups), _FOOTNOTE])


def _table(encoders: "Sequence[KnownEncoder]") -> str:
    rows = [_COLUMNS, *map(_row, encoders)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        _GAP.join(
            cell.rjust(width) if name in _FIGURES else cell.ljust(width)
            for name, cell, width in zip(_COLUMNS, row, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def _row(known: "KnownEncoder") -> tuple[str, ...]:
    return (
        known.model,
        known.tag or "the model's",
        str(known.dimension),
        str(known.side_px),
        str(known.window),
        "yes" if known.has_texts else "-",
        f"{known.per_second:g}" if known.per_second else "-",
        known.licence,
    )
