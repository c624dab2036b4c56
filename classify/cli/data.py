"""`describe-dataset` and `split-videos`."""

import json
from pathlib import Path
from typing import Any

import click

from classify.cli.options import (
    LABEL_OPTIONS,
    group_options,
    label_options,
    overwrite_option,
    refuse_idle,
    take_grouping,
    take_labels,
)
from classify.cli.typed import given_options
from embed.cli import Command, as_line, echo, option, output_options, show_next, show_notes
from embed.machine import operand, shell_word, shown

_OTHER_SPLITS = "Other splits"


@click.command(cls=Command, guide="labels-and-splits.md")
@click.argument("store", type=click.Path())
@label_options
@option("--split", metavar="FILE", type=click.Path(), help="Split file; its parts are counted as well.")
@option("-o", "--output", metavar="FOLDER", help="Write pictures (PNG) and dataset.json there.  [default: none]")
@overwrite_option
@output_options
def describe_dataset(
    store: str, output: str | None, split: str | None, overwrite: bool, as_json: bool, **options: Any
) -> None:
    """Describe the labelled videos of STORE: classes, labels, durations, resolutions.

    \b
    describe-dataset embeddings.h5
    describe-dataset embeddings.h5 --split split.csv
    describe-dataset embeddings.h5 --labels labels.csv -o dataset/
    """  # noqa: D301 (click wants a real backspace)
    import classify
    from classify.report import description_text

    description = classify.describe_dataset(
        store, output, labels=take_labels(options), split=split, overwrite=overwrite
    )
    show_notes((*description.notes, *filter(None, [description.replaced])))
    echo(json.dumps(description.to_json(), indent=2) if as_json else description_text(description))
    if output is not None:
        echo(f"-> {shown(output)}", err=as_json)
    if not as_json:
        known = [operand(store), *given_options(*LABEL_OPTIONS)]
        show_next(as_line(["split-videos", *known] if split is None else ["train-head", *known, "--split", str(split)]))


@click.command(cls=Command, guide="labels-and-splits.md")
@click.argument("store", type=click.Path())
@label_options
@group_options
@option(
    "--test-size",
    default=0.1,
    show_default=True,
    metavar="SHARE",
    help="Share of the videos for the test part; not with --folds or --by-folder.",
)
@option(
    "--validation-size",
    default=0.1,
    show_default=True,
    metavar="SHARE",
    help="Share of the videos for the validation part; 0 leaves it empty.",
)
@option("-o", "--output", default="split.csv", show_default=True, metavar="FILE", help="The split file to write.")
@overwrite_option
@option(
    "--folds",
    group=_OTHER_SPLITS,
    type=click.IntRange(2),
    metavar="N",
    help="Write N splits, split-1.csv and so on; each video is in the test part of one.",
)
@option(
    "--by-folder",
    group=_OTHER_SPLITS,
    is_flag=True,
    help="Take the parts from the folders train/, val/ and test/ that the videos lie in.",
)
@option(
    "--keep",
    group=_OTHER_SPLITS,
    metavar="FILE",
    type=click.Path(),
    help="Earlier split file: its videos keep their parts, and only new ones are placed.",
)
@option(
    "--seed",
    group=_OTHER_SPLITS,
    default=0,
    show_default=True,
    metavar="N",
    help="Another seed draws another split that is as good.",
)
@output_options
def split_videos(store: str, output: str, folds: int | None, overwrite: bool, as_json: bool, **options: Any) -> None:
    """Split the labelled videos of STORE into train, validation and test.

    The parts are stratified by label, also if videos have several, and keep groups whole.

    \b
    split-videos embeddings.h5
    split-videos embeddings.h5 --labels labels.csv --group-by group -o split.csv
    split-videos embeddings.h5 --folds 5
    split-videos embeddings.h5 --keep split.csv -o split.csv
    """  # noqa: D301 (click wants a real backspace)
    import classify
    from classify.report import folds_text, split_text

    labels, grouping = take_labels(options), take_grouping(options)
    if folds is not None:
        refuse_idle("test_size", f"with --folds {folds}: each fold tests an equal share. Leave it out")
    elif options["by_folder"]:
        refuse_idle("test_size", "with --by-folder: the folders say which videos test. Leave it out")
    config = classify.SplitConfig(**options, **grouping)
    summaries: tuple[classify.SplitSummary, ...]
    if folds is None:
        summaries = (classify.split_videos(store, output, labels=labels, config=config, overwrite=overwrite),)
        text, figures = split_text(summaries[0]), summaries[0].to_json()
    else:
        summaries = classify.split_folds(store, output, folds, labels=labels, config=config, overwrite=overwrite)
        text, figures = folds_text(summaries), {"folds": [found.to_json() for found in summaries]}
    notes = dict.fromkeys(note for found in summaries for note in found.notes)
    show_notes((*notes, *(found.replaced for found in summaries if found.replaced)))
    echo(json.dumps(figures, indent=2) if as_json else text)
    if not as_json:
        _show_training(store, output, folds)


def _show_training(store: str, output: str, folds: int | None) -> None:
    """Show the command that trains on a split, or on the splits of all folds."""
    command = as_line(["train-head", operand(store)])  # the split file knows the labels
    if folds is None:
        show_next(f"{command} --split {shell_word(output)}")
    else:
        path = Path(output)
        first, last = shell_word(str(path.with_name(f"{path.stem}-"))), shell_word(path.suffix)
        numbers = " ".join(map(str, range(1, folds + 1)))
        show_next(f"for n in {numbers}; do {command} --split {first}$n{last if path.suffix else ''} -o head-$n; done")
