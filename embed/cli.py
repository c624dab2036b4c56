"""The commands of `embed`. Each parses, calls the library function of its name, and prints.

Results go to stdout, progress and warnings to stderr. Exit codes: 0 done, 1 some videos failed, 2 wrong usage or
nothing could be done, 130 stopped by Ctrl-C.
"""

import io
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from embed.run import SHOWN_FAILURES, report_text, summary_text

if TYPE_CHECKING:
    from embed.machine import Progress
    from embed.run import EmbedConfig
    from embed.store import Failure, RepairReport
    from embed.video import FramesPerSecond, KeyFrames, UniformFrames

_PASSING_REASONS = frozenset({"not_found", "fetch_error", "timeout", "out_of_memory", "crashed"})


class EmbedCommand(click.Command):
    """A command whose library errors are messages, not tracebacks."""

    when_stopped = "What is done is stored: the same command goes on from here."

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; exit 2 with the message of an EmbedError."""
        from embed.errors import EmbedError

        if isinstance(sys.stdout, io.TextIOWrapper):  # a file name that is no UTF-8 is shown by its bytes, \udce9
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except EmbedError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(2)
        except KeyboardInterrupt:
            click.echo(f"\nStopped. {self.when_stopped}", err=True)
            sys.stdout.flush()
            os._exit(130)  # an encoder may be busy in its thread for seconds more: nobody waits for it


class InspectCommand(EmbedCommand):
    """A command that goes on from nowhere when it was stopped."""

    when_stopped = "The stores are as they were, and a new one appears whole or not at all."


@click.command(cls=EmbedCommand)
@click.argument("sources", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o", "--output", "store", default="embeddings.h5", show_default=True, help="The store to make or continue."
)
@click.option(
    "--sampling",
    default="uniform",
    show_default=True,
    type=click.Choice(["uniform", "keyframes", "fps"]),
    help="Evenly spaced frames, the key frames nearest to them (many times faster), or so many a second.",
)
@click.option("--frames-count", type=click.IntRange(1), help="Frames a video, at most.  [default: 100; fps: no limit]")
@click.option(
    "--fps", type=click.FloatRange(0, min_open=True), help="Frames a second, of --sampling fps.  [default: 1]"
)
@click.option("--first-seconds", type=click.FloatRange(0, min_open=True), help="Embed only the beginning.")
@click.option(
    "--model",
    default="ViT-B-32",
    show_default=True,
    help="Encoder: efficientnet-lite0 (bundled), or any of open_clip's.",
)
@click.option("--pretrained", help="Its weights: an open_clip tag or a checkpoint file.  [default: openai]")
@click.option(
    "--views",
    default="centre",
    show_default=True,
    metavar="NAMES",
    help="Of each frame, joined by commas: centre, whole, left, right, each also as NAME-mirrored; or all. Eight views "
    "are eight times the rows, and the encoding.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps ...")
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16", "int8"]),
    help="Arithmetic of the encoder.  [default: the store's; a new one's is bfloat16 for CLIP on CUDA, else float32]",
)
@click.option("--batch-size", default=32, show_default=True, type=click.IntRange(1), help="Frames encoded at once.")
@click.option("--decoder", default="pyav", show_default=True, type=click.Choice(["pyav", "opencv"]))
@click.option(
    "--decode-device",
    default="cpu",
    show_default=True,
    type=click.Choice(["cpu", "cuda"]),
    help="cuda: decode on an NVIDIA GPU, to the same pixels; what it cannot decode, the CPU does.",
)
@click.option("--workers", type=click.IntRange(1), help="Videos decoded at once.  [default: one a core, at most 16]")
@click.option(
    "--timeout",
    default=300.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Seconds that decoding one video may take, or a far server give nothing of it, before it counts as failed.",
)
@click.option(
    "--memory-limit",
    default=4.0,
    show_default=True,
    type=click.FloatRange(0, 1 << 20, min_open=True),
    help="GiB that decoding one video may take.",
)
@click.option("--log", type=click.Path(dir_okay=False), help="Append one JSON object a video to this file.")
@click.option("--retry-failed", is_flag=True, help="Try videos again that failed in an earlier run.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.version_option(package_name="framehead")
def embed_videos(sources: tuple[str, ...], store: str, as_json: bool, **options: Any) -> None:
    """Embed videos once: some frames of each, through a frozen encoder, into one HDF5 store.

    SOURCES are folders (searched recursively), video files, patterns, links, or CSV, TXT or Parquet lists of these.
    Running again embeds only what is missing, and local files that have changed.

    \b
    embed-videos videos/ --frames-count 100
    embed-videos videos.csv --model efficientnet-lite0 -o embeddings.h5
    embed-videos videos/ --sampling fps --fps 1 --first-seconds 45
    """  # noqa: D301 (click wants a real backspace)
    import embed

    config = _config(**options)
    with ProgressBar() as bar:
        summary = embed.embed_videos(sources, store, config, on_progress=bar.show)
    click.echo(json.dumps(summary.to_json(), indent=2) if as_json else summary_text(summary))
    print_failures(summary.failures)
    _print_what_to_retry(summary.failures)
    sys.exit(1 if summary.failed else 0)


@click.command(cls=InspectCommand)
@click.argument("stores", nargs=-1, required=True, type=click.Path())
@click.option("--verify", is_flag=True, help="Read every vector and check it. Exit 1 when something is wrong.")
@click.option("--merge", metavar="NEW", type=click.Path(), help="Write a new store with what all STORES hold.")
@click.option(
    "--repair", metavar="NEW", type=click.Path(), help="Write a new store with what is whole in a damaged one."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.version_option(package_name="framehead")
def inspect_embeddings(
    stores: tuple[str, ...], verify: bool, merge: str | None, repair: str | None, as_json: bool
) -> None:
    """Show what is in a store: videos, vectors, what made them, what failed and why.

    STORES is one store, a file or a folder of shards; with --merge several, or shards of one. With --merge and
    --repair the new store is shown. Exit 1 when a video could not be saved.

    \b
    inspect-embeddings embeddings.h5 --verify
    inspect-embeddings machine1.h5 machine2.h5 --merge all.h5
    inspect-embeddings damaged.h5 --repair saved.h5
    """  # noqa: D301 (click wants a real backspace)
    if merge and repair:
        raise click.UsageError("--merge and --repair are two steps: repair first, then merge the repaired stores.")
    if len(stores) > 1 and not merge:
        raise click.UsageError(f"{len(stores)} stores are named: name one, or join them with --merge NEW.")
    import embed
    from embed.store import merge_embeddings, repair_embeddings

    if merge:
        merge_embeddings(stores, merge)
    repaired = repair_embeddings(stores[0], repair) if repair else None
    report = embed.inspect_embeddings(merge or repair or stores[0], is_verifying=verify)
    described = report.to_json() | ({"repair": repaired.to_json()} if repaired else {})
    click.echo(json.dumps(described, indent=2) if as_json else report_text(report))
    if repaired:
        _print_losses(repaired)
    sys.exit(1 if report.problems or (repaired and (repaired.lost or repaired.problems)) else 0)


class ProgressBar:
    """A bar on stderr: videos, time left, frames a second, failures, the slowest stage. On a terminal only."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __enter__(self) -> "ProgressBar":
        if sys.stderr.isatty():  # seconds pass before there is anything to count
            click.echo("Finding the videos and loading the encoder ...", err=True)
        return self

    def show(self, progress: "Progress") -> None:
        """Draw where the run stands, also where only time has gone on."""
        from tqdm import tqdm

        if self._bar is None:
            self._bar = tqdm(total=progress.videos_total, unit="video", disable=None, dynamic_ncols=True)
        rate = progress.frames / progress.seconds if progress.seconds else 0.0
        failed = f", {progress.failed} failed" if progress.failed else ""
        stage = progress.bottleneck
        waiting = f", slowest: {stage} {progress.shares[stage]:.0%}" if stage else ", none embedded yet"
        self._bar.set_postfix_str(f"{rate:.0f} frames/s{failed}{waiting}", refresh=False)
        if progress.videos_done > self._bar.n:
            self._bar.update(progress.videos_done - self._bar.n)
        else:
            self._bar.refresh()

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def print_failures(failures: "tuple[Failure, ...]") -> None:
    """List on stderr which videos failed, and why."""
    for failure in failures[:SHOWN_FAILURES]:
        click.echo(f"  failed  {failure.id}  {failure.reason}: {failure.detail}", err=True)
    if len(failures) > SHOWN_FAILURES:
        click.echo(f"  ... and {len(failures) - SHOWN_FAILURES} more: inspect-embeddings lists them", err=True)


def _print_what_to_retry(failures: "tuple[Failure, ...]") -> None:
    """Say on stderr how many of the failures may end otherwise: no run tries one again unless told to."""
    count = sum(failure.reason in _PASSING_REASONS for failure in failures)
    if count:
        click.echo(
            f"  {count} of these may go well another time, or with more time or memory: --retry-failed", err=True
        )


def _config(
    *,
    sampling: str,
    frames_count: int | None,
    fps: float | None,
    first_seconds: float | None,
    views: str,
    timeout: float,
    memory_limit: float,
    retry_failed: bool,
    **others: Any,
) -> "EmbedConfig":
    """Build the configuration that the options describe; `others` have the names of its own settings."""
    from embed.decode_pool import DecodeLimits
    from embed.run import EmbedConfig

    try:
        return EmbedConfig(
            sampling=_sampling(sampling, frame_count=frames_count, fps=fps, first_seconds=first_seconds),
            views=_views(views),
            limits=DecodeLimits(timeout, int(memory_limit * (1 << 30))),
            is_retrying=retry_failed,
            **others,
        )
    except ValueError as error:  # a setting's own check
        raise click.UsageError(str(error)) from error


def _sampling(
    name: str, *, frame_count: int | None, fps: float | None, first_seconds: float | None
) -> "UniformFrames | KeyFrames | FramesPerSecond":
    """Build the rule that the options describe."""
    from embed.video import FramesPerSecond, KeyFrames, UniformFrames

    if fps is not None and name != "fps":
        raise click.UsageError(f"--fps is for --sampling fps, not for {name}.")
    if name == "fps":
        return FramesPerSecond(fps or 1.0, first_seconds, frame_count)
    rule = KeyFrames if name == "keyframes" else UniformFrames
    return rule(frame_count or 100, first_seconds)


def _views(names: str) -> tuple[str, ...]:
    """Read the names of views, good or not."""
    from embed.video import ALL_VIEWS

    return ALL_VIEWS if names == "all" else tuple(names.split(","))


def _print_losses(repaired: "RepairReport") -> None:
    """Say on stderr what could not be saved."""
    for problem in repaired.problems:
        click.echo(f"  damaged  {problem}", err=True)
    for video_id in repaired.lost[:SHOWN_FAILURES]:
        click.echo(f"  lost  {video_id}", err=True)
    if len(repaired.lost) > SHOWN_FAILURES:
        click.echo(f"  ... and {len(repaired.lost) - SHOWN_FAILURES} more: --json lists them", err=True)
