"""`refresh-head`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embed.cli import Command, ProgressBar, echo, option, output_options
from embed.machine import counted, shown

if TYPE_CHECKING:
    from classify.refresh import RefreshSummary


@click.command(
    cls=Command, guide="retraining.md", when_stopped="The head in use is unchanged. Run the same command again."
)
@click.argument("config", type=click.Path(path_type=Path))
@option("--init", "is_making", is_flag=True, help="Write CONFIG with every setting explained, and end.")
@option("--dry-run", "is_dry", is_flag=True, help="Say what would be embedded, and write nothing.")
@option("--rollback", "is_rolling_back", is_flag=True, help="Put the head before this one in use again, and end.")
@option("--wait", "is_waiting", is_flag=True, help="Wait for another run on the same heads; without it, leave.")
@output_options
def refresh_head(
    config: Path, is_making: bool, is_dry: bool, is_rolling_back: bool, is_waiting: bool, as_json: bool
) -> None:
    """Embed what is new, take in corrections, train a challenger, and put it in use only if it is surely better.

    CONFIG is a TOML file. Better is: on the same held-out videos, the 95% interval of the gain in micro-F1 over the
    head in use lies above min_gain. Every head is kept as a version. Exit 1 if a video failed.

    \b
    refresh-head nightly.toml --init
    refresh-head nightly.toml
    predict-videos heads/ new_videos/
    """  # noqa: D301 (click wants a real backspace)
    from classify.refresh import RefreshConfig, refresh_head as refresh, roll_back

    if is_making:
        _write_template(config)
        return
    if sum((is_dry, is_rolling_back)) > 1:
        raise click.UsageError("--dry-run writes nothing, and --rollback does. Give one of them.")
    settings = RefreshConfig.read(config)
    if is_rolling_back:
        summary = roll_back(settings, is_waiting=is_waiting)
    else:
        with ProgressBar() as bar:
            summary = refresh(settings, is_dry=is_dry, is_waiting=is_waiting, on_progress=bar.show)
    echo(json.dumps(summary.to_json(), indent=2) if as_json else _text(summary))
    sys.exit(1 if summary.failed else 0)


def _write_template(path: Path) -> None:
    from classify.files import write_whole
    from classify.refresh import TEMPLATE

    if path.exists():
        raise click.UsageError(f"{path} exists, and is not replaced. Name another file for --init.")
    write_whole(path, TEMPLATE)
    echo(f"-> {shown(str(path))}")


def _text(summary: "RefreshSummary") -> str:
    """Return what a run did, a line each."""
    if summary.decision is None:
        return "\n".join([*_counts(summary), summary.note])
    lines = [*_counts(summary), f"trained {summary.version}"]
    if summary.micro_f1 is not None:
        value, low, high = summary.micro_f1
        lines.append(f"micro-F1 on held-out videos {value:.3f} ({low:.3f} to {high:.3f}), looked at {summary.looks:,}x")
    if summary.new_labels:
        named = ", ".join(f"{name} ({count:,})" for name, count in summary.new_labels.items())
        lines.append(f"new labels: {named}")
    if summary.drift is not None:
        share = summary.drift["unusual_share"]
        lines.append(f"{counted(int(summary.drift['new_videos']), 'new video')}, {share:.0%} unusual (usual: 1%)")
    return "\n".join([*lines, summary.decision.reason, f"in use: {summary.champion}"])


def _counts(summary: "RefreshSummary") -> list[str]:
    if not (summary.embedded or summary.failed or summary.videos):
        return []
    aside = f", {summary.set_aside:,} set aside" if summary.set_aside else ""
    corrected = f", {counted(summary.corrections, 'correction')}" if summary.corrections else ""
    return [
        f"{counted(summary.embedded, 'video')} embedded, {summary.failed:,} failed; "
        f"{counted(summary.videos, 'labelled video')}{corrected}{aside}"
    ]
