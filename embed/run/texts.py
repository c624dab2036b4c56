"""What the commands say of their results, as text for people."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embed.run.config import EmbedSummary
    from embed.store import Provenance, StoreReport

SHOWN_FAILURES = 20
"""So many are listed; what follows them is counted."""


def summary_text(summary: "EmbedSummary") -> str:
    """Say what a run did, and what would make the next one faster."""
    from embed.machine import core_count

    changed = f" ({summary.changed} of them anew, since their files changed)" if summary.changed else ""
    counts = (
        f"{summary.embedded} videos embedded{changed}, {summary.skipped} in the store already, {summary.failed} failed"
    )
    repeated = f" ({summary.repeated} of frames that repeat the one before)" if summary.repeated else ""
    speed = f"{summary.vectors} vectors{repeated} in {summary.seconds:.1f} s"
    lines = [f"{counts}; {speed} -> {Path(summary.store)}"]
    lines += [f"{count} videos decoded on the CPU: {reason}" for reason, count in summary.decoded_on_cpu.items()]
    if summary.hint:
        work = f"{summary.decode_cpu_seconds:.1f} s decoding and {summary.encode_cpu_seconds:.1f} s encoding"
        lines.append(f"Processor time: {work}, {summary.cores_used:.1f} of {core_count()} cores on average")
        lines.append(f"To go faster: {summary.hint}")
    return "\n".join(lines)


def report_text(report: "StoreReport") -> str:
    """Say what is in a store."""
    encoder, sampling = report.provenance.encoder, dict(report.provenance.sampling)
    rows: list[tuple[str, object]] = [
        ("store", f"{report.path}, made {report.created}"),
        ("videos", f"{report.videos} ({report.duration_s / 3600:.2f} hours)"),
        ("vectors", f"{report.vectors} of {report.dimension} dimensions"),
        ("a video", f"{report.shortest} to {report.longest} vectors, median {report.median:g}"),
        (
            "encoder",
            f"{encoder.model} ({encoder.family}), weights {encoder.pretrained}, sha256 {encoder.weights_sha256[:12]}",
        ),
        ("precision", _precision_text(report.provenance)),
        ("sampling", f"{sampling.pop('name')} {sampling}; decoded by {report.provenance.decoder}"),
        ("views", ", ".join(report.provenance.views)),
        ("failed", len(report.failures)),
    ]
    lines = [f"{name:<9} {value}" for name, value in rows]
    lines += [f"  {reason}: {count}" for reason, count in report.failures_by_reason.items()]
    lines += [f"    {f.id}: {f.detail}" for f in report.failures[:SHOWN_FAILURES]]
    if report.problems is not None:
        lines += [f"{'verified':<9} {len(report.problems) or 'no'} problems", *(f"  {p}" for p in report.problems)]
    return "\n".join(lines)


def _precision_text(provenance: "Provenance") -> str:
    fidelity = provenance.fidelity
    if fidelity is None:
        return provenance.encoder.precision
    return (
        f"{provenance.encoder.precision}, cosine to float32 {fidelity.cosine_min:.5f} at worst, "
        f"{fidelity.cosine_mean:.5f} on average of {fidelity.frame_count} frames"
    )
