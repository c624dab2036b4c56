"""YouTube-8M's networks, which are here by name only: stores of imported vectors name them."""

from embed.encoders.contract import Encoder
from embed.errors import EncoderError


def load(model: str, **_: str | int | None) -> Encoder:
    """Say that the network is not here.

    Raises:
        EncoderError: always.
    """
    raise EncoderError(
        f"No encoder here makes vectors of {model}: YouTube-8M's vectors are imported with import-yt8m. Embed videos "
        "of your own with another --model, into a store of their own (resources/docs/youtube-8m.md)."
    )
