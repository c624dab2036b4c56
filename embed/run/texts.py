"""The results of the commands as text for people, in lines of at most 80 columns. Nothing here is coloured."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from embed.machine import fold, shell_word, shown

if TYPE_CHECKING:
    from embed.run.config import EmbedSummary
    from embed.store import Failure, ListedVideo, Provenance, StoreReport

SHOWN_FAILURES = 20
"""How many failures are listed. The others are counted."""
_SHOWN_NAMES = 5  # of each kind of change of a store
COLUMNS = 80
_HASH_DIGITS = 8
_MUCH_CHANGED = 0.25
"""Of the size of the vectors. At 19%, heads lose nothing measurable (resources/docs/benchmarks/reduction.md)."""
_NAME_COLUMNS = 10


def wrapped(text: str, *, indent: int = 0, hanging: int | None = None) -> str:
    """Return a text in lines of at most 80 columns. Only a word that is longer than that, such as a path, goes beyond.

    Args:
        text: one sentence or more; control characters and ends of lines in it are written out.
        indent: columns before the first line.
        hanging: columns before the lines that follow; None takes two more than `indent`.

    >>> print(wrapped("To go faster: " + "more cores " * 8, indent=2))
      To go faster: more cores more cores more cores more cores more cores more
        cores more cores more cores
    """
    behind = " " * (indent + 2 if hanging is None else hanging)
    return fold(shown(text), COLUMNS, first=" " * indent, others=behind)


def summary_text(summary: "EmbedSummary") -> str:
    """Return what a run did, and what would make the next one faster."""
    from embed.machine import core_count, counted, size_text

    counts = f"{counted(summary.embedded, 'video')} embedded, {summary.skipped:,} in the store already"
    vectors = counted(summary.vectors, "vector") if summary.vectors else "no new vectors"
    done = [
        f"{counts}, {summary.failed:,} failed",
        f"{vectors} in {summary.seconds:.1f} s, store: {Path(summary.store)}",
    ]
    if summary.clipped_share is not None:
        loss = loss_text(summary.clipped_share, summary.quantisation_error)
        done.append(f"one byte a coefficient, store of {size_text(summary.size_bytes)}: {loss}")
    if summary.changed:
        done.append(f"{counted(summary.changed, 'video')} of these embedded again, because the files changed")
    notes = []
    if summary.repeated:
        repeated = counted(summary.repeated, "vector")
        notes.append(f"{repeated} copied, because the frame is the same as the one before")
    notes += [
        f"{counted(count, 'video')} decoded on the CPU: {reason}" for reason, count in summary.decoded_on_cpu.items()
    ]
    if summary.hint:
        work = f"{summary.decode_cpu_seconds:.1f} s decoding, {summary.encode_cpu_seconds:.1f} s encoding"
        cores = f"{summary.cores_used:.1f} of {counted(core_count(), 'core')} busy on average"
        notes += [f"Processor time: {work}; {cores}", f"To go faster: {summary.hint}"]
    return "\n".join([*map(wrapped, done), *_following_lines(summary), *map(wrapped, notes)])


def loss_text(clipped_share: float, error: float | None) -> str:
    """Return what one byte a coefficient has changed in vectors, and what to do if it is much.

    Args:
        clipped_share: share of the coefficients beyond +-2.
        error: root mean square of the changes as a share of that of the coefficients; None if all are 0.
    """
    clipped = "no coefficient" if not clipped_share else f"{clipped_share:.2%} of the coefficients"
    verb = "is" if not clipped_share else "are"
    said = f"{clipped} {verb} beyond +-2 and cut off, and the vectors change by {error or 0:.1%} (root mean square)"
    if (error or 0) <= _MUCH_CHANGED:
        return said
    return f"{said}. That is much: reduce the vectors by a PCA first (fit-pca, then --pca)"


def _following_lines(summary: "EmbedSummary") -> list[str]:
    """Return how the store follows the files: what moved, what is gone, and what it knows under another id."""
    from embed.machine import counted

    lines = []
    if summary.moved:
        listing = f"inspect-embeddings {shell_word(summary.store)} --list shows all ids"
        moved = [
            f"{old} is {new} now" if old != new else f"{old} is in another place now"
            for old, new in summary.moved.items()
        ]
        lines += _named(f"{counted(len(moved), 'video')} moved and kept the vectors", moved, listing)
    if summary.dropped:
        dropped = f"{counted(len(summary.dropped), 'video')} dropped from the store"
        lines += _named(dropped, summary.dropped, "which --log writes down")
    if summary.gone:
        are = "is" if len(summary.gone) == 1 else "are"
        gone = f"{counted(len(summary.gone), 'video')} of the store {are} no longer in these sources"
        lines += _named(gone, summary.gone, "which --json lists")
    if summary.emptied:
        lines.append(wrapped(_emptied_text(summary.emptied)))
    if summary.known_as:
        known = [f"{here} is in the store as {there}" for here, there in summary.known_as.items()]
        lines += _named(
            f"{counted(len(known), 'file')} named by two ids and not embedded twice", known, "which --json lists"
        )
    if summary.copies:
        copies = [" = ".join(ids) for ids in summary.copies]
        what = f"{counted(len(copies), 'group')} of videos with the same content under several ids"
        lines += _named(what, copies, "which --json lists")
    return lines


def _emptied_text(emptied: Mapping[str, Sequence[str]]) -> str:
    first, count = next(iter(emptied)), sum(map(len, emptied.values()))
    where, it = (first, "it") if len(emptied) == 1 else (f"{len(emptied):,} places, such as {first}", "these")
    return (
        f"{count:,} of these lay in {where}: a folder without any video, or a link that leads nowhere, as where a disk "
        f"is not mounted. So --prune keeps them. To drop them, remove {it} first, or use --prune-anyway"
    )


def _named(what: str, names: Sequence[str], others: str) -> list[str]:
    """Return lines on some things: the count, the first names, and what lists the others."""
    if len(names) == 1:
        return [wrapped(f"{what}: {names[0]}")]
    more = len(names) - _SHOWN_NAMES
    lines = [wrapped(f"{what}:"), *(wrapped(name, indent=2) for name in names[:_SHOWN_NAMES])]
    return lines if more <= 0 else [*lines, wrapped(f"... and {more:,} more, {others}", indent=2)]


def failures_text(failures: Iterable["Failure"]) -> str:
    """Return which videos failed and why, two lines or more for each."""
    return "\n".join(
        f"  {shown(failure.id)}\n{wrapped(f'{failure.reason}: {failure.detail}', indent=4, hanging=4)}"
        for failure in failures
    )


def listed_text(video: "ListedVideo") -> str:
    """Return a line on a video: id, folder and path, with tabs between them."""
    return "\t".join(map(shown, (video.id, video.folder, video.location)))


def report_text(report: "StoreReport") -> str:
    """Return what is in a store."""
    from embed.machine import counted
    from embed.store import describe_sampling

    encoder = report.provenance.encoder
    shortest = f"{report.shortest:,} to " if report.shortest < report.longest else ""
    rows: list[tuple[str, str]] = [
        ("store", f"{report.path}, made {report.created}"),
        ("videos", f"{report.videos:,} ({_duration_text(report.duration_s)})"),
        ("vectors", f"{report.vectors:,} of {report.dimension} dimensions"),
        ("size", _size_text(report)),
        ("per video", f"{shortest}{counted(report.longest, 'vector')}, median {report.median:g}"),
        ("encoder", f"{encoder.model} ({encoder.family})"),
        ("weights", f"{encoder.pretrained}, sha256 {encoder.weights_sha256[:_HASH_DIGITS]}"),
        *([("licence", report.provenance.licence)] if report.provenance.licence else []),
        ("precision", _precision_text(report.provenance)),
        *([("rows", f"what enters {encoder.stop_before}, {_times(encoder.shape)}")] if encoder.shape else []),
        *([("reduced", f"{encoder.reduction}, from {encoder.reduction.source}")] if encoder.reduction else []),
        ("sampling", f"{describe_sampling(report.provenance.sampling)}; decoded by {report.provenance.decoder}"),
        ("views", ", ".join(report.provenance.views)),
        ("failed", f"{len(report.failures):,}"),
    ]
    lines = [_row(name, value) for name, value in rows]
    lines += [f"  {reason}: {counted(count, 'video')}" for reason, count in report.failures_by_reason.items()]
    lines += [wrapped(f"{f.id}: {f.detail}", indent=4) for f in report.failures[:SHOWN_FAILURES]]
    if len(report.failures) > SHOWN_FAILURES:
        lines.append(f"    ... and {len(report.failures) - SHOWN_FAILURES:,} more, which --json lists")
    if report.damaged:
        frames = counted(sum(report.damaged.values()), "frame")
        lines.append(_row("damaged", f"{frames} of {counted(len(report.damaged), 'video')}"))
        named = list(report.damaged.items())
        lines += [wrapped(f"{name}: {counted(count, 'frame')}", indent=2) for name, count in named[:SHOWN_FAILURES]]
        if len(named) > SHOWN_FAILURES:
            lines.append(f"  ... and {len(named) - SHOWN_FAILURES:,} more, which --json lists")
    if report.problems is not None:
        found = counted(len(report.problems), "problem") if report.problems else "no problems"
        lines += [_row("verified", found), *(wrapped(problem, indent=2) for problem in report.problems)]
    return "\n".join(lines)


def _size_text(report: "StoreReport") -> str:
    from embed.machine import size_text

    kind = "one byte a coefficient" if report.provenance.storage == "uint8" else report.provenance.storage
    return f"{size_text(report.size_bytes)}, {kind}"


def _row(name: str, value: str) -> str:
    return wrapped(f"{name:<{_NAME_COLUMNS - 1}} {value}", hanging=_NAME_COLUMNS)


def _duration_text(duration_s: float) -> str:
    minutes = duration_s / 60
    if minutes < 2:
        return f"{duration_s:.1f} s"
    return f"{minutes:.1f} minutes" if minutes < 120 else f"{minutes / 60:,.1f} hours"


def _precision_text(provenance: "Provenance") -> str:
    fidelity = provenance.fidelity
    if fidelity is None:
        return provenance.encoder.precision
    return (
        f"{provenance.encoder.precision}; cosine to float32 {fidelity.cosine_min:.5f} at worst, "
        f"{fidelity.cosine_mean:.5f} on average of {fidelity.frame_count} frames"
    )


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{length:,}" for length in shape)
