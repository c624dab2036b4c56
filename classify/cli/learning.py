"""`framehead learn`: embed, split, choose and report, each by the command that one would type.

Its folder holds what these commands write, and two files of its own:

    videos-learned/
      learned.json         which folder it was learned from, relative to this one
      embeddings.h5        the store, of embed-videos
      labels-present.csv   labels of the videos that are still in the folder; written if the store has others, too
      split.csv            of split-videos
      head/                of train-head
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from classify.cli.data import split_videos
from classify.cli.learning_plan import LearningPlan, claim_output, default_output, plan_learning, refuse_output
from classify.cli.options import LABEL_OPTIONS, column_options, take_labels
from classify.cli.training import train_head
from classify.cli.typed import given_options, type_option
from classify.errors import ClassifyError
from embed.cli import GOES_ON, STEP, Command, FiniteRange, as_line, echo, embed_videos, option, show_next, show_notes
from embed.machine import counted, operand, real_path, shown

if TYPE_CHECKING:
    from classify.data import LabelConfig

_STEPS = {command.name: command for command in (embed_videos, split_videos, train_head)}
_EMBEDDING, _SPLIT = "Embedding", "Split"


@click.command(cls=Command, guide="start.md", when_stopped=GOES_ON)
@click.argument("videos", metavar="FOLDER", type=click.Path(exists=True, file_okay=False, path_type=Path))
@option(
    "--model", default="ViT-B-32", show_default=True, metavar="NAME", help="Encoder; efficientnet-lite0 is bundled."
)
@option("--labels", metavar="FILE", type=click.Path(), help="Label file.  [default: each folder's name is a label]")
@column_options
@option(
    "--budget",
    default=60.0,
    type=FiniteRange(0, min_open=True),
    metavar="SECONDS",
    help="Time to choose and train a head.  [default: 60]",
)
@option(
    "-o",
    "--output",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the store, the split and the head.  [default: FOLDER-learned, beside FOLDER]",
)
@option(
    "--frames-count",
    group=_EMBEDDING,
    default=32,
    show_default=True,
    type=click.IntRange(1),
    metavar="N",
    help="Frames of each video.",
)
@option(
    "--pretrained", group=_EMBEDDING, metavar="WEIGHTS", help="Weights of the encoder: a tag, or a checkpoint file."
)
@option(
    "--test-size",
    group=_SPLIT,
    default=0.2,
    show_default=True,
    metavar="SHARE",
    help="Share of the videos for the test part. If FOLDER has train/ and val/ or test/, these are the parts instead.",
)
@option(
    "--group-by",
    group=_SPLIT,
    metavar="COLUMN",
    help="Column of the label file; videos of one group stay in one part.",
)
@click.version_option(package_name="framehead", help="Show the version.")
def learn(videos: Path, output: Path | None, **options: Any) -> None:
    """Learn to classify: from a FOLDER with a subfolder of videos for each class to a trained head and its report.

    Runs embed-videos, split-videos and train-head --arch auto, and shows each command before it runs. Running it again
    embeds only what is new, and videos keep their parts. Exit 1 if videos failed: the head has learned from the others.

    \b
    framehead learn videos/
    framehead learn videos/ --model efficientnet-lite0 --budget 20 -o learned/
    """  # noqa: D301 (click wants a real backspace)
    import classify
    from classify.classifier import refuse_output_folder

    output = output or default_output(videos)
    refuse_output(output, videos)
    split = classify.SplitConfig(options["test_size"], 0, options["group_by"])
    is_sized = click.get_current_context().get_parameter_source("test_size") is not ParameterSource.DEFAULT
    plan = plan_learning(videos, take_labels(options), split, is_sized=is_sized)
    echo(shown(str(plan)))
    kept = _kept_labels(plan, output)
    claim_output(output, videos)
    refuse_output_folder(output / "head")
    has_failures = _take_steps(plan, output, kept, options)
    if has_failures:
        show_notes(("Some videos failed and are listed above. The head has learned from the others.",))
    show_next(as_line(["predict-videos", operand(str(output / "head")), "NEW_VIDEOS"]))
    sys.exit(1 if has_failures else 0)


def _kept_labels(plan: LearningPlan, output: Path) -> "LabelConfig | None":
    """Return the labels of an earlier run's split whose videos can keep their parts; None if there is none.

    Raises:
        ClassifyError: a new split would replace one that somebody edited.
    """
    from classify.data import describe_split_file, labels_of_split, load_split

    split = output / "split.csv"
    if not split.exists():
        return None
    try:
        before, _ = labels_of_split(split, load_split(split)[0])
    except ClassifyError:  # no split, or its labels are gone
        before = None
    if before is not None and not plan.split.by_folder and _is_same(before.path, plan.labels.path, output):
        return before
    if describe_split_file(split) is None:
        train = as_line(["train-head", str(output / "embeddings.h5"), "--split", str(split), "-o", "HEAD"])
        raise ClassifyError(
            f"{split} was edited, or written by something else, and would be lost. Move it away, or train with it: "
            f"{train}."
        )

    return None


def _is_same(before: str | Path | None, now: str | Path | None, output: Path) -> bool:
    """Return True if labels of an earlier run are from the same place; `labels-present.csv` has some of these."""
    if _is_present_file(before, output):
        return True
    return before is now is None or (before is not None and now is not None and real_path(before) == real_path(now))


def _is_present_file(path: str | Path | None, output: Path) -> bool:
    return path is not None and real_path(path) == real_path(output / "labels-present.csv")


def _take_steps(plan: LearningPlan, output: Path, kept: "LabelConfig | None", options: dict[str, Any]) -> bool:
    """Run the commands one after another; return True if videos failed."""
    store, split, head = (str(output / name) for name in ("embeddings.h5", "split.csv", "head"))
    encoder = _typed(options, "model", "pretrained", "frames_count")
    has_failures = _run("embed-videos", operand(str(plan.videos.path)), *encoder, "-o", store)
    current = _current_labels(plan, output, is_needed=kept is not None and _is_present_file(kept.path, output))
    labels = given_options(*LABEL_OPTIONS) if current is None else type_option("--labels", current)
    parts = ["--by-folder"] if plan.split.by_folder else type_option("--test-size", plan.split.test_size)
    groups, keeping = _typed(options, "group_by"), [] if kept is None else ["--keep", split]
    _run("split-videos", operand(store), *labels, *groups, *parts, "--validation-size", "0", *keeping, "-o", split)
    chosen = ["--arch", "auto", *_typed(options, "budget"), *_page_option()]
    _run("train-head", operand(store), *labels, "--split", split, *chosen, "-o", head)
    return has_failures


def _current_labels(plan: LearningPlan, output: Path, *, is_needed: bool) -> str | None:
    """Return a label file without the videos of the store that are gone from the folder; None if there are none.

    Args:
        plan: what is learned from.
        output: the folder of the file.
        is_needed: write the file in any case, since the kept split names it.

    Raises:
        ClassifyError: no video could be embedded.
    """
    from classify.files import write_whole
    from embed.store import EmbeddingStore

    with EmbeddingStore(output / "embeddings.h5") as store:
        embedded = set(store.ids)
    gone = sorted(video_id for video_id in embedded if video_id not in plan.videos)
    if not embedded:
        raise ClassifyError(f"No video of {plan.videos.path} could be embedded; the reasons are above.")
    if lost := plan.labels_without(embedded):
        show_notes((f"No video of these labels could be embedded, so the head does not know them: {', '.join(lost)}.",))
    path, text = output / "labels-present.csv", _label_file(plan)
    is_asked = plan.labels.path is not None and path.exists() and path.samefile(plan.labels.path)
    if not gone and not is_needed:
        if not is_asked and _wrote(path):
            path.unlink()  # so that no later run meets a file that the split no longer vouches for
        return None
    if is_asked or (path.exists() and not _wrote(path) and path.read_bytes() != text.encode(errors="surrogateescape")):
        raise ClassifyError(
            f"{path} was edited, but framehead learn writes this file. Copy it to another name, and give --labels that."
        )
    write_whole(path, text)
    if not gone:
        return str(path)
    what = f"The store has {counted(len(gone), 'video')} that {plan.videos.path} no longer has, such as {gone[0]!r}."
    show_notes((f"{what} {path} labels the others.",))
    return str(path)


def _wrote(path: Path) -> bool:
    """Return True if a label file is the one that the split beside it was made with, so that nobody has edited it."""
    from classify.data import labels_of_split, load_split

    split = path.with_name("split.csv")
    if not path.exists() or not split.exists():
        return False
    try:
        config, notes = labels_of_split(split, load_split(split)[0])
    except ClassifyError:  # the split was made with labels that are gone
        return False
    return config.path is not None and not notes and Path(config.path).samefile(path)


def _label_file(plan: LearningPlan) -> str:
    """Return the text of a label file of the videos that are in the folder."""
    from classify.files import csv_text

    table, group_by = plan.table, plan.split.group_by
    rows = [["id", "labels", *([group_by] if group_by else [])]]
    for index, video_id in enumerate(table.ids):
        rows.append([video_id, table.labels_of(index), *([table.groups[index]] if table.groups else [])])
    return csv_text(rows)


def _page_option() -> list[str]:
    """Return the option for report.html, if what it needs is installed."""
    from classify.report import check_page_packages

    try:
        check_page_packages()
    except ClassifyError as error:
        show_notes((f"No report.html is written. {error}",))
        return []
    return ["--html"]


def _typed(options: dict[str, Any], *names: str) -> list[str]:
    """Return options as they are typed, those that have a value."""
    given = (type_option(f"--{name.replace('_', '-')}", options[name]) for name in names if options[name] is not None)
    return [word for words in given for word in words]


def _run(name: str, *arguments: str) -> bool:
    """Show a command as one would type it, and run it; return True if videos failed. If it fails itself, exit."""
    click.secho(f"\n$ {as_line([name, *arguments])}", bold=True)
    try:
        code = _STEPS[name].main([*arguments], prog_name=name, standalone_mode=False, obj=STEP)
    except SystemExit as end:
        code = end.code
    # 1 of embed-videos: some videos failed and are listed; the others do.
    if code and not (name == "embed-videos" and code == 1):
        click.echo(
            f"\n{name} failed; its message is above. Fix the cause and run the same command again: "
            "finished steps are kept.",
            err=True,
        )
        sys.exit(code)
    return bool(code)
