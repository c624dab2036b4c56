"""`import-yt8m` and `export-yt8m`."""

import json
import sys
from typing import TYPE_CHECKING

import click

from embed.cli.command import GOES_ON, Command, as_line, echo, option, output_options, show_next, show_notes
from embed.cli.progress import counting_bar
from embed.machine import counted, operand, size_text
from embed.run import wrapped

if TYPE_CHECKING:
    from embed.interchange import ExportSummary, ImportSummary

_GUIDE = "youtube-8m.md"
_FREQUENT = 10  # labels that are listed


def _numbers(_: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in (value or "").split(",") if part.strip())
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a list of numbers such as 1,3,5.", param=parameter) from error


@click.command(cls=Command, guide=_GUIDE, when_stopped=GOES_ON)
@click.argument("sources", nargs=-1, required=True, type=click.Path())
@option("-o", "--output", metavar="STORE", required=True, help="Store to make or continue: NAME.h5, or a folder.")
@option(
    "--labels",
    metavar="N,N,...",
    callback=_numbers,
    help="Take these labels only, and videos that have one of them.  [default: all]",
)
@option("--vocabulary", metavar="FILE", type=click.Path(), help="YouTube-8M's vocabulary.csv: names of the labels.")
@option("--max-frames", metavar="N", type=click.IntRange(1), help="Take the first N seconds only.  [default: all]")
@option(
    "--features",
    default="rgb,audio",
    show_default=True,
    metavar="NAMES",
    help="Vectors to take: rgb, audio, or both, side by side.",
)
@option(
    "--segments",
    is_flag=True,
    help="Take the segments of 5 s that people looked at, each as a video of its own.",
)
@output_options
def import_yt8m(
    sources: tuple[str, ...],
    output: str,
    labels: tuple[int, ...],
    vocabulary: str | None,
    max_frames: int | None,
    features: str,
    segments: bool,
    as_json: bool,
) -> None:
    """Import YouTube-8M's TFRecords into a store, with a label file beside it. No video is needed.

    SOURCES are TFRecord files, folders of *.tfrecord, or patterns in quotes; gzip is read, too. They hold one vector a
    second (frame level) or one a video (video level). Labels go to NAME.labels.csv, those of segments to
    NAME.segments.csv. Exit 1 if a record is damaged, or a video of the store has other vectors in the files now.

    \b
    import-yt8m 'train*.tfrecord' -o train.h5 --vocabulary vocabulary.csv
    import-yt8m yt8m/ -o ten.h5 --labels 1,3,5,8,10 --max-frames 45
    """  # noqa: D301 (click needs a real backspace)
    from embed.interchange import ImportConfig, import_youtube8m

    names = tuple(name.strip() for name in features.split(","))
    config = ImportConfig(names, labels, vocabulary, max_frames, segments)  # type: ignore[arg-type] # it checks them
    with counting_bar("B", is_large=True) as on_progress:
        summary = import_youtube8m(sources, output, config, on_progress=on_progress)
    echo(json.dumps(summary.to_json(), indent=2) if as_json else _imported_text(summary))
    _list_problems(summary)
    if not as_json:
        of_segments = ["--labels", operand(summary.segments), "--group-by", "video"]
        given = of_segments if segments else ["--labels", operand(summary.labels)] if summary.labels else []
        show_next(as_line(["split-videos" if given else "inspect-embeddings", operand(output), *given]))
    sys.exit(1 if summary.damaged or summary.changed_count else 0)


@click.command(cls=Command, guide=_GUIDE)
@click.argument("store", type=click.Path())
@option("-o", "--output", metavar="FOLDER", required=True, help="Folder for the TFRecord files; an export is replaced.")
@option(
    "--labels",
    metavar="FILE",
    type=click.Path(),
    help="CSV file with the columns id and labels.  [default: NAME.labels.csv beside the store, if it is there]",
)
@option(
    "--vocabulary",
    metavar="FILE",
    type=click.Path(),
    help="vocabulary.csv with the numbers of the labels, if these are names.",
)
@output_options
def export_yt8m(store: str, output: str, labels: str | None, vocabulary: str | None, as_json: bool) -> None:
    """Write a STORE as TFRecord files of YouTube-8M, at frame level: one byte a coefficient.

    An imported store becomes the vectors and labels that it came from. Vectors of other encoders become `rgb`, of their
    own length, and their labels are numbered if no vocabulary does it. 1,000 videos go to each file.

    \b
    export-yt8m train.h5 -o records/ --vocabulary vocabulary.csv
    """  # noqa: D301 (click needs a real backspace)
    from embed.interchange import export_youtube8m

    with counting_bar("videos") as on_progress:
        summary = export_youtube8m(store, output, labels=labels, vocabulary=vocabulary, on_progress=on_progress)
    show_notes(tuple(filter(None, [summary.replaced])))
    echo(json.dumps(summary.to_json(), indent=2) if as_json else _exported_text(summary))


def _imported_text(summary: "ImportSummary") -> str:
    speed = summary.bytes_read / max(summary.seconds, 1e-9)
    lines = [
        f"{counted(summary.imported, 'video')} imported, {summary.skipped:,} in the store already, "
        f"{counted(summary.damaged, 'record')} damaged",
        f"{counted(summary.vectors, 'vector')} -> {summary.store}",
        f"read {size_text(summary.bytes_read)} of {counted(summary.files, 'file')}, {size_text(int(speed))} a second",
    ]
    if summary.unlabelled:
        lines.append(f"{counted(summary.unlabelled, 'video')} left out, without what was asked for")
    if summary.repeated:
        lines.append(f"{counted(summary.repeated, 'record')} left out, of a video that came before")
    lines += [f"labels -> {path}" for path in (summary.labels, summary.segments) if path]
    frequent = [f"{name}: {count:,}" for name, count in [*summary.label_counts.items()][:_FREQUENT]]
    more = len(summary.label_counts) - len(frequent)
    if frequent:
        lines.append(f"videos of a label: {', '.join(frequent)}{f', and {more:,} more' if more else ''}")
    return "\n".join(map(wrapped, lines))


def _list_problems(summary: "ImportSummary") -> None:
    """List on stderr which records are damaged, and which videos have changed."""
    if summary.changed_count:
        names, more = ", ".join(summary.changed[:3]), ", ..." if summary.changed_count > 3 else ""
        note = (
            f"{counted(summary.changed_count, 'video')} of the store ({names}{more}) now {_has(summary)} other vectors "
        )
        show_notes((f"{note}in the files. The store keeps its own. Import the files into a new store with -o.",))
    if summary.damaged:
        click.echo(click.style("\nDamaged:", fg="red", bold=True), err=True)
        echo("\n".join(wrapped(f"  {text}", indent=4) for text in summary.damage), err=True)
    if summary.damaged > len(summary.damage):
        click.echo(f"  ... and {summary.damaged - len(summary.damage):,} more", err=True)


def _has(summary: "ImportSummary") -> str:
    return "has" if summary.changed_count == 1 else "have"


def _exported_text(summary: "ExportSummary") -> str:
    lines = [
        f"{counted(summary.videos, 'video')}, {counted(summary.vectors, 'vector')} -> {summary.output}, "
        f"{counted(summary.files, 'file')}, {size_text(summary.size_bytes)}",
        f"labels of {summary.labels}, {counted(summary.unlabelled, 'video')} without one"
        if summary.labels
        else "without labels: name a CSV file with --labels",
    ]
    if summary.vocabulary:
        lines.append(f"the labels were numbered -> {summary.vocabulary}")
    if summary.clipped_share is not None:
        lines.append(f"one byte a coefficient: {summary.clipped_share:.2%} beyond +-2 were cut off")
    return "\n".join(map(wrapped, lines))
