"""The commands of `classify`. Each parses, calls the library function of its name, and prints.

Results go to stdout, progress and warnings to stderr. Exit codes: 0 done, 1 some videos failed, 2 wrong usage or
nothing could be done. Libraries load inside the commands, so that --help answers at once.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import Field, fields
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from classify.progress import CountBar
from classify.report import TRACKERS, check_tracker
from classify.training import TrainConfig

if TYPE_CHECKING:
    from classify.data import LabelConfig
    from classify.training import EpochRecord

_Option = Callable[[Callable[..., Any]], Callable[..., Any]]


def _join(*options: _Option) -> _Option:
    """Make one decorator of several options."""
    return lambda command: reduce(lambda wrapped, option: option(wrapped), reversed(options), command)


_label_options = _join(
    click.option("--labels", type=click.Path(), help="Label file: CSV or JSON lines.  [default: the folders' names]"),
    click.option("--min-count", default=1, show_default=True, help="Drop labels of fewer videos than this."),
    click.option(
        "--vocabulary",
        type=click.Path(),
        help="Labels that keep their places, new ones behind them: an earlier head's folder, or a text file.",
    ),
)
_group_options = _join(
    click.option("--group-by", help="Column of the label file; its groups stay whole."),
    click.option("--group-near-duplicates", is_flag=True, help="Keep copies of one video (re-uploads) in one part."),
    click.option("--similarity", default=0.93, show_default=True, help="Cosine from which two videos count as copies."),
)
_output_options = _join(
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
    click.version_option(package_name="framehead"),
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


class GroupedCommand(ClassifyCommand):
    """A command with so many options that its help shows those of a recipe in groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the recipe's groups, then the other options."""
        group_of = {setting.name: setting.metadata["group"] for setting in fields(TrainConfig)}
        sections: dict[str, list[tuple[str, str]]] = {group: [] for group in group_of.values()}
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if row is not None:
                sections.setdefault(group_of.get(parameter.name or "", "Options"), []).append(row)
        for group, rows in sections.items():
            with formatter.section(group):
                formatter.write_dl(rows)


def _recipe_options(*, without: tuple[str, ...] = ()) -> _Option:
    """Give a command an option for each setting of TrainConfig but some, with its default and help."""
    return _join(*(_recipe_option(setting) for setting in fields(TrainConfig) if setting.name not in without))


def _recipe_option(setting: Field[Any]) -> _Option:
    kind, choices = setting.metadata.get("kind", type(setting.default)), setting.metadata.get("choices")
    name = setting.name.replace("_", "-")
    return click.option(
        f"--{name}/--no-{name}" if kind is bool else f"--{name}",
        default=setting.default,
        type=click.Choice(choices) if choices else kind,
        show_default=setting.default is not None,
        help=setting.metadata["help"],
    )


@click.command(cls=ClassifyCommand)
@click.argument("store", type=click.Path())
@_label_options
@click.option("--split", type=click.Path(), help="Split file; counts each of its parts as well.")
@click.option("-o", "--output", help="Folder for pictures (PNG) and dataset.json.  [default: none are made]")
@_output_options
def describe_dataset(store: str, output: str | None, split: str | None, as_json: bool, **options: Any) -> None:
    """Describe the labelled videos of STORE: classes, labels, durations, resolutions.

    \b
    describe-dataset embeddings.h5
    describe-dataset embeddings.h5 --labels labels.csv --split split.csv -o dataset/
    """  # noqa: D301 (click wants a real backspace)
    import classify
    from classify.report import description_text

    description = classify.describe_dataset(store, output, labels=_take_labels(options), split=split)
    _warn(description.notes)
    click.echo(json.dumps(description.to_json(), indent=2) if as_json else description_text(description))
    if output is not None:
        click.echo(f"-> {output}", err=as_json)


@click.command(cls=ClassifyCommand)
@click.argument("store", type=click.Path())
@_label_options
@click.option("--test-size", default=0.1, show_default=True, help="Share that tests; not with --folds or --by-folder.")
@click.option("--validation-size", default=0.1, show_default=True, help="Share that validates; may be 0.")
@_group_options
@click.option("--seed", default=0, show_default=True, help="Chooses between equally good splits.")
@click.option("--by-folder", is_flag=True, help="Follow the folders train/, val/ and test/ that the videos lie in.")
@click.option("--folds", type=click.IntRange(2), help="Write a split for each of so many folds: split-1.csv, ...")
@click.option("-o", "--output", default="split.csv", show_default=True, help="The split file to write.")
@_output_options
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

    labels, grouping = _take_labels(options), _take_grouping(options)
    if folds is not None:
        _refuse_idle("test_size", f"with --folds {folds}, of which each tests an equal share. Leave it out")
    elif options["by_folder"]:
        _refuse_idle("test_size", "with --by-folder: the folders say which videos test. Leave it out")
    config = classify.SplitConfig(**options, **grouping)
    if folds is None:
        summary = classify.split_videos(store, output, labels=labels, config=config)
        text, figures, notes = split_text(summary), summary.to_json(), summary.notes
    else:
        summaries = classify.split_folds(store, output, folds, labels=labels, config=config)
        text, figures = folds_text(summaries), {"folds": [found.to_json() for found in summaries]}
        notes = tuple(dict.fromkeys(note for found in summaries for note in found.notes))
    _warn(notes)
    click.echo(json.dumps(figures, indent=2) if as_json else text)


@click.command(cls=GroupedCommand)
@click.argument("store", type=click.Path())
@_label_options
@click.option("--split", required=True, type=click.Path(), help="Split file, made by split-videos.")
@_recipe_options()
@click.option("--budget", type=float, help="Seconds that --arch auto may take, choice and training.  [default: 60]")
@click.option("--html", "as_page", is_flag=True, help="Also write report.html: pictures, mistakes, doubtful labels.")
@click.option("--log-to", type=click.Choice([*TRACKERS]), help="Log epochs and figures there too.")
@click.option("-o", "--output", default="head", show_default=True, help="Folder for the head.")
@_output_options
def train_head(
    store: str, split: str, output: str, as_page: bool, log_to: str | None, as_json: bool, **options: Any
) -> None:
    """Train a head on STORE, measure it, and write its folder.

    \b
    train-head embeddings.h5 --split split.csv
    train-head embeddings.h5 --split split.csv --arch auto --budget 60
    train-head embeddings.h5 --labels labels.csv --split split.csv --arch transformer --mixup 0 -o head/
    """  # noqa: D301 (click wants a real backspace)
    import classify
    from classify.report import check_page_packages, report_text

    if as_page:
        check_page_packages()
    if log_to is not None:
        check_tracker(log_to)
    labels, budget_s = _take_labels(options), options.pop("budget")
    config = TrainConfig(**options)
    if is_open := config.arch == "auto":
        click.echo("Choosing head and recipe; --budget bounds the seconds ...", err=True)
    with CountBar("epoch") as bar:

        def show(record: "EpochRecord") -> None:
            bar.show(record.epoch, config.epochs, f"loss {record.train_loss:.3f}")

        report = classify.train_head(
            store, split, output, labels=labels, config=config, budget_s=budget_s, on_epoch=None if is_open else show
        )
    _warn(report.notes)
    click.echo(json.dumps({"head": output, **report.to_json()}, indent=2) if as_json else report_text(report))
    if as_page:
        path = classify.write_page(report, store, split, labels=labels, grab_frames=classify.grab_frames)
        click.echo(f"-> {path}", err=True)
    if log_to is not None:
        classify.log_training(report, log_to)


def _list_option(kind: Callable[[str], Any], *names: str, default: str, text: str) -> _Option:
    """Give a command an option of several values with commas between them."""

    def parse(_: click.Context, parameter: click.Parameter, value: str) -> tuple[Any, ...]:
        try:
            return tuple(kind(part.strip()) for part in value.split(",") if part.strip())
        except ValueError as error:
            raise click.BadParameter(f"{value!r} is no list of numbers such as 0,0.4.", param=parameter) from error

    return click.option(*names, default=default, show_default=True, callback=parse, help=text)


@click.command(cls=GroupedCommand)
@click.argument("store", type=click.Path())
@_list_option(str, "--arch", "archs", default="linear,transformer,random-frame", text="Heads, with commas between.")
@_list_option(float, "--mixup", "mixups", default="0,0.4", text="Alphas of mixup, each with each head; 0 is off.")
@_list_option(
    str,
    "--baselines",
    default="majority,logistic-regression,nearest-neighbours",
    text="What heads are held against, zero-shot too where the encoder knows words; '' for nothing.",
)
@click.option("--prompts", type=click.Path(), help="What labels are in words, for zero-shot: CSV or JSON file.")
@click.option("--pretrained", help="For zero-shot: checkpoint file of the store's encoder, if it has moved.")
@click.option("--folds", default=5, show_default=True, help="Parts of the set, each tested by what the others teach.")
@click.option("--seeds", default=5, show_default=True, help="How often all of it is done, with other folds.")
@_label_options
@_group_options
@click.option("--validation-size", default=0.0, show_default=True, help="Share for --patience and --thresholds.")
@click.option("--jobs", type=click.IntRange(1), help="Trainings at once.  [default: one a core; on a GPU one]")
@click.option("--resume", is_flag=True, help="Go on from the results in the folder.")
@_recipe_options(without=("arch", "mixup", "seed"))
@click.option("-o", "--output", default="comparison", show_default=True, help="Folder for table and picture.")
@_output_options
def compare_heads(store: str, output: str, resume: bool, as_json: bool, **options: Any) -> None:
    """Compare heads, mixup and baselines on STORE, and tell differences from noise.

    Every fold of every seed is tested by heads that have learned from the others.

    \b
    compare-heads embeddings.h5 --arch linear,transformer --mixup 0,0.4
    compare-heads embeddings.h5 --labels labels.csv --group-by group --epochs 30 -o comparison/
    """  # noqa: D301 (click wants a real backspace)
    import classify
    from classify.report import comparison_text

    labels, grouping = _take_labels(options), _take_grouping(options)
    words = {name: options.pop(name) for name in ("prompts", "pretrained")}
    if "zero-shot" in options["baselines"]:
        options["label_vectors"] = classify.embed_labels(store, labels, **words, device=options["device"])
    split = classify.SplitConfig(validation_size=options.pop("validation_size"), **grouping)
    settings = {setting.name for setting in fields(TrainConfig)} & options.keys()
    recipe = TrainConfig(**{name: options.pop(name) for name in settings})
    config = classify.CompareConfig(**options, split=split, recipe=recipe)
    with CountBar("training") as bar:
        found = classify.compare_heads(store, output, labels=labels, config=config, resume=resume, on_result=bar.show)
    _warn(found.notes)
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else comparison_text(found))


@click.command(cls=ClassifyCommand)
@click.argument("head", type=click.Path())
@click.argument("sources", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--output", help="Predictions file (CSV) to write.  [default: print it]")
@click.option("--store", type=click.Path(path_type=Path), help="Keep the embeddings in this store, for next time.")
@click.option("--pretrained", help="Checkpoint file of the head's encoder, if it has moved.")
@click.option("--device", default="auto", show_default=True, help="Of encoder and head: auto, cpu or cuda.")
@click.option("--batch-size", default=32, show_default=True, type=click.IntRange(1), help="Frames encoded at once.")
@_output_options
def predict_videos(head: str, sources: tuple[str, ...], output: str | None, as_json: bool, **config: Any) -> None:
    """Label SOURCES with the trained HEAD: stores, or folders, video files and CSV or TXT lists.

    New videos are decoded and embedded exactly as those that the head learned from.

    \b
    predict-videos head/ new_videos/
    predict-videos head/ embeddings.h5 -o predictions.csv
    """  # noqa: D301 (click wants a real backspace)
    import classify
    from embed.cli import ProgressBar, print_failures

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


@click.command(cls=ClassifyCommand)
@click.argument("head", type=click.Path())
@click.option("-o", "--output", default="head.onnx", show_default=True, help="The ONNX file to write.")
@_output_options
def export_head(head: str, output: str, as_json: bool) -> None:
    """Write the trained HEAD as an ONNX model, checked against the head on random videos.

    \b
    export-head head/ -o head.onnx
    """  # noqa: D301 (click wants a real backspace)
    import classify
    from classify.report import export_text

    summary = classify.export_head(head, output)
    click.echo(json.dumps(summary.to_json(), indent=2) if as_json else export_text(summary))


def _take_labels(options: dict[str, Any]) -> "LabelConfig":
    """Take the values of `_label_options` out of a command's options."""
    from classify.data import LabelConfig

    return LabelConfig(options.pop("labels"), options.pop("min_count"), options.pop("vocabulary"))


def _take_grouping(options: dict[str, Any]) -> dict[str, Any]:
    """Take the values of `_group_options` out of a command's options, as `SplitConfig` names them."""
    group_by, similarity = options.pop("group_by"), options.pop("similarity")
    if options.pop("group_near_duplicates"):
        return {"group_by": group_by, "near_duplicates": similarity}
    _refuse_idle("similarity", "without --group-near-duplicates. Give both, or neither")
    return {"group_by": group_by}


def _refuse_idle(name: str, reason: str) -> None:
    """Refuse an option that was given but would have no effect; its default may stand."""
    if click.get_current_context().get_parameter_source(name) is not ParameterSource.DEFAULT:
        raise click.UsageError(f"--{name.replace('_', '-')} has no effect {reason}.")


def _warn(notes: tuple[str, ...]) -> None:
    for note in notes:
        click.echo(f"Note: {note}", err=True)
