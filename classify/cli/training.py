"""`train-head` and `compare-heads`."""

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from classify.cli.options import group_options, label_options, list_option, recipe_options, take_grouping, take_labels
from classify.progress import CountBar
from classify.report import TRACKERS, check_tracker
from classify.training import TrainConfig
from embed.cli import Command, option, output_options, show_notes

if TYPE_CHECKING:
    from classify.training import EpochRecord


@click.command(cls=Command, guide="heads.md")
@click.argument("store", type=click.Path())
@label_options
@option("--split", required=True, type=click.Path(), help="Split file, made by split-videos.")
@recipe_options()
@option("--budget", type=float, help="Seconds that --arch auto may take, choice and training.  [default: 60]")
@option("--html", "as_page", is_flag=True, help="Also write report.html: pictures, mistakes, doubtful labels.")
@option("--log-to", type=click.Choice([*TRACKERS]), help="Log epochs and figures there too.")
@option("-o", "--output", default="head", show_default=True, help="Folder for the head.")
@output_options
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
    labels, budget_s = take_labels(options), options.pop("budget")
    config = TrainConfig(**options)
    if is_open := config.arch == "auto":
        click.echo("Choosing head and recipe; --budget bounds the seconds ...", err=True)
    with CountBar("epoch") as bar:

        def show(record: "EpochRecord") -> None:
            bar.show(record.epoch, config.epochs, f"loss {record.train_loss:.3f}")

        report = classify.train_head(
            store, split, output, labels=labels, config=config, budget_s=budget_s, on_epoch=None if is_open else show
        )
    show_notes(report.notes)
    click.echo(json.dumps({"head": output, **report.to_json()}, indent=2) if as_json else report_text(report))
    if as_page:
        path = classify.write_page(report, store, split, labels=labels, grab_frames=classify.grab_frames)
        click.echo(f"-> {path}", err=True)
    if log_to is not None:
        classify.log_training(report, log_to)


@click.command(cls=Command, guide="comparing.md")
@click.argument("store", type=click.Path())
@list_option(str, "--arch", "archs", default="linear,transformer,random-frame", text="Heads, with commas between.")
@list_option(float, "--mixup", "mixups", default="0,0.4", text="Alphas of mixup, each with each head; 0 is off.")
@list_option(
    str,
    "--baselines",
    default="majority,logistic-regression,nearest-neighbours",
    text="What heads are held against, zero-shot too where the encoder knows words; '' for nothing.",
)
@option("--prompts", type=click.Path(), help="What labels are in words, for zero-shot: CSV or JSON file.")
@option("--pretrained", help="For zero-shot: checkpoint file of the store's encoder, if it has moved.")
@option("--folds", default=5, show_default=True, help="Parts of the set, each tested by what the others teach.")
@option("--seeds", default=5, show_default=True, help="How often all of it is done, with other folds.")
@label_options
@group_options
@option("--validation-size", default=0.0, show_default=True, help="Share for --patience and --thresholds.")
@option("--jobs", type=click.IntRange(1), help="Trainings at once.  [default: one a core; on a GPU one]")
@option("--resume", is_flag=True, help="Go on from the results in the folder.")
@recipe_options(without=("arch", "mixup", "seed"))
@option("-o", "--output", default="comparison", show_default=True, help="Folder for table and picture.")
@output_options
def compare_heads(store: str, output: str, resume: bool, as_json: bool, **options: Any) -> None:
    """Compare heads, mixup and baselines on STORE, and tell differences from noise.

    Every fold of every seed is tested by heads that have learned from the others.

    \b
    compare-heads embeddings.h5 --arch linear,transformer --mixup 0,0.4
    compare-heads embeddings.h5 --labels labels.csv --group-by group --epochs 30 -o comparison/
    """  # noqa: D301 (click wants a real backspace)
    import classify
    from classify.report import comparison_text

    labels, grouping = take_labels(options), take_grouping(options)
    words = {name: options.pop(name) for name in ("prompts", "pretrained")}
    if "zero-shot" in options["baselines"]:
        options["label_vectors"] = classify.embed_labels(store, labels, **words, device=options["device"])
    split = classify.SplitConfig(validation_size=options.pop("validation_size"), **grouping)
    settings = {setting.name for setting in fields(TrainConfig)} & options.keys()
    recipe = TrainConfig(**{name: options.pop(name) for name in settings})
    config = classify.CompareConfig(**options, split=split, recipe=recipe)
    with CountBar("training") as bar:
        found = classify.compare_heads(store, output, labels=labels, config=config, resume=resume, on_result=bar.show)
    show_notes(found.notes)
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else comparison_text(found))
