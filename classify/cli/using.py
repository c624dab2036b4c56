"""`evaluate-head` and `export-head`."""

import json
from typing import Any

import click

from classify.cli.options import labels_of_a_head, overwrite_option, take_labels
from embed.cli import Command, echo, option, output_options, show_notes, typed_again
from embed.machine import shown


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
    from classify.refresh import champion_folder
    from classify.report import check_page_packages, evaluation_text

    if as_page:
        check_page_packages()
    labels = take_labels(options)
    found = classify.evaluate_head(champion_folder(head), store, output, labels=labels, overwrite=overwrite, **options)
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
    from classify.refresh import champion_folder
    from classify.report import export_text

    summary = classify.export_head(champion_folder(head), output, overwrite=overwrite)
    show_notes(tuple(filter(None, [summary.replaced])))
    echo(json.dumps(summary.to_json(), indent=2) if as_json else export_text(summary))
