"""`predict-videos`, `evaluate-head` and `export-head`."""

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from classify.cli.options import labels_of_a_head, overwrite_option, take_labels
from classify.cli.typed import given_options
from embed.cli import (
    LAST,
    Command,
    ProgressBar,
    as_line,
    echo,
    option,
    output_options,
    print_failures,
    show_next,
    show_notes,
    typed_again,
)
from embed.machine import operand, shown

if TYPE_CHECKING:
    from classify import Predictions

_STDOUT = "-"
_EMBEDDING, _COMPETITION = "Embedding new videos", "YouTube-8M"
_KEPT = (
    "spreadsheet_safe",
    "store",
    "file_format",
    "vocabulary",
    "device",
    "batch_size",
    "pretrained",
    "playlists",
    "public_only",
)
_MOST_FAILURES, _MOST_SOURCES = 20, 5  # of a list, and of a line to paste


@click.command(
    cls=Command, guide="start.md", when_stopped="With --store, embeddings are kept. Run the same command again."
)
@click.argument("head", type=click.Path())
@click.argument("sources", nargs=-1, required=True, type=click.Path())
@option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write the predictions to this CSV file; - is stdout.  [default: a table on a terminal, else CSV on stdout]",
)
@overwrite_option
@option(
    "--spreadsheet-safe",
    group=LAST,
    is_flag=True,
    help="Write ' before each cell of the CSV that a spreadsheet would take for a formula.",
)
@option(
    "--store",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Keep the embeddings of new videos in this store, and reuse those that it has.",
)
@option("--device", group=_EMBEDDING, default="auto", show_default=True, metavar="NAME", help="auto, cpu or cuda.")
@option(
    "--batch-size",
    group=_EMBEDDING,
    type=click.IntRange(1),
    metavar="N",
    help="Frames, or clips, that the encoder takes at once.  [default: 32 frames; of clips as many as have 32 frames, "
    "on a GPU 128]",
)
@option(
    "--pretrained",
    group=_EMBEDDING,
    metavar="FILE",
    help="The checkpoint file of the head's encoder, if it has moved since the head was trained.",
)
@option(
    "--playlists",
    is_flag=True,
    group=_EMBEDDING,
    help="Also play local .m3u8 and .ffconcat files that are named. Such a file reads the files that it names.",
)
@option(
    "--public-only",
    is_flag=True,
    group=_EMBEDDING,
    help="Fetch links from hosts of the public internet only, redirections included. For lists from strangers.",
)
@option(
    "--format",
    "file_format",
    group=_COMPETITION,
    type=click.Choice(["csv", "yt8m"]),
    default="csv",
    show_default=True,
    help="yt8m writes VideoId,LabelConfidencePairs: the 20 likeliest labels of each video by YouTube-8M's numbers.",
)
@option(
    "--vocabulary",
    group=_COMPETITION,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="YouTube-8M's vocabulary.csv, with the numbers for --format yt8m if the head's labels are names.",
)
@output_options
def predict_videos(
    head: str,
    sources: tuple[str, ...],
    output: str | None,
    overwrite: bool,
    spreadsheet_safe: bool,
    as_json: bool,
    **config: Any,
) -> None:
    """Label SOURCES with the trained HEAD. SOURCES are stores, folders, video files, or CSV or TXT lists.

    New videos are decoded and embedded exactly as those that the head learned from.

    The CSV has the columns id, path, labels, probability, error and one probability_... for each label. A video that
    failed has a row too: its error is not empty. Exit 1 if a video failed.

    \b
    predict-videos head/ new_videos/
    predict-videos head/ embeddings.h5 -o predictions.csv
    predict-videos head/ new_videos/ --store new.h5 -o - | grep cooking
    """  # noqa: D301 (click wants a real backspace)
    import classify

    if as_json and output == _STDOUT:
        raise click.UsageError("--json and -o - both write to stdout. Leave one of them out.")
    if as_json and output is None and config["file_format"] == "yt8m":
        raise click.UsageError("--format yt8m has no effect on --json. Name a file with -o, or leave --json out.")
    settings, file = classify.PredictConfig(**config), None if output == _STDOUT else output
    with ProgressBar() as bar:
        predictions = classify.predict_videos(
            head,
            sources,
            file,
            config=settings,
            spreadsheet_safe=spreadsheet_safe,
            on_progress=bar.show,
            overwrite=overwrite,
        )
    show_notes(tuple(filter(None, [predictions.replaced])))
    if as_json:
        click.echo(json.dumps(predictions.to_json(), indent=2))
    else:
        _show(predictions, output, is_safe=spreadsheet_safe)
    has_csv = output is not None or not (as_json or sys.stdout.isatty())
    _list_failures(predictions, has_rows=has_csv and not predictions.numbers)
    if output is None and not as_json and sys.stdout.isatty() and len(sources) <= _MOST_SOURCES:
        given = given_options(*_KEPT)
        show_next(as_line(["predict-videos", *map(operand, (head, *sources)), *given, "-o", "predictions.csv"]))
    sys.exit(1 if predictions.failures else 0)


def _show(predictions: "Predictions", output: str | None, *, is_safe: bool) -> None:
    """Print a table on a terminal, else the CSV, and how many videos were labelled."""
    from classify.classifier import count_text, predictions_text

    counts = count_text(predictions)
    if output not in (None, _STDOUT):
        echo(f"{counts} -> {shown(str(output))}")
    elif output is None and sys.stdout.isatty() and not predictions.numbers:
        table = predictions_text(predictions, shutil.get_terminal_size().columns)
        echo(f"{table}\n\n{counts}" if table else counts)
    else:
        text = predictions.to_csv(spreadsheet_safe=is_safe)
        click.echo(shown(text, keeps_lines=True) if sys.stdout.isatty() else text, nl=False)
        click.echo(counts, err=True)


def _list_failures(predictions: "Predictions", *, has_rows: bool) -> None:
    """List on stderr which videos failed, and why."""
    print_failures(predictions.failures[:_MOST_FAILURES])
    more = len(predictions.failures) - _MOST_FAILURES
    if more > 0:
        where = "the CSV has a row for each" if has_rows else "-o predictions.csv writes a row for each"
        click.echo(f"  ... and {more:,} more: {where}", err=True)


@click.command(cls=Command, guide="start.md")
@click.argument("head", type=click.Path())
@click.argument("store", type=click.Path())
@labels_of_a_head
@option("--group-by", metavar="COLUMN", help="Column of the label file; intervals are computed over its groups.")
@option("-o", "--output", default="evaluation", show_default=True, metavar="FOLDER", help="Folder for the figures.")
@overwrite_option
@option("--device", default="auto", show_default=True, metavar="NAME", help="auto, cpu or cuda.")
@option("--html", "as_page", is_flag=True, help="Also write report.html: figures of each label, mistakes.")
@output_options
def evaluate_head(
    head: str, store: str, output: str, as_page: bool, as_json: bool, overwrite: bool, **options: Any
) -> None:
    """Measure the trained HEAD on the labelled videos of STORE, with the figures of train-head.

    Videos that the head has learned from are left out.

    \b
    evaluate-head head/ december.h5
    evaluate-head head/ december.h5 --labels december.csv --html
    """  # noqa: D301 (click wants a real backspace)
    import classify
    from classify.report import check_page_packages, evaluation_text

    if as_page:
        check_page_packages()
    labels = take_labels(options)
    found = classify.evaluate_head(head, store, output, labels=labels, overwrite=overwrite, **options)
    show_notes((*found.notes, *filter(None, [found.replaced])))
    echo(json.dumps(found.to_json(), indent=2) if as_json else evaluation_text(found))
    if as_page:
        path = classify.write_evaluation_page(found, store, grab_frames=classify.grab_frames, command=typed_again())
        echo(f"-> {shown(str(path))}", err=True)


@click.command(cls=Command, guide="onnx.md")
@click.argument("head", type=click.Path())
@option("-o", "--output", default="head.onnx", show_default=True, metavar="FILE", help="The ONNX file to write.")
@overwrite_option
@output_options
def export_head(head: str, output: str, overwrite: bool, as_json: bool) -> None:
    """Write the trained HEAD as an ONNX model, and check it against the head on random videos.

    \b
    export-head head/ -o head.onnx
    """  # noqa: D301 (click wants a real backspace)
    import classify
    from classify.report import export_text

    summary = classify.export_head(head, output, overwrite=overwrite)
    show_notes(tuple(filter(None, [summary.replaced])))
    echo(json.dumps(summary.to_json(), indent=2) if as_json else export_text(summary))
