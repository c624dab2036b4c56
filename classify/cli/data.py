"""`describe-dataset` and `split-videos`."""

import json
from typing import Any

import click

from classify.cli.options import group_options, label_options, refuse_idle, take_grouping, take_labels
from embed.cli import Command, option, output_options, show_notes


@click.command(cls=Command, guide="labels-and-splits.md")
@click.argument("store", type=click.Path())
@label_options
@option("--split", type=click.Path(), help="Split file; counts each of its parts as well.")
@option("-o", "--output", help="Folder for pictures (PNG) and dataset.json.  [default: none are made]")
@output_options
def describe_dataset(store: str, output: str | None, split: str | None, as_json: bool, **options: Any) -> None:
    """Describe the labelled videos of STORE: classes, labels, durations, resolutions.

    \b
    describe-dataset embeddings.h5
    describe-dataset embeddings.h5 --labels labels.csv --split split.csv -o dataset/
    """  # noqa: D301 (click wants a real backspace)
    import classify
    from classify.report import description_text

    description = classify.describe_dataset(store, output, labels=take_labels(options), split=split)
    show_notes(description.notes)
    click.echo(json.dumps(description.to_json(), indent=2) if as_json else description_text(description))
    if output is not None:
        click.echo(f"-> {output}", err=as_json)


@click.command(cls=Command, guide="labels-and-splits.md")
@click.argument("store", type=click.Path())
@label_options
@option("--test-size", default=0.1, show_default=True, help="Share that tests; not with --folds or --by-folder.")
@option("--validation-size", default=0.1, show_default=True, help="Share that validates; may be 0.")
@group_options
@option("--seed", default=0, show_default=True, help="Chooses between equally good splits.")
@option("--by-folder", is_flag=True, help="Follow the folders train/, val/ and test/ that the videos lie in.")
@option("--folds", type=click.IntRange(2), help="Write a split for each of so many folds: split-1.csv, ...")
@option("-o", "--output", default="split.csv", show_default=True, help="The split file to write.")
@output_options
def split_videos(store: str, output: str, folds: int | None, as_json: bool, **options: Any) -> None:
    """Split the labelled videos of STORE into train, validation and test.

    The parts are stratified by label, also where a video has several, and keep groups whole.

    \b
    split-videos embeddings.h5
    split-videos embeddings.h5 --labels labels.csv --group-by group -o split.csv
    split-videos embeddings.h5 --folds 5
    """  # noqa: D301 (click wants a real backspace)
    import classify
    from classify.report import folds_text, split_text

    labels, grouping = take_labels(options), take_grouping(options)
    if folds is not None:
        refuse_idle("test_size", f"with --folds {folds}, of which each tests an equal share. Leave it out")
    elif options["by_folder"]:
        refuse_idle("test_size", "with --by-folder: the folders say which videos test. Leave it out")
    config = classify.SplitConfig(**options, **grouping)
    if folds is None:
        summary = classify.split_videos(store, output, labels=labels, config=config)
        text, figures, notes = split_text(summary), summary.to_json(), summary.notes
    else:
        summaries = classify.split_folds(store, output, folds, labels=labels, config=config)
        text, figures = folds_text(summaries), {"folds": [found.to_json() for found in summaries]}
        notes = tuple(dict.fromkeys(note for found in summaries for note in found.notes))
    show_notes(notes)
    click.echo(json.dumps(figures, indent=2) if as_json else text)
