"""`framehead learn`: embed, split, choose and report, each by the command that one would type."""

import shlex
import sys
from pathlib import Path

import click

from classify.cli.data import split_videos
from classify.cli.training import train_head
from classify.errors import ClassifyError
from embed.cli import Command, embed_videos, inspect_embeddings, option, show_next, show_notes

_SHOWN = {command.name: command for command in (embed_videos, inspect_embeddings, split_videos, train_head)}


@click.command(cls=Command, guide="start.md")
@click.argument("videos", metavar="FOLDER", type=click.Path(exists=True, file_okay=False, path_type=Path))
@option(
    "--model", default="ViT-B-32", show_default=True, metavar="NAME", help="Encoder; efficientnet-lite0 is bundled."
)
@option("--pretrained", metavar="WEIGHTS", help="The encoder's weights: a tag, or a checkpoint file.")
@option("--frames-count", default=32, show_default=True, type=click.IntRange(1), metavar="N", help="Frames a video.")
@option("--labels", metavar="FILE", type=click.Path(), help="Label file.  [default: each folder's name is a label]")
@option("--group-by", metavar="COLUMN", help="Column of the label file; videos of one group stay in one part.")
@option("--test-size", default=0.2, show_default=True, metavar="SHARE", help="Share of the videos that tests.")
@option("--budget", default=60.0, show_default=True, metavar="SECONDS", help="Time for choosing and training a head.")
@option(
    "-o",
    "--output",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the store, the split and the head.  [default: FOLDER-learned, beside FOLDER]",
)
@click.version_option(package_name="framehead", help="Show the version.")
def learn(videos: Path, output: Path | None, **options: str | float | None) -> None:
    """Learn to classify: from a FOLDER with a subfolder of videos for each class to a trained head and its report.

    Runs embed-videos, split-videos and train-head --arch auto, and shows each command before it runs. Running it again
    embeds only what is new.

    \b
    framehead learn videos/
    framehead learn videos/ --model efficientnet-lite0 --budget 20 -o learned/
    """  # noqa: D301 (click wants a real backspace)
    from classify.report import check_page_packages

    here = output or videos.resolve().with_name(f"{videos.resolve().name}-learned")
    store, split, head = (str(here / name) for name in ("embeddings.h5", "split.csv", "head"))
    here.mkdir(parents=True, exist_ok=True)
    labels = _given(options, "labels")
    encoder = _given(options, "model", "pretrained", "frames_count")
    _run("embed-videos", str(videos), *encoder, "-o", store)
    part = _given(options, "test_size", "group_by")
    _run("split-videos", store, *labels, *part, "--validation-size", "0", "-o", split)
    budget, page = _given(options, "budget"), ["--html"]
    try:
        check_page_packages()
    except ClassifyError as error:
        page = []
        show_notes((f"No report.html is written. {error}",))
    _run("train-head", store, *labels, "--split", split, "--arch", "auto", *budget, *page, "-o", head)
    show_next(f"predict-videos {shlex.quote(head)} NEW_VIDEOS")


def _given(options: dict[str, str | float | None], *names: str) -> list[str]:
    """Return options as they are typed, those that have a value."""
    typed: list[str] = []
    for name in names:
        value = options[name]
        if value is not None:
            typed += [f"--{name.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value)]
    return typed


def _run(name: str, *arguments: str) -> None:
    """Show a command as one would type it, and run it. Where it fails, stop with its exit code."""
    click.secho(f"\n$ {shlex.join([name, *arguments])}", bold=True)
    try:
        code = _SHOWN[name].main([*arguments], prog_name=name, standalone_mode=False)
    except SystemExit as end:
        code = end.code
    # 1 of embed-videos: some videos failed, and were named; the others do.
    if code and not (name == "embed-videos" and code == 1):
        click.echo(f"\n{name} failed, as said above. Mend that and run this again: what is done stays done.", err=True)
        sys.exit(code)
