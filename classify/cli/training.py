"""`train-head` and `compare-heads`."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from classify.cli.options import (
    LABEL_OPTIONS,
    group_options,
    label_options,
    list_option,
    overwrite_option,
    recipe_options,
    take_grouping,
    take_labels,
    take_recipe,
)
from classify.cli.typed import given_options
from classify.progress import CountBar
from classify.report import TRACKERS, check_tracker
from classify.training import TrainConfig
from embed.cli import (
    GOES_ON,
    Command,
    FiniteRange,
    as_line,
    as_typed,
    echo,
    option,
    output_options,
    show_next,
    show_notes,
    typed_again,
)
from embed.machine import operand, shown

if TYPE_CHECKING:
    from classify import Comparison
    from classify.training import EpochRecord

_GROUPS = ("group_by", "group_near_duplicates", "similarity")
_SPLIT = "split.csv"  # where split-videos writes if it is not told
_RECIPE = ("recipe", *(setting.name for setting in fields(TrainConfig) if setting.metadata))


@click.command(cls=Command, guide="heads.md", ends_at_once=False)  # wandb removes its temporary folders at the end
@click.argument("store", type=click.Path())
@label_options
@option("--split", metavar="FILE", type=click.Path(), help="Split file, made by split-videos; required.")
@option("-o", "--output", default="head", show_default=True, metavar="FOLDER", help="Folder for the head.")
@overwrite_option
@recipe_options()
@option(
    "--budget",
    type=FiniteRange(0, min_open=True),
    metavar="SECONDS",
    help="Time for --arch auto to choose and train.  [default: 60]",
)
@option("--html", "as_page", is_flag=True, help="Also write report.html: curves, mistakes, doubtful labels.")
@option(
    "--log-to",
    group="Tracking",
    type=click.Choice([*TRACKERS]),
    help="Log epochs and figures to this tracker as well.",
)
@output_options
def train_head(
    store: str,
    split: str | None,
    output: str,
    overwrite: bool,
    as_page: bool,
    log_to: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a head on the vectors of STORE, measure it, and write its folder.

    \b
    train-head embeddings.h5 --split split.csv
    train-head embeddings.h5 --split split.csv --arch auto --budget 60
    train-head embeddings.h5 --split split.csv --mixup 0 --html
    """  # noqa: D301 (click wants a real backspace)
    import classify
    from classify.report import check_page_packages, report_text

    if split is None:
        raise click.UsageError(_without_split(store))
    if as_page:
        check_page_packages()
    if log_to is not None:
        check_tracker(log_to)
    labels, budget_s = take_labels(options), options.pop("budget")
    config = TrainConfig(**take_recipe(options))
    with CountBar("epoch") as bar:
        show_start, show_epoch = _progress_of(bar, is_open=config.arch == "auto")
        report = classify.train_head(
            store,
            split,
            output,
            labels=labels,
            config=config,
            budget_s=budget_s,
            on_start=show_start,
            on_epoch=show_epoch,
            overwrite=overwrite,
        )
    _show_notes(report.notes)
    echo(json.dumps({"head": output, **report.to_json()}, indent=2) if as_json else report_text(report))
    if as_page:
        grab = classify.grab_frames
        path = classify.write_page(report, store, split, labels=labels, grab_frames=grab, command=typed_again())
        echo(f"-> {shown(str(path))}", err=True)
    if log_to is not None:
        classify.log_training(report, log_to)
    if not as_json:
        show_next(as_line(["predict-videos", operand(output), "NEW_VIDEOS"]))


def _progress_of(
    bar: CountBar, *, is_open: bool
) -> "tuple[Callable[[str | None], None], Callable[[EpochRecord], None] | None]":
    """Return what shows the beginning of a training and its epochs; no epochs where a choice comes first."""

    def show_start(replaced: str | None) -> None:
        show_notes(() if replaced is None else (replaced,))
        if is_open:
            click.echo("Choosing a head and its recipe; --budget limits the seconds ...", err=True)

    def show_epoch(record: "EpochRecord") -> None:
        bar.show(record.epoch, record.epochs or record.epoch, f"loss {record.train_loss:.3f}")

    return show_start, None if is_open else show_epoch


@click.command(cls=Command, guide="comparing.md", when_stopped=GOES_ON, ends_at_once=False)
@click.argument("store", type=click.Path())
@label_options
@group_options
@option("-o", "--output", default="comparison", show_default=True, metavar="FOLDER", help="Folder for the results.")
@overwrite_option
@list_option(
    str,
    "--arch",
    "archs",
    default="linear,transformer,random-frame",
    metavar="NAMES",
    text="Heads, with commas between; train-head --help names all.",
)
@list_option(
    float, "--mixup", "mixups", default="0,0.4", metavar="ALPHAS", text="Mixup's alphas, each with each head; 0 is off."
)
@list_option(
    str,
    "--baselines",
    default="nearest-neighbours",
    metavar="NAMES",
    text="Baselines beside the standard ones (majority, logistic-regression and logistic-statistics, on all but large "
    "sets): nearest-neighbours, or zero-shot if the encoder knows words; '' is none.",
)
@option("--folds", default=5, show_default=True, metavar="N", help="Parts of the set; each is tested once per seed.")
@option("--seeds", default=5, show_default=True, metavar="N", help="Repetitions, each with other folds and weights.")
@option("--resume", is_flag=True, hidden=True, expose_value=False)  # as every run does by itself
@option("--prompts", group="Zero-shot", metavar="FILE", type=click.Path(), help="Labels in words: a CSV or JSON file.")
@option("--pretrained", group="Zero-shot", metavar="FILE", help="Checkpoint of the store's encoder, if it has moved.")
@recipe_options(without=("arch", "mixup", "seed", "pretrained"))
@option(
    "--validation-size",
    group="Steps",
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="Share of the training videos for --patience and --thresholds.",
)
@option(
    "--jobs",
    group="Machine",
    type=click.IntRange(1),
    metavar="N",
    help="Training runs at the same time.  [default: one per core, one on a GPU]",
)
@output_options
def compare_heads(store: str, output: str, overwrite: bool, as_json: bool, **options: Any) -> None:
    """Compare heads, mixup and baselines on STORE, and tell differences from noise.

    For each seed, every fold is tested by heads trained on the other folds. Results in the folder are kept, and only
    what is missing is run: after a stop, the same command goes on.

    \b
    compare-heads embeddings.h5 --arch linear,transformer --mixup 0,0.4
    compare-heads embeddings.h5 --labels labels.csv --group-by group
    """  # noqa: D301 (click wants a real backspace)
    import classify
    from classify.comparison import refuse_comparison_folder
    from classify.data import label_inputs
    from classify.report import comparison_text

    labels, grouping = take_labels(options), take_grouping(options)
    refuse_comparison_folder(output, [store, *label_inputs(labels)], overwrite=overwrite)
    words = {name: options.pop(name) for name in ("prompts", "pretrained")}
    if "zero-shot" in options["baselines"]:
        options["label_vectors"] = classify.embed_labels(store, labels, **words, device=options["device"])
    split = classify.SplitConfig(validation_size=options.pop("validation_size"), **grouping)
    recipe = TrainConfig(**take_recipe(options))
    config = classify.CompareConfig(**options, standard=True, split=split, recipe=recipe)
    with CountBar("training run") as bar:
        found = classify.compare_heads(
            store, output, labels=labels, config=config, overwrite=overwrite, on_result=bar.show
        )
    _show_notes(found.notes)
    echo(json.dumps(found.to_json(), indent=2) if as_json else comparison_text(found))
    if not as_json:
        show_next(_training_of_best(found, store))


def _without_split(store: str) -> str:
    """Return what to do where no split file is named."""
    from embed.store import EmbeddingStore

    with EmbeddingStore(store):
        pass  # first of all there must be a store
    if Path(_SPLIT).exists():
        return f"--split names no split file, and {_SPLIT} is here. Add: --split {_SPLIT}"
    split = as_line(["split-videos", operand(store), *given_options(*LABEL_OPTIONS), "-o", _SPLIT])
    return (
        "--split names no split file: which videos train the head, and which test it. Make one, then add "
        f"--split {_SPLIT}:\n\n  {split}"
    )


def _training_of_best(found: "Comparison", store: str) -> str:
    """Return the command that trains the best of a comparison, after one that splits if there is no split yet."""
    best = found.contenders[0]
    head = ["--arch", best.name, "--mixup", f"{best.mixup or 0:g}", *given_options(*_RECIPE)]
    if best.mixup is None:  # a baseline: auto tries logistic regression first, and heads that may be better
        head = ["--arch", "auto"]
    labels = given_options(*LABEL_OPTIONS)
    lines = [["train-head", operand(store), "--split", _SPLIT, *head]]
    if Path(_SPLIT).exists():
        lines[0][2:2] = labels  # a split of another day may have been made with other labels
    else:
        lines.insert(0, ["split-videos", operand(store), *labels, *given_options(*_GROUPS), "-o", _SPLIT])
    return "\n".join(map(as_line, lines))


def _show_notes(notes: tuple[str, ...]) -> None:
    """Show notes with options as they are typed."""
    show_notes(tuple(as_typed(note, click.get_current_context().command) for note in notes))
