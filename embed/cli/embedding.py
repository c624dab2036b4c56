"""`embed-videos`."""

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from embed.cli.command import Command, option, output_options
from embed.cli.progress import ProgressBar, print_failures
from embed.run import summary_text

if TYPE_CHECKING:
    from embed.run import EmbedConfig
    from embed.store import Failure
    from embed.video import FramesPerSecond, KeyFrames, UniformFrames

_PASSING_REASONS = frozenset({"not_found", "fetch_error", "timeout", "out_of_memory", "crashed"})


@click.command(cls=Command, guide="embedding.md")
@click.argument("sources", nargs=-1, required=True, type=click.Path())
@option("-o", "--output", "store", default="embeddings.h5", show_default=True, help="The store to make or continue.")
@option(
    "--sampling",
    default="uniform",
    show_default=True,
    type=click.Choice(["uniform", "keyframes", "fps"]),
    help="Evenly spaced frames, the key frames nearest to them (many times faster), or so many a second.",
)
@option("--frames-count", type=click.IntRange(1), help="Frames a video, at most.  [default: 100; fps: no limit]")
@option("--fps", type=click.FloatRange(0, min_open=True), help="Frames a second, of --sampling fps.  [default: 1]")
@option("--first-seconds", type=click.FloatRange(0, min_open=True), help="Embed only the beginning.")
@option(
    "--model",
    default="ViT-B-32",
    show_default=True,
    help="Encoder: efficientnet-lite0 (bundled), or any of open_clip's.",
)
@option("--pretrained", help="Its weights: an open_clip tag or a checkpoint file.  [default: openai]")
@option(
    "--views",
    default="centre",
    show_default=True,
    metavar="NAMES",
    help="Of each frame, joined by commas: centre, whole, left, right, each also as NAME-mirrored; or all. Eight views "
    "are eight times the rows, and the encoding.",
)
@option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps ...")
@option(
    "--precision",
    type=click.Choice(["float32", "bfloat16", "int8"]),
    help="Arithmetic of the encoder.  [default: the store's; a new one's is bfloat16 for CLIP on CUDA, else float32]",
)
@option("--batch-size", default=32, show_default=True, type=click.IntRange(1), help="Frames encoded at once.")
@option("--decoder", default="pyav", show_default=True, type=click.Choice(["pyav", "opencv"]))
@option(
    "--decode-device",
    default="cpu",
    show_default=True,
    type=click.Choice(["cpu", "cuda"]),
    help="cuda: decode on an NVIDIA GPU, to the same pixels; what it cannot decode, the CPU does.",
)
@option("--workers", type=click.IntRange(1), help="Videos decoded at once.  [default: one a core, at most 16]")
@option(
    "--timeout",
    default=300.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Seconds that decoding one video may take, or a far server give nothing of it, before it counts as failed.",
)
@option(
    "--memory-limit",
    default=4.0,
    show_default=True,
    type=click.FloatRange(0, 1 << 20, min_open=True),
    help="GiB that decoding one video may take.",
)
@option("--log", type=click.Path(dir_okay=False), help="Append one JSON object a video to this file.")
@option("--retry-failed", is_flag=True, help="Try videos again that failed in an earlier run.")
@output_options
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
