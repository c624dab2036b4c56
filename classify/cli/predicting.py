"""`predict-videos`."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from classify.cli.options import overwrite_option
from classify.cli.typed import given_options
from embed.cli import LAST, Command, ProgressBar, as_line, echo, option, output_options, show_next, show_notes
from embed.machine import counted, operand, shown

if TYPE_CHECKING:
    from classify import Predictions, StreamConfig, StreamSummary
    from classify.streaming import Result

_STDOUT = "-"
_LABELS, _WRITING = "Labels and moments", "Files"
_EMBEDDING, _COMPETITION = "Embedding new videos", "YouTube-8M"
_KEPT = (
    *("spreadsheet_safe", "store", "top", "threshold", "moments", "file_format", "sheets", "vocabulary"),
    *("device", "batch_size", "pretrained", "playlists", "public_only"),
)
_MOST_SOURCES = 5  # of a line to paste


@click.command(
    cls=Command,
    guide="predicting.md",
    when_stopped="With -o, what is done is kept, and with --store the embeddings. Run the same command again.",
)
@click.argument("head", type=click.Path())
@click.argument("sources", nargs=-1, required=True, type=click.Path())
@option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write the predictions to this file; - is stdout.  [default: a table on a terminal, else CSV on stdout]",
)
@overwrite_option
@option(
    "--spreadsheet-safe",
    group=LAST,
    is_flag=True,
    help="Write ' before each cell of the CSV that a spreadsheet would take for a formula.",
)
@option(
    "--store",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Keep the embeddings of new videos in this store, and reuse those that it has.",
)
@option(
    "--top",
    group=_LABELS,
    type=click.IntRange(1),
    metavar="N",
    help="Give each video its N likeliest labels; with --threshold, at most N of those that reach it.",
)
@option(
    "--threshold",
    group=_LABELS,
    multiple=True,
    metavar="SHARE",
    help="Lowest probability of a label: 0.5 for all, dog=0.4 for one, or a CSV with the columns label and threshold. "
    "May be repeated.  [default: the head's own]",
)
@option("--moments", group=_LABELS, is_flag=True, help="Also tell when each label is seen. The CSV has a row a moment.")
@option(
    "--format",
    "file_format",
    group=_WRITING,
    type=click.Choice(["csv", "json", "jsonl", "parquet", "yt8m"]),
    default="csv",
    show_default=True,
    help="Of the predictions. jsonl has an object a line, as videos are done; yt8m the 20 likeliest labels by number.",
)
@option(
    "--sheets",
    group=_WRITING,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Write a contact sheet of each video here: a JPEG with the frames at the moments of its labels.",
)
@option(
    "--watch",
    group=_WRITING,
    is_flag=True,
    help="Wait for new videos in the folders, and label them as they arrive. Ctrl-C ends it.",
)
@option("--device", group=_EMBEDDING, default="auto", show_default=True, metavar="NAME", help="auto, cpu or cuda.")
@option(
    "--batch-size",
    group=_EMBEDDING,
    type=click.IntRange(1),
    metavar="N",
    help="Frames, or clips, that the encoder takes at once.  [default: 32 frames; of clips as many as have 32 frames, "
    "on a GPU 128]",
)
@option(
    "--pretrained",
    group=_EMBEDDING,
    metavar="FILE",
    help="The checkpoint file of the head's encoder, if it has moved since the head was trained.",
)
@option(
    "--playlists",
    is_flag=True,
    group=_EMBEDDING,
    help="Also play local .m3u8 and .ffconcat files that are named. Such a file reads the files that it names.",
)
@option(
    "--public-only",
    is_flag=True,
    group=_EMBEDDING,
    help="Fetch links from hosts of the public internet only, redirections included. For lists from strangers.",
)
@option(
    "--vocabulary",
    group=_COMPETITION,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="YouTube-8M's vocabulary.csv, with the numbers for --format yt8m if the head's labels are names.",
)
@output_options
def predict_videos(
    head: str,
    sources: tuple[str, ...],
    output: str | None,
    watch: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Label SOURCES with the trained HEAD. SOURCES are stores, folders, video files, or CSV or TXT lists.

    HEAD may be a folder of versions: its champion is taken.

    New videos are decoded and embedded exactly as those that the head learned from.

    The CSV has the columns id, path, labels, probability, error and one probability_... for each label. A video that
    failed has a row too: its error is not empty. Exit 1 if a video failed.

    A run that was killed goes on where it stopped if the same command is run again with the same -o FILE.

    \b
    predict-videos head/ new_videos/
    predict-videos head/ embeddings.h5 -o predictions.csv
    predict-videos head/ new_videos/ --store new.h5 -o - | grep cooking
    predict-videos head/ uploads/ --watch --moments --format jsonl -o tags.jsonl
    """  # noqa: D301 (click wants a real backspace)
    config = _configure(options)
    way = _Way.of(output, config, as_json=as_json, watch=watch)
    import classify
    from classify.refresh import champion_folder

    typed, head = head, str(champion_folder(head))
    taker = way.taker(head, config)
    if watch:
        click.echo(f"Watching {', '.join(map(shown, sources))}. Ctrl-C ends it.", err=True)
        summary = classify.watch_folders(head, sources, way.file, config=config, on_result=taker or _tell)
    else:
        with ProgressBar() as bar:
            summary = classify.stream_predictions(
                head, sources, way.file, config=config, on_result=taker, on_progress=bar.show
            )
    show_notes(_notes(summary))
    way.show(head, config, summary)
    _list_failures(summary, way, config)
    if way.kind == "table" and len(sources) <= _MOST_SOURCES:
        line = ["predict-videos", *map(operand, (typed, *sources)), *given_options(*_KEPT), "-o", "predictions.csv"]
        show_next(as_line(line))
    sys.exit(1 if summary.failed else 0)


def _configure(options: dict[str, Any]) -> "StreamConfig":
    """Return what the options ask for."""
    from classify import LabelRule, PredictConfig, StreamConfig

    own = {name: options.pop(name) for name in ("file_format", "moments", "sheets", "spreadsheet_safe", "overwrite")}
    rule = LabelRule.parse(options.pop("top"), options.pop("threshold"))
    predict = PredictConfig(**options, file_format="yt8m" if own["file_format"] == "yt8m" else "csv")
    return StreamConfig(predict=predict, rule=rule, **own)


@dataclass
class _Way:
    """Where results go.

    Args:
        kind: "file"; "rows" of text on stdout, as videos are done; or at the end one "json" or a "table" on stdout.
        file: the file, or None.
        found: the results, where they are shown at the end.
    """

    kind: str
    file: str | None
    found: list["Result"] = field(default_factory=list)

    @classmethod
    def of(cls, output: str | None, config: "StreamConfig", *, as_json: bool, watch: bool) -> "_Way":
        """Return the way of what was typed.

        Raises:
            click.UsageError: two options exclude each other.
        """
        file = None if output == _STDOUT else output
        if as_json:
            _refuse_beside_json(output, config, watch=watch)
            return cls("json", file)
        if file is not None:
            return cls("file", file)
        if config.file_format == "parquet":
            raise click.UsageError("--format parquet is for files. Name one with -o, or choose another --format.")
        if config.file_format == "json" and not watch:
            return cls("json", None)
        is_table = output is None and config.file_format == "csv" and sys.stdout.isatty() and not watch
        return cls("table" if is_table else "rows", None)

    def taker(self, head: str, config: "StreamConfig") -> "Callable[[Result], None] | None":
        """Return what gets each result."""
        if self.kind == "file":
            return None
        return _Rows(head, config).show if self.kind == "rows" else self.found.append

    def show(self, head: str, config: "StreamConfig", summary: "StreamSummary") -> None:
        """Print what is shown at the end."""
        counts = f"{counted(summary.labelled, 'video')} labelled, {summary.failed:,} failed"
        if self.kind == "file":
            echo(f"{counts} -> {shown(str(self.file))}")
        elif self.kind == "rows":
            if not (summary.labelled or summary.failed):
                _Rows(head, config).show_header()
            click.echo(counts, err=True)
        elif self.kind == "json":
            click.echo(json.dumps(self._predictions(head, summary).to_json(), indent=2))
        else:
            _show_table(self._predictions(head, summary), config, counts)

    def _predictions(self, head: str, summary: "StreamSummary") -> "Predictions":
        from classify.streaming import predictions_of

        return predictions_of(head, self.found, summary.order)


class _Rows:
    """Prints results as text, each as soon as it is there."""

    def __init__(self, head: str, config: "StreamConfig") -> None:
        self._head, self._config = head, config
        self._form: Any = None

    def show_header(self) -> None:
        """Print what comes before all results."""
        from classify.streaming import text_format_of

        self._form = text_format_of(self._head, self._config)
        self._print(self._form.header)

    def show(self, result: "Result") -> None:
        """Print a result."""
        if self._form is None:
            self.show_header()
        self._print(self._form.text_of(result))

    def _print(self, text: str) -> None:
        click.echo(shown(text, keeps_lines=True) if sys.stdout.isatty() else text, nl=False)
        sys.stdout.flush()


def _tell(result: "Result") -> None:
    """Tell on stderr which video was labelled just now."""
    from embed.store import Failure

    if isinstance(result, Failure):
        said = f"{result.id}: failed, {result.reason}"
    else:
        given = (f"{label} {result.probabilities[label]:.2f}" for label in result.labels)
        said = f"{result.video_id}: {', '.join(given) or 'no label reached its threshold'}"
    click.echo(shown(said), err=True)


def _refuse_beside_json(output: str | None, config: "StreamConfig", *, watch: bool) -> None:
    if output == _STDOUT:
        raise click.UsageError("--json and -o - both write to stdout. Leave one of them out.")
    if watch:
        raise click.UsageError("--json prints one object at the end, which --watch does not have. Use --format jsonl.")
    if output is None and config.file_format not in ("csv", "json"):
        raise click.UsageError(
            f"--format {config.file_format} has no effect on --json. Name a file with -o, or leave --json out."
        )


def _show_table(found: "Predictions", config: "StreamConfig", counts: str) -> None:
    from classify.classifier import predictions_text
    from classify.streaming import moments_text

    table = predictions_text(found, shutil.get_terminal_size().columns)
    moments = moments_text(found.videos) if config.moments and found.videos else ""
    echo("\n\n".join(filter(None, [table, moments, counts])))


def _notes(summary: "StreamSummary") -> tuple[str, ...]:
    """Return what is worth telling beside the counts."""
    notes = [summary.replaced]
    if summary.resumed:
        notes.append(f"{counted(summary.resumed, 'video')} had been done by the run before, which did not end.")
    if summary.reused:
        notes.append(f"{counted(summary.reused, 'new video')} had been embedded before: not decoded again.")
    if summary.unsheeted:
        notes.append(f"{counted(summary.unsheeted, 'video')} got no contact sheet: no local file that can be read.")
    return tuple(filter(None, notes))


def _list_failures(summary: "StreamSummary", way: _Way, config: "StreamConfig") -> None:
    """List on stderr which videos failed, and why."""
    from embed.cli import print_failures

    print_failures(tuple(summary.failures))
    more = summary.failed - len(summary.failures)
    if more > 0:
        has_rows = way.kind in ("file", "rows") and config.file_format != "yt8m"
        kind = "CSV" if config.file_format == "csv" else "output"
        where = f"the {kind} has a row for each" if has_rows else "-o predictions.csv writes a row for each"
        click.echo(f"  ... and {more:,} more: {where}", err=True)
