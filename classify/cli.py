"""The commands of `classify`. Each parses, calls the library function of its name, and prints.

Results go to stdout, progress and warnings to stderr. Exit codes: 0 done, 1 some videos failed, 2 wrong usage or
nothing could be done. Libraries load inside the commands, so that --help answers at once.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from classify.experiment import TrainingReport
    from classify.metrics import Metrics
    from classify.splits import SplitSummary
    from classify.training import EpochRecord

_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_labels_option = click.option(
    "--labels",
    type=click.Path(),
    help="CSV with the columns path or id, and label or labels.  [default: the folders' names]",
)


class ClassifyCommand(click.Command):
    """A command whose library errors are messages, not tracebacks."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; exit 2 with the message of a library error."""
        from classify.errors import ClassifyError
        from embed.errors import EmbedError

        try:
            return super().invoke(ctx)
        except (ClassifyError, EmbedError) as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(2)


@click.command(cls=ClassifyCommand)
@click.argument("store", type=click.Path())
@_labels_option
@click.option("--test-size", default=0.1, show_default=True, help="Share of the videos that test.")
@click.option("--validation-size", default=0.1, show_default=True, help="Share that validates; may be 0.")
@click.option("--group-by", help="Column of the label file; its groups stay whole.")
@click.option("--seed", default=0, show_default=True, help="Chooses between equally good splits.")
@click.option("-o", "--output", default="split.csv", show_default=True, help="The split file to write.")
@_json_option
@click.version_option(package_name="framehead")
def split_videos(
    store: str,
    labels: str | None,
    test_size: float,
    validation_size: float,
    group_by: str | None,
    seed: int,
    output: str,
    as_json: bool,
) -> None:
    """Split the labelled videos of STORE into train, validation and test.

    The parts are stratified by label, also where a video has several, and keep groups whole.

    \b
    split-videos embeddings.h5
    split-videos embeddings.h5 --labels labels.csv --group-by group -o split.csv
    """  # noqa: D301 (click wants a real backspace)
    import classify

    config = classify.SplitConfig(test_size, validation_size, group_by, seed)
    summary = classify.split_videos(store, output, labels=labels, config=config)
    _warn(summary.notes)
    click.echo(json.dumps(summary.to_json(), indent=2) if as_json else _split_text(summary))


@click.command(cls=ClassifyCommand)
@click.argument("store", type=click.Path())
@_labels_option
@click.option("--split", required=True, type=click.Path(), help="Split file, made by split-videos.")
@click.option("--arch", default="linear", show_default=True, help="The head; an unknown name lists all.")
@click.option("--mixup", default=0.4, show_default=True, help="Alpha of the mixing weights; 0 is off.")
@click.option("--epochs", default=10, show_default=True, help="Passes over the training videos.")
@click.option("--batch-size", default=16, show_default=True, help="Videos a step.")
@click.option("--learning-rate", default=1e-3, show_default=True, help="Of Adam.")
@click.option("--seed", default=0, show_default=True, help="Of fresh weights, order, mixup and dropout.")
@click.option(
    "--standardise/--no-standardise",
    default=True,
    show_default=True,
    help="Bring each dimension to mean 0 and deviation 1 over the training videos.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("-o", "--output", default="head", show_default=True, help="Folder for the head.")
@_json_option
@click.version_option(package_name="framehead")
def train_head(store: str, labels: str | None, split: str, output: str, as_json: bool, **config: Any) -> None:
    """Train a head on STORE, measure it, and write its folder.

    \b
    train-head embeddings.h5 --split split.csv
    train-head embeddings.h5 --labels labels.csv --split split.csv --arch transformer --mixup 0 -o head/
    """  # noqa: D301 (click wants a real backspace)
    import classify

    with _EpochBar(config["epochs"]) as bar:
        report = classify.train_head(
            store, split, output, labels=labels, config=classify.TrainConfig(**config), on_epoch=bar.show
        )
    _warn(report.notes)
    figures = {"head": output, **report.to_json()}
    click.echo(json.dumps(figures, indent=2) if as_json else _report_text(report))


@click.command(cls=ClassifyCommand)
@click.argument("head", type=click.Path())
@click.argument("sources", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--output", help="Predictions file (CSV) to write.  [default: print it]")
@click.option("--store", type=click.Path(path_type=Path), help="Keep the embeddings in this store, for next time.")
@click.option("--pretrained", help="Checkpoint file of the head's encoder, if it has moved.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--batch-size", default=32, show_default=True, type=click.IntRange(1), help="Frames encoded at once.")
@_json_option
@click.version_option(package_name="framehead")
def predict_videos(head: str, sources: tuple[str, ...], output: str | None, as_json: bool, **config: Any) -> None:
    """Label SOURCES with the trained HEAD: stores, or folders, video files and CSV or TXT lists.

    New videos are decoded and embedded exactly as those that the head learned from.

    \b
    predict-videos head/ new_videos/
    predict-videos head/ embeddings.h5 -o predictions.csv
    """  # noqa: D301 (click wants a real backspace)
    import classify
    from embed.cli import ProgressBar, print_failures

    with ProgressBar() as bar:
        predictions = classify.predict_videos(
            head, sources, output, config=classify.PredictConfig(**config), on_progress=bar.show
        )
    if as_json:
        click.echo(json.dumps(predictions.to_json(), indent=2))
    elif output is None:
        click.echo(predictions.to_csv(), nl=False)
    else:
        click.echo(f"{len(predictions.videos)} videos labelled, {len(predictions.failures)} failed -> {output}")
    print_failures(predictions.failures)
    sys.exit(1 if predictions.failures else 0)


class _EpochBar:
    """A bar on stderr with epochs, loss and time left; shown on a terminal only."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._bar: Any = None

    def __enter__(self) -> "_EpochBar":
        return self

    def show(self, record: "EpochRecord") -> None:
        from tqdm import tqdm

        if self._bar is None:
            self._bar = tqdm(total=self._epochs, unit="epoch", disable=None, dynamic_ncols=True)
        self._bar.set_postfix_str(f"loss {record.train_loss:.3f}", refresh=False)
        self._bar.update()

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def _warn(notes: tuple[str, ...]) -> None:
    for note in notes:
        click.echo(f"Note: {note}", err=True)


def _split_text(summary: "SplitSummary") -> str:
    parts = list(summary.video_counts)
    rows = [
        (name, *(str(summary.class_counts[part][index]) for part in parts)) for index, name in enumerate(summary.names)
    ]
    rows.append(("videos", *(str(summary.video_counts[part]) for part in parts)))
    if summary.group_counts is not None:
        rows.append(("groups", *(str(summary.group_counts[part]) for part in parts)))
    return f"{_table(('label', *parts), rows)}\n\n-> {summary.path}    Next: train-head"


def _report_text(report: "TrainingReport") -> str:
    parts = [
        (part, f"{m.micro_f1:.3f}", f"{m.macro_f1:.3f}", f"{m.accuracy:.3f}", str(m.videos))
        for part, m in report.parts.items()
    ]
    sections = [
        f"{report.classifier.config.arch} head, trained in {report.seconds:.1f} s; {report.loss}",
        _table(("part", "micro-F1", "macro-F1", "accuracy", "videos"), parts),
        _class_table(report.parts["test"]),
    ]
    if report.classifier.thresholds is None:
        sections.append("With one label a video, micro-F1 is accuracy.")
    sections.append(f"-> {report.folder}    Next: predict-videos {report.folder} NEW_VIDEOS")
    return "\n\n".join(sections)


def _class_table(metrics: "Metrics") -> str:
    rows = [
        (found.name, f"{found.f1:.3f}", f"{found.precision:.3f}", f"{found.recall:.3f}", str(found.support))
        for found in metrics.classes
    ]
    return _table(("test, by label", "F1", "precision", "recall", "videos"), rows)


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [
        [cells[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))]
        for cells in (header, *rows)
    ]
    return "\n".join("  ".join(line).rstrip() for line in lines)
