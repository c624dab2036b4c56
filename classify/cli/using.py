"""`predict-videos` and `export-head`."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from embed.cli import Command, ProgressBar, option, output_options, print_failures


@click.command(cls=Command, guide="heads.md")
@click.argument("head", type=click.Path())
@click.argument("sources", nargs=-1, required=True, type=click.Path())
@option("-o", "--output", help="Predictions file (CSV) to write.  [default: print it]")
@option("--store", type=click.Path(path_type=Path), help="Keep the embeddings in this store, for next time.")
@option("--pretrained", help="Checkpoint file of the head's encoder, if it has moved.")
@option("--device", default="auto", show_default=True, help="Of encoder and head: auto, cpu or cuda.")
@option("--batch-size", default=32, show_default=True, type=click.IntRange(1), help="Frames encoded at once.")
@output_options
def predict_videos(head: str, sources: tuple[str, ...], output: str | None, as_json: bool, **config: Any) -> None:
    """Label SOURCES with the trained HEAD: stores, or folders, video files and CSV or TXT lists.

    New videos are decoded and embedded exactly as those that the head learned from.

    \b
    predict-videos head/ new_videos/
    predict-videos head/ embeddings.h5 -o predictions.csv
    """  # noqa: D301 (click wants a real backspace)
    import classify

    settings = classify.PredictConfig(**config)
    with ProgressBar() as bar:
        predictions = classify.predict_videos(head, sources, output, config=settings, on_progress=bar.show)
    if as_json:
        click.echo(json.dumps(predictions.to_json(), indent=2))
    elif output is None:
        click.echo(predictions.to_csv(), nl=False)
    else:
        click.echo(f"{len(predictions.videos)} videos labelled, {len(predictions.failures)} failed -> {output}")
    print_failures(predictions.failures)
    sys.exit(1 if predictions.failures else 0)


@click.command(cls=Command, guide="onnx.md")
@click.argument("head", type=click.Path())
@option("-o", "--output", default="head.onnx", show_default=True, help="The ONNX file to write.")
@output_options
def export_head(head: str, output: str, as_json: bool) -> None:
    """Write the trained HEAD as an ONNX model, checked against the head on random videos.

    \b
    export-head head/ -o head.onnx
    """  # noqa: D301 (click wants a real backspace)
    import classify
    from classify.report import export_text

    summary = classify.export_head(head, output)
    click.echo(json.dumps(summary.to_json(), indent=2) if as_json else export_text(summary))
