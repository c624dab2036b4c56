"""`embed-videos`."""

import json
import sys
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from embed.cli.command import (
    GOES_ON,
    Command,
    FiniteRange,
    as_line,
    echo,
    option,
    output_options,
    show_command,
    show_next,
    typed_again,
)
from embed.cli.models import show_licence, show_models
from embed.cli.progress import ProgressBar, print_failures
from embed.cli.sampling_options import SamplingChoice, sampling_options
from embed.machine import operand
from embed.run import summary_text

if TYPE_CHECKING:
    from embed.run import EmbedConfig
    from embed.store import Failure

_PASSING_REASONS = frozenset({"fetch_error", "timeout", "out_of_memory", "crashed", "changed_while_read"})
"""Reasons that may not hold another time. A file that is absent or broken is tried again once it is another one."""


@click.command(cls=Command, guide="embedding.md", when_stopped=GOES_ON)
@click.argument("sources", nargs=-1, required=True, type=click.Path())
@option(
    "-o",
    "--output",
    "store",
    metavar="FILE",
    default="embeddings.h5",
    show_default=True,
    help="Store to make or continue. A name without .h5 makes a folder of shards.",
)
@option(
    "--model",
    metavar="NAME",
    default="ViT-B-32",
    show_default=True,
    help="Encoder: efficientnet-lite0 (bundled), any model of open_clip, or a model of clips, such as mvit_v2_s.",
)
@option(
    "--pretrained",
    metavar="WEIGHTS",
    help="Weights of the encoder: a tag of open_clip, or a checkpoint file.  [default: openai]",
)
@sampling_options
@option(
    "--retry-failed",
    is_flag=True,
    setting="is_retrying",
    help="Try videos again that failed in an earlier run.",
)
@option(
    "--prune",
    is_flag=True,
    setting="is_pruning",
    help="Drop videos from the store that are no longer in SOURCES: whose files are gone from these folders, or that "
    "these lists name no more. It keeps those of a folder that is there but empty, and refuses to drop most.",
)
@option(
    "--prune-anyway",
    is_flag=True,
    setting="is_pruning_anyway",
    help="Drop what --prune keeps or refuses, too.",
)
@option(
    "--views",
    group="Frames",
    default="centre",
    show_default=True,
    metavar="NAMES",
    help="Parts of each frame, separated by commas: centre, whole, left, right, each also as NAME-mirrored; or all. "
    "Eight views make eight times the rows and take eight times the encoding.",
)
@option(
    "--device",
    group="Encoder",
    metavar="NAME",
    default="auto",
    show_default=True,
    help="Where to encode: auto, cpu, cuda, cuda:1 or mps.",
)
@option(
    "--list-models",
    group="Encoder",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=show_models,
    help="Show the encoders that are known by name, with sizes and licences.",
)
@option(
    "--precision",
    group="Encoder",
    type=click.Choice(["float32", "bfloat16", "int8"]),
    help="Arithmetic of the encoder.  [default: the store's; for a new store bfloat16 with CLIP on CUDA, else float32]",
)
@option(
    "--pca",
    group="Size of the store",
    metavar="FILE",
    type=click.Path(),
    help="Reduce the vectors by this file of fit-pca before they are stored.",
)
@option(
    "--quantize",
    group="Size of the store",
    is_flag=True,
    setting="is_quantised",
    help="Store one byte a coefficient: half the size. Values beyond +-2 are cut off; it tells how many.",
)
@option(
    "--stop-before",
    group="Encoder",
    metavar="BLOCK",
    default="",
    help="Store what enters this block of a torch model, such as blocks.15 of mvit_v2_s, to fine-tune the block with "
    "train-head --arch last-block.",
)
@option(
    "--batch-size",
    group="Encoder",
    metavar="N",
    type=click.IntRange(1),
    help="Frames, or clips, encoded at once. Use less if the GPU's memory is too small.  [default: 32 frames; of clips "
    "as many as have 32 frames, on a GPU 128]",
)
@option(
    "--decoder",
    group="Decoding",
    default="pyav",
    show_default=True,
    type=click.Choice(["pyav", "opencv"]),
    help="Library that decodes. Both find the same frames; only pyav skips what is not needed.",
)
@option(
    "--decode-device",
    group="Decoding",
    default="cpu",
    show_default=True,
    type=click.Choice(["cpu", "cuda"]),
    help="cuda: decode on an NVIDIA GPU, to the same pixels. The CPU decodes what the GPU cannot.",
)
@option(
    "--playlists",
    is_flag=True,
    group="Decoding",
    help="Also play local .m3u8 and .ffconcat files that are named. Such a file reads the files that it names.",
)
@option(
    "--workers",
    group="Limits and log",
    metavar="N",
    type=click.IntRange(1),
    help="Videos decoded at once.  [default: one per core, at most 16]",
)
@option(
    "--timeout",
    group="Limits and log",
    setting="timeout_s",
    metavar="SECONDS",
    default=300.0,
    show_default=True,
    type=FiniteRange(0, min_open=True),
    help="Longest time to decode one video, or to wait for a server that sends nothing. Then the video counts as "
    "failed.",
)
@option(
    "--memory-limit",
    group="Limits and log",
    setting="memory_bytes",
    metavar="GIB",
    default=4.0,
    show_default=True,
    type=FiniteRange(1 / 16, 1 << 20),
    help="Most memory to decode one video, in GiB.",
)
@option(
    "--public-only",
    is_flag=True,
    group="Limits and log",
    help="Fetch links from hosts of the public internet only, redirections included. For lists from strangers.",
)
@option(
    "--log",
    group="Limits and log",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Append one JSON object per video to this file.",
)
@output_options
def embed_videos(sources: tuple[str, ...], store: str, as_json: bool, **options: Any) -> None:
    """Embed videos once: some frames of each, through a frozen encoder, into one HDF5 store.

    SOURCES are folders (searched recursively), video files, patterns, links, or lists of these (CSV, TSV, TXT or
    Parquet). A second run embeds only what is missing, and local files that have changed. A file that was moved keeps
    its vectors under its new id.

    \b
    embed-videos videos/ --frames-count 100
    embed-videos videos.csv --model efficientnet-lite0 -o embeddings.h5
    embed-videos videos/ --sampling fps --fps 1 --first-seconds 45
    embed-videos videos/ --model mvit_v2_s --window 4s --stride 2s
    """  # noqa: D301 (click needs a real backspace)
    import embed

    config = _config(**options)
    if not as_json:
        show_licence(config.model, config.pretrained)
    with ProgressBar() as bar:
        summary = embed.embed_videos(sources, store, config, on_progress=bar.show)
    echo(json.dumps(summary.to_json(), indent=2) if as_json else summary_text(summary))
    print_failures(summary.failures)
    _show_what_to_retry(summary.failures)
    kept_back = set().union(*summary.emptied.values())
    if not kept_back.issuperset(summary.gone):
        show_command("To drop from the store what is no longer in these sources:", typed_again("--prune"))
    if not as_json and summary.embedded + summary.skipped:
        show_next(_next_command(store))
    sys.exit(1 if summary.failed else 0)


def _next_command(store: str) -> str:
    """Return what comes next: a split if folders may be labels, else predictions, or a split by a label file."""
    from embed.store import EmbeddingStore

    with EmbeddingStore(store) as opened:
        if any("/" in video_id for video_id in opened.ids):
            return as_line(["split-videos", operand(store)])
    predicting = as_line(["predict-videos", "head/", operand(store)])
    splitting = as_line(["split-videos", operand(store), "--labels", "labels.csv"])
    return f"{predicting}  # with a trained head\n{splitting}  # to train one: no video lies in a class folder"


def _show_what_to_retry(failures: "tuple[Failure, ...]") -> None:
    """Show on stderr the command that tries videos again, and which of them it may help, with or without a change."""
    from embed.machine import counted

    passing = sum(failure.reason in _PASSING_REASONS for failure in failures)
    refused = sum(failure.reason == "refused" for failure in failures)
    if passing:
        click.echo(
            f"\n{counted(passing, 'video')} of these may succeed another time,"
            "\nor with a larger --timeout or --memory-limit.",
            err=True,
        )
    if refused:
        click.echo(
            f"\n{counted(refused, 'video')} refused: change what the reason names (credentials, a link"
            "\nthat expired, --public-only, a package) before you try again.",
            err=True,
        )
    if passing or refused:
        show_command("To try failed videos again:", typed_again("--retry-failed"))


def _config(
    *,
    model: str,
    views: str,
    timeout: float,
    memory_limit: float,
    retry_failed: bool,
    prune: bool,
    prune_anyway: bool,
    quantize: bool,
    **others: Any,
) -> "EmbedConfig":
    """Build the configuration that the options describe. `others` have the names of its fields."""
    from embed.decode_pool import DecodeLimits
    from embed.run import EmbedConfig

    choice = SamplingChoice(**{column.name: others.pop(column.name) for column in fields(SamplingChoice)})
    try:
        return EmbedConfig(
            model=model,
            sampling=choice.rule(model),
            views=_views(views),
            limits=DecodeLimits(timeout, int(memory_limit * (1 << 30))),
            is_retrying=retry_failed,
            is_pruning=prune,
            is_pruning_anyway=prune_anyway,
            is_quantised=quantize,
            **others,
        )
    except ValueError as error:  # a setting's own check
        raise click.UsageError(str(error)) from error


def _views(names: str) -> tuple[str, ...]:
    """Read the names of views, good or not."""
    from embed.video import ALL_VIEWS

    return ALL_VIEWS if names == "all" else tuple(names.split(","))
