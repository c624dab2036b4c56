"""How predictions are streamed, and what a run did."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from classify.classifier import PredictConfig
from classify.errors import ClassifyError
from classify.streaming.rules import LabelRule
from embed.store import Failure

Format = Literal["csv", "json", "jsonl", "parquet", "yt8m"]
FORMATS: tuple[Format, ...] = get_args(Format)
_MOST_FAILURES = 20  # that a summary keeps: there may be as many as videos


@dataclass(frozen=True)
class StreamConfig:
    """How videos are labelled and predictions written.

    Args:
        predict: how new videos are embedded.
        rule: which labels a video is given.
        file_format: of the predictions (`classify.streaming.formats`).
        moments: also find the moments that speak for each given label.
        sheets: folder for a contact sheet of each video; None makes none.
        spreadsheet_safe: write `'` before each cell of a CSV that a spreadsheet would take for a formula.
        overwrite: replace also what an earlier run did not write, or what belongs to a run of other settings.

    Raises:
        ClassifyError: two settings exclude each other.
    """

    predict: PredictConfig = PredictConfig()  # noqa: RUF009 - frozen
    rule: LabelRule = LabelRule()  # noqa: RUF009 - frozen
    file_format: Format = "csv"
    moments: bool = False
    sheets: Path | None = None
    spreadsheet_safe: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        if (self.file_format == "yt8m") != (self.predict.file_format == "yt8m"):
            raise ClassifyError("--format yt8m is set for the file or for the labels only. Set it for both.")
        if self.file_format == "yt8m" and (self.moments or not self.rule.is_own):
            raise ClassifyError(
                "--format yt8m writes the 20 likeliest labels of each video, without thresholds or moments. Leave out "
                "--top, --threshold and --moments, or choose another --format."
            )
        if self.spreadsheet_safe and self.file_format not in ("csv", "yt8m"):
            raise ClassifyError(f"--spreadsheet-safe is for CSV files, not for --format {self.file_format}.")

    @property
    def needs_moments(self) -> bool:
        """True if moments are found: for the file, or for the sheets."""
        return self.moments or self.sheets is not None


@dataclass
class StreamSummary:
    """What a run did.

    Args:
        labelled: videos that it labelled.
        failed: videos that could not be embedded.
        resumed: videos that an unfinished run had done before.
        reused: new videos whose content was in a store already, so that they were not decoded.
        failures: the first of those that failed.
        replaced: a sentence about what the output replaced; None if nothing.
        order: id -> place in the order of the sources, in which labelled videos are written.
        unsheeted: labelled videos without a contact sheet, because they are no local files that can be read.
    """

    labelled: int = 0
    failed: int = 0
    resumed: int = 0
    reused: int = 0
    failures: list[Failure] = field(default_factory=list)
    replaced: str | None = None
    unsheeted: int = 0
    order: dict[str, int] = field(default_factory=dict, repr=False)

    def add_failure(self, failure: Failure) -> None:
        """Count a video that failed."""
        self.failed += 1
        if len(self.failures) < _MOST_FAILURES:
            self.failures.append(failure)
