"""The style of all pictures; matplotlib loads when a picture is drawn."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def picture_style() -> Iterator[None]:
    """Draw in one style, and show all text literally: the `$` of a label does not start a formula."""
    import matplotlib

    with matplotlib.rc_context(
        {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "text.parse_math": False}
    ):
        yield
