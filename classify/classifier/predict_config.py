"""How new videos are embedded and labelled, and how predictions are written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from classify.errors import ClassifyError


@dataclass(frozen=True)
class PredictConfig:
    """How new videos are embedded and labelled, which changes no more than the last digits, and how this is written.

    Args:
        device: of encoder and head: "cpu", "cuda", or "auto" for a GPU where there is one.
        pretrained: checkpoint file of the encoder, if it has moved since the head was trained.
        batch_size: frames, or clips, that the encoder takes at once; None is what suits it.
        store: the store that keeps the embeddings, so that the next run can reuse them; None keeps none.
        playlists: True if local files named as playlists (.m3u8, .ffconcat) may play the files that they name.
        public_only: True fetches links from hosts of the public internet only, redirections included.
        file_format: "csv", or "yt8m" for the 20 likeliest labels of each video as YouTube-8M's numbers.
        vocabulary: YouTube-8M's `vocabulary.csv`, which has these numbers, if the head's labels are names.

    Raises:
        ClassifyError: there is a vocabulary, but no file that needs it.
    """

    device: str = "auto"
    pretrained: str | None = None
    batch_size: int | None = None
    store: Path | None = None
    playlists: bool = False
    public_only: bool = False
    file_format: Literal["csv", "yt8m"] = "csv"
    vocabulary: str | Path | None = None

    def __post_init__(self) -> None:
        if self.vocabulary is not None and self.file_format != "yt8m":
            raise ClassifyError("--vocabulary has the numbers for --format yt8m. Give both, or neither.")
