"""`search-videos`."""

import json
import sys
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from classify.cli.options import labels_of_a_head, overwrite_option, take_labels
from embed.cli import LAST, Command, echo, option, output_options, show_notes
from embed.machine import columns_of, counted, pad_left, pad_right, shown

if TYPE_CHECKING:
    from classify import LabelConfig
    from embed import SearchResult, Term, VideoSearcher

_STDOUT = "-"
_COLUMNS = ("id", "path", "score", "start_s", "end_s", "best_s")
_EXAMPLES, _FILTERS = "More terms", "Which videos"
_LEAST_NAME = 20  # columns


@click.command(cls=Command, guide="search.md")
@click.argument("store", type=click.Path())
@click.argument("query", required=False)
@option("--like", group=_EXAMPLES, multiple=True, metavar="EXAMPLE", help="Add a video, VIDEO@SECONDS or a picture.")
@option("--unlike", group=_EXAMPLES, multiple=True, metavar="EXAMPLE", help="Subtract one.")
@option("--without", group=_EXAMPLES, multiple=True, metavar="WORDS", help="Subtract words.")
@option("--count", type=click.IntRange(1), default=20, show_default=True, metavar="N", help="Hits to show.")
@option(
    "--per-video", type=click.IntRange(1), default=3, show_default=True, metavar="N", help="Hits of one video at most."
)
@option("--label", group=_FILTERS, multiple=True, metavar="NAME", help="Only videos with this label, or one of these.")
@option("--path", group=_FILTERS, metavar="PATTERN", help="Only ids or paths that match, as in 'holiday/*'.")
@labels_of_a_head
@option("-o", "--output", metavar="FILE", help="Write the hits to this CSV file; - is stdout.")
@option("--sheet", metavar="FILE", type=click.Path(path_type=Path), help="Write a JPEG with the frame of each hit.")
@overwrite_option
@option("--pretrained", group=LAST, metavar="FILE", help="The checkpoint file of the store's encoder, if it has moved.")
@option("--device", group=LAST, default="auto", show_default=True, metavar="NAME", help="auto, cpu or cuda.")
@output_options
def search_videos(store: str, query: str | None, as_json: bool, overwrite: bool, **options: Any) -> None:
    """Find the videos of STORE, and the moments in them, that are most like QUERY.

    QUERY is words; the id of a video, with @SECONDS for a moment of it; a picture; or several of them, with words in
    double quotes. Neighbouring frames that look alike are one hit.

    Words need an encoder that knows texts, as CLIP does. With EfficientNet-Lite they stand for classes of ImageNet,
    which are shown.

    \b
    search-videos embeddings.h5 "a dog on a beach"
    search-videos embeddings.h5 '"a dog" + beach.jpg - "snow"'
    search-videos embeddings.h5 --like hug/07.avi@2.5 --count 5 --sheet hits.jpg
    """  # noqa: D301 (click wants a real backspace)
    from embed import SearchConfig, VideoSearcher

    output, sheet = options.pop("output"), options.pop("sheet")
    if as_json and output == _STDOUT:
        raise click.UsageError("--json and -o - both write to stdout. Leave one of them out.")
    replaced = _refuse_places(store, output, sheet, overwrite=overwrite)
    labels = take_labels(options)
    config = SearchConfig(
        options["count"], options["per_video"], options["pretrained"], options["device"], keep_bytes=0
    )
    with VideoSearcher(store, config) as searcher:
        terms = _terms(query, options, searcher.knows)
        found = searcher.search(terms, ids=_wanted(store, searcher, labels, options))
    show_notes(replaced)
    _write(found, output, as_json=as_json)
    if sheet:
        _write_sheet(found, query or " ".join(term.name for term in terms), sheet)


def _terms(query: str | None, options: dict[str, Any], is_known: "Callable[[str], bool]") -> "list[Term]":
    from dataclasses import replace

    from embed import Term, example_term, parse_terms

    terms = parse_terms(query, is_known=is_known) if query else []
    terms += [example_term(name) for name in options["like"]]
    terms += [replace(example_term(name), sign=-1) for name in options["unlike"]]
    terms += [Term(text=words, sign=-1, name=words) for words in options["without"]]
    if not terms:
        raise click.UsageError("Nothing to search for was given. Write words, or name an example with --like.")
    return terms


def _wanted(
    store: str, searcher: "VideoSearcher", labels: "LabelConfig", options: dict[str, Any]
) -> frozenset[str] | None:
    """Return the ids that the filters leave; None if there is no filter."""
    pattern, names = options["path"], options["label"]
    if pattern is None and not names:
        return None
    ids = [*searcher.list_ids()]
    if pattern is not None:
        ids = [name for name in ids if _matches(name, searcher.location_of(name), pattern)]
    if names:
        labelled = _labelled(store, labels, names)
        ids = [name for name in ids if name in labelled]
    return frozenset(ids)


def _matches(video_id: str, location: str, pattern: str) -> bool:
    return fnmatchcase(video_id, pattern) or fnmatchcase(location, pattern)


def _labelled(store: str, labels: "LabelConfig", names: Sequence[str]) -> frozenset[str]:
    from classify import read_labels
    from embed.store import EmbeddingStore

    with EmbeddingStore(store) as opened:
        table = read_labels(opened, labels)
    unknown = [name for name in names if name not in table.names]
    if unknown:
        raise click.UsageError(f"No video has the label {unknown[0]!r}. There are {', '.join(table.names[:20])}.")
    columns = [table.names.index(name) for name in names]
    rows = np.flatnonzero(np.any(table.targets[:, columns], axis=1))
    return frozenset(table.ids[row] for row in rows)


def _refuse_places(store: str, output: str | None, sheet: Path | None, *, overwrite: bool) -> tuple[str, ...]:
    """Return sentences on what is replaced; raise OutputError where a file may not be written."""
    from embed.machine import refuse_output

    places = [(output, "a file of hits", _describe_hits)] if output not in (None, _STDOUT) else []
    places += [(str(sheet), "a contact sheet", _describe_sheet)] if sheet else []
    said = [
        refuse_output(place, kind=kind, recognise=recognise, inputs=[store], overwrite=overwrite)
        for place, kind, recognise in places
        if place is not None
    ]
    return tuple(filter(None, said))


def _describe_hits(path: Path) -> str | None:
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        return "the hits of an earlier search" if file.readline().strip() == ",".join(_COLUMNS) else None


def _describe_sheet(path: Path) -> str | None:
    from classify.streaming import is_sheet

    return "an earlier contact sheet" if is_sheet(path) else None


def _write(found: "SearchResult", output: str | None, *, as_json: bool) -> None:
    from classify.files import csv_text, write_whole

    cells = [[str(hit.to_json()[name]) for name in _COLUMNS] for hit in found.hits]
    if output is not None:
        text = csv_text([_COLUMNS, *cells])
        if output == _STDOUT:
            click.echo(text, nl=False)
        else:
            write_whole(Path(output), text)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    elif output is None and not sys.stdout.isatty():
        click.echo(csv_text([_COLUMNS, *cells]), nl=False)
    elif output != _STDOUT:
        echo(_text(found) if output is None else f"{counted(len(found.hits), 'hit')} -> {shown(output)}")
    if found.words and not as_json:
        click.echo(f"searched by ImageNet words: {', '.join(found.words)}", err=True)


def _text(found: "SearchResult") -> str:
    """Return a table of hits, the best first."""
    from classify.streaming import clock_text

    rows = [("score", "from", "to", "best", "video")]
    for hit in found.hits:
        start, end, best = map(clock_text, (hit.start_s, hit.end_s, hit.best_s))
        rows.append((f"{hit.score:.3f}", start, end, best, shown(hit.video_id)))
    widths = [max(map(columns_of, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([*map(pad_left, row[:-1], widths[:-1]), pad_right(row[-1], max(widths[-1], _LEAST_NAME))]).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", f"scores: {found.how}"]) if found.hits else "Nothing was found."


def _write_sheet(found: "SearchResult", title: str, path: Path) -> None:
    from classify.files import write_whole
    from classify.streaming import draw_hits

    drawn = draw_hits(title, found.hits)
    if drawn is None:
        show_notes((f"{path} was not written: no hit lies in a file on this machine that can be read.",))
    else:
        write_whole(path, drawn)
        click.echo(f"-> {shown(str(path))}", err=True)
