"""The style of all pictures; matplotlib loads when a picture is drawn."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PNG_METADATA = {"Software": "framehead"}
"""Without matplotlib's version, so that the same figures give the same bytes; and it tells our pictures from others."""

_MARK = b"tEXtSoftware\0framehead"
_HEAD_BYTES = 1024


@contextmanager
def picture_style() -> Iterator[None]:
    """Draw in one style, and show all text literally: the `$` of a label does not start a formula."""
    import matplotlib

    with matplotlib.rc_context(
        {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "text.parse_math": False}
    ):
        yield


def describe_picture_file(path: Path) -> str | None:
    """Return "the picture" for a PNG file with `PNG_METADATA`; None for any other file."""
    with path.open("rb") as file:
        return "the picture" if _MARK in file.read(_HEAD_BYTES) else None
