"""`fit-pca` and `reduce-store`."""

import json
from typing import TYPE_CHECKING

import click

from embed.cli.command import GOES_ON, Command, as_line, echo, option, output_options, show_next
from embed.cli.progress import counting_bar
from embed.machine import operand
from embed.run import loss_text, wrapped

if TYPE_CHECKING:
    from embed.reduction import PcaReport, ReduceReport


@click.command(cls=Command, guide="reducing.md")
@click.argument("source", metavar="STORE", type=click.Path())
@option(
    "-o",
    "--output",
    metavar="FILE",
    default="pca.safetensors",
    show_default=True,
    help="File to write. An older PCA is replaced.",
)
@option(
    "--dimensions",
    metavar="K",
    type=click.IntRange(1),
    help="Length of the reduced vectors.  [default: 1024, or all if the store has fewer]",
)
@option(
    "--split",
    metavar="FILE",
    type=click.Path(),
    help="Read the training videos of this split only, so that figures of the test videos stay honest.",
)
@option("--no-whiten", is_flag=True, help="Divide all coordinates by the deviation of the first, not each by its own.")
@option("--overwrite", is_flag=True, help="Replace FILE although fit-pca did not write it.")
@output_options
def fit_pca(
    source: str,
    output: str,
    dimensions: int | None,
    split: str | None,
    no_whiten: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Fit a PCA to the vectors of a store: the directions in which they vary most.

    STORE is a store of float16, or a folder with YouTube-8M's mean.npy, eigenvals.npy and eigenvecs.npy. It is read
    once, block by block, and may be larger than the memory. No label is read.

    \b
    fit-pca embeddings.h5 --dimensions 256 -o pca.safetensors
    fit-pca embeddings.h5 --split split.csv
    """  # noqa: D301 (click needs a real backspace)
    from embed.reduction import PcaConfig, fit_pca

    config = PcaConfig(dimensions, is_whitened=not no_whiten, split=split)
    with counting_bar("vectors") as on_progress:
        report = fit_pca(source, output, config, overwrite=overwrite, on_progress=on_progress)
    echo(json.dumps(report.to_json(), indent=2) if as_json else _pca_text(report))
    if not as_json:
        pca = ["--pca", operand(output)]
        reducing = as_line(["reduce-store", operand(source), "-o", "reduced.h5", *pca])
        embedding = as_line(["embed-videos", "videos/", "-o", "reduced.h5", *pca])
        show_next(f"{reducing}  # the vectors of a store\n{embedding}  # videos" if report.vectors else embedding)


@click.command(cls=Command, guide="reducing.md", when_stopped=GOES_ON)
@click.argument("store", type=click.Path())
@option("-o", "--output", metavar="NEW", required=True, help="Store to make or continue.")
@option("--pca", metavar="FILE", type=click.Path(), help="Reduce the vectors by this file of fit-pca.")
@option(
    "--quantize",
    is_flag=True,
    setting="is_quantised",
    help="Store one byte a coefficient: half the size. Values beyond +-2 are cut off; it tells how many.",
)
@output_options
def reduce_store(store: str, output: str, pca: str | None, quantize: bool, as_json: bool) -> None:
    """Make a smaller store of a store: shorter vectors, one byte a coefficient, or both. No video is opened.

    The new store is as embed-videos makes it with the same options, and continues so. STORE is not changed.

    \b
    reduce-store embeddings.h5 -o reduced.h5 --pca pca.safetensors --quantize
    """  # noqa: D301 (click needs a real backspace)
    from embed.reduction import reduce_store

    with counting_bar("videos") as on_progress:
        report = reduce_store(store, output, pca=pca, is_quantised=quantize, on_progress=on_progress)
    echo(json.dumps(report.to_json(), indent=2) if as_json else _reduced_text(report))
    if not as_json:
        show_next(as_line(["split-videos", operand(output)]))


def _pca_text(report: "PcaReport") -> str:
    from embed.machine import counted, size_text

    lines = [
        f"{report.source_dimension:,} dimensions become {report.dimension:,}"
        f"{', whitened' if report.is_whitened else ''}, which keep {report.explained:.1%} of the variance",
        f"fitted on {counted(report.vectors, 'vector')} of {counted(report.videos, 'video')}"
        if report.vectors
        else "as YouTube-8M made them",
        f"{report.path}, {size_text(report.size_bytes)}, sha256 {report.sha256[:12]}",
    ]
    return "\n".join(map(wrapped, [*([report.replaced] if report.replaced else []), *lines]))


def _reduced_text(report: "ReduceReport") -> str:
    from embed.machine import counted, size_text

    lines = [
        f"{counted(report.videos, 'video')} reduced, {report.skipped:,} in the store already",
        f"{counted(report.vectors, 'vector')} of {counted(report.dimension, 'dimension')}; "
        f"{size_text(report.size_bytes)} in place of {size_text(report.source_bytes)}",
    ]
    if report.clipped_share is not None:
        lines.append(f"one byte a coefficient: {loss_text(report.clipped_share, report.quantisation_error)}")
    return "\n".join(map(wrapped, lines))
