"""`embed-videos --list-models`: the encoders that are known by name."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embed.cli.command import echo, show_notes, was_typed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embed.encoders import KnownEncoder

_COLUMNS = ("model", "D", "px", "W", "texts", "/s", "licence of the weights")
_FIGURES = ("D", "px", "W", "/s")
_OF_IMAGES = ("texts", "/s")  # no model of clips that is listed has texts or was measured
_GAP = "  "
_FOOTNOTE = """
D: numbers a vector. px: side of the square that it sees. W: frames behind one vector.
texts: it also encodes words, for zero-shot labels and search. /s: vectors a second on
two cores of AMD EPYC, where it was measured.

Any other model of open_clip works by its name, and any of timm as timm:NAME. Models
of clips by transformers are videomae:NAME, vjepa2:NAME, videoprism:NAME and
pe-av:NAME, with a name of the hub or a folder. --pretrained takes other weights.
""".strip()


def show_models(ctx: click.Context, _: click.Parameter, is_asked: bool) -> None:
    """Print the table, or with --json all that is known of each model, and end the command."""
    if is_asked and not ctx.resilient_parsing:
        echo(models_json() if was_typed(ctx, "--json") else models_text())
        ctx.exit()


def show_licence(model: str, pretrained: str | None) -> None:
    """Print on stderr the licence of the weights that are about to be loaded, and what a file of them is taken for."""
    from embed.encoders import default_tag, doubt_of_file, licence_of

    source = pretrained or default_tag(model) or model.partition(":")[2]
    echo(f"Weights of {model}{f' ({source})' if source else ''}, licence: {licence_of(model, source)}", err=True)
    doubt = doubt_of_file(model) if pretrained and Path(pretrained).is_file() else None
    if doubt:
        show_notes((doubt,))


def models_json() -> str:
    """Return the encoders as a JSON list of objects, with the attributes of `embed.encoders.KnownEncoder`."""
    from embed.encoders import ENCODERS

    return json.dumps([asdict(known) for known in ENCODERS], indent=2)


def models_text() -> str:
    """Return the table of encoders: images, then clips."""
    from embed.encoders import ENCODERS, default_tag

    images: list[Sequence[str]] = [_COLUMNS]
    clips: list[Sequence[str]] = [_COLUMNS]
    for known in ENCODERS:
        is_default = known.tag in ("", default_tag(known.model))
        typed = known.model if is_default else f"{known.model} --pretrained {known.tag}"
        (images if known.window == 1 else clips).append(_row(typed, known))
    unused = [_COLUMNS.index(name) for name in _OF_IMAGES]
    clips = [tuple(cell for place, cell in enumerate(row) if place not in unused) for row in clips]
    return "\n\n".join([_table(images), _table(clips), _FOOTNOTE])


def _table(rows: "Sequence[Sequence[str]]") -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        _GAP.join(
            cell.rjust(width) if name in _FIGURES else cell.ljust(width)
            for name, cell, width in zip(rows[0], row, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def _row(typed: str, known: "KnownEncoder") -> tuple[str, ...]:
    return (
        typed,
        str(known.dimension),
        str(known.side_px),
        str(known.window),
        "yes" if known.has_texts else "-",
        f"{known.per_second:g}" if known.per_second else "-",
        known.licence,
    )
